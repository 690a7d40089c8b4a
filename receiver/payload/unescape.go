package payload

import (
	"unicode/utf16"
	"unicode/utf8"
)

// quoted is a string as it stands in a body. Most are never asked for, and resolving the escapes of millions took a
// second.
type quoted struct {
	raw     []byte
	escaped bool
}

// text returns the string with its escapes resolved; what has none is returned as it is, other text in room.
func (q quoted) text(room []byte) []byte {
	if !q.escaped {
		return q.raw
	}
	return unescape(room[:0], q.raw)
}

// is tells whether the string is that name, of at most 16 letters.
func (q quoted) is(name string) bool {
	if !q.escaped {
		return string(q.raw) == name
	}
	var room [16]byte
	return len(q.raw) <= len(name)*len(`\u0000`) && string(unescape(room[:0], q.raw)) == name
}

// quoted returns the last key or string.
func (s *scanner) quoted() quoted {
	return quoted{raw: s.data[s.start:s.end:s.end], escaped: s.escaped}
}

// unescape appends a string of valid JSON to room with its escapes resolved, as encoding/json does: half a surrogate
// pair and bytes that are no UTF-8 become U+FFFD.
func unescape(room, raw []byte) []byte {
	for len(raw) > 0 {
		switch c := raw[0]; {
		case c == '\\':
			r, size := character(raw)
			room, raw = utf8.AppendRune(room, r), raw[size:]
		case c < utf8.RuneSelf:
			room, raw = append(room, c), raw[1:]
		default:
			r, size := utf8.DecodeRune(raw)
			room, raw = utf8.AppendRune(room, r), raw[size:]
		}
	}
	return room
}

// character returns the one XX the escape's length.
func character(raw []byte) (r rune, size int) {
	const unit = len(`\u0000`)
	switch c := raw[1]; c {
	case 'u':
		if r = hex4(raw[2:unit]); !utf16.IsSurrogate(r) {
			return r, unit
		}
		if rest := raw[unit:]; len(rest) >= unit && rest[0] == '\\' && rest[1] == 'u' {
			if pair := utf16.DecodeRune(r, hex4(rest[2:unit])); pair != utf8.RuneError {
				return pair, 2 * unit
			}
		}
		return utf8.RuneError, unit
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	default:
		return rune(c), 2
	}
}

func hex4(digits []byte) (r rune) {
	for _, c := range digits {
		switch {
		case c <= '9':
			c -= '0'
		case c <= 'F':
			c -= 'A' - 10
		default:
			c -= 'a' - 10
		}
		r = r<<4 | rune(c)
	}
	return r
}
