package webhook

import "time"

// Fault is a deliberate defect of an answer. Empty means none.
type Fault string

// The faults that are carried out on an open HTTP connection.
const (
	// Hang reads the request and never answers, until For has passed or the sender hangs up.
	Hang Fault = "hang"
	// Drip sends the head at once and the body byte by byte.
	Drip Fault = "drip"
	// TrickleHead sends the head byte by byte.
	TrickleHead Fault = "trickle-head"
	// Truncate declares a longer body than it sends, then closes.
	Truncate Fault = "truncate"
	// Garbage answers with bytes that are not HTTP.
	Garbage Fault = "garbage"
	// CloseRequest closes (FIN) after the request was read, without an answer.
	CloseRequest Fault = "close@request"
	// ResetRequest resets (RST) after the request was read, without an answer.
	ResetRequest Fault = "reset@request"
	// ResetBody resets in the middle of the answer's body.
	ResetBody Fault = "reset@body"
)

// The faults that happen before there is a request, or below HTTP/1.1. They need a listener of the endpoint's own.
const (
	CloseAccept Fault = "close@accept"
	ResetAccept Fault = "reset@accept"
	TLSAlert    Fault = "tls-alert"
	TLSReset    Fault = "tls-reset"
	TLSBadCert  Fault = "tls-badcert"
	Refuse      Fault = "refuse"
	Blackhole   Fault = "blackhole"
	H2Reset     Fault = "h2-reset"
	H2GoAway    Fault = "h2-goaway"
)

// Flaw is what is wrong with the certificate of tls-badcert.
type Flaw string

// The flaws.
const (
	// FlawExpired: its time is over; name and issuer are right.
	FlawExpired Flaw = "expired"
	// FlawName: it is for another name.
	FlawName Flaw = "wrong-name"
	// FlawSelfSigned: no authority has signed it. The default.
	FlawSelfSigned Flaw = "self-signed"
)

// Plan is what one capture gets: one step of its endpoint's answers, with chance already decided.
type Plan struct {
	// Text is the step in the plan language, such as "503/after=2s".
	Text string
	// Rule is the name of the rule that gave the plan; empty when none did.
	Rule string
	// Step is the index of the step in the answers of the rule or the endpoint, from 0; -1 for a refusal or a limit's
	// answer.
	Step int
	// Status is the HTTP status to send. Faults that send a head use it too, 200 by default; 0 sends none.
	Status int
	// Fault is empty for a plain answer.
	Fault Fault
	// After is the wait before the first byte, from arrival.
	After time.Duration
	// For bounds how long a fault lasts. Zero means the fault's default.
	For time.Duration
	// Rate is in bytes a second for dripping faults. Zero means the fault's default.
	Rate int
	// Header is sent in order, after the receiver's own fields.
	Header []Field
	// Body of the answer.
	Body []byte
	// Size, unless 0, is how many bytes the body has, which is then generated and Body is nil. It is kept with captures
	// in Text only.
	Size int
	// Cert is the flaw of tls-badcert's certificate; empty for every other fault. It is not kept with captures.
	Cert Flaw
	// Seed is what the step's chance was drawn with; kept so that a run can be repeated.
	Seed uint64
	// Close makes the answer say "Connection: close": the next step needs a new connection.
	Close bool
	// Trouble says why this is not the answer that was configured, such as a template that failed; mostly empty. It goes
	// into the outcome's note.
	Trouble string
}

// HangUp tells how a sender ended a connection.
type HangUp string

// The ways to hang up.
const (
	// HangUpFIN: an orderly close.
	HangUpFIN HangUp = "fin"
	// HangUpRST: a reset.
	HangUpRST HangUp = "rst"
)

// Outcome is what really happened on the wire after a capture was recorded. Durations count from arrival
// (Capture.ReceivedAt); nil means that it did not happen.
type Outcome struct {
	// Seq of this fact; set by the store.
	Seq Seq
	// Status whose head left whole, or 0.
	Status int
	// Fault carried out, or empty.
	Fault Fault
	// Bytes written to the connection, head included.
	Bytes int64
	// FirstByte is when the first byte of the answer was written.
	FirstByte *time.Duration
	// Done is when the answer ended: last byte written, connection closed or reset by us, or given up.
	Done *time.Duration
	// Unsure is by how much later than Done the answer may have ended: this process was kept from seeing its last bytes
	// leave.
	Unsure time.Duration
	// HungUp is when the sender closed the connection before the answer had ended.
	HungUp *time.Duration
	// HungUpBy tells how; empty when HungUp is nil or it cannot be told.
	HungUpBy HangUp
	// Note says in words what could not be done as planned, such as "shut down while waiting". Mostly empty.
	Note string
}
