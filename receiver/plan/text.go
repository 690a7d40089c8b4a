package plan

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// String returns the canonical text, which parses to the same program.
func (p *Program) String() string {
	if len(p.steps) == 0 {
		return "200"
	}
	var out strings.Builder
	for i := range p.steps {
		if i > 0 {
			out.WriteByte(' ')
		}
		out.WriteString(p.steps[i].spec.text(true))
	}
	return out.String()
}

// text returns the step in the plan language, keys in a fixed order.
func (s *spec) text(withTimes bool) string {
	var out strings.Builder
	out.WriteString(s.answer)
	if withTimes && (s.times > 1 || s.counted) {
		out.WriteString("x" + strconv.Itoa(s.times))
	}
	put := func(key, value string) { out.WriteString("/" + key + "=" + quote(key, value)) }
	if s.after > 0 {
		put(keyAfter, shortDuration(s.after))
	}
	if s.length > 0 {
		put(keyFor, shortDuration(s.length))
	}
	if s.rate > 0 {
		put(keyRate, strconv.Itoa(s.rate))
	}
	if s.chance != nil {
		put(keyChance, strconv.FormatFloat(*s.chance, 'g', -1, 64))
	}
	if s.when != "" {
		put(keyWhen, s.when)
	}
	if s.to != "" {
		put(keyTo, s.to)
	}
	if s.retryAfter != nil {
		put(keyRetryAfter, strconv.Itoa(*s.retryAfter))
	}
	if s.cert != "" {
		put(keyCert, string(s.cert))
	}
	if s.templates {
		put(keyTemplate, "on")
	}
	for _, f := range s.header {
		put(keyHeader+f.Name, f.Value)
	}
	if s.size > 0 {
		put(keySize, strconv.Itoa(s.size))
	}
	if s.body != nil {
		put(s.bodyKey(), string(s.body))
	}
	return out.String()
}

// quote returns value as it can stand after key=: bare if it reads back whole, in double quotes
// otherwise.
func quote(key, value string) string {
	bare := value != "" && value[0] != '"' && value[0] != '\'' &&
		endOfRun(key, value+"/"+keyAfter+"=") == len(value) && endOfRun(key, value+" ") == len(value) &&
		utf8.ValidString(value) && !strings.ContainsFunc(value, isControl)
	if bare {
		return value
	}
	var out strings.Builder
	out.WriteByte('"')
	for rest := value; rest != ""; {
		r, size := utf8.DecodeRuneInString(rest)
		switch {
		case r == '"' || r == '\\':
			out.WriteString(`\` + rest[:1])
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\r':
			out.WriteString(`\r`)
		case r == '\t':
			out.WriteString(`\t`)
		case r == utf8.RuneError && size == 1, isControl(r):
			fmt.Fprintf(&out, `\x%02x`, rest[0])
		default:
			out.WriteString(rest[:size])
		}
		rest = rest[size:]
	}
	out.WriteByte('"')
	return out.String()
}

// Write returns the status, header fields and body of a plan as one step of the language, or an ErrInvalid. A body that is
// compact JSON of type application/json is given as json.
func Write(p webhook.Plan) (string, error) {
	out := spec{answer: strconv.Itoa(p.Status), times: 1, header: p.Header, body: p.Body}
	for i, f := range p.Header {
		if !strings.EqualFold(f.Name, "Content-Type") || f.Value != "application/json" {
			continue
		}
		if tight, err := compactJSON(1, p.Body); err == nil && bytes.Equal(tight, p.Body) {
			out.json, out.header = true, slices.Delete(slices.Clone(p.Header), i, i+1)
			break
		}
	}
	made, err := out.step(1)
	if err != nil {
		return "", err
	}
	text := made.spec.text(true)
	if len(text) > MaxText {
		return "", refuse(0, "", "the answer takes %d bytes; at most %d are accepted", len(text), MaxText)
	}
	return text, nil
}
