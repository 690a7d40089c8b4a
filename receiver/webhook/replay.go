package webhook

import "time"

// ReplayBy says who sent a capture on.
type ReplayBy string

// Who sends on.
const (
	// ByServer: the server, through its guarded way out.
	ByServer ReplayBy = "server"
	// ByClient: the replay command, from the machine that it runs on.
	ByClient ReplayBy = "client"
	// ByForward: the forward command, which relays captures as they come.
	ByForward ReplayBy = "forward"
	// ByEndpoint: the server, because a Forward of the endpoint asks for it.
	ByEndpoint ReplayBy = "endpoint"
)

// Replay is one try of ours to send a capture on. The tries of one replay share an ID.
type Replay struct {
	// Seq is set by the store.
	Seq Seq
	// Capture that was sent on, and its endpoint.
	Capture  Seq
	Endpoint string
	// ID is a UUIDv7.
	ID string
	By ReplayBy
	// Target is where to, without user, query and fragment: those may hold a secret.
	Target string
	// Policy names the delivery policy; "none" tries once.
	Policy string
	// Edited: method, header fields or body were changed. Signed: the proof of the sender was made anew.
	Edited, Signed bool
	// Attempt, Try and Hop count as those of a sender do: attempts from 1, tries to connect in it from 1, redirects from 0.
	Attempt, Try, Hop int
	// Start is when the try began, Duration until the answer's head was whole or it was given up.
	Start    time.Time
	Duration time.Duration
	// Status of the answer, or 0.
	Status int
	// Failure is why there was no answer, or empty.
	Failure string
	// NextIn is the wait until the next try; nil for the last.
	NextIn *time.Duration
	// Delivered is true for a last try whose answer the policy counts as success.
	Delivered bool
}

// Order asks for one capture to be sent on.
type Order struct {
	// ID is the UUIDv7 that the tries will share.
	ID string
	By ReplayBy
	// Capture with its head and its body.
	Capture *Capture
	// URL is http or https, and is sent to as it is given.
	URL string
	// Method, Header and Body replace what the capture has; empty, nil and nil send it as it came.
	Method string
	Header []Field
	Body   []byte
	// Sign is the proof to make anew, with its first secret; nil leaves the proof as it came.
	Sign *SecretPolicy
	// Policy names the delivery policy; empty is "none", which tries once.
	Policy string
}

// ReplayMarker is the header field that each request has that we send on. Its value is the replay's ID. A forward leaves
// out captures that have it, so that two of them cannot feed each other.
const ReplayMarker = "Hookrange-Replay"
