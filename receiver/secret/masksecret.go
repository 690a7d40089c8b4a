package secret

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// reading is a way in which a text can have been encoded.
type reading int

const (
	asJSON      reading = iota
	asURL               // percent-encoded, perhaps within JSON or HTML
	asNestedURL         // percent-encoded twice, perhaps within JSON
)

// secretAt returns how many bytes at i spell one of the secrets, the longest first; 0 for none.
func (m *Mask) secretAt(b []byte, i int) int {
	if i+1 == len(b) {
		return 0
	}
	c := b[i]
	if !isEscape(c) {
		pair := int(c)<<8 | int(b[i+1])
		if !isEscape(b[i+1]) && m.pairs[pair>>6]&(1<<(pair&63)) == 0 {
			return 0
		}
		return longest(b, i, m.first[c])
	}
	n := longest(b, i, m.first[c])
	switch c {
	case '+':
		n = max(n, longest(b, i, m.first[' ']))
	case '\\':
		if t := jsonEscape(b, i); t.took > 0 && t.text[0] != c {
			n = max(n, longest(b, i, m.first[t.text[0]]))
		}
	case '%':
		for _, r := range []reading{asURL, asNestedURL} {
			if t := next(b, i, r); t.took > 1 && t.text[0] != c {
				n = max(n, longest(b, i, m.first[t.text[0]]))
			}
		}
	}
	return n
}

func longest(b []byte, i int, secrets [][]byte) int {
	for _, s := range secrets {
		if bytes.HasPrefix(b[i:], s) {
			return len(s)
		}
		if !escaped(b[i:], s) {
			continue
		}
		for r := asJSON; r <= asNestedURL; r++ {
			if n := spelled(b[i:], s, r); n > 0 {
				return n
			}
		}
	}
	return 0
}

// escaped tells whether an escape comes before the first difference of b and a secret: without one
// no other reading of b can spell the secret.
func escaped(b, secret []byte) bool {
	for k, c := range b[:min(len(b), len(secret))] {
		if isEscape(c) {
			return true
		}
		if c != secret[k] {
			return false
		}
	}
	return false
}

// spelled returns how many bytes of b spell a secret in one reading; 0 if they do not.
func spelled(b, secret []byte, r reading) int {
	i := 0
	for j := 0; j < len(secret); {
		t := next(b, i, r)
		if t.took == 0 || j+t.n > len(secret) {
			return 0
		}
		for _, c := range t.text[:t.n] {
			if c != secret[j] && (r == asJSON || c != '+' || secret[j] != ' ') {
				return 0
			}
			j++
		}
		i += t.took
	}
	return i
}

func isEscape(c byte) bool { return c == '%' || c == '\\' || c == '&' || c == '+' }

// token is what one character of an encoded text stands for.
type token struct {
	text [utf8.UTFMax]byte
	// n bytes of text are set; took bytes of the encoded text say so.
	n, took int
}

func plain(c byte, took int) token { return token{text: [utf8.UTFMax]byte{c}, n: 1, took: took} }

// next reads one character at i. What is no valid escape stands for itself.
func next(b []byte, i int, r reading) token {
	if i >= len(b) {
		return token{}
	}
	switch c := b[i]; {
	case c == '\\':
		if t := jsonEscape(b, i); t.took > 0 {
			return t
		}
	case r == asJSON:
	case c == '%':
		d, ok := percent(b, i)
		if !ok {
			break
		}
		if d == '%' && r == asNestedURL {
			if e, ok := percent(b, i+2); ok {
				return plain(e, 5)
			}
		}
		return plain(d, 3)
	case c == '&' && bytes.HasPrefix(b[i:], []byte("&amp;")):
		return plain('&', 5)
	}
	return plain(b[i], 1)
}

// percent decodes the two hexadecimal digits after i.
func percent(b []byte, i int) (byte, bool) {
	if i+2 >= len(b) {
		return 0, false
	}
	high, low := hexDigit(b[i+1]), hexDigit(b[i+2])
	return high<<4 | low&15, high < 16 && low < 16
}

// percents decodes an escape that was percent-encoded up to three times, such as %26, %2526 and
// %252526, and tells how long it is; 0 if it is none.
func percents(b []byte, i int) (byte, int) {
	c, ok := percent(b, i)
	n := 3
	for range 2 {
		d, more := percent(b, i+n-1)
		if !ok || c != '%' || !more {
			break
		}
		c = d
		n += 2
	}
	if !ok {
		return 0, 0
	}
	return c, n
}

// jsonEscape decodes the JSON escape at i; took is 0 if there is none. Half a surrogate pair is
// none.
func jsonEscape(b []byte, i int) token {
	if i+1 >= len(b) || b[i] != '\\' {
		return token{}
	}
	switch c := b[i+1]; c {
	case '"', '\\', '/':
		return plain(c, 2)
	case 'b', 'f', 'n', 'r', 't':
		return plain("\b\f\n\r\t"[bytes.IndexByte([]byte("bfnrt"), c)], 2)
	case 'u':
		return unicodeEscape(b, i)
	default:
		return token{}
	}
}

func unicodeEscape(b []byte, i int) token {
	r, ok := hex4(b, i)
	t := token{took: 6}
	if ok && utf16.IsSurrogate(r) {
		var low rune
		low, ok = hex4(b, i+6)
		r = utf16.DecodeRune(r, low)
		ok = ok && r != utf8.RuneError
		t.took = 12
	}
	if !ok {
		return token{}
	}
	t.n = utf8.EncodeRune(t.text[:], r)
	return t
}

func hex4(b []byte, i int) (rune, bool) {
	if i+6 > len(b) || b[i] != '\\' || b[i+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[i+2:i+6]), 16, 16)
	return rune(n), err == nil
}
