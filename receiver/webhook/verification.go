package webhook

import "time"

// Claim is a request whose proof is to be checked again, with what may explain why it fails.
type Claim struct {
	// Policy to check against. It need not be the endpoint's.
	Policy SecretPolicy
	// Request exactly as it was sent.
	Request *Request
	// Decoded is the body without its Content-Encoding; nil when it has none.
	Decoded []byte
	// Others are endpoints whose secrets the sender may have used instead.
	Others []*Endpoint
	// At is the time that a signed timestamp is compared with: when the request came.
	At time.Time
}

// Verification says whether a request proves its sender, and when it does not, why.
type Verification struct {
	Scheme   Scheme
	Verified bool
	// Reason is the verifier's; empty when Verified.
	Reason Reason
	// Layout is what the scheme signs, such as "timestamp.body"; empty for schemes that sign nothing.
	Layout string
	// SignedSHA256 is the SHA-256 of the bytes that had to be signed, in hexadecimal; empty when a part of them is
	// missing.
	SignedSHA256 string
	// Findings are the likeliest cause first. Without Verified and without findings no known cause fits. With
	// Verified they are what other receivers may stumble over.
	Findings []Finding
	// Partial is true when the body is too large for every cause to have been tried.
	Partial bool
}

// Finding is one thing that a sender did otherwise than the scheme wants it.
type Finding struct {
	// Code is stable, such as "body_spaced".
	Code string
	// Text tells the sender's author what to change. It holds no secret.
	Text string
	// Evidence are named values, none of them a secret.
	Evidence []Field
}
