package plan

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hookrange/hookrange/receiver/webhook"
)

const blanks = " \t\r\n"

// Parse reads the plan language; a blank text means 200. What it cannot accept is an ErrInvalid
// that names the step, from 1, the words at fault, and what is accepted in their place.
func Parse(text string) (*Program, error) {
	if len(text) > MaxText {
		return nil, refuse(0, "", "the answers take %d bytes; at most %d are accepted", len(text), MaxText)
	}
	if !utf8.ValidString(text) {
		return nil, refuse(0, "", `the answers are not UTF-8; write other bytes as \xHH in a quoted body`)
	}
	var steps []step
	for rest := strings.TrimLeft(text, blanks); rest != ""; rest = strings.TrimLeft(rest, blanks) {
		number := len(steps) + 1
		if number > MaxSteps {
			return nil, refuse(number, "", "at most %d steps are accepted", MaxSteps)
		}
		read := reader{number: number, rest: rest}
		one, err := read.step()
		if err != nil {
			return nil, err
		}
		steps = append(steps, one)
		rest = read.rest
	}
	return newProgram(steps)
}

// refuse makes the error for a step; number 0 stands for the answers as a whole.
func refuse(number int, token, format string, args ...any) error {
	where := "respond"
	if number > 0 {
		where = "respond: step " + strconv.Itoa(number)
	}
	if token != "" {
		where += ", " + strconv.Quote(clip(token, 60))
	}
	return fmt.Errorf("%w: %s: %s", webhook.ErrInvalid, where, fmt.Sprintf(format, args...))
}

// clip shortens text to about size bytes, at the border of a rune.
func clip(text string, size int) string {
	if len(text) <= size {
		return text
	}
	for size > 0 && !utf8.RuneStart(text[size]) {
		size--
	}
	return text[:size] + "…"
}

// reader reads one step from the front of rest.
type reader struct {
	number int
	rest   string
}

// step reads the answer and its keys, up to a blank or the end.
func (r *reader) step() (step, error) {
	answer := r.take(strings.IndexAny(r.rest, blanks+"/"))
	out := spec{answer: answer, times: 1}
	if name, times, ok := cutTimes(answer); ok {
		n, err := strconv.Atoi(times)
		if err != nil || n < 1 || n > MaxTimes {
			return step{}, refuse(r.number, answer, "x%s: repeat a step x1 to x%d times", clip(times, 12), MaxTimes)
		}
		out.answer, out.times, out.counted = name, n, true
	}
	seen := map[string]bool{}
	for strings.HasPrefix(r.rest, "/") {
		key, value, err := r.option()
		if err != nil {
			return step{}, err
		}
		if seen[key] && !strings.HasPrefix(key, keyHeader) {
			return step{}, refuse(r.number, key, "given twice; only %sNAME may be repeated", keyHeader)
		}
		seen[key] = true
		if err := out.set(r.number, key, value); err != nil {
			return step{}, err
		}
	}
	return out.step(r.number)
}

// cutTimes splits "503x2" into "503" and "2".
func cutTimes(answer string) (name, times string, ok bool) {
	at := strings.LastIndexByte(answer, 'x')
	if at < 0 || at+1 == len(answer) || strings.Trim(answer[at+1:], "0123456789") != "" {
		return answer, "", false
	}
	return answer[:at], answer[at+1:], true
}

// take removes and returns the first n bytes of what is left; all of it for n < 0.
func (r *reader) take(n int) string {
	if n < 0 {
		n = len(r.rest)
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

// option reads "/key=value".
func (r *reader) option() (key, value string, err error) {
	r.take(1)
	end := strings.IndexAny(r.rest, blanks+"/=")
	if end < 0 || r.rest[end] != '=' {
		word := r.take(end)
		return "", "", refuse(r.number, "/"+word, "after %q comes key=value;%s keys are %s",
			"/", nearest(word, keys()), strings.Join(keys(), ", "))
	}
	key = r.take(end)
	if !isKey(key) {
		return "", "", refuse(r.number, key, "no such key;%s keys are %s",
			nearest(key, keys()), strings.Join(keys(), ", "))
	}
	r.take(1)
	if r.rest == "" || (r.rest[0] != '"' && r.rest[0] != '\'') {
		return key, r.take(endOfRun(key, r.rest)), nil
	}
	value, size, fault := unquote(r.rest)
	if fault != "" {
		return "", "", refuse(r.number, key+"="+r.rest, "%s", fault)
	}
	if after := r.rest[size:]; after != "" && !strings.Contains(blanks+"/", after[:1]) {
		return "", "", refuse(r.number, key+"="+r.rest,
			"text follows the closing quote; put the whole value in the other kind of quotes")
	}
	r.take(size)
	return key, value, nil
}

// endOfRun returns where the unquoted value of key at the front of text ends.
func endOfRun(key, text string) int {
	nested := key == keyJSON || key == keyWhen
	depth, quote := 0, byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0:
			if c == '\\' && quote != '`' {
				i++
			} else if c == quote {
				quote = 0
			}
		case nested && (c == '"' || key == keyWhen && (c == '\'' || c == '`')):
			quote = c
		case nested && strings.IndexByte("([{", c) >= 0:
			depth++
		case nested && strings.IndexByte(")]}", c) >= 0:
			depth = max(depth-1, 0)
		case depth > 0:
		case strings.IndexByte(blanks, c) >= 0, c == '/' && endsValue(key, text[i:]):
			return i
		}
	}
	return len(text)
}

// endsValue reports whether the "/" at the front of text ends an unquoted value of key. Numbers
// hold no "/", except for the "/s" of a rate, so that a misspelt key after one is noticed.
func endsValue(key, text string) bool {
	if key == keyRate && strings.HasPrefix(text, "/s") &&
		(len(text) == 2 || strings.IndexByte(blanks+"/", text[2]) >= 0) {
		return false
	}
	if isNumeric(key) {
		return true
	}
	end := strings.IndexAny(text[1:], blanks+"/=")
	return end >= 0 && text[1+end] == '=' && isKey(text[1:1+end])
}

// unquote reads a quoted value at the front of text; fault says what is wrong with it.
func unquote(text string) (value string, size int, fault string) {
	var out strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; c {
		case text[0]:
			return out.String(), i + 1, ""
		case '\\':
			b, used := unescape(text[i+1:])
			if used == 0 {
				return "", 0, `only \n \r \t \\ \" \' and \xHH are escapes; write \\ for a backslash`
			}
			out.WriteByte(b)
			i += used
		default:
			out.WriteByte(c)
		}
	}
	return "", 0, "the quote is not closed"
}

// unescape reads what follows a backslash; used is 0 when it is no escape.
func unescape(text string) (b byte, used int) {
	if text == "" {
		return 0, 0
	}
	switch text[0] {
	case 'n':
		return '\n', 1
	case 'r':
		return '\r', 1
	case 't':
		return '\t', 1
	case '\\', '"', '\'':
		return text[0], 1
	case 'x':
		if len(text) < 3 {
			return 0, 0
		}
		n, err := strconv.ParseUint(text[1:3], 16, 8)
		if err != nil {
			return 0, 0
		}
		return byte(n), 3
	default:
		return 0, 0
	}
}
