package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// spacing is the white space that a serialiser puts between the tokens of a JSON text.
type spacing struct{ colon, comma string }

// strung rewrites one string token, quotes included.
type strung func(dst, token []byte) []byte

// rewritten returns a valid JSON text with other white space between its tokens and other escapes in its strings.
// A nil spacing keeps the white space.
func rewritten(text []byte, s *spacing, each strung) []byte {
	out := make([]byte, 0, len(text)+len(text)/8)
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '"':
			end := stringEnd(text, i)
			out = each(out, text[i:end])
			i = end
			continue
		case s == nil:
			out = append(out, c)
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		case c == ':':
			out = append(append(out, ':'), s.colon...)
		case c == ',':
			out = append(append(out, ','), s.comma...)
		default:
			out = append(out, c)
		}
		i++
	}
	return out
}

// stringEnd returns the place after the string that begins at i in a valid JSON text.
func stringEnd(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

func asIs(dst, token []byte) []byte { return append(dst, token...) }

// asciiOnly writes everything outside ASCII as \uXXXX, as Python's json and PHP do.
func asciiOnly(dst, token []byte) []byte {
	for len(token) > 0 {
		r, n := utf8.DecodeRune(token)
		switch {
		case r < utf8.RuneSelf:
			dst = append(dst, token[0])
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			dst = fmt.Appendf(dst, `\u%04x\u%04x`, high, low)
		default:
			dst = fmt.Appendf(dst, `\u%04x`, r)
		}
		token = token[n:]
	}
	return dst
}

// unescaped writes every character that JSON lets stand for itself, as JavaScript does.
func unescaped(dst, token []byte) []byte { return encoded(dst, token, false) }

// htmlSafe escapes <, > and &, as Go does unless told otherwise.
func htmlSafe(dst, token []byte) []byte { return encoded(dst, token, true) }

func encoded(dst, token []byte, html bool) []byte {
	var s string
	if json.Unmarshal(token, &s) != nil {
		return append(dst, token...)
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(html)
	if enc.Encode(s) != nil {
		return append(dst, token...)
	}
	text := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	if !html {
		text = bytes.ReplaceAll(bytes.ReplaceAll(text, []byte(`\u2028`), []byte("\u2028")), []byte(`\u2029`), []byte("\u2029"))
	}
	return append(dst, text...)
}

// slashed escapes slashes too, as PHP does.
func slashed(dst, token []byte) []byte {
	var text []byte
	text = asciiOnly(text, token)
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			dst = append(dst, text[i], text[i+1])
			i++
		case text[i] == '/':
			dst = append(dst, '\\', '/')
		default:
			dst = append(dst, text[i])
		}
	}
	return dst
}

// sorted returns a JSON text compact, with the members of every object in the order of their names; nil if it
// cannot be read.
func sorted(text []byte) []byte {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var value any
	if dec.Decode(&value) != nil {
		return nil
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if enc.Encode(value) != nil {
		return nil
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

func indented(text []byte, indent string) []byte {
	var out bytes.Buffer
	if json.Indent(&out, text, "", indent) != nil {
		return nil
	}
	return out.Bytes()
}
