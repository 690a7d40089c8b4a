package secret

import (
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// query proves a sender by a parameter of the request's target. It reads the undecoded query
// itself: a lenient parser drops a malformed pair in silence and takes the first of two equal
// names.
type query struct {
	param   string
	digests digests
}

func newQuery(p webhook.SecretPolicy) *query {
	return &query{param: p.Param, digests: newDigests(p.Secrets)}
}

func (q *query) verify(req *webhook.Request, _ time.Time) webhook.Reason {
	var buf [256]byte
	_, raw, _ := strings.Cut(req.Target, "?")
	value, reason := parameter(raw, q.param, buf[:0])
	// Compared even when there is nothing to compare, so that each refusal takes the same work.
	right := q.digests.match(value)
	switch {
	case reason != "":
		return reason
	case !right:
		return webhook.SecretWrong
	default:
		return ""
	}
}

// parameter finds the value of the one parameter of that name, decoded into buf. A pair whose name
// cannot be decoded, and a pair with a ';' that has the parameter on either side, make the query
// malformed, for other receivers read them otherwise; so does a bad escape in the value. Other
// pairs may hold what they like.
func parameter(raw, name string, buf []byte) ([]byte, webhook.Reason) {
	var value string
	count, malformed := 0, false
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if strings.Contains(pair, ";") {
			malformed = malformed || hides(pair, name)
			continue
		}
		key, rest, _ := strings.Cut(pair, "=")
		is, ok := names(key, name)
		malformed = malformed || !ok
		if is {
			count++
			value = rest
		}
	}
	buf, ok := unescape(buf, value)
	switch {
	case malformed || !ok:
		return buf, webhook.SecretMalformed
	case count > 1:
		return buf, webhook.SecretRepeated
	case len(buf) == 0:
		return buf, webhook.SecretMissing
	default:
		return buf, ""
	}
}

// hides tells whether a pair with semicolons holds the parameter when they are read as separators.
func hides(pair, name string) bool {
	for part := range strings.SplitSeq(pair, ";") {
		key, _, _ := strings.Cut(part, "=")
		if is, ok := names(key, name); is || !ok {
			return true
		}
	}
	return false
}

// names tells whether an undecoded key stands for a name; ok is false when the key cannot be
// decoded.
func names(key, name string) (is, ok bool) {
	if !strings.ContainsAny(key, "%+") {
		return key == name, true
	}
	var buf [maxName + 1]byte
	got := buf[:0]
	for i := 0; i < len(key); {
		c, n := formByte(key, i)
		if n == 0 {
			return false, false
		}
		if len(got) < cap(got) {
			got = append(got, c)
		}
		i += n
	}
	return string(got) == name, true
}

// unescape appends s to buf, decoded as a form value. It stops at a bad escape.
func unescape(buf []byte, s string) ([]byte, bool) {
	for i := 0; i < len(s); {
		c, n := formByte(s, i)
		if n == 0 {
			return buf, false
		}
		buf = append(buf, c)
		i += n
	}
	return buf, true
}

// formByte decodes the byte at i of a form-encoded text and tells how many bytes it took; 0 if
// malformed.
func formByte(s string, i int) (byte, int) {
	switch s[i] {
	case '+':
		return ' ', 1
	case '%':
		if i+2 >= len(s) {
			return 0, 0
		}
		high, low := hexDigit(s[i+1]), hexDigit(s[i+2])
		if high > 15 || low > 15 {
			return 0, 0
		}
		return high<<4 | low, 3
	default:
		return s[i], 1
	}
}

// hexDigit returns the value of a hexadecimal digit, or 16 for any other byte.
func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	default:
		return 16
	}
}
