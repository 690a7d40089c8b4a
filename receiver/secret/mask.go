package secret

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// minEverywhere is the length from which a secret is masked wherever it stands. A shorter one is
// masked only as the value of its parameter or header, or every body would become unreadable.
const minEverywhere = 4

// maxPasses bounds the work for secrets that hold quotes and the like; two are enough for most
// texts.
const maxPasses = 8

// Mask hides secrets in text that is shown, logged or exported. It hides
//
//   - each secret of its endpoints, of four bytes or more, wherever it stands: as it is,
//     percent-encoded (also twice), JSON-escaped, both, and in base64;
//   - the values of query parameters that carry secrets: those of its endpoints, of presigned URLs
//     and of common tokens, in URLs also when these are JSON-escaped, HTML-escaped or
//     percent-encoded themselves;
//   - the values of header lines and JSON members that carry credentials, and the header of an
//     endpoint with SchemeHeader. Signatures of bodies are not secrets and stay;
//   - in a JSON object "configurable", the members "x-..." that can be credentials.
//
// It works on any bytes: text, valid or broken JSON, binary. The time is linear in the text (unless
// a secret repeats itself), the result at most three times as long, and masking twice changes
// nothing more. A Mask is safe for concurrent use and never changes.
type Mask struct {
	flags [256]uint8
	// pairs has a bit for the first two bytes of each secret: most places are told apart by it.
	pairs [1 << 10]uint64
	first [256][][]byte
	// cutting is true when a secret holds a character that ends values, such as a quote.
	cutting bool
	params  map[string]bool
	headers map[string]bool
}

const (
	mayStart uint8 = 1 << iota // a secret can begin with this byte
	trigger                    // a parameter, a header line or a JSON member can follow
)

// NewMask returns the mask for the secrets of these endpoints; without endpoints one that hides
// only what is a credential by its place.
func NewMask(ep ...*webhook.Endpoint) *Mask {
	m := &Mask{params: paramNames(), headers: headerNames()}
	for _, c := range []byte("?&;#%\\\"\n") {
		m.flags[c] |= trigger
	}
	for _, e := range ep {
		p := defaults(e.Secret)
		switch p.Scheme {
		case webhook.SchemeQuery:
			m.params[strings.ToLower(p.Param)] = true
		case webhook.SchemeHeader:
			m.headers[strings.ToLower(p.Header)] = true
		default:
		}
		for _, s := range p.Secrets {
			m.addForms(s)
		}
		for _, f := range e.Forwards {
			m.addForms(f.Secret)
		}
	}
	for _, list := range m.first {
		slices.SortFunc(list, func(a, b []byte) int { return cmp.Compare(len(b), len(a)) })
	}
	return m
}

// addForms adds a secret in the forms in which senders carry it.
func (m *Mask) addForms(s string) {
	m.add(s)
	m.add(string(bearer("Authorization", []byte(s))))
	m.add(strings.TrimPrefix(s, "whsec_"))
	if len(s) >= minEverywhere {
		m.add(base64.RawStdEncoding.EncodeToString([]byte(s)))
		m.add(base64.RawURLEncoding.EncodeToString([]byte(s)))
	}
}

// paramNames are the query parameters that carry credentials, in lower case.
func paramNames() map[string]bool {
	return map[string]bool{
		"x-amz-signature": true, "x-amz-credential": true, "x-amz-security-token": true,
		"x-goog-signature": true, "x-goog-credential": true, "signature": true, "sig": true, "jwt": true,
		"awsaccesskeyid": true, "token": true, "secret": true, "access_token": true, "api_key": true,
		"apikey": true, "auth_token": true, "refresh_token": true, "id_token": true, "client_secret": true,
	}
}

// headerNames are the header fields that carry credentials, in lower case.
func headerNames() map[string]bool {
	return map[string]bool{
		"authorization": true, "proxy-authorization": true, "cookie": true, "set-cookie": true,
		"x-api-key": true, "x-service-key": true, "x-github-encoded-secret": true, "x-gitlab-token": true, "private-token": true,
		"x-auth-token": true, "x-access-token": true, "x-amz-security-token": true, "x-goog-api-key": true, "x-goog-channel-token": true,
		"x-vault-token": true, "x-functions-key": true, "x-telegram-bot-api-secret-token": true, "x-shopify-access-token": true,
		"api-key": true, "apikey": true, "ocp-apim-subscription-key": true,
	}
}

func (m *Mask) add(s string) {
	// A text with the mask's own sign cannot be a secret (see Check) and would make masking endless.
	if len(s) < minEverywhere || strings.Contains(s, "•") {
		return
	}
	secret := []byte(s)
	if slices.ContainsFunc(m.first[s[0]], func(have []byte) bool { return bytes.Equal(have, secret) }) {
		return
	}
	m.first[s[0]] = append(m.first[s[0]], secret)
	m.flags[s[0]] |= mayStart
	for _, c := range []byte("%\\&+") {
		m.flags[c] |= mayStart
	}
	m.cutting = m.cutting || strings.ContainsFunc(s, func(r rune) bool {
		return !isWord(r) && !strings.ContainsRune("-_.~+/=", r)
	})
	pair := int(s[0])<<8 | int(s[1])
	m.pairs[pair>>6] |= 1 << (pair & 63)
}

// Field returns the value of a header field, masked: as a whole when the field carries credentials.
func (m *Mask) Field(name, value string) string {
	if value != "" && m.headers[strings.ToLower(name)] {
		return Masked
	}
	return m.String(value)
}

// Target returns a request target, masked.
func (m *Mask) Target(s string) string { return m.String(s) }

// String returns a text, masked. A query string may stand by itself, without its '?'.
func (m *Mask) String(s string) string {
	b := []byte(s)
	if masked := m.Bytes(b); !same(masked, b) {
		return string(masked)
	}
	return s
}

// same tells whether two slices are one.
func same(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// Bytes returns b, masked. It never changes b, and returns b itself when there is nothing to hide.
func (m *Mask) Bytes(b []byte) []byte {
	for range maxPasses {
		masked := m.once(b)
		// A hidden secret that held the end of a value makes the value longer: look again.
		if !m.cutting || same(masked, b) {
			return masked
		}
		b = masked
	}
	return b
}

func (m *Mask) once(b []byte) []byte {
	s := scan{mask: m, in: b, from: -1}
	s.line(0)
	s.param(0)
	for i := 0; i < len(b); {
		flags := m.flags[b[i]]
		switch {
		case i == s.from:
			i = s.hidePending()
			continue
		case flags&mayStart != 0:
			if n := m.secretAt(b, i); n > 0 {
				i = s.hideSecret(i, i+n)
				continue
			}
		}
		if flags&trigger != 0 {
			s.look(i)
		}
		i++
	}
	if s.last == 0 {
		return b
	}
	return append(s.out, b[s.last:]...)
}

// scan is one pass over a text. A value that has to be hidden lies ahead of the place where that is
// found out, and what lies between is still searched for secrets; so it is kept as pending until it
// is reached.
type scan struct {
	mask    *Mask
	in, out []byte
	// last: in[:last] is in out.
	last int
	// from and to are the pending value; from is -1 when there is none.
	from, to int
	// bare is true when the pending value is JSON but no string: quote is then put around the mask.
	bare  bool
	quote string
	// hook and conf are where the current "webhook" string and "configurable" object end.
	hook, conf int
}

func (s *scan) pend(from, to int) {
	if s.from < 0 && to > from {
		s.from, s.to, s.bare = from, to, false
	}
}

func (s *scan) hidePending() int {
	from, to, bare := s.from, s.to, s.bare
	s.from = -1
	if !bare {
		return s.hide(from, to, Masked)
	}
	return s.hide(from, to, s.quote+Masked+s.quote)
}

func (s *scan) hideSecret(from, to int) int {
	if s.from >= 0 && s.from < to {
		to = max(to, s.to)
		s.from = -1
	}
	return s.hide(from, to, Masked)
}

func (s *scan) hide(from, to int, by string) int {
	if string(s.in[from:to]) != by {
		s.out = append(append(s.out, s.in[s.last:from]...), by...)
		s.last = to
	}
	return to
}

// look reads what can follow a trigger.
func (s *scan) look(i int) {
	b := s.in
	switch b[i] {
	case '\n':
		s.line(i + 1)
	case '"':
		s.member(i, `"`)
	case '\\':
		if bytes.HasPrefix(b[i:], []byte(`\"`)) {
			s.member(i, `\"`)
		} else if t := jsonEscape(b, i); t.n == 1 && isSeparator(t.text[0]) {
			s.param(i + t.took)
		}
	case '%':
		if c, n := percents(b, i); n > 0 && isSeparator(c) {
			s.param(i + n)
		}
	default:
		s.param(i + 1)
	}
}

func isSeparator(c byte) bool { return c == '?' || c == '&' || c == '#' || c == ';' }

// param looks for "name=" at i; the value of a parameter that carries secrets becomes pending.
func (s *scan) param(i int) {
	b := s.in
	var buf [maxName]byte
	for n := 0; i < len(b); n++ {
		c, took, nested := b[i], 1, false
		switch c {
		case '%':
			c, took = percents(b, i)
			nested = true
		case '\\':
			t := jsonEscape(b, i)
			c, took = t.text[0], t.took
		}
		if took == 0 {
			return
		}
		i += took
		if c == '=' {
			if name := buf[:n]; s.mask.params[string(name)] || i < s.hook && string(name) == "key" {
				s.pend(i, s.valueEnd(i, nested))
			}
			return
		}
		if n == len(buf) || !isParamByte(c) {
			return
		}
		buf[n] = lower(c)
	}
}

// valueEnd returns where the value of a query parameter ends that begins at i. In a URL that is
// nested in another one, separators are percent-encoded too.
func (s *scan) valueEnd(i int, nested bool) int {
	b := s.in
	for i < len(b) {
		c, took := b[i], 1
		switch {
		case c == '\\':
			t := jsonEscape(b, i)
			if t.took == 0 || t.n == 1 && t.text[0] != '/' && (t.took == 2 || t.text[0] == '\'') {
				return i
			}
			c, took = t.text[0], t.took
		case c == '%' && nested:
			if d, n := percents(b, i); n > 0 {
				c, took = d, n
			}
		case c == '\'':
			if i+1 == len(b) || bytes.IndexByte([]byte(",)]}:; \t\r\n"), b[i+1]) >= 0 {
				return i
			}
		}
		if c <= ' ' || c == 0x7f || bytes.IndexByte([]byte("&#\"<>`"), c) >= 0 {
			return i
		}
		i += took
	}
	return i
}

// line looks for a header line at i; the value of a field that carries credentials becomes pending,
// with the lines that continue it.
func (s *scan) line(i int) {
	b := s.in
	var buf [maxName]byte
	n := 0
	for ; i < len(b) && n < len(buf) && b[i] != ':'; i++ {
		if !isParamByte(b[i]) {
			return
		}
		buf[n] = lower(b[i])
		n++
	}
	if i == len(b) || b[i] != ':' || !s.mask.headers[string(buf[:n])] {
		return
	}
	for i++; i < len(b) && (b[i] == ' ' || b[i] == '\t'); i++ {
	}
	end := i
	for {
		next := bytes.IndexByte(b[end:], '\n')
		if next < 0 {
			end = len(b)
			break
		}
		end += next
		if end+1 >= len(b) || b[end+1] != ' ' && b[end+1] != '\t' {
			break
		}
		end++
	}
	for end > i && (b[end-1] == '\r' || b[end-1] == '\n') {
		end--
	}
	s.pend(i, end)
}

func isParamByte(c byte) bool {
	return isWord(rune(c)) || c == '-' || c == '_' || c == '.' || c == '~' || c == '[' || c == ']'
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
