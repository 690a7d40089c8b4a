package plan

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	texttemplate "text/template"
	"time"
)

const timeForm = "2006-01-02T15:04:05.000Z07:00"

// functionNames are those that a template may call.
func functionNames() []string {
	return []string{
		"and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge", "len", "at", "json", "default", "upper", "lower", "urlquery",
		"date", "unix", "uuid", "hmac",
	}
}

func isFunction(name string) bool { return slices.Contains(functionNames(), name) }

// budget is what the templates of one answer may still do, and what they draw from.
type budget struct {
	at          time.Time
	turns, work int
	source      *rand.PCG
}

func newBudget(in Arrival) *budget {
	return &budget{at: in.At.UTC(), source: rand.NewPCG(in.Seed, 1)}
}

// functions are ours in place of text/template's, which take Go values apart by reflection; and, or and not are its own.
func (b *budget) functions() texttemplate.FuncMap {
	return texttemplate.FuncMap{
		putName: b.put, quoteName: b.quote, turnName: b.turn, spanName: b.span,
		"eq": equalsAny, "ne": func(a, c any) bool { return !equal(a, c) },
		"lt":  func(a, c any) (bool, error) { return ordered(a, c, func(n int) bool { return n < 0 }) },
		"le":  func(a, c any) (bool, error) { return ordered(a, c, func(n int) bool { return n <= 0 }) },
		"gt":  func(a, c any) (bool, error) { return ordered(a, c, func(n int) bool { return n > 0 }) },
		"ge":  func(a, c any) (bool, error) { return ordered(a, c, func(n int) bool { return n >= 0 }) },
		"len": length, "at": at, "json": b.json, "default": fallback,
		"upper":    func(v any) (string, error) { return b.mapped(v, strings.ToUpper) },
		"lower":    func(v any) (string, error) { return b.mapped(v, strings.ToLower) },
		"urlquery": func(v any) (string, error) { return b.mapped(v, url.QueryEscape) },
		"date":     b.date, "unix": func() int64 { return b.at.Unix() }, "uuid": b.uuid, "hmac": b.hmac,
	}
}

func (b *budget) charge(size int) error {
	if b.work += size; b.work > maxWork {
		return fmt.Errorf("its functions look at more than %d bytes", maxWork)
	}
	return nil
}

func (b *budget) turn() (string, error) {
	if b.turns++; b.turns > maxTurns {
		return "", fmt.Errorf("its loops take more than %d turns", maxTurns)
	}
	return "", nil
}

// span is asked with what a loop goes over: the keys of a map are sorted before its first turn.
func (b *budget) span(value any) (any, error) {
	const each = 8
	size := 0
	switch v := value.(type) {
	case []any:
		size = len(v)
	case map[string]any:
		size = len(v)
	case fields:
		size = len(v)
	}
	return value, b.charge(each * size)
}

// put returns the text of a value.
func (b *budget) put(value any) (string, error) {
	out := ""
	switch v := value.(type) {
	case nil:
	case string:
		out = v
	case bool:
		out = strconv.FormatBool(v)
	case int:
		out = strconv.Itoa(v)
	case int64:
		out = strconv.FormatInt(v, 10)
	case float64:
		out = strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return b.json(value)
	}
	return out, b.charge(len(out))
}

// quote is put for a place within a JSON string.
func (b *budget) quote(value any) (string, error) {
	text, err := b.put(value)
	if err != nil {
		return "", err
	}
	text, err = b.json(text)
	return strings.TrimSuffix(strings.TrimPrefix(text, `"`), `"`), err
}

func (b *budget) json(value any) (string, error) {
	var out bytes.Buffer
	encode := json.NewEncoder(&out)
	encode.SetEscapeHTML(false)
	if err := encode.Encode(value); err != nil {
		return "", err
	}
	return strings.TrimSuffix(out.String(), "\n"), b.charge(out.Len())
}

func (b *budget) mapped(value any, by func(string) string) (string, error) {
	text, err := b.put(value)
	return by(text), err
}

// date formats a time that is RFC 3339, or the arrival, by a layout of Go, or by "http".
func (b *budget) date(layout string, times ...any) (string, error) {
	when := b.at
	if len(times) > 1 {
		return "", errors.New("date takes a layout and at most one time")
	}
	if len(times) == 1 {
		text, _ := times[0].(string)
		parsed, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return "", fmt.Errorf("date: %.40q is no RFC 3339 time", text)
		}
		when = parsed
	}
	if layout == "http" {
		layout, when = http.TimeFormat, when.UTC()
	}
	return when.Format(layout), b.charge(len(layout))
}

// uuid is of version 4 and drawn from the capture's seed, so that a run can be repeated.
func (b *budget) uuid() string {
	if b.source == nil {
		return ""
	}
	high := b.source.Uint64()&^0xf000 | 0x4000
	low := b.source.Uint64()&^(3<<62) | 2<<62
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", high>>32, high>>16&0xffff, high&0xffff, low>>48, low&(1<<48-1))
}

// hmac returns HMAC-SHA256 in hex.
func (b *budget) hmac(key, value any) (string, error) {
	secret, err := b.put(key)
	if err != nil {
		return "", err
	}
	text, err := b.put(value)
	if err != nil {
		return "", err
	}
	sum := hmac.New(sha256.New, []byte(secret))
	_, _ = sum.Write([]byte(text)) // it never fails
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// at returns what is in a value at a path of keys and indices, or nil.
func at(value any, path ...any) any {
	for _, step := range path {
		name, isText := step.(string)
		if i, isNumber := numeric(step); isNumber && !isText {
			name = strconv.Itoa(int(i))
		}
		switch v := value.(type) {
		case fields:
			value = v[strings.ToLower(name)]
		case map[string]any:
			value = v[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}

func length(value any) (int, error) {
	switch v := value.(type) {
	case nil:
		return 0, nil
	case string:
		return len(v), nil
	case []any:
		return len(v), nil
	case map[string]any:
		return len(v), nil
	case fields:
		return len(v), nil
	default:
		return 0, errors.New("len takes a text, a list or a map")
	}
}

// fallback returns value, or other where it is empty.
func fallback(other, value any) any {
	switch v := value.(type) {
	case nil:
		return other
	case string:
		if v == "" {
			return other
		}
	}
	return value
}

func equalsAny(value any, others ...any) bool {
	return slices.ContainsFunc(others, func(other any) bool { return equal(value, other) })
}

func equal(a, b any) bool {
	x, isX := numeric(a)
	y, isY := numeric(b)
	if isX || isY {
		return isX && isY && x == y
	}
	switch v := a.(type) {
	case nil:
		return b == nil
	case string:
		w, ok := b.(string)
		return ok && v == w
	case bool:
		w, ok := b.(bool)
		return ok && v == w
	default:
		return false
	}
}

func ordered(a, b any, wanted func(int) bool) (bool, error) {
	x, isX := numeric(a)
	y, isY := numeric(b)
	if isX && isY {
		switch {
		case x < y:
			return wanted(-1), nil
		case x > y:
			return wanted(1), nil
		default:
			return wanted(0), nil
		}
	}
	v, isV := a.(string)
	w, isW := b.(string)
	if isV && isW {
		return wanted(strings.Compare(v, w)), nil
	}
	return false, errors.New("only two numbers or two texts can be compared")
}

func numeric(value any) (float64, bool) {
	switch v := value.(type) {
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case float64:
		return v, !math.IsNaN(v)
	default:
		return 0, false
	}
}
