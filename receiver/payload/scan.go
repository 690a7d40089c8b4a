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
	for s.pos < len(s.data) {
		// Millions of brackets and commas are what costs most, so they do not go through further calls.
		switch c := s.data[s.pos]; {
		case c == ',' && s.want == wantCommaOrClose:
			s.pos++
			s.want = wantValue
			if s.object {
				s.want = wantKey
			}
		case c == '"' && s.want >= wantKey && s.want <= wantKeyOrClose:
			return s.key()
		case (c == '{' || c == '[') && s.want <= wantValueOrClose && s.depth < maxDepth:
			return s.open(c == '{')
		case c == '}' && s.object && (s.want == wantCommaOrClose || s.want == wantKeyOrClose),
			c == ']' && !s.object && (s.want == wantCommaOrClose || s.want == wantValueOrClose):
			return s.close()
		case c <= ' ' && s.skipSpace():
		default:
			return s.other(c)
		}
	}
	if s.want == wantEnd {
		return tokenEnd
	}
	return s.bad("the text ends before the value does")
}

// other reads a token that is no bracket in its place, or tells what is wrong with it.
func (s *scanner) other(c byte) token {
	switch {
	case s.want <= wantValueOrClose:
		return s.value(c)
	case s.want == wantEnd:
		return s.bad("there is more after the value")
	case s.want != wantCommaOrClose:
		return s.bad("a key in double quotes should stand here")
	case s.object:
		return s.bad("a comma or a closing brace should stand here")
	default:
		return s.bad("a comma or a closing bracket should stand here")
	}
}

// skipSpace tells whether there was any.
func (s *scanner) skipSpace() bool {
	from := s.pos
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return s.pos > from
		}
	}
	return s.pos > from
}

func (s *scanner) bad(fault string) token {
	s.fault = fault
	return tokenBad
}

// open takes an opening bracket, and keeps what is around it.
func (s *scanner) open(object bool) token {
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

// close takes a closing bracket, and goes back to what is around it.
func (s *scanner) close() token {
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

func (s *scanner) key() token {
	if !s.text() {
		return tokenBad
	}
	if s.at(s.pos) <= ' ' {
		s.skipSpace()
	}
	if s.pos == len(s.data) || s.data[s.pos] != ':' {
		return s.bad("a colon should stand here")
	}
	s.pos++
	s.want = wantValue
	return tokenKey
}

func (s *scanner) value(c byte) token {
	switch c {
	case '{', '[':
		// Others are opened by next.
		s.tooDeep = true
		return s.bad("it is nested too deep")
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
