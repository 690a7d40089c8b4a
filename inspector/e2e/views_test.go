package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// packed returns a text in a content coding.
func packed(t *testing.T, coding, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch coding {
	case "br":
		w = brotli.NewWriter(&out)
	case "gzip":
		w = gzip.NewWriter(&out)
	case "zstd":
		w, err = zstd.NewWriter(&out)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err = io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err = w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// deliver sends a webhook with headers and returns its capture's seq.
func (s *server) deliver(body []byte, headers ...string) int64 {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodPost, s.hook(""), bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := (&http.Client{Timeout: patience}).Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return s.captures()[0].Seq
}

// aPNG is the head of an image of 640 x 480 that no decoder has to be asked about.
const aPNG = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x02\x80\x00\x00\x01\xe0\x08\x06\x00\x00\x00"

// testViews shows bodies of all kinds, none of them rendered.
func testViews(r *rig) {
	t := r.t
	s := r.serve()
	p := r.open(s)
	says := func(what string, seq int64, texts ...string) {
		t.Helper()
		p.navigate(fmt.Sprintf("/e/default/%d", seq))
		p.until(what+" is shown", `(texts) => {
			const text = document.querySelector('article [role=tabpanel]')?.innerText ?? '';
			return texts.every((t) => text.includes(t));
		}`, texts)
	}
	for _, coding := range []string{"gzip", "br", "zstd"} {
		seq := s.deliver(packed(t, coding, `{"coding":"`+coding+`","long":"`+strings.Repeat("long ", 500)+`"}`), "Content-Type", "application/json", "Content-Encoding", coding)
		says("a body in "+coding, seq, `"coding": "`+coding+`"`, "2.5 kB decoded")
		p.press("button", "Show it as sent")
		p.until("the bytes as they were sent", `() => document.querySelector('[aria-label="Body in hexadecimal"]') !== null`)
	}
	says("a bomb", s.deliver(packed(t, "gzip", strings.Repeat("\x00", 70<<20)), "Content-Type", "application/json", "Content-Encoding", "gzip"), "Bytes are withheld")
	says("broken JSON", s.deliver([]byte("{\n  \"a\": 1,\n  \"b\" 2\n}"), "Content-Type", "application/json"), "Line 3, column 7:", "a colon should stand here")
	says("XML", s.deliver([]byte(`<?xml version="1.0"?><order id="7"><item>one</item><script>__pwned()</script></order>`), "Content-Type", "application/xml"), "<item>one</item>")
	says("broken XML", s.deliver([]byte("<order>\n<item></order>"), "Content-Type", "text/xml"), "line 2, column 7: </order> closes <item>")
	says("an image", s.deliver([]byte(aPNG), "Content-Type", "image/png"), "PNG", "640 × 480 pixels", "89 50 4e 47")
	form := "--b\r\nContent-Disposition: form-data; name=\"about\"\r\nContent-Type: application/json\r\n\r\n{\"n\":1}\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"shot\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n" + aPNG + "\r\n--b--\r\n"
	says("a form with a file", s.deliver([]byte(form), "Content-Type", "multipart/form-data; boundary=b"), `Part 1: about`, `"n": 1`, "Part 2: shot", "a.png", "640 × 480 pixels")
	says("a form", s.deliver([]byte("a=1&b=x+y"), "Content-Type", "application/x-www-form-urlencoded"), "x y")
	if got := eval[int](p, `() => document.querySelectorAll('article img, article canvas, article iframe').length`); got != 0 {
		t.Errorf("%d images are rendered", got)
	}
}

// testSearchInJSON finds a place deep within a body and copies the way to it.
func testSearchInJSON(r *rig) {
	s := r.serve()
	seq := s.deliver([]byte(`{"a":{"b":{"c":{"d":[{"needle":1},{"hay":"Needle"}]}}},"z":"needles"}`), "Content-Type", "application/json")
	p := r.open(s)
	p.navigate(fmt.Sprintf("/e/default/%d", seq))
	p.press("button", "Search in Body")
	p.until("the field has the focus", `() => document.activeElement?.type === 'search' && document.activeElement.closest('.tree') !== null`)
	p.keys("needle")
	p.until("the first of them", `() => document.querySelector('.tree').innerText.includes('1 of 3') && document.querySelector('.found').innerText.startsWith('"needle"')`)
	p.keys("\r")
	p.until("the second, in its value", `() => document.querySelector('.found').innerText.includes('"Needle"')`)
	p.press("button", "Copy the path")
	p.until("it says that it is copied", `() => [...document.querySelectorAll('.tree [role=status]')].some((e) => /cop/i.test(e.innerText))`)
	p.keys("\u001b")
}

// traceRule returns a rule's payload of two runs, the second one the caller of the first.
func traceRule() string {
	id := func(n int) string { return fmt.Sprintf("0190a000-0000-4000-8000-%012d", n) }
	run := func(n int, name, order, path string) string {
		return fmt.Sprintf(`{"id":%q,"name":%q,"run_type":"chain","status":"success","trace_id":%q,"dotted_order":%q,"app_path":%q,"session_id":%q,
			"start_time":"2024-04-05T01:28:%d.0","end_time":"2024-04-05T01:28:%d.0","total_tokens":12,"total_cost":"0.01","inputs":{"q":1},"outputs":{}}`,
			id(n), name, id(1), order, path, id(9), 10+n, 20-n)
	}
	root := "20240405T012811000000Z" + id(1)
	child := root + ".20240405T012812000000Z" + id(2)
	return `{"rule_id":"d75d7417-0c57-4655-88fe-1db3cda3a47a","start_time":"2024-04-05T01:28:54.734491+00:00","end_time":"2024-04-05T01:28:56.492563+00:00",
		"runs":[` + run(2, "inner", child, "//evil.example/x") + `,` + run(1, "outer", root, "/o/1/r/2?trace_id=3") + `]}`
}

// testTraceTree shows the runs of a rule under each other, with links to where they came from.
func testTraceTree(r *rig) {
	t := r.t
	s := r.serve()
	seq := s.deliver([]byte(traceRule()), "Content-Type", "application/json")
	p := r.open(s)
	p.navigate(fmt.Sprintf("/e/default/%d", seq))
	p.until("the tree is shown", `() => [...document.querySelectorAll('section[aria-label^="Trace"] li')].map((e) => e.innerText.split('\n')[0] + e.querySelector('button').innerText).join() ===
		'level 1outer,level 2inner'`)
	eval[bool](p, `() => { document.querySelectorAll('section[aria-label^="Trace"] button')[0].click(); return true; }`)
	p.until("its run is opened, with a link out", `() => document.querySelector('a[rel~=noopener]')?.href === 'https://smith.langchain.com/o/1/r/2?trace_id=3'`)
	eval[bool](p, `() => { document.querySelectorAll('section[aria-label^="Trace"] button')[1].click(); return true; }`)
	p.until("a path to elsewhere is a text", `() => document.querySelector('article').innerText.includes('//evil.example/x')`)
	if got := eval[int](p, `() => document.querySelectorAll('a[href*=evil]').length`); got != 0 {
		t.Errorf("%d links lead to where a sender wants", got)
	}
}
