package payload

import (
	"bytes"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// presigned is the key that a body with references has.
const presigned = "presigned_url"

// MayHaveRefs reports whether Refs could find anything in body; false is certain, true is not. It
// only looks for the key's name, so it is cheap enough to be asked before an answer leaves.
func MayHaveRefs(body []byte) bool {
	return bytes.Contains(body, []byte(presigned))
}

// Refs returns the presigned URLs that a body's top-level runs name, in the body's order and at
// most 2000: inputs_s3_urls.ROOT as "runs.N.inputs", another key K there as "runs.N.inputs.K",
// outputs_s3_urls likewise, and s3_urls.K as "runs.N.s3_urls.K". Names do not repeat. It returns nil
// for a body that is no valid JSON object or is nested deeper than 1000. It looks at the first 10,000
// runs, and leaves out keys over 256 bytes or with unprintable characters, which nobody could ask for
// by name.
func Refs(body []byte) []webhook.Ref {
	if !MayHaveRefs(body) {
		return nil
	}
	// One pass: a body of 10 MB that is made of entries takes as long as one that is not.
	s := scanner{data: trimBOM(body)}
	if s.next() != tokenOpen || !s.object {
		return nil
	}
	var refs []webhook.Ref
	whole := s.members(func(key quoted, value token) bool {
		if !key.is("runs") {
			return s.skip(value)
		}
		refs = nil
		if value != tokenOpen || s.object {
			return s.skip(value)
		}
		index := 0
		return s.items(func(value token) (ok bool) {
			if value == tokenOpen && s.object && index < maxRunsRead && len(refs) < maxRefs {
				refs, ok = runRefs(&s, refs, index)
			} else {
				ok = s.skip(value)
			}
			index++
			return ok
		})
	})
	if !whole || s.next() != tokenEnd {
		return nil
	}
	return refs
}

// member returns the last member of that name, as browsers do and gjson's own lookup does not.
func member(object gjson.Result, name string) gjson.Result {
	var found gjson.Result
	if object.IsObject() {
		object.ForEach(func(key, value gjson.Result) bool {
			if key.String() == name {
				found = value
			}
			return true
		})
	}
	return found
}

// place is one of a run's maps of stored objects.
type place struct {
	// key is its name in the body, path in names of references.
	key, path string
	// rooted is true where ROOT stands for the place itself.
	rooted bool
}

func places() [3]place {
	return [3]place{
		{key: "inputs_s3_urls", path: ".inputs", rooted: true},
		{key: "outputs_s3_urls", path: ".outputs", rooted: true},
		{key: "s3_urls", path: ".s3_urls"},
	}
}

// runRefs appends the references of a run that was just opened, and tells whether it was valid up to its end.
func runRefs(s *scanner, refs []webhook.Ref, index int) ([]webhook.Ref, bool) {
	known := places()
	var entries [len(known)]entries
	// order is that in which the places stand in the run.
	order := make([]int, 0, len(known))
	whole := s.members(func(key quoted, value token) bool {
		at := slices.IndexFunc(known[:], func(p place) bool { return key.is(p.key) })
		if at < 0 {
			return s.skip(value)
		}
		if !slices.Contains(order, at) {
			order = append(order, at)
		}
		// Of equal keys the last one counts.
		entries[at].clear()
		if value != tokenOpen || !s.object {
			return s.skip(value)
		}
		return entries[at].read(s)
	})
	run := "runs." + strconv.Itoa(index)
	for _, at := range order {
		for _, e := range entries[at].list {
			if len(refs) == maxRefs {
				return refs, whole
			}
			name := run + known[at].path
			if !known[at].rooted || e.key != "ROOT" {
				name += "." + e.key
			}
			refs = append(refs, webhook.Ref{Name: name, URL: string(e.url.text(nil))})
		}
	}
	return refs, whole
}

// entries are the first maxRefs stored objects of a place.
type entries struct {
	list []storedEntry
	// seen finds them by their keys once they are many.
	seen map[string]int
}

type storedEntry struct {
	key string
	url quoted
}

func (e *entries) clear() { e.list, e.seen = e.list[:0], nil }

// read takes the entries of an object that was just opened.
func (e *entries) read(s *scanner) bool {
	return s.members(func(key quoted, value token) bool {
		if value != tokenOpen || !s.object {
			return s.skip(value)
		}
		var url quoted
		whole := s.members(func(key quoted, value token) bool {
			if key.is(presigned) {
				url = quoted{}
				if value == tokenString {
					url = s.quoted()
				}
			}
			return s.skip(value)
		})
		if len(url.raw) > 0 && len(key.raw) <= maxRefKey*len(`\u0000`) {
			e.note(string(key.text(nil)), url)
		}
		return whole
	})
}

func (e *entries) note(key string, url quoted) {
	const few = 8
	if !askable(key) {
		return
	}
	at, again := e.seen[key]
	if e.seen == nil {
		at = slices.IndexFunc(e.list, func(o storedEntry) bool { return o.key == key })
		again = at >= 0
	}
	switch {
	case again:
		e.list[at].url = url
		return
	case len(e.list) == maxRefs:
		return
	case e.seen != nil:
		e.seen[key] = len(e.list)
	case len(e.list) == few:
		e.seen = map[string]int{key: few}
		for i, o := range e.list {
			e.seen[o.key] = i
		}
	}
	e.list = append(e.list, storedEntry{key, url})
}

// askable tells whether somebody could ask for an object by this key.
func askable(key string) bool {
	if key == "" || len(key) > maxRefKey || !utf8.ValidString(key) {
		return false
	}
	for _, r := range key {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
