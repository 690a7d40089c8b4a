package webhook

import "time"

// AnswerRule is a named answer for the requests that it matches. An endpoint's rules are tried in order, after its
// secret; the first whose matchers all hold answers, and Endpoint.Respond answers what none of them matches.
type AnswerRule struct {
	// Name is unique within the endpoint; captures say it.
	Name string
	// Off keeps the rule without trying it.
	Off bool
	// Match must hold altogether; none match every request.
	Match []Matcher
	// Respond is the plan text (package plan). Empty means "200".
	Respond string
}

// Part names what a matcher looks at.
type Part string

// The parts.
const (
	PartMethod Part = "method"
	// PartPath is what follows /hooks/ENDPOINT, escaped as sent; "/" for nothing.
	PartPath   Part = "path"
	PartHeader Part = "header"
	PartQuery  Part = "query"
	// PartJSON is the text of the value at a gjson path of the body, such as runs.0.id.
	PartJSON Part = "json"
	// PartBody is the body's text.
	PartBody Part = "body"
	// PartAttempt is the number of the attempt within its delivery, from 1.
	PartAttempt Part = "attempt"
	// PartWhen is an expression of the plan language's when, which stands in Matcher.Value.
	PartWhen Part = "when"
)

// Op compares a part with a matcher's value.
type Op string

// The ops.
const (
	OpEquals   Op = "equals"
	OpDiffers  Op = "differs"
	OpContains Op = "contains"
	OpStarts   Op = "starts"
	OpEnds     Op = "ends"
	// OpMatches takes an RE2 expression, which may match anywhere in the part.
	OpMatches Op = "matches"
	OpExists  Op = "exists"
	OpAbsent  Op = "absent"
	OpLess    Op = "<"
	OpMost    Op = "<="
	OpMore    Op = ">"
	OpLeast   Op = ">="
)

// Matcher is one condition of a rule.
type Matcher struct {
	Part Part
	// Name of the header or query parameter, or the gjson path; empty for other parts.
	Name string
	// Op is empty for PartWhen.
	Op Op
	// Value is empty for OpExists and OpAbsent.
	Value string
}

// RuleState says what became of a rule in a trial.
type RuleState string

// The states.
const (
	// RuleAnswers: it gives the plan.
	RuleAnswers RuleState = "answers"
	// RuleDiffers: a matcher does not hold.
	RuleDiffers RuleState = "differs"
	// RuleBehind: it matches, but a rule before it answers.
	RuleBehind RuleState = "behind"
	// RuleOff: it is switched off.
	RuleOff RuleState = "off"
)

// RuleTrial says why a rule would answer a request or not.
type RuleTrial struct {
	Name  string
	State RuleState
	// Matchers are in the rule's order; nil for one that is off.
	Matchers []MatcherTrial
}

// MatcherTrial is a matcher beside what it was compared with.
type MatcherTrial struct {
	Matcher Matcher
	Holds   bool
	// Present tells whether the request has the part.
	Present bool
	// Actual is the part's text, cut after 1 KiB; empty for PartWhen.
	Actual string
}

// Trial is a request to try an endpoint's answers with; nothing is recorded or sent.
type Trial struct {
	Request *Request
	// Path is the request's path as sent, /hooks/ENDPOINT/...
	Path string
	// ReceivedAt is the arrival, by which signatures are judged and templates tell the time.
	ReceivedAt time.Time
	Delivery   string
	Attempt    int
	// Step is the place in the sequence of answers.
	Step int
	Seed uint64
	// Proven takes the secret for right; otherwise it is checked first, as for a webhook.
	Proven bool
}

// TrialResult is what would go out.
type TrialResult struct {
	// Refused says why the request is refused before any rule; empty when it is not.
	Refused Reason
	// Rules are in order, whether or not the request is refused.
	Rules []RuleTrial
	Plan  Plan
}
