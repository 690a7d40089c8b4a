// Package api is the contract of the inspector's REST and live interface: the OpenAPI document, the JSON
// forms of the nouns, and the conversions between the two. It knows nothing of routes or stores.
//
// Secrets are masked by the conversions themselves: each takes a Masker, and Exact is the one that shows
// everything. Times are RFC 3339 in UTC, durations are numbers of milliseconds (Millis).
package api

import (
	_ "embed"
	"slices"
)

//go:embed openapi.yaml
var document []byte

// Document returns a copy of the OpenAPI 3.1 document, in YAML.
func Document() []byte { return slices.Clone(document) }

// Hidden is what stands in the place of a masked secret. Sent back in a secret's field, it means "as stored".
const Hidden = "•••"

// Masker hides secrets in bytes and text that are shown to people.
type Masker interface {
	Bytes(b []byte) []byte
	String(s string) string
}

// Exact is the Masker that hides nothing.
type Exact struct{}

// Bytes returns b.
func (Exact) Bytes(b []byte) []byte { return b }

// String returns s.
func (Exact) String(s string) string { return s }
