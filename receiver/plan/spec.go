package plan

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	maxWait       = 10 * time.Minute
	maxRate       = 1 << 30
	maxSize       = 1 << 30
	maxRetryAfter = 365 * 24 * time.Hour
	// maxPlanText bounds Plan.Text, which is stored with each capture: a step's body may be large.
	maxPlanText = 1 << 10
)

// spec is what a step says, as both forms of the language give it. Absent values are zero.
type spec struct {
	answer string
	times  int
	// counted says that times was given; it is kept for rules, which are tried for ever without it.
	counted       bool
	after, length time.Duration
	rate          int
	// size is that of a generated body.
	size int
	// body is nil when absent; an empty one is not. json says that it was given as JSON.
	body   []byte
	json   bool
	header []webhook.Field
	to     string
	// retryAfter is in seconds.
	retryAfter *int
	cert       webhook.Flaw
	when       string
	chance     *float64
	// templates says that body, json, to and header values are templates.
	templates bool
}

// step is a checked spec with what For needs of it worked out.
type step struct {
	spec   spec
	when   *condition
	chance *float64
	plan   webhook.Plan
	// from and upto bound the places at which a rule is tried; upto 0 is for ever.
	from, upto int
	// template is nil for an answer that is sent as it is.
	template *template
}

func (s *step) conditional() bool { return s.when != nil || s.chance != nil }

// tried says whether a rule is tried at a place of the sequence.
func (s *step) tried(place int) bool { return s.upto == 0 || place >= s.from && place < s.upto }

// set takes over one key of the text form.
func (s *spec) set(number int, key, value string) error {
	fault := ""
	switch key {
	case keyAfter:
		s.after, fault = duration(value, 0, maxWait)
	case keyFor:
		s.length, fault = duration(value, 1, maxWait)
	case keyRate:
		s.rate, fault = rate(value)
	case keySize:
		s.size, fault = size(value)
	case keyChance:
		s.chance, fault = chance(value)
	case keyRetryAfter:
		s.retryAfter, fault = seconds(value)
	case keyCert:
		s.cert, fault = flaw(value)
	case keyTemplate:
		s.templates, fault = value == "on", templateUsage(value)
	case keyWhen, keyTo:
		if value == "" {
			fault = "the value is empty"
		}
		if key == keyWhen {
			s.when = value
		} else {
			s.to = value
		}
	case keyBody, keyJSON:
		if s.body != nil {
			return refuse(number, key, "give body or json, not both")
		}
		s.body, s.json = []byte(value), key == keyJSON
	default:
		s.header = append(s.header, webhook.Field{Name: strings.TrimPrefix(key, keyHeader), Value: value})
	}
	if fault != "" {
		return refuse(number, key+"="+value, "%s", fault)
	}
	return nil
}

// step checks what both forms have in common, and works the plan out.
func (s *spec) step(number int) (step, error) {
	out := step{spec: *s, chance: s.chance}
	out.spec.counted = s.counted && (s.when != "" || s.chance != nil)
	var err error
	if out.plan.Status, out.plan.Fault, err = s.resolveAnswer(number); err != nil {
		return step{}, err
	}
	if err = s.checkKeys(number, out.plan); err != nil {
		return step{}, err
	}
	if s.when != "" {
		if out.when, err = compile(number, s.when); err != nil {
			return step{}, err
		}
	}
	if s.json {
		if out.spec.body, err = compactJSON(number, s.body); err != nil {
			return step{}, err
		}
	}
	if out.plan.Header, err = s.fields(number); err != nil {
		return step{}, err
	}
	out.plan.Body = out.spec.body
	if out.plan.Cert = s.cert; s.cert == "" && natureOf(out.plan.Fault).certifies {
		out.plan.Cert = webhook.FlawSelfSigned
	}
	out.plan.After, out.plan.For, out.plan.Rate, out.plan.Size = s.after, s.length, s.rate, s.size
	out.plan.Text = clip(out.spec.text(false), maxPlanText)
	if s.templates {
		if out.template, err = newTemplate(number, &out); err != nil {
			return step{}, err
		}
	}
	return out, nil
}

// resolveAnswer returns the status and fault that the answer names.
func (s *spec) resolveAnswer(number int) (int, webhook.Fault, error) {
	for _, name := range faults() {
		if s.answer != name {
			continue
		}
		if natureOf(webhook.Fault(name)).head {
			return http.StatusOK, webhook.Fault(name), nil
		}
		return 0, webhook.Fault(name), nil
	}
	status, err := strconv.Atoi(s.answer)
	switch {
	case err != nil || len(s.answer) != 3 || status < 100 || status > 599:
		return 0, "", refuse(number, s.answer, "no such answer;%s answers are a status from 200 to 599, or %s",
			nearest(s.answer, faults()), strings.Join(faults(), ", "))
	case status < 200:
		return 0, "", refuse(number, s.answer, "a 1xx status is no answer; use 200 to 599")
	}
	return status, "", nil
}

// checkKeys refuses keys that would say nothing on this answer.
func (s *spec) checkKeys(number int, p webhook.Plan) error {
	kind := natureOf(p.Fault)
	bodyless := p.Fault == "" && (p.Status == http.StatusNoContent || p.Status == http.StatusNotModified)
	switch {
	case s.rate != 0 && !kind.drips:
		return refuse(number, keyRate, "%s sends all at once; rate is for drip and trickle-head", s.answer)
	case s.length != 0 && !kind.lasts:
		return refuse(number, keyFor, "%s does not last; for is for hang, drip, trickle-head, refuse and "+
			"blackhole (a wait before the answer is after)", s.answer)
	case s.body != nil && !kind.body:
		return refuse(number, s.bodyKey(), "%s sends no body", s.answer)
	case s.size != 0 && (!kind.body || !kind.head):
		return refuse(number, keySize, "%s sends no body that has a size", s.answer)
	case s.size != 0 && s.body != nil:
		return refuse(number, keySize, "give one of body, json and size: a body with a size is generated")
	case (len(s.body) > 0 || s.size != 0) && bodyless:
		return refuse(number, s.bodyKey(), "a %s has no body", s.answer)
	case (len(s.header) > 0 || s.retryAfter != nil) && !kind.head:
		return refuse(number, "header", "%s sends no header", s.answer)
	case s.to != "" && p.Fault != "":
		return refuse(number, keyTo, "to is for statuses, not for %s", s.answer)
	case s.after != 0 && kind.connects && kind.lasts:
		return refuse(number, keyAfter, "%s answers nobody, so it has nothing to wait for", s.answer)
	case s.templates && !kind.head:
		return refuse(number, keyTemplate, "%s sends nothing that could be a template", s.answer)
	case s.cert != "" && !kind.certifies:
		return refuse(number, keyCert, "cert is for tls-badcert")
	case s.chance != nil && kind.connects && kind.lasts:
		return refuse(number, keyChance, "%s begins before anybody connects, so it cannot be drawn for a connection", s.answer)
	case s.when != "" && kind.connects:
		return refuse(number, keyWhen, "%s happens before there is a request to look at", s.answer)
	case s.chance != nil && kind.connects && s.counted:
		return refuse(number, s.answer+"x"+strconv.Itoa(s.times), "%s with p is drawn for each connection and has no xN", s.answer)
	}
	return nil
}

func (s *spec) bodyKey() string {
	switch {
	case s.size != 0:
		return keySize
	case s.json:
		return keyJSON
	default:
		return keyBody
	}
}

// fields returns the header fields in the order in which they are sent.
func (s *spec) fields(number int) ([]webhook.Field, error) {
	given := map[string]bool{}
	for _, f := range s.header {
		if fault := checkField(f); fault != "" {
			return nil, refuse(number, keyHeader+f.Name, "%s", fault)
		}
		given[strings.ToLower(f.Name)] = true
	}
	var out []webhook.Field
	if s.json && !given["content-type"] {
		out = append(out, webhook.Field{Name: "Content-Type", Value: "application/json"})
	}
	if s.to != "" {
		if fault := checkField(webhook.Field{Name: "Location", Value: s.to}); fault != "" || given["location"] {
			return nil, refuse(number, keyTo, "give to or header.Location once, without control characters")
		}
		out = append(out, webhook.Field{Name: "Location", Value: s.to})
	}
	if s.retryAfter != nil {
		if given["retry-after"] {
			return nil, refuse(number, keyRetryAfter, "give retry-after or header.Retry-After, not both")
		}
		out = append(out, webhook.Field{Name: "Retry-After", Value: strconv.Itoa(*s.retryAfter)})
	}
	return append(out, s.header...), nil
}

// checkField says what is wrong with a header field, or "".
func checkField(f webhook.Field) string {
	if f.Name == "" || strings.ContainsFunc(f.Name, func(r rune) bool { return !isTokenRune(r) }) {
		return "a header name is made of letters, digits and !#$%&'*+-.^_`|~"
	}
	switch strings.ToLower(f.Name) {
	case "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection", "te", "trailer",
		"upgrade":
		return "this field belongs to the connection and is set by the receiver"
	}
	if !utf8.ValidString(f.Value) || strings.ContainsFunc(f.Value, isControl) {
		return "a header value holds no line break, NUL or other control character, and is UTF-8"
	}
	return ""
}

func isTokenRune(r rune) bool {
	return r < utf8.RuneSelf && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
		strings.ContainsRune("!#$%&'*+-.^_`|~", r))
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// compactJSON checks JSON text and takes the blanks out. Escapes that encoding/json puts in for the
// sake of HTML are taken back, so that the text is the same however often it went through the JSON
// form.
func compactJSON(number int, text []byte) ([]byte, error) {
	if !utf8.Valid(text) || !json.Valid(text) {
		return nil, refuse(number, keyJSON+"="+string(text), "not valid JSON; close all brackets and quotes, "+
			"and put a value that has blanks outside of them in single quotes")
	}
	var tight bytes.Buffer
	if err := json.Compact(&tight, text); err != nil {
		return nil, refuse(number, keyJSON, "not valid JSON: %v", err)
	}
	in := tight.Bytes()
	out := make([]byte, 0, len(in))
	for i := 0; i < len(in); i++ {
		if in[i] != '\\' {
			out = append(out, in[i])
			continue
		}
		if raw := rawEscape(in[i+1:]); raw != "" {
			out = append(out, raw...)
			i += 5
			continue
		}
		out = append(out, in[i], in[i+1])
		i++
	}
	return out, nil
}

// rawEscape returns the character behind an escape such as u003c, if encoding/json would have put
// it in.
func rawEscape(text []byte) string {
	if len(text) < 5 || text[0] != 'u' {
		return ""
	}
	switch strings.ToLower(string(text[1:5])) {
	case "003c":
		return "<"
	case "003e":
		return ">"
	case "0026":
		return "&"
	case "2028":
		return "\u2028"
	case "2029":
		return "\u2029"
	default:
		return ""
	}
}
