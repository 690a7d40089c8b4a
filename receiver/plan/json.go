package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// maxJSON bounds the JSON form, which escapes more than the text does.
const maxJSON = 8 * MaxText

// stepJSON is one step of the JSON form.
type stepJSON struct {
	Answer     answerJSON      `json:"answer"`
	Times      *int            `json:"times,omitempty"`
	AfterMS    float64         `json:"after_ms,omitempty"`
	ForMS      *float64        `json:"for_ms,omitempty"`
	Rate       *int            `json:"rate,omitempty"`
	Size       *int            `json:"size,omitempty"`
	P          *float64        `json:"p,omitempty"`
	When       *string         `json:"when,omitempty"`
	To         *string         `json:"to,omitempty"`
	RetryAfter *int            `json:"retry_after,omitempty"`
	Cert       *string         `json:"cert,omitempty"`
	Template   bool            `json:"template,omitempty"`
	Headers    [][2]string     `json:"headers,omitempty"`
	Body       *string         `json:"body,omitempty"`
	BodyBase64 []byte          `json:"body_base64,omitempty"`
	JSON       json.RawMessage `json:"json,omitempty"`
}

// answerJSON is written as a string; a status may be given as a number too.
type answerJSON string

// UnmarshalJSON implements json.Unmarshaler.
func (a *answerJSON) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		var text string
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
		*a = answerJSON(text)
		return nil
	}
	*a = answerJSON(data)
	return nil
}

// MarshalJSON returns the JSON form: an array of steps, each with answer and, where they are given,
// times, after_ms, for_ms, rate, p, when, to, retry_after (seconds), cert, template, headers ([[name, value]...])
// and one of body, body_base64 (a body that is not UTF-8), json and size (bytes).
func (p *Program) MarshalJSON() ([]byte, error) {
	steps := p.steps
	if len(steps) == 0 {
		return []byte(`[{"answer":"200"}]`), nil
	}
	out := make([]stepJSON, len(steps))
	for i := range steps {
		out[i] = steps[i].spec.form()
	}
	return json.Marshal(out)
}

// ParseJSON reads the JSON form. It accepts what Parse accepts and returns ErrInvalid in the same
// way; keys that it does not know are refused.
func ParseJSON(data []byte) (*Program, error) {
	if len(data) > maxJSON {
		return nil, refuse(0, "", "the answers take %d bytes; at most %d are accepted", len(data), maxJSON)
	}
	var forms []stepJSON
	decode := json.NewDecoder(bytes.NewReader(data))
	decode.DisallowUnknownFields()
	if err := decode.Decode(&forms); err != nil {
		return nil, refuse(0, "", "not a JSON array of steps: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := decode.Token(); !errors.Is(err, io.EOF) {
		return nil, refuse(0, "", "text follows the JSON array of steps")
	}
	if len(forms) > MaxSteps {
		return nil, refuse(MaxSteps+1, "", "at most %d steps are accepted", MaxSteps)
	}
	steps := make([]step, len(forms))
	for i := range forms {
		said, err := forms[i].spec(i + 1)
		if err != nil {
			return nil, err
		}
		if steps[i], err = said.step(i + 1); err != nil {
			return nil, err
		}
	}
	return newProgram(steps)
}

// UnmarshalJSON reads the JSON form as ParseJSON does.
func (p *Program) UnmarshalJSON(data []byte) error {
	read, err := ParseJSON(data)
	if err != nil {
		return err
	}
	*p = *read
	return nil
}

func (s *spec) form() stepJSON {
	out := stepJSON{Answer: answerJSON(s.answer), AfterMS: milliseconds(s.after), P: s.chance, RetryAfter: s.retryAfter, Template: s.templates}
	if s.times > 1 || s.counted {
		out.Times = &s.times
	}
	if s.length > 0 {
		length := milliseconds(s.length)
		out.ForMS = &length
	}
	if s.rate > 0 {
		out.Rate = &s.rate
	}
	if s.size > 0 {
		out.Size = &s.size
	}
	if s.when != "" {
		out.When = &s.when
	}
	if s.to != "" {
		out.To = &s.to
	}
	if s.cert != "" {
		out.Cert = new(string(s.cert))
	}
	for _, f := range s.header {
		out.Headers = append(out.Headers, [2]string{f.Name, f.Value})
	}
	switch {
	case s.body == nil:
	case s.json:
		out.JSON = s.body
	case utf8.Valid(s.body):
		text := string(s.body)
		out.Body = &text
	default:
		out.BodyBase64 = s.body
	}
	return out
}

// spec checks the values that the text form would have checked while reading them.
func (f *stepJSON) spec(number int) (spec, error) {
	out := spec{answer: string(f.Answer), times: 1, chance: f.P, retryAfter: f.RetryAfter, templates: f.Template}
	if f.Times != nil {
		out.counted = true
		if out.times = *f.Times; out.times < 1 || out.times > MaxTimes {
			return spec{}, refuse(number, "times", "repeat a step 1 to %d times", MaxTimes)
		}
	}
	var fault string
	if out.after, fault = fromMilliseconds(f.AfterMS, 0); fault != "" {
		return spec{}, refuse(number, "after_ms", "%s", fault)
	}
	if f.ForMS != nil {
		if out.length, fault = fromMilliseconds(*f.ForMS, 1); fault != "" {
			return spec{}, refuse(number, "for_ms", "%s", fault)
		}
	}
	if f.Rate != nil {
		if out.rate = *f.Rate; out.rate < 1 || out.rate > maxRate {
			return spec{}, refuse(number, keyRate, "give 1 to %d bytes a second", maxRate)
		}
	}
	if f.Size != nil {
		if out.size = *f.Size; out.size < 1 || out.size > maxSize {
			return spec{}, refuse(number, keySize, "%s", sizeUsage)
		}
	}
	if f.P != nil && checkChance(*f.P) != "" {
		return spec{}, refuse(number, keyChance, "%s", chanceUsage)
	}
	if f.RetryAfter != nil && checkSeconds(*f.RetryAfter) != "" {
		return spec{}, refuse(number, "retry_after", "%s", secondsUsage)
	}
	if f.Cert != nil {
		if out.cert, fault = flaw(*f.Cert); fault != "" {
			return spec{}, refuse(number, keyCert, "%s", fault)
		}
	}
	for _, h := range f.Headers {
		out.header = append(out.header, webhook.Field{Name: h[0], Value: h[1]})
	}
	return out, f.texts(number, &out)
}

// texts takes over the keys that are text, and the body.
func (f *stepJSON) texts(number int, out *spec) error {
	if (f.When != nil && *f.When == "") || (f.To != nil && *f.To == "") {
		return refuse(number, "when, to", "the value is empty; leave the key out")
	}
	if f.When != nil {
		out.when = *f.When
	}
	if f.To != nil {
		out.to = *f.To
	}
	bodies := 0
	if f.Body != nil {
		out.body = []byte(*f.Body)
		bodies++
	}
	if f.BodyBase64 != nil {
		out.body = f.BodyBase64
		bodies++
	}
	if f.JSON != nil {
		out.body, out.json = f.JSON, true
		bodies++
	}
	if bodies > 1 {
		return refuse(number, keyBody, "give one of body, body_base64 and json")
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func fromMilliseconds(ms float64, least time.Duration) (time.Duration, string) {
	if !(math.Abs(ms) <= milliseconds(maxWait)) {
		return 0, checkDuration(maxWait+1, least, maxWait)
	}
	d := time.Duration(math.Round(ms * float64(time.Millisecond)))
	return d, checkDuration(d, least, maxWait)
}
