// Package access decides who may call the inspector: the keys that callers bring, what they are granted for them, and
// which of their calls are under way. It stores nothing and knows no routes.
//
// A key is "hkr_ID_SECRET" for a token and "hks_ID_SECRET" for a share. The ID finds it and may be shown; the SECRET is
// 256 random bits. What is stored is the SHA-256 of the whole key: there is nothing to guess in 256 random bits, so a
// slow hash, which protects passwords that people choose, would only make each request slow.
package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"slices"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// BuiltIn is the name of the start-up token, which no other token can have.
const BuiltIn = "start-up token"

// Kind is what a key is for.
type Kind string

// The kinds of keys, as keys begin.
const (
	TokenKey Kind = "hkr"
	ShareKey Kind = "hks"
)

const (
	idBytes     = 5
	secretBytes = 32
)

// Key is what a caller brings. It is a secret, but for its ID.
type Key struct {
	ID   string
	Text string
}

// NewKey returns a random key.
func NewKey(kind Kind) Key {
	id, secret := random(idBytes), random(secretBytes)
	return Key{ID: id, Text: string(kind) + "_" + id + "_" + secret}
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}

// ParseKey returns a key of a kind; ok is false for any other text.
func ParseKey(kind Kind, text string) (key Key, ok bool) {
	rest, ok := strings.CutPrefix(text, string(kind)+"_")
	id, secret, found := strings.Cut(rest, "_")
	if !ok || !found || id == "" || secret == "" {
		return Key{}, false
	}
	return Key{ID: id, Text: text}, true
}

// Hash returns what is stored of a key.
func (k Key) Hash() [sha256.Size]byte { return sha256.Sum256([]byte(k.Text)) }

// Same compares digests in constant time.
func Same(a, b [sha256.Size]byte) bool { return subtle.ConstantTimeCompare(a[:], b[:]) == 1 }

// Grant is what a caller may do. It never changes.
type Grant struct {
	// ID of the token; the start-up token has none.
	ID   string
	Name string
	Role webhook.Role
	// Endpoints are the names that it is good for; none is all.
	Endpoints []string
	// Gone are those of Endpoints that it is not good for any more.
	Gone []string
	// Expires is when it ends; zero is never.
	Expires time.Time
}

// All is the grant of the start-up token.
func All() *Grant { return &Grant{Name: BuiltIn, Role: webhook.RoleAdmin} }

// Of returns a token's grant.
func Of(t *webhook.Token) *Grant {
	return &Grant{ID: t.ID, Name: t.Name, Role: t.Role, Endpoints: t.Endpoints, Gone: t.Gone, Expires: t.Expires}
}

// Covers tells whether the grant is good for an endpoint.
func (g *Grant) Covers(endpoint string) bool {
	return g.Whole() || slices.Contains(g.Endpoints, endpoint) && !slices.Contains(g.Gone, endpoint)
}

// Whole tells whether the grant is good for all endpoints.
func (g *Grant) Whole() bool { return len(g.Endpoints) == 0 }
