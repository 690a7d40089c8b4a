package payload

// token is what scanner.next found.
type token uint8

const (
	tokenEnd token = iota
	tokenBad
	tokenKey
	tokenString
	tokenNumber
	tokenLiteral
	tokenOpen
	tokenClose
)

// want says what the grammar allows next.
type want uint8

const (
	wantValue want = iota
	wantValueOrClose
	wantKey
	wantKeyOrClose
	wantCommaOrClose
	wantEnd
)

// scanner walks JSON text token by token. It accepts what encoding/json accepts, except that it
// stops at maxDepth; it keeps one bit a level instead of a call frame, and allocates nothing.
type scanner struct {
	data []byte
	// pos is the next byte to read; after tokenBad, the byte that is wrong.
	pos int
	// start and end bound the last key, string, number or literal; without quotes.
	start, end int
	// escaped is true when the last key or string has a backslash.
	escaped bool
	// depth counts the open objects and arrays.
	depth int
	// object is true directly inside an object; objects has the same for the levels around it.
	object  bool
	objects [maxDepth/64 + 1]uint64
	want    want
	// fault says what is wrong after tokenBad; tooDeep that it is only the depth.
	fault   string
	tooDeep bool
}

// check walks all of data and returns the scanner where it stopped.
func check(data []byte) (s scanner, valid bool) {
	s.data = data
	for {
		switch s.next() {
		case tokenEnd:
			return s, true
		case tokenBad:
			return s, false
		default:
		}
	}
}

// next reads one token. Only after tokenEnd is it known that data is one valid value.
func (s *scanner) next() token {
	for {
		if s.pos < len(s.data) && s.data[s.pos] <= ' ' {
			s.skipSpace()
		}
		if s.pos == len(s.data) {
			if s.want == wantEnd {
				return tokenEnd
			}
			return s.bad("the text ends before the value does")
		}
		c := s.data[s.pos]
		switch s.want {
		case wantEnd:
			return s.bad("there is more after the value")
		case wantCommaOrClose:
			if c != ',' {
				return s.closing(c)
			}
			s.pos++
			s.want = wantValue
			if s.object {
				s.want = wantKey
			}
		case wantKey, wantKeyOrClose:
			if c == '}' && s.want == wantKeyOrClose {
				return s.closing(c)
			}
			return s.key(c)
		case wantValueOrClose:
			if c == ']' {
				return s.closing(c)
			}
			return s.value(c)
		default:
			return s.value(c)
		}
	}
}

func (s *scanner) skipSpace() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *scanner) bad(fault string) token {
	s.fault = fault
	return tokenBad
}

func (s *scanner) open(object bool) token {
	if s.depth == maxDepth {
		s.tooDeep = true
		return s.bad("it is nested too deep")
	}
	bit := uint64(1) << (s.depth & 63)
	s.objects[s.depth>>6] &^= bit
	if s.object {
		s.objects[s.depth>>6] |= bit
	}
	s.object = object
	s.want = wantValueOrClose
	if object {
		s.want = wantKeyOrClose
	}
	s.depth++
	s.pos++
	return tokenOpen
}

func (s *scanner) closing(c byte) token {
	if s.object && c != '}' {
		return s.bad("a comma or a closing brace should stand here")
	}
	if !s.object && c != ']' {
		return s.bad("a comma or a closing bracket should stand here")
	}
	s.pos++
	s.depth--
	s.object = s.objects[s.depth>>6]>>(s.depth&63)&1 == 1
	s.after()
	return tokenClose
}

// after sets what may follow a whole value.
func (s *scanner) after() {
	s.want = wantCommaOrClose
	if s.depth == 0 {
		s.want = wantEnd
	}
}

func (s *scanner) key(c byte) token {
	if c != '"' {
		return s.bad("a key in double quotes should stand here")
	}
	if !s.text() {
		return tokenBad
	}
	s.skipSpace()
	if s.pos == len(s.data) || s.data[s.pos] != ':' {
		return s.bad("a colon should stand here")
	}
	s.pos++
	s.want = wantValue
	return tokenKey
}

func (s *scanner) value(c byte) token {
	switch c {
	case '{':
		return s.open(true)
	case '[':
		return s.open(false)
	case '"':
		if !s.text() {
			return tokenBad
		}
		s.after()
		return tokenString
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		return s.number()
	}
}

func (s *scanner) literal(word string) token {
	end := s.pos + len(word)
	if end > len(s.data) || string(s.data[s.pos:end]) != word {
		return s.bad("a value should stand here")
	}
	s.start, s.end, s.pos = s.pos, end, end
	s.after()
	return tokenLiteral
}

// text reads a string whose opening quote is at pos.
func (s *scanner) text() bool {
	data, i := s.data, s.pos+1
	s.start, s.escaped = i, false
	for i < len(data) {
		c := data[i]
		switch {
		case c == '"':
			s.end, s.pos = i, i+1
			return true
		case c == '\\':
			s.escaped = true
			n := escape(data[i:])
			if n == 0 {
				s.pos = i
				s.bad("this backslash begins no escape")
				return false
			}
			i += n
		case c < ' ':
			s.pos = i
			s.bad("a control character stands inside a string")
			return false
		default:
			i++
		}
	}
	s.pos = len(data)
	s.bad("the text ends inside a string")
	return false
}

// escape returns the length of the escape that b begins with, or 0.
func escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) < 6 {
			return 0
		}
		for _, c := range b[2:6] {
			if c < '0' || c > '9' && c < 'A' || c > 'F' && c < 'a' || c > 'f' {
				return 0
			}
		}
		return 6
	default:
		return 0
	}
}

func (s *scanner) number() token {
	i := s.pos
	if s.at(i) == '-' {
		i++
	}
	switch c := s.at(i); {
	case c == '0':
		i++
	case c >= '1' && c <= '9':
		i = s.digits(i)
	default:
		return s.bad("a value should stand here")
	}
	if s.at(i) == '.' {
		from := i + 1
		if i = s.digits(from); i == from {
			s.pos = i
			return s.bad("a digit should follow the point")
		}
	}
	if c := s.at(i); c == 'e' || c == 'E' {
		i++
		if sign := s.at(i); sign == '+' || sign == '-' {
			i++
		}
		from := i
		if i = s.digits(from); i == from {
			s.pos = i
			return s.bad("a digit should stand in the exponent")
		}
	}
	s.start, s.end, s.pos = s.pos, i, i
	s.after()
	return tokenNumber
}

func (s *scanner) at(i int) byte {
	if i < len(s.data) {
		return s.data[i]
	}
	return 0
}

func (s *scanner) digits(i int) int {
	for i < len(s.data) && s.data[i] >= '0' && s.data[i] <= '9' {
		i++
	}
	return i
}

// members calls visit for each member of the object that was just opened, with the first token of its value. It must
// read the value to its end, and returns false when that is not valid, as members does then.
func (s *scanner) members(visit func(key quoted, value token) bool) bool {
	for {
		switch s.next() {
		case tokenClose:
			return true
		case tokenKey:
			if key := s.quoted(); !visit(key, s.next()) {
				return false
			}
		default:
			return false
		}
	}
}

// items is members for an array.
func (s *scanner) items(visit func(value token) bool) bool {
	for {
		switch t := s.next(); t {
		case tokenClose:
			return true
		default:
			if !visit(t) {
				return false
			}
		}
	}
}

// skip reads a value whose first token is t to its end, and tells whether it is valid.
func (s *scanner) skip(t token) bool {
	if t != tokenOpen {
		return t != tokenBad
	}
	for level := s.depth; s.depth >= level; {
		if s.next() == tokenBad {
			return false
		}
	}
	return true
}
