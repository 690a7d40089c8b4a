package proof

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"
)

// explosive is a body that is meant to hurt a parser, and what its sender says of it.
type explosive struct {
	name            string
	media, encoding string
	body            []byte
	// opened is what a packed one becomes, in bytes.
	opened int
}

// weight is as how many of the largest bodies it counts once it is unpacked.
func (e *explosive) weight() int64 {
	const most = 64 << 20 // no more of it is looked at
	return int64(max(1, min(e.opened, most)/largeBody))
}

// may is what it may cost where the largest of harmless bodies costs so much.
func (e *explosive) may(usual time.Duration) time.Duration {
	const goal, factor = 100 * time.Millisecond, 2
	return time.Duration(e.weight() * int64(max(goal, factor*usual)))
}

// largeBody is just within what a body may be.
const largeBody = 10<<20 - 1000

func repeated(text string, size int) []byte {
	return bytes.Repeat([]byte(text), max(1, size/len(text)))
}

func around(before string, body []byte, after string) []byte {
	return append(append([]byte(before), body...), after...)
}

// harmless is a large body of an ordinary kind.
func harmless() explosive {
	var b bytes.Buffer
	b.WriteString(`{"runs":[`)
	for n := 0; b.Len() < largeBody-200; n++ {
		fmt.Fprintf(&b, `{"number":%d,"name":"an ordinary run","ok":true,"tags":["a","b"],"cost":0.25},`, n)
	}
	b.WriteString(`{}]}`)
	return explosive{name: "harmless", body: b.Bytes()}
}

// known are bodies that have stopped or slowed parsers elsewhere.
func known() []explosive {
	const large = largeBody
	return []explosive{
		{name: "10 MB of [", body: repeated("[", large)},
		{name: "160 kB of [", body: repeated("[", 160_000)},
		{name: "10 MB of {\"a\":", body: repeated(`{"a":`, large)},
		{name: "nesting that closes", body: append(repeated("[", large/2), repeated("]", large/2)...)},
		{name: "a rule around nesting", body: around(`{"rule_id":"x","runs":[{"inputs":`, repeated("[", large), "")},
		{name: "a million keys", body: around("{", repeated(`"k":1,`, large-10), `"z":1}`)},
		{name: "one long text", body: around(`{"a":"`, repeated("x", large-10), `"}`)},
		{name: "escapes", body: around(`{"a":"`, repeated(`\u0000`, large-10), `"}`)},
		{name: "lone surrogates", body: around(`{"a":"`, repeated(`\ud800`, large-10), `"}`)},
		{name: "one long number", body: repeated("9", large)},
		{name: "broken UTF-8", body: repeated("\xff\xfe", large)},
		{name: "spaces", body: repeated(" ", large)},
		{name: "NUL", body: repeated("\x00", large)},
		{name: "quotes", body: repeated(`"`, large)},
		{name: "doubled keys", body: []byte(`{"id":"1","id":"2","rule_id":"a","rule_id":"b","runs":[],"runs":[{}]}`)},
		{name: "garbage and an id", body: []byte(`garbage{"id":"x"}`)},
		{name: "200 MB of zeros, packed", media: "application/json", encoding: "gzip", body: packed(gzipped, []byte{0}, 200<<20), opened: 200 << 20},
		{name: "200 MB of [, packed", media: "application/json", encoding: "gzip", body: packed(gzipped, []byte("["), 200<<20), opened: 200 << 20},
		{name: "packed twice", media: "application/json", encoding: "gzip, gzip", body: packed(gzipped, packed(gzipped, []byte{0}, 64<<20), 1), opened: 64 << 20},
	}
}

// shape is a way to make a body of about so many bytes.
type shape struct {
	name string
	make func(r *rand.Rand, size int) explosive
}

// shapes are what generated bodies look like.
func shapes() []shape {
	return []shape{
		{"nested", nested},
		{"repeated", alike},
		{"pieces", pieces},
		{"bytes", anyBytes},
		{"packed", anyPacked},
		{"parts", parts},
	}
}

// generated makes a body of some shape and size, which seed names.
func generated(seed uint64) explosive {
	r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // no secret
	size := largeBody
	if r.IntN(3) == 0 { // from 1 kB on, each size as often as its double
		size = 1000 << r.IntN(14)
	}
	all := shapes()
	s := all[r.IntN(len(all))]
	e := s.make(r, min(size, largeBody))
	e.name = fmt.Sprintf("%s %d of %d bytes", s.name, seed, len(e.body))
	if len(e.body) > largeBody {
		e.body = e.body[:largeBody]
	}
	if e.media == "" && r.IntN(2) == 0 {
		e.media = "application/json"
	}
	return e
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// nested opens, and mostly closes again.
func nested(r *rand.Rand, size int) explosive {
	open := pick(r, "[", `{"a":`, `[{"b":`, ` [ `, `[0,`, `{"id":"x","runs":[`, `{"\u0061":`, `{"presigned_url":[`)
	var closing string
	for _, c := range open {
		switch c {
		case '[':
			closing = "]" + closing
		case '{':
			closing = "}" + closing
		}
	}
	depth := max(1, size/(len(open)+len(closing)))
	if r.IntN(2) == 0 { // not too deep to be looked into, and many beside each other
		depth = min(depth, 1+r.IntN(999))
	}
	tower := around(strings.Repeat(open, depth), []byte("1"), strings.Repeat(closing, depth))
	if len(tower) < size/2 {
		tower = around("[", repeated(string(tower)+",", size-len(tower)-2), string(tower)+"]")
	}
	if r.IntN(4) == 0 { // never closed
		tower = tower[:r.IntN(len(tower))+1]
	}
	return explosive{body: tower}
}

// alike is one member or item over and over, where a parser looks for it.
func alike(r *rand.Rand, size int) explosive {
	const rule = `{"rule_id":"r","start_time":"s","end_time":"e","runs":[`
	list := pick(r,
		[]string{"[", "[],", "1]"}, []string{"[", `"",`, `""]`}, []string{"[", "1,", "1]"}, []string{"[", "-0.1E-7,", "1]"}, []string{"[", "null,", "1]"},
		[]string{"{", `"":{},`, `"a":1}`}, []string{"{", `"id":"1",`, `"a":1}`}, []string{"{", `"\u0069d":"\u0061",`, `"a":1}`},
		[]string{"{", `"run_id":"1","status":"s",`, `"kwargs":{},"thread_id":"t"}`}, []string{"{", `"runs":[{}],`, `"a":1}`},
		[]string{rule, "{},", "{}]}"}, []string{rule, `{"id":"1"},`, "{}]}"}, []string{rule, `{"id":"\u0031"},`, "{}]}"}, []string{rule, "1,", "1]}"},
		[]string{rule, `{"inputs_s3_urls":{"ROOT":{"presigned_url":"u"}}},`, "{}]}"}, []string{rule, `{"s3_urls":{"a":{"presigned_url":""}}},`, "{}]}"},
		[]string{`{"runs":[{"s3_urls":{`, `"a":{"presigned_url":"u"},`, `"b":{}}}]}`}, []string{`{"runs":[{"s3_urls":{`, `"a":{"presigned_url":""},`, `"b":{}}}]}`},
		[]string{`{"runs":[{`, `"s3_urls":{"a":{"presigned_url":"u"}},`, `"b":{}}]}`}, []string{`{"presigned_url":1,"rule_id":"r","runs":[`, "{},", "{}]}"},
		[]string{`{"a":"`, `\"`, `"}`}, []string{`{"a":"`, `\ud83d\ude00`, `"}`}, []string{`{"`, `\ud800`, `":1}`}, []string{`{"a":`, "9", "}"}, []string{`{"a":1e`, "9", "}"},
		[]string{"", "\n", "1"}, []string{"\ufeff", `{"a":`, "1"}, []string{"", `{"id":"x"}`, ""},
	)
	before, unit, after := list[0], list[1], list[2]
	return explosive{body: around(before, repeated(unit, size-len(before)-len(after)), after)}
}

// pieces are in no order.
func pieces(r *rand.Rand, size int) explosive {
	var b bytes.Buffer
	for b.Len() < min(size, 100_000) {
		b.WriteString(pick(r, "[", "]", "{", "}", ",", ":", `"`, `"id"`, `"runs":`, `"a":1,`, `\u0000`, `\`, "1", "-", "1e9", "null", "tru", " ", "\n", "\x00", "\xff", "{}", "[],"))
	}
	return explosive{body: repeated(b.String(), size)}
}

// anyBytes are no text, or hardly any.
func anyBytes(r *rand.Rand, size int) explosive {
	b := make([]byte, size)
	least, span := r.IntN(256), 1+r.IntN(256)
	for i := range b {
		b[i] = byte(least + r.IntN(span)) //nolint:gosec // any byte is welcome
	}
	return explosive{body: around(pick(r, "", "[", `{"a":"`, `"`), b, "")}
}

// anyPacked says that it is packed, and mostly is.
func anyPacked(r *rand.Rand, size int) explosive {
	inner := alike
	if r.IntN(2) == 0 {
		inner = nested
	}
	e := inner(r, min(size, 1<<20))
	way := pick(r, gzipped, deflated)
	e.encoding, e.media = way.String(), "application/json"
	times := 1 + r.IntN(200)
	e.opened = times * len(e.body)
	e.body = packed(way, e.body, times)
	switch r.IntN(4) {
	case 0: // cut off
		e.body = e.body[:r.IntN(len(e.body))+1]
	case 1: // again
		e.encoding += ", gzip"
		e.body = packed(gzipped, e.body, 1)
	}
	return e
}

// parts are forms.
func parts(r *rand.Rand, size int) explosive {
	if r.IntN(2) == 0 {
		return explosive{media: "application/x-www-form-urlencoded", body: repeated(pick(r, "&", "a=b&", "%41=%zz&", "=", "+", "a;b&"), size)}
	}
	unit := pick(r, "\r\n--", "--a\r\n\r\n", "--a\r\nA: b\r\n\r\n\r\n", "A: b\r\n", "--a\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n\r\n")
	return explosive{media: "multipart/form-data; boundary=a", body: around("--a\r\n", repeated(unit, size-10), "")}
}

// packing is a Content-Encoding.
type packing int

const (
	gzipped packing = iota
	deflated
)

// String is its name in a head.
func (p packing) String() string { return [...]string{"gzip", "deflate"}[p] }

// packed packs a text so many times one after the other, within what a body may be.
func packed(way packing, text []byte, times int) []byte {
	const chunk = 1 << 20
	if n := min(times, chunk/len(text)); n > 1 {
		text, times = bytes.Repeat(text, n), times/n
	}
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if way == deflated {
		w = zlib.NewWriter(&b)
	}
	for ; times > 0 && b.Len() < largeBody-chunk/100; times-- {
		_, _ = w.Write(text) // into memory
	}
	_ = w.Close()
	return b.Bytes()
}
