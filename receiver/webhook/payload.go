package webhook

import (
	"encoding/json"
	"time"
)

// PayloadKind is the family that a body was recognised as, by its shape.
type PayloadKind string

// The kinds.
const (
	PayloadRule       PayloadKind = "langsmith-rule"
	PayloadRun        PayloadKind = "agent-server-run"
	PayloadEngine     PayloadKind = "langsmith-engine"
	PayloadContextHub PayloadKind = "langsmith-context-hub"
	PayloadJSON       PayloadKind = "json"
	PayloadForm       PayloadKind = "form"
	PayloadMultipart  PayloadKind = "multipart"
	PayloadText       PayloadKind = "text"
	PayloadBinary     PayloadKind = "binary"
	PayloadEmpty      PayloadKind = "empty"
)

// Payload is what a body says, as far as its kind is known. It is derived from the stored capture and never stored.
type Payload struct {
	Kind PayloadKind
	// Variant is "python" or "js" for PayloadRun where it can be told, and the event type for PayloadEngine.
	Variant string
	// Title names the event in a list: "rule d75d7417 · 3 runs · Search", "run success · agent".
	Title string
	// Snippet is a second line: run names, first error, first characters. At most 160 runes.
	Snippet string
	// Problems never refuse anything.
	Problems []Problem
	// Rule is set for PayloadRule.
	Rule *Rule
	// Run is set for PayloadRun.
	Run *AgentRun
}

// Problem is something in a payload that its schema or its documentation does not expect.
type Problem struct {
	// Code: "missing_field", "wrong_type", "unknown_field", "content_type", "invalid_json", "too_deep", "encoding".
	Code string
	// Path is the dotted place, such as "runs.0.id"; empty for the body as a whole.
	Path string
	// Message is one sentence.
	Message string
}

// Rule is the payload of a LangSmith automation rule.
type Rule struct {
	ID         string
	Start, End string
	Runs       []Run
	// RunCount counts all runs; Runs holds the first 250.
	RunCount int
	// Feedback is the top-level feedback_stats object, or nil.
	Feedback json.RawMessage
}

// Run is one run of a rule payload. Numbers that were absent or null are nil.
type Run struct {
	// Index within runs.
	Index                                  int
	ID, Name, Type, Status, Error          string
	TraceID, DottedOrder, AppPath, Session string
	StartTime, EndTime                     string
	// Latency is EndTime - StartTime where both parse.
	Latency     *time.Duration
	TotalTokens *int64
	// TotalCost is kept as text: LangSmith sends costs as strings.
	TotalCost string
	// Inputs and Outputs as they stand in the payload; nil when null or absent.
	Inputs, Outputs json.RawMessage
	// Feedback is the run's feedback_stats object, or nil.
	Feedback json.RawMessage
}

// AgentRun is the payload of an Agent Server run webhook.
type AgentRun struct {
	RunID, ThreadID, AssistantID, GraphID, Status string
	// Error as text: the string itself, or error and message of the object form.
	Error                                 string
	CreatedAt, StartedAt, EndedAt, SentAt string
	Duration                              *time.Duration
	Multitask                             string
	Values, Kwargs, Metadata              json.RawMessage
}
