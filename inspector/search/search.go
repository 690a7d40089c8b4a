// Package search is the language of the captures list's q parameter, and of the match expressions of a wait.
//
// A query is terms with blanks between them; a capture matches when all of them do.
//
//	deploy "two words"     in head, body or title, whatever the case
//	status:503 status:5xx status:>=500 attempt:>1 size:>10k
//	method:POST path:/orders class:rejected reason:secret_wrong kind:langsmith-rule
//	header.User-Agent:python body.runs.0.status:error delivery:0192... endpoint:default
//	header.User-Agent:node* body.rule_id:d75d* path:*/x/*  a star is any text, outside of quotation marks
//	before:-1h after:2026-11-22T12:00           when it arrived
//	pinned: pinned:false note:"ask the sender"
//	forward:failed forward:delivered            what became of it where forwards send it on
//	-term                  not
package search

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	maxQuery = 4 << 10
	maxTerms = 32
	// maxDepth of JSON that is looked into.
	maxDepth = 1000
)

// Candidate is a capture that a query or an expression is asked about. Its parts are worked out when first
// needed and at most once. It is used by one goroutine.
type Candidate struct {
	// Capture may come without its body.
	Capture *webhook.Capture
	// LoadBody returns the capture's body.
	LoadBody func() ([]byte, error)
	// LoadPayload returns kind and title of the capture's payload.
	LoadPayload func() (kind, title string, err error)
	// LoadReplays returns the tries to send the capture on, oldest first. Nil is none.
	LoadReplays func() ([]webhook.Replay, error)

	fields []webhook.Field
	text   []byte
	json   *bool
}

func (c *Candidate) header() []webhook.Field {
	if c.fields == nil {
		c.fields = webhook.Fields(c.Capture.Request.Head)
	}
	return c.fields
}

func (c *Candidate) body() ([]byte, error) {
	if c.text == nil {
		body, err := c.LoadBody()
		if err != nil {
			return nil, err
		}
		c.text = body
	}
	return c.text, nil
}

// document returns the body if it is JSON that is not nested too deep, else nil.
func (c *Candidate) document() ([]byte, error) {
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	if c.json == nil {
		c.json = new(json.Valid(body) && !tooDeep(body))
	}
	if !*c.json {
		return nil, nil
	}
	return body, nil
}

// tooDeep reports whether valid JSON nests deeper than maxDepth.
func tooDeep(text []byte) bool {
	if bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) <= maxDepth {
		return false
	}
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth > maxDepth {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}

// test decides one term.
type test struct {
	cost   int
	negate bool
	holds  func(*Candidate) (bool, error)
}

// What a term has to read.
const (
	costRow = iota
	costReplays
	costBody
	costPayload
)

// Query is a parsed query. The zero value matches everything. It never changes.
type Query struct {
	tests  []test
	narrow webhook.Narrowing
}

// Parse returns the query of a text. It returns an ErrInvalid that names the term and what is accepted.
func Parse(text string) (*Query, error) {
	if len(text) > maxQuery {
		return nil, fmt.Errorf("%w: q: %d bytes; at most %d are accepted", webhook.ErrInvalid, len(text), maxQuery)
	}
	terms, err := split(text)
	if err != nil {
		return nil, err
	}
	if len(terms) > maxTerms {
		return nil, fmt.Errorf("%w: q: %d terms; at most %d are accepted", webhook.ErrInvalid, len(terms), maxTerms)
	}
	q := &Query{}
	for _, t := range terms {
		out, err := compile(t)
		if err != nil {
			return nil, fmt.Errorf("%w: q: %w", webhook.ErrInvalid, err)
		}
		out.negate = t.negate
		q.tests = append(q.tests, out)
		narrow(&q.narrow, t)
	}
	slices.SortStableFunc(q.tests, func(a, b test) int { return cmp.Compare(a.cost, b.cost) })
	return q, nil
}

// Empty reports whether the query matches everything.
func (q *Query) Empty() bool { return len(q.tests) == 0 }

// Match reports whether a capture matches. Its error is that of the candidate's loads.
func (q *Query) Match(c *Candidate) (bool, error) {
	for _, t := range q.tests {
		holds, err := t.holds(c)
		if err != nil {
			return false, err
		}
		if holds == t.negate {
			return false, nil
		}
	}
	return true, nil
}

// words matches a text in head, body or title.
func words(text string) test {
	needle := []byte(strings.ToLower(text))
	return test{cost: costPayload, holds: func(c *Candidate) (bool, error) {
		if bytes.Contains(bytes.ToLower(c.Capture.Request.Head), needle) {
			return true, nil
		}
		body, err := c.body()
		if err != nil {
			return false, err
		}
		if bytes.Contains(bytes.ToLower(body), needle) {
			return true, nil
		}
		_, title, err := c.LoadPayload()
		return strings.Contains(strings.ToLower(title), string(needle)), err
	}}
}

// member matches the value at a gjson path of a JSON body.
func member(path string, t term) (test, error) {
	// Modifiers and pipes of the path language run code on the document; a name never needs them.
	if path == "" || strings.ContainsAny(path, "@|!") {
		return test{}, fmt.Errorf("body.%s: give a path of names and indexes, such as body.runs.0.status", path)
	}
	whole, part := pattern(t, equal), pattern(t, strings.Contains)
	return test{cost: costBody, holds: func(c *Candidate) (bool, error) {
		doc, err := c.document()
		if err != nil || doc == nil {
			return false, err
		}
		found := gjson.GetBytes(doc, path)
		if !found.Exists() {
			return false, nil
		}
		if found.IsObject() || found.IsArray() {
			return part(found.String()), nil
		}
		return whole(found.String()), nil
	}}, nil
}
