package scripts

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// LineError is what is wrong with a line of a script. It is an ErrInvalid.
type LineError struct {
	File string
	Line int
	// Token is the word at fault; empty when the line as a whole is.
	Token string
	// Text says what is wrong and what there is instead.
	Text string
}

// Error names file, line and token.
func (p *LineError) Error() string {
	if p.Token == "" {
		return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
	}
	return fmt.Sprintf("%s:%d: %q: %s", p.File, p.Line, p.Token, p.Text)
}

// Unwrap returns webhook.ErrInvalid.
func (*LineError) Unwrap() error { return webhook.ErrInvalid }

// word is one word of a line.
type word struct {
	// raw is the word as written, text with quotes and escapes undone.
	raw, text string
}

// optionForm is how a word begins that gives a key its value.
var optionForm = regexp.MustCompile(`^[a-z][a-z0-9-]*=`)

// option splits key=value; the key must stand outside of quotes.
func (w word) option() (key, value string, ok bool) {
	if !optionForm.MatchString(w.raw) {
		return "", "", false
	}
	return strings.Cut(w.text, "=")
}

// lexError is a LineError that does not know its line yet.
type lexError struct{ token, text string }

// Error says what is wrong.
func (e *lexError) Error() string { return e.text }

// lex splits one line into words.
func lex(line string) ([]word, error) {
	var words []word
	for rest := line; ; {
		rest = strings.TrimLeft(rest, " \t\r")
		if rest == "" || rest[0] == '#' {
			return words, nil
		}
		w, n, err := lexWord(rest)
		if err != nil {
			return nil, err
		}
		words = append(words, w)
		rest = rest[n:]
	}
}

// lexWord reads the word that rest begins with, and tells its length.
func lexWord(rest string) (word, int, error) {
	var text strings.Builder
	var quote byte
	i := 0
	for ; i < len(rest); i++ {
		c := rest[i]
		switch {
		case c < ' ' && c != '\t' && c != '\r' || c == 0x7f:
			return word{}, 0, &lexError{rest[:i], fmt.Sprintf("control character %#02x", c)}
		case quote == 0 && (c == ' ' || c == '\t' || c == '\r'):
			return word{rest[:i], text.String()}, i, nil
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0 && c == '\\':
			i++
			if i == len(rest) {
				return word{}, 0, &lexError{rest, "the quote is not closed"}
			}
			at := strings.IndexByte(`nrt\"'`, rest[i])
			if at < 0 {
				return word{}, 0, &lexError{rest[i-1 : i+1], `no such escape; there are: \n \r \t \\ \" \'`}
			}
			text.WriteByte("\n\r\t\\\"'"[at])
		default:
			text.WriteByte(c)
		}
	}
	if quote != 0 {
		return word{}, 0, &lexError{rest, "the quote is not closed"}
	}
	return word{rest, text.String()}, i, nil
}

// variableForm finds variables and doubled dollars.
var variableForm = regexp.MustCompile(`\$(?:\$|[a-z][a-z0-9_]*|\{[a-z][a-z0-9_]*\})`)

// expand replaces variables. The first that is not there is returned as unknown.
func expand(text string, vars map[string]string) (out, unknown string) {
	out = variableForm.ReplaceAllStringFunc(text, func(found string) string {
		if found == "$$" {
			return "$"
		}
		name := strings.Trim(found[1:], "{}")
		value, ok := vars[name]
		if !ok && unknown == "" {
			unknown = name
		}
		return value
	})
	return out, unknown
}

// oneOf lists what there is, with the nearest one first when there is a near one.
func oneOf(word string, there []string) string {
	list := "there are: " + strings.Join(there, ", ")
	if len(there) == 0 {
		list = "there are none"
	}
	best, least := "", max(2, len(word)/3)+1
	for _, name := range there {
		if d := distance(word, name); d < least {
			best, least = name, d
		}
	}
	if best == "" {
		return list
	}
	return fmt.Sprintf("did you mean %q? %s", best, list)
}

// distance is the number of single letters to insert, delete or replace.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			before, row[j+1] = row[j+1], min(before+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
