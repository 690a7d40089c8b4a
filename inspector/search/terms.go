package search

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// term is one word of a query as it was written.
type term struct {
	negate bool
	// field is empty for words; "header.X" and "body.X" come whole.
	field, value string
	// quoted tells that the value stood in quotation marks.
	quoted bool
}

// split cuts a query into terms. A quote begins a quoted part at a term's start or after its colon; there a
// backslash takes the next character as it is.
func split(text string) ([]term, error) {
	var terms []term
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
		var t term
		var err error
		if len(rest) > 1 && rest[0] == '-' {
			t.negate, rest = true, rest[1:]
		}
		if rest[0] != '"' {
			word := rest
			if i := strings.IndexAny(rest, " \t\r\n\""); i >= 0 {
				word = rest[:i]
			}
			if name, _, found := strings.Cut(word, ":"); found {
				t.field, rest = name, rest[len(name)+1:]
				if t.field == "" {
					return nil, fmt.Errorf("%w: q: %w", webhook.ErrInvalid, unknownField(t.field))
				}
			}
		}
		t.quoted = strings.HasPrefix(rest, `"`)
		if t.value, rest, err = value(rest); err != nil {
			return nil, err
		}
		if t.value == "" && strings.EqualFold(t.field, "pinned") {
			t.value = "true"
		}
		if t.value == "" && t.field != "" {
			return nil, fmt.Errorf("%w: q: %s: has no value", webhook.ErrInvalid, t.field)
		}
		if t.value != "" {
			terms = append(terms, t)
		}
	}
	return terms, nil
}

func value(text string) (found, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		if i := strings.IndexAny(text, " \t\r\n"); i >= 0 {
			return text[:i], text[i:], nil
		}
		return text, "", nil
	}
	var out strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			out.WriteByte(text[i])
		case c == '"':
			return out.String(), text[i+1:], nil
		default:
			out.WriteByte(c)
		}
	}
	return "", "", fmt.Errorf("%w: q: a quotation mark is not closed", webhook.ErrInvalid)
}

func unknownField(name string) error {
	return fmt.Errorf("unknown field %q: there are status, method, path, class, reason, rule, kind, attempt, size, "+
		"header.NAME, body.PATH, before, after, pinned, note, forward, delivery and endpoint; put a text with a colon in quotation marks", name)
}

func compile(t term) (test, error) {
	if t.field == "" {
		return words(t.value), nil
	}
	if name, found := strings.CutPrefix(t.field, "header."); found && name != "" {
		return header(name, t), nil
	}
	if path, found := strings.CutPrefix(t.field, "body."); found {
		return member(path, t)
	}
	switch strings.ToLower(t.field) {
	case "status":
		return status(t.value)
	case "attempt":
		return number("attempt", t.value, func(c *webhook.Capture) int64 { return int64(c.Attempt) })
	case "size":
		return number("size", t.value, func(c *webhook.Capture) int64 { return c.Request.BodySize })
	case "kind":
		return kind(t.value), nil
	case "path":
		matches := pattern(t, strings.Contains)
		return row(func(c *webhook.Capture) bool {
			path, _ := api.SplitTarget(c.Request.Target)
			return matches(path)
		}), nil
	case "class":
		return oneOf("class", t.value, func(c *webhook.Capture) string { return string(c.Class) },
			string(webhook.Accepted), string(webhook.Rejected), string(webhook.Incomplete))
	case "method":
		return oneOf("method", t.value, func(c *webhook.Capture) string { return c.Request.Method })
	case "reason":
		return oneOf("reason", t.value, func(c *webhook.Capture) string { return string(c.Reason) })
	case "rule":
		return oneOf("rule", t.value, func(c *webhook.Capture) string { return c.Plan.Rule })
	case "delivery":
		return oneOf("delivery", t.value, func(c *webhook.Capture) string { return c.Delivery })
	case "endpoint":
		return oneOf("endpoint", t.value, func(c *webhook.Capture) string { return c.Endpoint })
	default:
		return beside(t)
	}
}

// beside compiles the fields of what a capture has beside its request: when it came and what was noted.
func beside(t term) (test, error) {
	switch strings.ToLower(t.field) {
	case "before", "after":
		at, err := moment(strings.ToLower(t.field), t.value, time.Now())
		if err != nil {
			return test{}, err
		}
		if strings.EqualFold(t.field, "before") {
			return row(func(c *webhook.Capture) bool { return c.ReceivedAt.Before(at) }), nil
		}
		return row(func(c *webhook.Capture) bool { return c.ReceivedAt.After(at) }), nil
	case "pinned":
		if t.value != "true" && t.value != "false" {
			return test{}, fmt.Errorf("pinned:%s: use true or false", t.value)
		}
		return row(func(c *webhook.Capture) bool { return (c.Note != nil && c.Note.Pinned) == (t.value == "true") }), nil
	case "note":
		return row(func(c *webhook.Capture) bool {
			return c.Note != nil && strings.Contains(strings.ToLower(c.Note.Text), strings.ToLower(t.value))
		}), nil
	case "forward":
		return forwarded(t.value)
	default:
		return test{}, unknownField(t.field)
	}
}

// forwarded matches captures that a forward did not deliver, or that all forwards that sent them did. What was delivered
// to the same place later, by whom ever, is no failure any more; what was changed before it was sent is not the capture.
func forwarded(want string) (test, error) {
	if want = strings.ToLower(want); want != "failed" && want != "delivered" {
		return test{}, fmt.Errorf("forward:%s: use failed or delivered", want)
	}
	return test{cost: costReplays, holds: func(c *Candidate) (bool, error) {
		if c.LoadReplays == nil {
			return false, nil
		}
		tries, err := c.LoadReplays()
		last, asked := map[string]*webhook.Replay{}, map[string]bool{}
		for i := range tries {
			if r := &tries[i]; !r.Edited {
				last[r.Target] = r
				asked[r.Target] = asked[r.Target] || r.By == webhook.ByEndpoint || r.By == webhook.ByForward
			}
		}
		failed, delivered := false, false
		for target := range asked {
			r := last[target]
			// One that has another try to come is neither.
			failed = failed || asked[target] && !r.Delivered && r.NextIn == nil
			delivered = delivered || asked[target] && r.Delivered
		}
		return failed == (want == "failed") && (failed || delivered), err
	}}, nil
}

func row(holds func(*webhook.Capture) bool) test {
	return test{cost: costRow, holds: func(c *Candidate) (bool, error) { return holds(c.Capture), nil }}
}

func oneOf(field, want string, have func(*webhook.Capture) string, accepted ...string) (test, error) {
	want = strings.ToLower(want)
	if len(accepted) > 0 && !slices.Contains(accepted, want) {
		return test{}, fmt.Errorf("%s:%s: use %s", field, want, strings.Join(accepted, ", "))
	}
	return row(func(c *webhook.Capture) bool { return strings.EqualFold(have(c), want) }), nil
}

func header(name string, t term) test {
	matches := pattern(t, strings.Contains)
	return test{cost: costRow, holds: func(c *Candidate) (bool, error) {
		return slices.ContainsFunc(c.header(), func(f webhook.Field) bool {
			return strings.EqualFold(f.Name, name) && matches(f.Value)
		}), nil
	}}
}

func kind(want string) test {
	return test{cost: costPayload, holds: func(c *Candidate) (bool, error) {
		have, _, err := c.LoadPayload()
		return strings.EqualFold(have, want), err
	}}
}

// answered returns the status that was answered, or the plan's while the answer is under way.
func answered(c *webhook.Capture) int {
	if c.Outcome != nil {
		return c.Outcome.Status
	}
	return c.Plan.Status
}

// status matches what was answered.
func status(text string) (test, error) {
	have := func(c *webhook.Capture) int64 { return int64(answered(c)) }
	if first, found := anyOfHundred(text); found {
		return row(func(c *webhook.Capture) bool { return have(c)/100 == first }), nil
	}
	return number("status", text, have)
}

// anyOfHundred returns the first digit of a value such as 5xx.
func anyOfHundred(text string) (first int64, found bool) {
	if len(text) == len("5xx") && strings.EqualFold(text[1:], "xx") && text[0] >= '1' && text[0] <= '9' {
		return int64(text[0] - '0'), true
	}
	return 0, false
}

// number compares with a whole number after one of < <= > >= =, or none; k and M multiply a size by 1000.
func number(field, text string, have func(*webhook.Capture) int64) (test, error) {
	op, n, err := comparison(field, text)
	if err != nil {
		return test{}, err
	}
	compare := map[string]func(have int64) bool{
		"": func(have int64) bool { return have == n }, "=": func(have int64) bool { return have == n },
		"<": func(have int64) bool { return have < n }, "<=": func(have int64) bool { return have <= n },
		">": func(have int64) bool { return have > n }, ">=": func(have int64) bool { return have >= n },
	}[op]
	if compare == nil {
		return test{}, fmt.Errorf("%s:%s: %s is no comparison; use <, <=, > or >=", field, text, op)
	}
	return row(func(c *webhook.Capture) bool { return compare(have(c)) }), nil
}

// comparison splits what number compares with.
func comparison(field, text string) (op string, n int64, err error) {
	digits := strings.TrimLeft(text, "<>=")
	op = text[:len(text)-len(digits)]
	factor := int64(1)
	if field == "size" {
		digits, factor = multiple(digits)
	}
	n, err = strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > 1<<50 {
		return "", 0, fmt.Errorf("%s:%s: give a whole number, after <, <=, > or >= if need be", field, text)
	}
	return op, n * factor, nil
}

func multiple(digits string) (rest string, factor int64) {
	switch {
	case strings.HasSuffix(digits, "k"), strings.HasSuffix(digits, "K"):
		return digits[:len(digits)-1], 1000
	case strings.HasSuffix(digits, "m"), strings.HasSuffix(digits, "M"):
		return digits[:len(digits)-1], 1000 * 1000
	default:
		return digits, 1
	}
}
