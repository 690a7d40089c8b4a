// Package payload recognises what a request's body is, by its shape and whatever its Content-Type
// says: a LangSmith rule webhook, an Agent Server run webhook, another LangSmith event, or
// anything else as JSON, form, multipart, text or binary. It names the parts that people look for,
// lists what a schema would not expect without refusing anything, finds the presigned URLs of a
// body, and computes the delivery key.
//
// Everything here is a pure function of its arguments and safe for any bytes: no recursion on
// nested input, time linear in the body's size, bounded results. A body is checked whole (grammar
// and depth) by the package's own scanner before gjson sees any of it, because gjson neither
// validates nor bounds its depth.
package payload

// Bounds of what is looked at and returned.
const (
	// maxDepth is how deep JSON may be nested before it is treated as opaque.
	maxDepth = 1000
	// maxProblems bounds Payload.Problems.
	maxProblems = 100
	// maxRuns bounds Rule.Runs; RunCount counts them all.
	maxRuns = 250
	// maxRunsRead is how many runs are looked at for problems and URLs.
	maxRunsRead = 10_000
	// maxRefs bounds what Refs returns.
	maxRefs = 2000
	// maxKeys is how many members of one object are looked at.
	maxKeys = 4096
	// maxRefKey is the longest key, in bytes, that becomes part of a Ref's name.
	maxRefKey = 256
)
