package scripts

import (
	"bytes"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/result"
)

// proof is a check of each request by itself.
type proof struct {
	kind, name, value string
	form              *regexp.Regexp
}

func newProof(_ *Script, st statement) (check, error) {
	p := proof{kind: st.args[1].text}
	if len(st.args) > 2 {
		p.name = st.args[2].text
	}
	if len(st.args) > 3 {
		p.value = st.args[3].text
		if form, ok := strings.CutPrefix(p.value, "~"); ok {
			var err error
			if p.form, err = regexp.Compile(form); err != nil {
				return nil, &lexError{p.value, "not a regular expression: " + err.Error()}
			}
		}
	}
	return p, nil
}

func (p proof) judge(e *evidence) finding {
	f := finding{verdict: result.Pass, expected: p.wants()}
	for _, a := range e.all() {
		ok, actual := p.holds(a)
		if f.actual == "" || !ok && f.verdict == result.Pass {
			f.actual = fmt.Sprintf("attempt %d: %s", a.n, actual)
		}
		if !ok {
			f.verdict = result.Fail
			f.captures = append(f.captures, a.Seq)
		}
	}
	switch n := len(f.captures); {
	case f.verdict == result.Pass:
		f.captures = seqs(e.all())
	case n > 1:
		f.actual += fmt.Sprintf("; not in %d of %d attempts", n, len(e.all()))
	}
	return f
}

func (p proof) wants() string {
	value := ""
	switch {
	case p.form != nil:
		value = " like " + p.value[1:]
	case p.value != "":
		value = " " + strconv.Quote(p.value)
	}
	switch p.kind {
	case "secret":
		return "every attempt proves its sender"
	case "method", "proto":
		return p.kind + " " + p.name + " in every attempt"
	default:
		return p.kind + " " + p.name + value + " in every attempt"
	}
}

// holds tells whether one attempt has what is wanted, and what it has.
func (p proof) holds(a *attempt) (ok bool, actual string) {
	switch p.kind {
	case "secret":
		return secretHolds(a)
	case "method":
		return a.Request.Method == p.name, a.Request.Method
	case "proto":
		return a.Request.Proto == p.name, a.Request.Proto
	case "header":
		value, there := a.field(p.name)
		return there && p.fits(value), said(value, there)
	case "query":
		_, query, _ := strings.Cut(a.Request.Target, "?")
		values, err := url.ParseQuery(query)
		there := err == nil && values.Has(p.name)
		return there && p.fits(values.Get(p.name)), said(values.Get(p.name), there)
	default:
		body, isJSON := a.body()
		if !isJSON {
			return false, "the body is not JSON"
		}
		value, there := at(body, p.name)
		text := fmt.Sprint(value)
		return there && p.fits(text), said(text, there)
	}
}

// secretHolds tells whether an attempt proved its sender. One that was cut off says nothing about that.
func secretHolds(a *attempt) (bool, string) {
	switch a.Class {
	case webhook.Accepted:
		return true, "proved"
	case webhook.Incomplete:
		return true, "not received whole"
	default:
		return false, string(a.Reason)
	}
}

func (p proof) fits(value string) bool {
	return p.value == "" || p.form != nil && p.form.MatchString(value) || p.form == nil && value == p.value
}

func said(value string, there bool) string {
	if !there {
		return "absent"
	}
	if len(value) > 200 {
		value = value[:200] + "…"
	}
	return strconv.Quote(value)
}

// at returns what a JSON value has at a dotted path; numbers are places of arrays.
func at(value any, path string) (any, bool) {
	if path == "" || path == "." {
		return value, true
	}
	for name := range strings.SplitSeq(path, ".") {
		switch node := value.(type) {
		case map[string]any:
			next, ok := node[name]
			if !ok {
				return nil, false
			}
			value = next
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(node) {
				return nil, false
			}
			value = node[i]
		default:
			return nil, false
		}
	}
	return value, true
}

// every returns all strings that a JSON value has at a path in which '*' stands for every member of an array or object.
func every(value any, path []string) []string {
	if len(path) == 0 {
		if text, ok := value.(string); ok {
			return []string{text}
		}
		return nil
	}
	var out []string
	if path[0] != "*" {
		if next, ok := at(value, path[0]); ok {
			out = every(next, path[1:])
		}
		return out
	}
	members := reflect.ValueOf(value)
	switch value.(type) {
	case []any:
		for i := range members.Len() {
			out = append(out, every(members.Index(i).Interface(), path[1:])...)
		}
	case map[string]any:
		for _, key := range members.MapKeys() {
			out = append(out, every(members.MapIndex(key).Interface(), path[1:])...)
		}
	}
	return out
}

// samePayload judges that all attempts of a delivery have the same bytes.
type samePayload struct{}

func newSame(*Script, statement) (check, error) { return samePayload{}, nil }

func (samePayload) judge(e *evidence) finding {
	f := finding{
		verdict: result.Inconclusive, expected: "the same bytes in all attempts of a delivery",
		reason: "no delivery has two attempts to compare",
	}
	for _, d := range e.deliveries {
		for i := 1; i < len(d.attempts); i++ {
			first, a := &d.attempts[0], &d.attempts[i]
			if f.verdict == result.Inconclusive {
				f.verdict, f.reason = result.Pass, ""
			}
			if a.Request.BodySHA256 != first.Request.BodySHA256 {
				f.verdict = result.Fail
				f.actual = fmt.Sprintf("attempt %d has %d other bytes than the first", a.n, a.Request.BodySize)
				f.captures = append(f.captures, first.Seq, a.Seq)
			}
		}
	}
	if f.verdict == result.Pass {
		f.actual, f.captures = "the same", seqs(e.all())
	}
	return f
}

// schema judges every body by a JSON Schema.
type schema struct {
	name string
	// source is the script's own; nil for one that the configuration has.
	source []byte
	// compiled is set before the case runs.
	compiled *jsonschema.Schema
}

func newSchema(s *Script, st statement) (check, error) {
	c := &schema{name: st.args[2].text, source: s.files[st.args[2].text]}
	if c.source == nil {
		return c, nil
	}
	if err := c.load(c.source); err != nil {
		return nil, &lexError{c.name, err.Error()}
	}
	return c, nil
}

// load compiles the schema's text.
func (c *schema) load(source []byte) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(source))
	if err != nil {
		return fmt.Errorf("schema %s: %w", c.name, err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err = compiler.AddResource("schema:"+c.name, doc); err != nil {
		return fmt.Errorf("schema %s: %w", c.name, err)
	}
	if c.compiled, err = compiler.Compile("schema:" + c.name); err != nil {
		return fmt.Errorf("schema %s: %w", c.name, err)
	}
	return nil
}

func (c *schema) judge(e *evidence) finding {
	f := finding{verdict: result.Pass, expected: "every body meets the schema " + c.name, actual: "met", captures: seqs(e.all())}
	if c.compiled == nil {
		return finding{verdict: result.Error, expected: f.expected, reason: "the schema was not loaded"}
	}
	for _, a := range e.all() {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(a.Request.Body))
		if err == nil {
			err = c.compiled.Validate(doc)
		}
		if err != nil {
			text := strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
			if len(text) > 500 {
				text = text[:500] + "…"
			}
			f.verdict, f.actual = result.Fail, fmt.Sprintf("attempt %d: %s", a.n, text)
			f.captures = []webhook.Seq{a.Seq}
			return f
		}
	}
	return f
}
