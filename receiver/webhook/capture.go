package webhook

import "time"

// Seq is the place of a fact in the total order of one store: from 1, without repeats, gaps allowed.
// A capture's Seq is that of its arrival.
type Seq int64

// Class says what became of a request before any plan.
type Class string

// The classes.
const (
	// Accepted: read whole, secret right, expectations met.
	Accepted Class = "accepted"
	// Rejected: bad secret or an unmet expectation, or a browser's preflight, which cannot prove anything.
	Rejected Class = "rejected"
	// Incomplete: cut off, too large or malformed; the body was not read whole.
	Incomplete Class = "incomplete"
)

// Reason says in one word why a capture is not Accepted. Empty for accepted captures.
type Reason string

// The reasons.
const (
	SecretMissing    Reason = "secret_missing"
	SecretWrong      Reason = "secret_wrong"
	SecretRepeated   Reason = "secret_repeated"
	SecretMalformed  Reason = "secret_malformed"
	SignatureMissing Reason = "signature_missing"
	SignatureWrong   Reason = "signature_wrong"
	SignatureBadForm Reason = "signature_malformed"
	SignatureExpired Reason = "signature_expired"
	HeaderMissing    Reason = "header_missing"
	HeaderWrong      Reason = "header_wrong"
	BodyTooLarge     Reason = "body_too_large"
	BodyCut          Reason = "body_cut"
	BodySlow         Reason = "body_slow"
	BodyMalformed    Reason = "body_malformed"
	HeadTooLarge     Reason = "head_too_large"
	AmbiguousFraming Reason = "ambiguous_framing"
	// Preflight marks a request by which a browser asks for leave (CORS); it is answered, but is no attempt.
	Preflight Reason = "preflight"
)

// Request is one inbound HTTP request exactly as it was sent.
type Request struct {
	// Peer is the connection's remote address.
	Peer Peer
	// Proto is the request's version as sent, such as "HTTP/1.1".
	Proto string
	// TLS is nil on a plain connection.
	TLS *TLS
	// Method and Target are as sent; Target is not decoded and still holds the secret.
	Method, Target string
	// Head is the request line and header lines, byte for byte, with the blank line that ends them.
	Head []byte
	// Body is the body without its transfer coding, as far as it was read.
	Body []byte
	// Framed is the body as framed on the wire (chunk sizes, extensions, trailers) when the request was
	// chunked; nil otherwise. Head+Framed, or Head+Body, are the bytes as sent.
	Framed []byte
	// BodySHA256 is the digest of Body.
	BodySHA256 [32]byte
	// BodySize is the size of Body. It stands for itself because lists are read without bodies.
	BodySize int64
	// Declared is the Content-Length that the sender declared, or -1.
	Declared int64
	// Truncated is true when Body is shorter than what the sender sent or declared.
	Truncated bool
}

// TLS is what is known of the TLS connection that a request came over.
type TLS struct {
	Version, Cipher, ServerName, ALPN string
	Resumed                           bool
}

// Capture is our record of one inbound HTTP request and of what we did to it.
type Capture struct {
	// Seq is set by the store.
	Seq Seq
	// ID is a UUIDv7, unique over all nodes.
	ID string
	// Endpoint is the endpoint's name.
	Endpoint string
	// ReceivedAt is when the request's first byte was read, UTC.
	ReceivedAt time.Time
	Class      Class
	Reason     Reason
	Request    Request
	// Delivery is the UUIDv7 of the delivery that this attempt belongs to.
	Delivery string
	// DeliveryBy says how it was recognised: "body", "webhook-id", "id", "rule", "run" or "none".
	DeliveryBy string
	// Attempt is this capture's number within its delivery, from 1.
	Attempt int
	// Gap is the time from the end of the previous attempt to this one's arrival; nil for the first. It is
	// negative when the attempts overlap.
	Gap *time.Duration
	// Plan is what this capture gets.
	Plan Plan
	// Outcome is nil until the answer has ended.
	Outcome *Outcome
	// Objects are the stored objects that the payload names, in the payload's order.
	Objects []Object
	// Note is nil while nobody has noted anything about it.
	Note *Note
}

// Arrival is what a store assigns to an attempt when it arrives, before it is recorded.
type Arrival struct {
	// Delivery is the delivery's UUIDv7.
	Delivery string
	// Attempt counts all attempts of the delivery, from 1.
	Attempt int
	// Step counts the accepted attempts before this one since the endpoint's answers became what they are: the place in
	// their sequence.
	Step int
	// Gap as in Capture.
	Gap *time.Duration
}

// Delivery is all attempts of one message to one endpoint.
type Delivery struct {
	ID, Endpoint string
	// Attempts are in arrival order, without bodies.
	Attempts []Capture
}

// Query selects captures of one endpoint, without bodies unless WithBody; or connections, which have no class and no body.
type Query struct {
	// Endpoint is the name; empty means all.
	Endpoint string
	// Classes to list; empty means all.
	Classes []Class
	// Before and After bound Seq exclusively; zero means no bound.
	Before, After Seq
	// Limit of the captures returned, 1 to 1000.
	Limit int
	// Ascending lists oldest first.
	Ascending bool
	// WithBody loads bodies too.
	WithBody bool
	// Narrow lets captures be left out that do not match a search.
	Narrow Narrowing
}

// Ticket stands for a recorded capture while its answer is carried out: it holds no body.
type Ticket struct {
	Seq                Seq
	Endpoint, Delivery string
	Attempt            int
	ReceivedAt         time.Time
}

// DeliveryKey is what attempts of one delivery have in common.
type DeliveryKey struct {
	// Sum is a digest over the method, the path and what By names.
	Sum [16]byte
	// By says what was used: "webhook-id", "id", "rule", "run", "body", or "none" when nothing can be (an
	// incomplete body); a "none" key matches no other attempt.
	By string
}
