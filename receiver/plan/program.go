// Package plan turns an endpoint's answers, written in the plan language, into the plan of one
// capture. It is pure: no clock, no I/O, and chance comes from the seed that the caller hands in.
//
// # The language
//
//	respond = step *( BLANK step )                  ; 100 steps at most, 64 KiB at most
//	step    = answer [ "x" N ] *( "/" key "=" value )
//	answer  = STATUS | FAULT                        ; 200 to 599, or a fault of package webhook
//
// 1xx statuses are refused: they are no answers, and a sender goes on waiting after one.
//
//	after=6s           wait before the first byte, from arrival; 10m at most
//	for=30s            how long hang, drip, trickle-head, refuse and blackhole last; 10m at most
//	rate=100           bytes a second of drip and trickle-head: 100, 2k (2000), 2KiB (2048), 1M, 2KiB/s
//	body=text          the body; garbage sends it instead of its own bytes; body="" sends none
//	size=10MB          a generated body of so many bytes, in place of body; it is sent as it is made, never held
//	json={"ok": true}  the body as JSON, made compact; Content-Type application/json unless given
//	header.NAME=value  a header field; may be repeated
//	to=URL             the Location field
//	retry-after=30     the Retry-After field, in seconds or as a duration such as 2m
//	cert=expired       the flaw of tls-badcert's certificate: expired, wrong-name or self-signed (the default)
//	template=on        body, json, to and header values are templates: see below
//	p=0.3              the step applies with this chance (also 30%)
//	when=EXPRESSION    the step applies to requests for which the expression holds
//
// A value runs up to a blank, or up to a "/" that begins another known key, so that
// to=https://a.test/b?c=d needs no quotes. In json and when, blanks and slashes within brackets or
// quotes belong to the value. Any value may stand in "double" or 'single' quotes with the escapes
// \n \r \t \\ \" \' \xHH.
//
// # Which step applies
//
// A step with when or p is a rule. On each attempt the rules are tried first, in the order of the
// text; the first that holds gives the plan. The other steps are the sequence: repeated as xN says,
// the last for ever, and Arrival.Step is the place in it. A delivery's place moves on with each
// accepted attempt, also with one that a rule answered. When no rule holds and there is no
// sequence, the plan is a plain 200 with Step -1. A rule with xN is tried at N places only: from where it stands in the
// text, which is after the steps of the sequence before it. It takes no place itself.
//
// # Before HTTP
//
// close@accept, reset@accept, tls-alert, tls-reset, tls-badcert, refuse and blackhole happen to a connection, which
// cannot tell its delivery. A program that has one of them in its sequence is therefore one sequence for the whole
// endpoint: each connection takes its step if that is before HTTP, and each accepted request the next that is not.
// refuse and blackhole last for their time, or for N tries where tries can be counted and for is absent or xN is
// there. A rule before HTTP has p only and is drawn for each connection.
//
// An expression sees method, path, header (by lower-case name, first value), query (first value),
// body (the parsed JSON, or the text when it is not JSON or nests deeper than 1000), raw (the body's text), attempt
// (from 1), subpath (what follows /hooks/ENDPOINT), at(PATH) (the text of the JSON value at a gjson path, "" for none)
// and has(PATH) (whether there is one). One that ends in an error, such as a comparison of a missing field with "<", does
// not hold, and neither does one that has looked at 200 000 elements.
//
// # Templates
//
// Text between {{ and }} is replaced by values of the request: .Method, .Path (what follows /hooks/ENDPOINT), .Query.NAME,
// .Header.NAME, .Body.KEY.0.KEY (of a JSON body up to 1 MiB), .Raw (its text), .Attempt, .Delivery and .Now (the arrival,
// RFC 3339). A value that is not there is empty. The actions are those of Go's text/template but for define, template and
// block; the functions and, or, not, eq, ne, lt, le, gt, ge, len, at, json, default, upper, lower, urlquery, date, unix,
// uuid and hmac. In json, what is put in stands within a JSON string and is escaped. What a template makes is bounded in
// size and in steps; one that fails is answered 500, with Plan.Trouble.
//
// # Named rules
//
// WithRules puts webhook.AnswerRules before a program. Each matcher becomes an expression of when, so that there is one
// evaluator with one set of bounds; each rule's answers are a program of their own, with the delivery's place.
package plan

import (
	"math/rand/v2"
	"net/http"
	"sort"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Bounds of the language.
const (
	// MaxText bounds a program's text and its canonical form, in bytes.
	MaxText = 64 << 10
	// MaxSteps bounds the steps of a program.
	MaxSteps = 100
	// MaxTimes bounds the N of xN.
	MaxTimes = 1000
)

// Arrival is what the plan of one attempt depends on.
type Arrival struct {
	// At is the time of arrival, and Delivery the delivery's id: templates see them.
	At       time.Time
	Delivery string
	// Step counts the accepted attempts of the delivery before this one.
	Step int
	// RuleStep is the same for the answers of named rules, whose place is the delivery's also where Step is that of the
	// endpoint's listener (Connects).
	RuleStep int
	// Attempt counts all attempts of the delivery, from 1.
	Attempt int
	// Seed decides the steps that have p; same seed, same plan.
	Seed uint64
	// Request is read by steps with when; nil stands for an empty request.
	Request *webhook.Request
	// Path is the request's path as steps with when see it.
	Path string
}

// Program is a parsed list of answers. It is immutable and safe for concurrent use; its zero value
// answers 200.
type Program struct {
	steps []step
	// rules and sequence are indices into steps.
	rules, sequence []int
	// ends has, for each entry of sequence, the first place after it.
	ends []int
	// closing is true when any attempt may meet a rule that needs a connection of its own.
	closing, listener bool
	// named are the rules of WithRules.
	named []namedRule
}

// For returns the plan of one attempt. It does not block, and allocates only to evaluate
// expressions. The slices of the plan are shared with the program and must not be changed.
func (p *Program) For(in Arrival) webhook.Plan {
	if len(p.named) > 0 {
		if i := p.answering(in); i >= 0 {
			return p.byRule(i, in)
		}
	}
	return p.unruled(in)
}

// unruled is For without the named rules.
func (p *Program) unruled(in Arrival) webhook.Plan {
	chosen := -1
	if len(p.rules) > 0 {
		chosen = p.rule(in)
	}
	if chosen < 0 {
		chosen = p.at(in.Step)
	}
	if chosen < 0 {
		none := webhook.Plan{Text: "200", Step: -1, Status: http.StatusOK, Seed: in.Seed, Close: p.closing}
		if len(p.steps) == 0 {
			none.Step = 0
		}
		return none
	}
	s := &p.steps[chosen]
	out := s.plan
	if s.template != nil {
		out = s.template.plan(&s.plan, in)
	}
	out.Seed = in.Seed
	out.Close = out.Close || p.closing
	if next := p.at(in.Step + 1); !out.Close && next >= 0 {
		out.Close = natureOf(p.steps[next].plan.Fault).connects
	}
	return out
}

// NeedsListener reports whether a step's fault happens before there is a request, or below
// HTTP/1.1: such a program is of no use on a listener that endpoints share.
func (p *Program) NeedsListener() bool { return p.listener }

// at returns the step at a place of the sequence, or -1 when there is no sequence.
func (p *Program) at(place int) int {
	last := len(p.sequence) - 1
	if last < 0 {
		return -1
	}
	if last == 0 || place >= p.ends[last] {
		return p.sequence[last]
	}
	return p.sequence[sort.SearchInts(p.ends, max(place, 0)+1)]
}

// rule returns the first rule that holds, or -1. Each rule with a chance takes one draw whether or
// not its expression holds, so that a seed means the same whatever the request.
func (p *Program) rule(in Arrival) int {
	var chance rand.PCG
	chance.Seed(in.Seed, 0)
	seen := view{in: in}
	for _, i := range p.rules {
		s := &p.steps[i]
		if s.chance != nil && draw(&chance) >= *s.chance || natureOf(s.plan.Fault).connects || !s.tried(in.Step) {
			continue
		}
		if s.when == nil || s.when.holds(&seen) {
			return i
		}
	}
	return -1
}

// draw returns a number in [0, 1).
func draw(source *rand.PCG) float64 {
	return float64(source.Uint64()>>11) / (1 << 53)
}

// newProgram puts checked steps together. No steps at all mean a plain 200.
func newProgram(steps []step) (*Program, error) {
	if len(steps) == 0 {
		plain := spec{answer: "200", times: 1}
		one, err := plain.step(1)
		if err != nil {
			return nil, err
		}
		steps = []step{one}
	}
	p := &Program{steps: steps}
	place := 0
	for i := range steps {
		s := &steps[i]
		s.plan.Step = i
		fault := natureOf(s.plan.Fault)
		p.listener = p.listener || fault.listener
		if s.conditional() {
			p.rules = append(p.rules, i)
			if s.spec.counted {
				s.from, s.upto = place, place+s.spec.times
			}
			p.closing = p.closing || fault.connects
			continue
		}
		place += s.spec.times
		p.sequence = append(p.sequence, i)
		p.ends = append(p.ends, place)
	}
	if size := len(p.String()); size > MaxText {
		return nil, refuse(0, "", "the answers take %d bytes in canonical form; at most %d are accepted", size, MaxText)
	}
	return p, nil
}
