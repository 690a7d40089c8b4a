package search

import (
	"bytes"
	"math/bits"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// MarksVersion names how marks are made. An index of another version must be made anew, because a query finds with
// marks only what was marked in the same way: whatever changes the marks of any capture changes it.
const MarksVersion = "1"

// The kinds of marks share the numbers: what a text has in a row of short and of long, and fields with their values. A
// field's value has two marks, so that few others have both.
const (
	shortGram  = 3
	longGram   = 6
	shortFirst = 0
	longFirst  = 16 << 10
	fieldFirst = 32 << 10
	fieldCount = webhook.MarkCount - fieldFirst - fewMarks
)

// The last numbers are of marks that many queries ask for. They are close together, so that an index reads them at once,
// and no field has them.
const (
	fewMarks = 256
	// markOpen is of a capture whose outcome was not there yet, markCutText of one with more text than was marked, and
	// markCutLeaves of one with more JSON values.
	markOpen = webhook.MarkCount - 1 - iota
	markCutText
	markCutLeaves
	markNumbers = webhook.MarkCount - fewMarks
)

// scale is where a number stands among few steps. It has a mark for each step that it reaches, and one for each that it
// does not exceed, so that any comparison is one mark.
type scale struct {
	first, last webhook.Mark
	step        func(n int64) int
}

func sizeScale() scale {
	return scale{first: markNumbers, last: 40, step: func(n int64) int { return bits.Len64(uint64(max(n, 0))) }}
}

func attemptScale() scale {
	return scale{first: markNumbers + 82, last: 16, step: func(n int64) int { return int(min(n, 16)) }}
}

// statusScale has the first digits of statuses.
func statusScale() scale {
	return scale{first: markNumbers + 116, last: 10, step: func(n int64) int { return int(min(n/100, 10)) }}
}

// place returns the step of a number.
func (s scale) place(n int64) webhook.Mark {
	return webhook.Mark(max(0, min(s.step(n), int(s.last)))) //nolint:gosec // bounded
}

// atLeast is the mark of what reaches the step of n, atMost that of what does not exceed it.
func (s scale) atLeast(n int64) webhook.Mark { return s.first + s.place(n) }
func (s scale) atMost(n int64) webhook.Mark  { return s.first + s.last + 1 + s.place(n) }

// add marks a number.
func (s scale) add(to *webhook.Marks, n int64) {
	for i := range s.last + 1 {
		if i <= s.place(n) {
			to.Add(s.first + i)
		}
		if i >= s.place(n) {
			to.Add(s.first + s.last + 1 + i)
		}
	}
}

// A capture's text is marked in parts, so that long ones do not have all marks. Parts overlap by less than a window.
const (
	partBytes = 4 << 10
	window    = 64
	// partLeaves is how many values of a JSON body are marked in one part.
	partLeaves = 192
	// maxParts bounds the parts of a capture, and with it what of a long body can be told by marks.
	maxParts = 64
	maxText  = maxParts * partBytes
	// maxMarkedDepth of JSON values that are marked.
	maxMarkedDepth = 24
)

// The fields that have marks of their own.
const (
	fieldStatus   = "status"
	fieldMethod   = "method"
	fieldClass    = "class"
	fieldReason   = "reason"
	fieldDelivery = "delivery"
	fieldEndpoint = "endpoint"
	fieldKind     = "kind"
	fieldHeader   = "header"
	fieldLeaf     = "leaf"
	fieldNode     = "node"
)

// MarkCapture returns the marks of a capture, part by part, which are those that Query.Narrow asks for. Its error is
// that of the candidate's loads.
func MarkCapture(c *Candidate) ([]*webhook.Marks, error) {
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	kind, title, err := c.LoadPayload()
	if err != nil {
		return nil, err
	}
	m := &marker{}
	m.fields(c, kind)
	if err = m.leaves(c, body); err != nil {
		return nil, err
	}
	m.line([]byte(title))
	m.head(c)
	m.line(body[:min(len(body), maxText)])
	if len(body) > maxText {
		m.part(0).Add(markCutText)
	}
	m.grams()
	return m.parts, nil
}

// marker makes the marks of one capture.
type marker struct {
	parts []*webhook.Marks
	// text is all that a text may be found in, in lower case.
	text bytes.Buffer
	// walked counts JSON values, depth and named are those of the one at hand.
	walked, depth int
	named         []byte
}

// part returns the i-th part.
func (m *marker) part(i int) *webhook.Marks {
	for len(m.parts) <= i {
		m.parts = append(m.parts, new(webhook.Marks))
	}
	return m.parts[i]
}

// first marks a field's value in the first part.
func (m *marker) first(field, value string) {
	part := m.part(0)
	for _, mark := range fieldMarks(field, value) {
		part.Add(mark)
	}
}

func (m *marker) fields(c *Candidate, kind string) {
	req := &c.Capture.Request
	for _, f := range [...]struct{ name, value string }{
		{fieldMethod, req.Method},
		{fieldClass, string(c.Capture.Class)},
		{fieldReason, string(c.Capture.Reason)},
		{fieldDelivery, c.Capture.Delivery},
		{fieldEndpoint, c.Capture.Endpoint},
		{fieldKind, kind},
	} {
		m.first(f.name, fold(f.value))
	}
	part := m.part(0)
	attemptScale().add(part, int64(c.Capture.Attempt))
	sizeScale().add(part, req.BodySize)
	if c.Capture.Outcome == nil {
		part.Add(markOpen)
		return
	}
	m.first(fieldStatus, strconv.Itoa(c.Capture.Outcome.Status))
	statusScale().add(part, int64(c.Capture.Outcome.Status))
}

// line adds a text.
func (m *marker) line(text []byte) {
	m.text.Write(bytes.ToLower(text))
	m.text.WriteByte('\n')
}

// head adds the head, and what of its values is not there as it stands.
func (m *marker) head(c *Candidate) {
	head := c.Capture.Request.Head
	m.line(head)
	path, _ := api.SplitTarget(c.Capture.Request.Target)
	m.apart(head, path)
	for _, f := range c.header() {
		m.first(fieldHeader, fold(f.Name))
		m.apart(head, f.Value)
	}
}

// apart adds a part of the head that does not stand there as it is.
func (m *marker) apart(head []byte, text string) {
	if !utf8.ValidString(text) || !bytes.Contains(head, []byte(text)) {
		m.line([]byte(text))
	}
}

// leaves marks the values of a JSON body with their paths, and adds those to the text that are not written there as
// they read. A long body that may be JSON is not looked into, not even for whether it is.
func (m *marker) leaves(c *Candidate, body []byte) error {
	if len(body) > maxText {
		if text := bytes.TrimLeft(body, " \t\r\n"); len(text) > 0 && (text[0] == '{' || text[0] == '[') {
			m.part(0).Add(markCutLeaves)
		}
		return nil
	}
	doc, err := c.document()
	if err == nil {
		m.inside(gjson.ParseBytes(doc))
	}
	return err
}

// inside marks the values of an object or an array.
func (m *marker) inside(of gjson.Result) {
	if !of.IsObject() && !of.IsArray() {
		return
	}
	if m.depth == maxMarkedDepth {
		m.part(0).Add(markCutLeaves)
		return
	}
	m.depth++
	outer, index, isArray := len(m.named), 0, of.IsArray()
	of.ForEach(func(key, value gjson.Result) bool {
		if m.walked == partLeaves*maxParts {
			m.part(0).Add(markCutLeaves)
			return false
		}
		if outer > 0 {
			m.named = append(m.named[:outer], '.')
		}
		if isArray {
			m.named = strconv.AppendInt(m.named, int64(index), 10)
			index++
		} else {
			m.named = append(m.named, key.Str...)
			m.unwritten(key)
		}
		m.leaf(value)
		m.named = m.named[:outer]
		return true
	})
	m.depth--
}

func (m *marker) leaf(value gjson.Result) {
	field, text := fieldLeaf, ""
	if value.IsObject() || value.IsArray() {
		field = fieldNode
	} else {
		text = strings.ToLower(value.String())
		m.unwritten(value)
	}
	part := m.part(m.walked / partLeaves)
	m.walked++
	for _, mark := range pathMarks(field, m.named, text) {
		part.Add(mark)
	}
	m.inside(value)
}

// unwritten adds what a JSON text or number reads as to the text, where it is written in another way.
func (m *marker) unwritten(value gjson.Result) {
	switch {
	case value.Type == gjson.String && strings.IndexByte(value.Raw, '\\') >= 0:
		m.line([]byte(value.Str))
	case value.Type == gjson.Number && value.String() != value.Raw:
		m.line([]byte(value.String()))
	}
}

// grams marks the text.
func (m *marker) grams() {
	text := m.text.Bytes()
	for i := range maxParts {
		end := min(len(text), partBytes+window-1)
		markText(m.part(i), text[:end])
		if end == len(text) {
			return
		}
		text = text[partBytes:]
	}
	m.part(0).Add(markCutText)
}

func markText(part *webhook.Marks, text []byte) {
	var row uint64
	for i, b := range text {
		row = row<<8 | uint64(b)
		if i >= shortGram-1 {
			part.Add(shortMark(row))
		}
		if i >= longGram-1 {
			part.Add(longMark(row))
		}
	}
}

// shortMark is the mark of the last three bytes of a row, longMark that of the last six.
func shortMark(row uint64) webhook.Mark {
	return shortFirst + webhook.Mark(spread(row&(1<<(8*shortGram)-1))%(longFirst-shortFirst))
}

func longMark(row uint64) webhook.Mark {
	return longFirst + webhook.Mark(spread(row&(1<<(8*longGram)-1))%(fieldFirst-longFirst))
}

// spread makes close numbers far apart.
func spread(n uint64) uint64 {
	n *= 0x9e3779b97f4a7c15
	n = (n ^ n>>32) * 0xd6e8feb86659fd93
	return n ^ n>>32
}

// fieldMarks returns the marks of a field with a value.
func fieldMarks(field, value string) []webhook.Mark {
	return pathMarks(field, nil, value)
}

// pathMarks returns the marks of a field of a path with a value.
func pathMarks(field string, path []byte, value string) []webhook.Mark {
	// FNV-1a; a zero byte stands between the parts.
	const prime = 1099511628211
	sum := uint64(14695981039346656037)
	for i := range len(field) {
		sum = (sum ^ uint64(field[i])) * prime
	}
	sum *= prime
	for _, b := range path {
		sum = (sum ^ uint64(b)) * prime
	}
	sum *= prime
	for i := range len(value) {
		sum = (sum ^ uint64(value[i])) * prime
	}
	sum = spread(sum)
	return []webhook.Mark{
		fieldFirst + webhook.Mark(sum%fieldCount),
		fieldFirst + webhook.Mark(sum>>32%fieldCount),
	}
}

// fold returns a text that all texts have in common that are equal but for their case.
func fold(text string) string {
	var out []byte
	for _, r := range text {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		out = utf8.AppendRune(out, least)
	}
	return string(out)
}
