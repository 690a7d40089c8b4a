// Package result is what a conformance run says of a sender: verdicts, the requirements they are about, and the
// evidence. It holds data only; the runner fills it in, and each report and the page show it.
package result

import (
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Verdict of a check, and of what is made of checks: the worst one wins.
type Verdict string

// The verdicts, from the best to the worst.
const (
	// Info: the policy does not say; only reported.
	Info Verdict = "info"
	// Pass: the sender keeps the requirement.
	Pass Verdict = "pass"
	// Skip: the check does not apply to this sender or on this machine; Check.Reason says why.
	Skip Verdict = "skip"
	// Warning: a "should" is not kept, or it is kept oddly.
	Warning Verdict = "warning"
	// Inconclusive: it could not be measured; Check.Reason says why.
	Inconclusive Verdict = "inconclusive"
	// Fail: the sender breaks the requirement.
	Fail Verdict = "fail"
	// Error: the script's fault or our own.
	Error Verdict = "error"
)

// rank orders the verdicts.
func rank(v Verdict) int {
	switch v {
	case Info:
		return 1
	case Pass:
		return 2
	case Skip:
		return 3
	case Warning:
		return 4
	case Inconclusive:
		return 5
	case Fail:
		return 6
	case Error:
		return 7
	default:
		return 0
	}
}

// Worst returns the worst of the verdicts, or "" for none.
func Worst(verdicts ...Verdict) Verdict {
	var worst Verdict
	for _, v := range verdicts {
		if rank(v) > rank(worst) {
			worst = v
		}
	}
	return worst
}

// Level says how strongly the sender's documentation demands something.
type Level string

// The levels. What is unstated is never judged, only reported.
const (
	Must     Level = "must"
	Should   Level = "should"
	Unstated Level = "unstated"
)

// Requirement is the quoted rule that a case is about.
type Requirement struct {
	// Quote is the sentence, Source its address and Date when it was read, as 2006-01-02. Where no document has one, Quote
	// begins with "measured of", the version and the day, and says in our words what that version did.
	Quote  string `json:"quote"`
	Source string `json:"source"`
	Date   string `json:"date,omitempty"`
	Level  Level  `json:"level"`
}

// Run is one script, or several of one profile, run against one sender.
type Run struct {
	ID string `json:"id"`
	// Profile is the profile's or script's name, Sender what was given to --sender, secrets masked.
	Profile string `json:"profile"`
	Sender  string `json:"sender"`
	// Version is the program's, Platform the machine's, such as linux/amd64 with 2 cores.
	Version  string    `json:"version"`
	Platform string    `json:"platform"`
	Started  time.Time `json:"started"`
	// Ended is zero while the run goes on.
	Ended   time.Time `json:"ended,omitzero"`
	Verdict Verdict   `json:"verdict"`
	Cases   []Case    `json:"cases"`
	// Notes are for people: what the run could not measure here and why.
	Notes []string `json:"notes,omitempty"`
	// Reproduce is the command line that makes the same run.
	Reproduce string `json:"reproduce"`
}

// Case is one scenario.
type Case struct {
	// ID is unique in its profile, such as RETRY-1-503.
	ID          string      `json:"id"`
	Title       string      `json:"title"`
	Requirement Requirement `json:"requirement"`
	// File and Line are where the script has it.
	File string `json:"file"`
	Line int    `json:"line"`
	// State is "waiting", "running" or "ended".
	State   string    `json:"state"`
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	// Expected is about how long the case takes with a sender that keeps its policy.
	Expected time.Duration `json:"expected_ns,omitempty"`
	Verdict  Verdict       `json:"verdict"`
	Checks   []Check       `json:"checks"`
	// Known is true when the list of known failures has this case and it failed as listed.
	Known bool `json:"known,omitempty"`
	// Endpoints is the evidence: what came, and what was done to it.
	Endpoints []Endpoint `json:"endpoints"`
	// Lag is how late the machine itself was at worst while the case ran.
	Lag time.Duration `json:"lag_ns,omitempty"`
	// Trigger is what the sender's command said, cut and masked.
	Trigger string `json:"trigger,omitempty"`
}

// Check is one predicate of a case.
type Check struct {
	// Text is the script's line, variables replaced.
	Text    string  `json:"text"`
	Line    int     `json:"line"`
	Verdict Verdict `json:"verdict"`
	// Expected and Actual are for people. Reason says why a check was not measured, or what is odd.
	Expected string `json:"expected,omitempty"`
	Actual   string `json:"actual,omitempty"`
	Reason   string `json:"reason,omitempty"`
	// Captures prove it, or Connections where it is about those that brought no request.
	Captures    []webhook.Seq `json:"captures,omitempty"`
	Connections []Connection  `json:"connections,omitempty"`
}

// Endpoint is what one endpoint of a case saw.
type Endpoint struct {
	// Name is the script's; Respond is the plan it had.
	Name    string `json:"name"`
	Respond string `json:"respond"`
	// Watched is for how long after the last event the endpoint was watched: a count holds only for that time.
	Watched    time.Duration `json:"watched_ns,omitempty"`
	Deliveries []Delivery    `json:"deliveries"`
	// Connections are those that brought no request, in order of arrival.
	Connections []Connection `json:"connections,omitempty"`
}

// Delivery is all attempts of one message.
type Delivery struct {
	ID string `json:"id"`
	// By says how its attempts were recognised, as webhook.Capture.DeliveryBy.
	By       string    `json:"by"`
	Attempts []Attempt `json:"attempts"`
}

// Attempt is one request, secrets masked.
type Attempt struct {
	Seq webhook.Seq `json:"seq"`
	N   int         `json:"n"`
	At  time.Time   `json:"at"`
	// Gap is from the end of the attempt before to this one's arrival; nil for the first.
	Gap        *time.Duration  `json:"gap_ns,omitempty"`
	Class      webhook.Class   `json:"class"`
	Method     string          `json:"method"`
	Target     string          `json:"target"`
	Headers    []webhook.Field `json:"headers"`
	BodySize   int64           `json:"body_size"`
	BodySHA256 string          `json:"body_sha256"`
	// Plan is the answer as planned; Status, Fault, FirstByte, Done, HungUp and HungUpBy are what really happened.
	Plan      string         `json:"plan"`
	Status    int            `json:"status,omitempty"`
	Fault     webhook.Fault  `json:"fault,omitempty"`
	FirstByte *time.Duration `json:"first_byte_ns,omitempty"`
	Done      *time.Duration `json:"done_ns,omitempty"`
	HungUp    *time.Duration `json:"hung_up_ns,omitempty"`
	HungUpBy  webhook.HangUp `json:"hung_up_by,omitempty"`
}

// Connection is one connection, or a try to make one, that brought no request.
type Connection struct {
	// Seq is 0 for one that was still open.
	Seq  webhook.Seq `json:"seq,omitempty"`
	At   time.Time   `json:"at"`
	Peer string      `json:"peer"`
	// Fault is what was done to it.
	Fault webhook.Fault `json:"fault,omitempty"`
	// Note says what was seen: refused, dropped, closed, a TLS handshake that failed.
	Note string `json:"note,omitempty"`
}
