package webhook

// FactKind says what a fact is about.
type FactKind string

// The kinds of facts.
const (
	// FactArrival: a capture was recorded; Fact.Capture has it, without its body.
	FactArrival FactKind = "arrival"
	// FactOutcome: its answer has ended; Fact.Outcome.
	FactOutcome FactKind = "outcome"
	// FactResolved: a stored object became known or changed its state; Fact.Object, without Data.
	FactResolved FactKind = "resolved"
	// FactDeletion: captures or connections are gone; Fact.Deletion.
	FactDeletion FactKind = "deletion"
	// FactConnection: a connection to an endpoint's own listener has ended, or a try to connect was refused or dropped;
	// Fact.Connection.
	FactConnection FactKind = "connection"
	// FactNote: somebody changed what is noted about a capture; Fact.Note, in its newest state.
	FactNote FactKind = "note"
	// FactReplay: a try of ours to send a capture on has ended; Fact.Replay.
	FactReplay FactKind = "replay"
)

// Fact is one entry of the total order that watchers read by cursor. Exactly one of the pointers is set.
type Fact struct {
	Seq      Seq
	Kind     FactKind
	Endpoint string
	// Of is the capture that the fact is about; zero for deletions and connections.
	Of         Seq
	Capture    *Capture
	Outcome    *Outcome
	Object     *Object
	Deletion   *Deletion
	Connection *Connection
	Note       *Note
	Replay     *Replay
}

// Deletion says which captures of an endpoint are gone: those listed, or all of Class up to Through. Connections that
// retention takes go without a fact.
type Deletion struct {
	Captures []Seq
	// Class is empty for every class.
	Class   Class
	Through Seq
	// Connections tells that connections up to Through are gone, and no captures.
	Connections bool
	// Endpoint is true when the endpoint itself was deleted.
	Endpoint bool
}
