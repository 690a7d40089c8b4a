package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How much is shown of a value, and of a text of several lines.
const (
	shortLength = 240
	longLength  = 4000
)

// short returns a value as one line that is safe in a terminal and not too long.
func short(s string) string {
	return clean(s, shortLength, false)
}

// long is short for a text of several lines.
func long(s string) string {
	return clean(s, longLength, true)
}

// clean escapes what does not print, so that hostile text can neither command a terminal nor hide or turn around
// what stands beside it, and cuts what goes over a number of bytes.
func clean(s string, most int, lines bool) string {
	cut := 0
	if len(s) > most {
		keep := most
		for keep > 0 && !utf8.RuneStart(s[keep]) {
			keep--
		}
		s, cut = s[:keep], len(s)-keep
	}
	var out strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, s[i])
		case lines && r == '\n', unicode.IsPrint(r):
			out.WriteRune(r)
		case lines && r == '\r' && strings.HasPrefix(s[i+size:], "\n"):
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			out.WriteString(quoted[1 : len(quoted)-1])
		}
		i += size
	}
	if cut > 0 {
		fmt.Fprintf(&out, "... (%d bytes more)", cut)
	}
	return out.String()
}

// printer writes until the first error, and keeps it.
type printer struct {
	w   io.Writer
	err error
}

// linef writes one line.
func (p *printer) linef(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}
