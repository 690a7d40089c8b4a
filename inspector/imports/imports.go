// Package imports makes rules and examples of documents that describe or record answers and requests: OpenAPI 3 and HAR
// 1.2. It reads only; what it makes is for a person to look at before it is saved or sent.
package imports

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// The formats.
const (
	OpenAPI = "openapi"
	HAR     = "har"
)

const (
	maxRules   = 200
	maxLeftOut = 200
	maxName    = 90
)

// Result are the rules of a document, in an order in which each can answer, and its requests that can be sent.
type Result struct {
	Format   string
	Rules    []webhook.AnswerRule
	Examples []Example
	LeftOut  []LeftOut
}

// LeftOut says what of a document is in no rule or no example, and why.
type LeftOut struct{ At, Why string }

// Write returns a status, header fields and a body as a plan text, or an ErrInvalid.
type Write func(webhook.Plan) (string, error)

// Read makes rules of a document. Format is OpenAPI or HAR; empty finds out. It returns an ErrInvalid for a document that
// is neither, or that is broken.
func Read(format string, text []byte, write Write) (Result, error) {
	if !utf8.Valid(text) {
		return Result{}, invalid("the document is not UTF-8")
	}
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	if format == "" {
		format = OpenAPI
		if head := text[:min(len(text), 4<<10)]; bytes.HasPrefix(bytes.TrimSpace(head), []byte("{")) && bytes.Contains(head, []byte(`"log"`)) {
			format = HAR
		}
	}
	m := maker{write: write, names: names{}, samples: names{}, result: Result{Format: format}}
	var err error
	switch format {
	case OpenAPI:
		err = m.openAPI(text)
	case HAR:
		err = m.har(text)
	default:
		err = invalid("format %q: use openapi or har", format)
	}
	if err != nil {
		return Result{}, err
	}
	if m.dropped > 0 {
		m.result.LeftOut = append(m.result.LeftOut, LeftOut{At: "", Why: fmt.Sprintf("and %d more", m.dropped)})
	}
	return m.result, nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: import: "+format, append([]any{webhook.ErrInvalid}, args...)...)
}

// maker collects rules and examples, which have names of their own.
type maker struct {
	write   Write
	names   names
	samples names
	result  Result
	// dropped counts what is left out beyond maxLeftOut.
	dropped int
}

func (m *maker) leaveOut(at, format string, args ...any) {
	if len(m.result.LeftOut) >= maxLeftOut {
		m.dropped++
		return
	}
	m.result.LeftOut = append(m.result.LeftOut, LeftOut{At: at, Why: fmt.Sprintf(format, args...)})
}

// add makes a rule of an answer; at is where it stands in the document.
func (m *maker) add(at string, rule webhook.AnswerRule, answer webhook.Plan) {
	if len(m.result.Rules) >= maxRules {
		m.leaveOut(at, "there are %d rules already, which is the most that an endpoint has", maxRules)
		return
	}
	var kept []webhook.Field
	for _, f := range answer.Header {
		if !ofConnection(f.Name) {
			kept = append(kept, f)
		}
	}
	answer.Header = kept
	if answer.Status == http.StatusNoContent || answer.Status == http.StatusNotModified {
		answer.Body = nil
	} else if answer.Body == nil {
		answer.Body = []byte{}
	}
	text, err := m.write(answer)
	if err != nil {
		m.leaveOut(at, "%s", strings.TrimPrefix(err.Error(), webhook.ErrInvalid.Error()+": "))
		return
	}
	rule.Respond, rule.Name = text, m.names.name(rule.Name)
	m.result.Rules = append(m.result.Rules, rule)
}

// names are those that are taken.
type names map[string]bool

// name makes a name that no other has.
func (taken names) name(name string) string {
	name = strings.Join(strings.FieldsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
	for len(name) > maxName {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	if name = strings.TrimSpace(name); name == "" {
		name = "imported"
	}
	out := name
	for n := 2; taken[out]; n++ {
		out = name + " " + strconv.Itoa(n)
	}
	taken[out] = true
	return out
}

// ofConnection tells fields that are about one connection or one coding of a body, which the receiver sets itself.
func ofConnection(name string) bool {
	switch strings.ToLower(name) {
	case "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "te", "trailer", "transfer-encoding", "upgrade",
		"content-length", "content-encoding", "date", "alt-svc":
		return true
	default:
		return strings.HasPrefix(name, ":")
	}
}

func equals(part webhook.Part, name, value string) webhook.Matcher {
	return webhook.Matcher{Part: part, Name: name, Op: webhook.OpEquals, Value: value}
}
