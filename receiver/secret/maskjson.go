package secret

import (
	"bytes"
	"strings"
)

// maxConfigurable bounds how far the end of a "configurable" object is looked for.
const maxConfigurable = 64 << 10

// member looks for a JSON member whose name begins with the quote at i. The quote is `"`, or `\"`
// in JSON that stands in a JSON string. The value of a member that carries credentials becomes
// pending.
func (s *scan) member(i int, quote string) {
	b := s.in
	i += len(quote)
	var buf [maxName]byte
	n := 0
	for ; i < len(b) && n < len(buf) && isParamByte(b[i]); i++ {
		buf[n] = lower(b[i])
		n++
	}
	if n == 0 || !bytes.HasPrefix(b[i:], []byte(quote)) {
		return
	}
	name := buf[:n]
	secret := s.mask.headers[string(name)] || bytes.HasPrefix(name, []byte("langgraph_auth_user")) ||
		i < s.conf && bytes.HasPrefix(name, []byte("x-")) && !harmless(string(name))
	hook, conf := string(name) == "webhook", string(name) == "configurable"
	if !secret && !hook && !conf {
		return
	}
	i = skipSpace(b, i+len(quote))
	if i == len(b) || b[i] != ':' {
		return
	}
	i = skipSpace(b, i+1)
	switch {
	case i == len(b):
	case conf && b[i] == '{' && i >= s.conf:
		s.conf = i + valueLen(b[i:min(len(b), i+maxConfigurable)], quote)
	case hook && i >= s.hook:
		s.hook = i + valueLen(b[i:], quote)
	case secret:
		s.pendValue(i, quote)
	}
}

// pendValue makes the JSON value at i pending: what is between its quotes, or an array, object or
// number as a whole. A null, true or false stays, for it says nothing.
func (s *scan) pendValue(i int, quote string) {
	b := s.in
	end := i + valueLen(b[i:], quote)
	switch c := b[i]; {
	case s.from >= 0:
	case bytes.HasPrefix(b[i:], []byte(quote)):
		i += len(quote)
		if end-len(quote) >= i && bytes.HasSuffix(b[i:end], []byte(quote)) {
			end -= len(quote)
		}
		s.pend(i, end)
	case c == '{' || c == '[' || c == '-' || c >= '0' && c <= '9':
		s.pend(i, end)
		s.bare, s.quote = true, quote
	}
}

// harmless tells whether a header that a run's creator sent carries no credential.
func harmless(name string) bool {
	switch name {
	case "x-request-id", "x-correlation-id", "x-trace-id", "x-amzn-trace-id", "x-cloud-trace-context",
		"x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-real-ip":
		return true
	default:
		return strings.HasPrefix(name, "x-b3-") || strings.HasPrefix(name, "x-datadog-")
	}
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return i
}

// valueLen returns the length of the JSON value at the start of b, or of all of b when it does not
// end.
func valueLen(b []byte, quote string) int {
	depth := 0
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case bytes.HasPrefix(b[i:], []byte(quote)):
			i += stringLen(b[i:], quote)
		case c == '{' || c == '[':
			depth++
			i++
		case c == '}' || c == ']':
			depth--
			i++
		case depth == 0:
			for i < len(b) && (isParamByte(b[i]) || b[i] == '+') && b[i] != ']' && b[i] != '[' {
				i++
			}
			return max(i, 1)
		default:
			i++
			continue
		}
		if depth <= 0 {
			return i
		}
	}
	return len(b)
}

// stringLen returns the length of the JSON string at the start of b, with its quotes.
func stringLen(b []byte, quote string) int {
	for i := len(quote); i < len(b); i++ {
		switch {
		case bytes.HasPrefix(b[i:], []byte(quote)):
			return i + len(quote)
		case b[i] != '\\':
		case len(quote) == 1:
			i++
		case bytes.HasPrefix(b[i:], []byte(`\\`)):
			// In nested JSON a backslash is written twice, and what it escapes may be too.
			i++
			if i+1 < len(b) && b[i+1] == '\\' {
				i += 2
			}
		}
	}
	return len(b)
}
