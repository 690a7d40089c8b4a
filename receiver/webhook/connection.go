package webhook

import (
	"net/netip"
	"time"
)

// Reached says how far a try to connect came.
type Reached string

// How far a try to connect came.
const (
	// ConnAccepted: the connection was made.
	ConnAccepted Reached = "accepted"
	// ConnRefused: it was answered by a reset, as by a port where nobody listens.
	ConnRefused Reached = "refused"
	// ConnDropped: it was not answered.
	ConnDropped Reached = "dropped"
)

// Connection is one connection, or a try to make one, to a listener that an endpoint has for itself. A sender may
// make several for one attempt, and an attempt that fails before HTTP leaves nothing else behind.
type Connection struct {
	// Seq is set by the store.
	Seq Seq
	// Endpoint is the endpoint's name.
	Endpoint string
	Peer     netip.AddrPort
	// At is when it was accepted or its first SYN was seen, UTC.
	At      time.Time
	Reached Reached
	// Fault was carried out on it before any request, or is empty.
	Fault Fault
	// Step is the text of the step that Fault comes from, such as "tls-badcert/cert=expired".
	Step string
	// Handshake is nil without TLS.
	Handshake *Handshake
	// Requests counts the requests that came on it.
	Requests int
	// Ended is when it ended, from At; nil while it is open and for one that was never accepted.
	Ended *time.Duration
	// EndedBy is empty when the receiver ended it; Reset tells that the receiver did so with an RST.
	EndedBy HangUp
	Reset   bool
}

// Handshake is what is known of a TLS handshake.
type Handshake struct {
	// Done is when it was complete or broke off, from Connection.At.
	Done time.Duration
	// Version and Protocol (ALPN) are empty when it broke off; ServerName when the sender named none.
	Version, ServerName, Protocol string
	// Err is why it broke off, or empty.
	Err string
}
