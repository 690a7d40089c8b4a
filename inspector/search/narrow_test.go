package search_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hookrange/hookrange/inspector/search"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// fulfils tells whether marks leave a capture in.
func fulfils(parts []*webhook.Marks, n webhook.Narrowing) bool {
	for _, clause := range n.Clauses {
		if !slices.ContainsFunc(clause, func(all []webhook.Mark) bool {
			return slices.ContainsFunc(parts, func(part *webhook.Marks) bool {
				return !slices.ContainsFunc(all, func(m webhook.Mark) bool { return !part.Has(m) })
			})
		}) {
			return false
		}
	}
	return true
}

func marksOf(tb testing.TB, c *search.Candidate) []*webhook.Marks {
	tb.Helper()
	parts, err := search.MarkCapture(c)
	if err != nil {
		tb.Fatal(err)
	}
	return parts
}

func narrowing(tb testing.TB, text string) webhook.Narrowing {
	tb.Helper()
	q, err := search.Parse(text)
	if err != nil {
		tb.Fatal(err)
	}
	return q.Narrow()
}

// TestNarrowLeavesOut has queries that must leave a capture out, or an index would be of no use for them.
func TestNarrowLeavesOut(t *testing.T) {
	t.Parallel()
	parts := marksOf(t, candidate(`{"rule_id":"d75d41c2","runs":[{"status":"success","n":1.50}],"list":["one"],"esc":"caf\u00e9 \"x\""}`))
	for text, in := range map[string]bool{
		"d75d41c2": true, "d75d41c3": false, "d75d": true, "d99d": false, `"success"`: true, "unsuccessful": false,
		"body.rule_id:d75d41c2": true, "body.rule_id:d75d41c3": false, "body.rule_id:d75d*": true, "body.rule_id:e75d*": false,
		"body.runs.0.status:success": true, "body.runs.1.status:success": false, "body.runs.0.status:error": false, "body.runs.0.n:1.5": true,
		"body.runs.#.status:success": true, "body.runs.#.status:failure": false, "body.runs.#:1": true, "body.list:one": true, "body.list:two": false,
		`body.esc:"café \"x\""`: true, "body.nowhere:success": false, "header.x-event:deploy": true, "header.x-other:deploy": false,
		"header.x-event:employ": false, "status:503": true, "status:5xx": true, "attempt:2": true, "attempt:>2": true, "attempt:>3": false, "size:<10": false, "size:>1M": false,
		"class:accepted": true, "class:rejected": false, "method:post": true, "method:put": false, "kind:JSON": true, "kind:text": false, "endpoint:default": true,
		"endpoint:other": false, "delivery:0192-AB": true, "delivery:0192-AC": false, "-class:accepted": true, "path:/hooks": true, "path:/other": false,
		strings.Repeat("long ", 20) + "nowhere": false,
	} {
		if got := fulfils(parts, narrowing(t, text)); got != in {
			t.Errorf("%s: left in %v, want %v", text, got, in)
		}
	}
	if n := narrowing(t, "after:2024-11-22 before:2024-11-23 after:2024-11-21 pinned:true"); n.Since.Day() == 0 || n.Since.After(n.Until) || !n.Noted {
		t.Errorf("%+v", n)
	}
	for _, text := range []string{"", "-deploy", "ab", "before:noon"} {
		if q, err := search.Parse(text); err == nil && len(q.Narrow().Clauses) > 0 {
			t.Errorf("%q leaves captures out", text)
		}
	}
}

// TestMarksOfLongBodies finds what is in the parts of a long body, at and across their borders, and leaves in what is
// beyond them.
func TestMarksOfLongBodies(t *testing.T) {
	t.Parallel()
	var body strings.Builder
	for i := range 40_000 {
		fmt.Fprintf(&body, "<%05d>", i)
	}
	c := candidate(body.String() + "the end of it all")
	c.LoadPayload = func() (kind, title string, err error) { return "text", "long", nil }
	parts := marksOf(t, c)
	if len(parts) < 60 {
		t.Fatalf("%d parts", len(parts))
	}
	for i := 0; i < 40_000; i += 7 {
		text := fmt.Sprintf("<%05d><%05d><%05d>", i, i+1, i+2)
		if !fulfils(parts, narrowing(t, text)) {
			t.Errorf("%s is left out", text)
		}
	}
	short := marksOf(t, candidate(body.String()[:200_000]))
	if fulfils(short, narrowing(t, "<39999><39998><39997>")) {
		t.Error("a text that is not there is left in")
	}
	longer := candidate(body.String() + body.String())
	if parts := marksOf(t, longer); len(parts) != 64 || !fulfils(parts, narrowing(t, "nowhere at all")) {
		t.Errorf("text beyond %d parts is left out", len(parts))
	}
	if !fulfils(marksOf(t, candidate(` {"text":"`+body.String()+`","a":1}`)), narrowing(t, "body.a:1")) {
		t.Error("a member of a long body is left out")
	}
	if fulfils(marksOf(t, longer), narrowing(t, "body.a:1")) {
		t.Error("a long body that is no JSON is left in for a member")
	}
}

// FuzzNarrow looks for captures that match a query and are left out by their marks.
func FuzzNarrow(f *testing.F) {
	const head = "POST /Hooks/x?y=1 HTTP/1.1\r\nX-Event: Deploy\r\nX-Fold: a\r\n b\r\n"
	for _, seed := range [][3]string{
		{"deploy", head, `{"a":"b"}`},
		{`body.a:b -x`, head, `{"a":"b","a":{"b":[1.50,1e3,"\u0041"]}}`},
		{`body.a.b.#:3 status:503`, head, `{"a":{"b":[1,2,3]}}`},
		{`body.a.#(b=="x").c:y*z`, head, `{"a":[{"b":"x","c":"yaz"}]}`},
		{`header.x-fold:"a b"`, head, ""},
		{"path:/hooks size:<1k", head, "\xff\xfe"},
		{`"İ ſ K"`, head, "i̇ ſ k"},
		{"body.*.b:1000", head, `{"é":{"b":1e3}}`},
		{`body.a\.b:x`, head, `{"a.b":"x"}`},
		{"body.0.a:+inf", head, `[{"a":1e999}]`},
		{"body.a:*x*", head, `{"a":["x",{"y":"x"}]}`},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, text, head, body string) {
		q, err := search.Parse(text)
		if err != nil {
			return
		}
		c := candidate(body)
		c.Capture.Request.Head = []byte(head)
		matches, err := q.Match(c)
		if err != nil {
			t.Fatal(err)
		}
		if matches && !fulfils(marksOf(t, c), q.Narrow()) {
			t.Errorf("%q matches and is left out", text)
		}
	})
}

// TestMarksVersion fails when marks change: then MarksVersion must, or files keep an index that does not find what is in
// them.
func TestMarksVersion(t *testing.T) {
	t.Parallel()
	digest := sha256.New()
	for _, part := range marksOf(t, candidate(`{"rule_id":"d75d41c2","runs":[{"status":"İ","n":1.50,"e":"\u0041"}],"list":["one"]}`)) {
		if err := binary.Write(digest, binary.BigEndian, part[:]); err != nil {
			t.Fatal(err)
		}
	}
	const version, sum = "1", "116a04d6d6549658"
	if got := fmt.Sprintf("%x", digest.Sum(nil)[:8]); got != sum || search.MarksVersion != version {
		t.Errorf("version %s makes %s; version %s made %s", search.MarksVersion, got, version, sum)
	}
}
