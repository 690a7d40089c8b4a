package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// testNaughty shows the strings of a list that somebody else made, such as the Big List of Naughty Strings, in every field.
// HOOKRANGE_NAUGHTY names the file, which is one list of strings in JSON; without it the test is skipped.
func testNaughty(r *rig) {
	t := r.t
	file := os.Getenv("HOOKRANGE_NAUGHTY")
	if file == "" {
		t.Skip("HOOKRANGE_NAUGHTY names no file: give it the path of blns.json")
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	if err = json.Unmarshal(raw, &list); err != nil || len(list) == 0 {
		t.Fatalf("%s holds %d strings, %v", file, len(list), err)
	}
	s := r.serve()
	p := r.open(s)
	p.size(1280, 6000)
	p.until("the page is live", isLive)
	const pack = 20
	for from := 0; from < len(list); from += pack {
		s.naughty(from/pack, list[from:min(from+pack, len(list))])
	}
	kept := s.captures()
	p.shows(kept)
	for i, c := range kept {
		p.opens(c.Seq)
		views := eval[map[string]string](p, visit)
		if mark := fmt.Sprintf("mark%dmark", len(kept)-1-i); !strings.Contains(views["Payload"], mark) || !strings.Contains(views["Headers"], mark) {
			t.Errorf("capture %d is not shown, so nothing is proven: %q", c.Seq, views)
		}
		for _, stray := range eval[[]string](p, strays) {
			t.Errorf("capture %d: %s", c.Seq, stray)
		}
	}
	for _, fault := range p.take() {
		t.Errorf("in the browser: %s", fault)
	}
}

// naughty sends strings in path, query, fields, keys and values.
func (s *server) naughty(n int, list []string) {
	s.t.Helper()
	mark := fmt.Sprintf("mark%dmark", n)
	body := map[string]any{"mark": mark, "values": list}
	path, query := "/"+mark, s.hook("")[strings.Index(s.hook(""), "?"):]
	header := http.Header{"Content-Type": {"application/json"}, "X-Mark": {mark}}
	for i, text := range list {
		body["key "+text] = map[string]any{text: text}
		path += "/" + url.PathEscape(text)
		query += fmt.Sprintf("&n%d=%s&%s=", i, url.QueryEscape(text), url.QueryEscape("n"+text))
		header.Set(fmt.Sprintf("X-Naughty-%d", i), strings.Map(func(c rune) rune {
			if c < ' ' || c == 0x7f {
				return -1
			}
			return c
		}, text))
	}
	raw, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	hook := s.hook("")
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, hook[:strings.Index(hook, "?")]+path+query, strings.NewReader(string(raw)))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header = header
	client := http.Client{Timeout: patience}
	resp, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("strings %d: answered %s", n, resp.Status)
	}
}
