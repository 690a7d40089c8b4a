// Package gate is a listener, or a name on one that is shared, that one endpoint has for itself, so that faults can
// happen before there is a request:
//
//	            place in the sequence
//	                    │
//	TCP ── valve ── accept loop ── [fault] ── TLS ── [fault] ── Accept ── http.Server
//	         │                        │                │
//	         └── Counter (SYNs) ──────┴────────────────┴── Record (webhook.Connection)
//
// Where gates share a listener (Names), a connection comes to its gate within TLS, once its sender has named it.
//
// The valve refuses connections, or leaves them unanswered, without giving the port away. What the endpoint's plan
// wants is asked for at each connection and each request, by the place in the plan's sequence, which the gate keeps.
package gate

import (
	"log/slog"
	"net/netip"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Steps is what a gate asks of the answers of its endpoint. Its methods do not block.
type Steps interface {
	// Connection returns what a connection meets at a place of the sequence, and for how many places that goes on,
	// this one included; 0 for ever. Its Fault is empty for a step at HTTP level.
	Connection(place int) (p webhook.Plan, left int)
	// Chance returns what a connection meets by chance; its Fault is empty for nothing.
	Chance(seed uint64) webhook.Plan
	// Request returns the place of the step that a request gets which comes at a place.
	Request(place int) int
}

// Config of a Gate.
type Config struct {
	// Endpoint is the endpoint's name.
	Endpoint string
	// Addr is where to listen; see Ports for how to choose the port, which must not be 0.
	Addr netip.AddrPort
	// Steps of the endpoint.
	Steps Steps
	// Names, unless nil, is a listener that the gate shares with others: Addr and Counter are not used then, and Authority
	// is needed. Steps before the sender has said whom it wants, such as refuse, cannot be carried out there.
	Names *Names
	// Authority signs the certificates. Nil for a gate without TLS.
	Authority *Authority
	// H2 offers HTTP/2 beside HTTP/1.1. It needs Authority.
	H2 bool
	// Counter counts refused and dropped tries to connect; nil counts none.
	Counter *Counter
	// Record gets each connection when it has ended, and each refused or dropped try. It must not block for long.
	Record func(webhook.Connection)
	// Log is required.
	Log *slog.Logger
}
