package payload

import (
	"bytes"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// The codes of problems.
const (
	missingField = "missing_field"
	wrongType    = "wrong_type"
	unknownField = "unknown_field"
	contentType  = "content_type"
	invalidJSON  = "invalid_json"
	tooDeep      = "too_deep"
	duplicateKey = "duplicate_key"
	encoding     = "encoding"
)

// problems collects at most maxProblems of them.
type problems struct {
	list []webhook.Problem
}

func (p *problems) full() bool {
	return len(p.list) >= maxProblems
}

func (p *problems) add(code, path, message string) {
	if !p.full() {
		p.list = append(p.list, webhook.Problem{Code: code, Path: path, Message: message})
	}
}

// members are the first maxKeys of one JSON object; of equal keys the last one counts.
type members struct {
	keys     []string
	value    map[string]gjson.Result
	repeated []string
}

func membersOf(object gjson.Result) members {
	if !object.IsObject() {
		return members{}
	}
	// A run has about 40 members.
	const usual = 48
	m := members{keys: make([]string, 0, usual), value: make(map[string]gjson.Result, usual)}
	count := 0
	object.ForEach(func(key, value gjson.Result) bool {
		name := key.String()
		if _, again := m.value[name]; again {
			m.repeated = append(m.repeated, name)
		} else {
			m.keys = append(m.keys, name)
		}
		m.value[name] = value
		count++
		return count < maxKeys
	})
	return m
}

func (m members) has(name string) bool {
	_, ok := m.value[name]
	return ok
}

// text returns a member that is a string, or "".
func (m members) text(name string) string {
	if v := m.value[name]; v.Type == gjson.String {
		return v.Str
	}
	return ""
}

// fields lists what a table does not expect of an object's members.
func (p *problems) fields(t table, prefix string, m members) {
	for _, f := range t.fields {
		value, ok := m.value[f.name]
		switch {
		case !ok && f.shape&required != 0:
			p.add(missingField, prefix+f.name, "The documented field "+f.name+" is missing.")
		case ok && f.shape&shapeOf(value) == 0:
			p.add(wrongType, prefix+f.name, "The field "+f.name+" should be "+f.shape.names()+
				", but it is "+shapeOf(value).names()+".")
		}
	}
	for _, key := range m.keys {
		if p.full() {
			return
		}
		if _, known := t.index[key]; !known {
			key = clip(key, 80)
			p.add(unknownField, prefix+key, "The field "+key+" is in no documentation known here.")
		}
	}
}

// repeated lists the keys that an object has more than once.
func (p *problems) repeated(m members) {
	told := make(map[string]bool)
	for _, key := range m.repeated {
		if p.full() {
			return
		}
		if !told[key] {
			told[key] = true
			key = clip(key, 80)
			p.add(duplicateKey, key, "The key "+key+" stands there more than once; most readers take the last one.")
		}
	}
}

// clip makes one line of at most max runes out of s: runs of ASCII white space become one space,
// and bytes that are no UTF-8 become U+FFFD. Everything else stays, unprintable characters too:
// views escape them.
func clip(s string, limit int) string {
	// A rune has at most four bytes and a run of spaces may be long: look at a bounded part only.
	const spare = 1024
	if most := 4*limit + spare; len(s) > most {
		s = s[:most]
	}
	var out strings.Builder
	n, space := 0, false
	for _, r := range s {
		if r == ' ' || r >= '\t' && r <= '\r' {
			space = n > 0
			continue
		}
		if space && n < limit-1 {
			out.WriteByte(' ')
			n++
		}
		space = false
		if n >= limit-1 {
			out.WriteString("…")
			break
		}
		out.WriteRune(r)
		n++
	}
	return out.String()
}

// lineAt returns the line and column, from 1, of a byte of data.
func lineAt(data []byte, pos int) (line, column int) {
	before := data[:pos]
	return bytes.Count(before, []byte("\n")) + 1, pos - bytes.LastIndexByte(before, '\n')
}
