package inspector_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/inspector"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/inspector/search"
	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// walking is a store without a search index.
type walking struct{ *store.Store }

func (w walking) Captures(ctx context.Context, q webhook.Query) ([]webhook.Capture, error) {
	q.Narrow = webhook.Narrowing{}
	return w.Store.Captures(ctx, q)
}

// searched is a folder that two servers search, one of them without the index.
type searched struct {
	dir            string
	config         inspector.Config
	store          *store.Store
	indexed, plain *rig
}

func newSearched(tb testing.TB) *searched {
	tb.Helper()
	s := &searched{dir: tb.TempDir()}
	newRig(tb, func(c *inspector.Config) { s.config = *c })
	s.open(tb)
	tb.Cleanup(func() { _ = s.store.Close() })
	return s
}

func (s *searched) open(tb testing.TB) {
	tb.Helper()
	var err error
	if s.store != nil {
		if err = s.store.Close(); err != nil {
			tb.Fatal(err)
		}
	}
	s.store, err = store.Open(tb.Context(), store.Config{
		Dir: s.dir, Pause: 10 * time.Millisecond, Marker: inspector.Marker{Decode: s.config.Decode, Describe: s.config.Describe},
	})
	if err != nil {
		tb.Fatal(err)
	}
	s.indexed = newRig(tb, func(c *inspector.Config) { c.Store = s.store })
	s.plain = newRig(tb, func(c *inspector.Config) { c.Store = walking{s.store} })
	for _, r := range []*rig{s.indexed, s.plain} {
		if err := r.store.Close(); err != nil {
			tb.Fatal(err)
		}
		r.store = s.store
	}
}

// caughtUp waits until the index has all captures.
func (s *searched) caughtUp(tb testing.TB) {
	tb.Helper()
	newest, err := s.store.Captures(tb.Context(), webhook.Query{Limit: 1})
	if err != nil || len(newest) == 0 {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(tb.Context(), 3*time.Minute)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for s.store.Indexed() < newest[0].Seq {
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatalf("the index reaches only %d of %d", s.store.Indexed(), newest[0].Seq)
		}
	}
}

// all returns what a search finds, page by page, in an endpoint or ("") in all.
func all(tb testing.TB, r *rig, endpoint, query string) []int64 {
	tb.Helper()
	list := "/api/v1/captures?"
	if endpoint != "" {
		list = "/api/v1/endpoints/" + endpoint + "/captures?"
	}
	seqs := []int64{}
	for path := list + query; ; {
		a := r.call(tb, http.MethodGet, path, "")
		if a.StatusCode != http.StatusOK {
			tb.Fatalf("%s: %d %s", query, a.StatusCode, a.text)
		}
		var page api.Captures
		if err := json.Unmarshal(a.text, &page); err != nil {
			tb.Fatal(err)
		}
		for _, c := range page.Captures {
			seqs = append(seqs, c.Seq)
		}
		if page.Next == nil {
			return seqs
		}
		bound := "before"
		if strings.Contains(query, "order=asc") {
			bound = "after"
		}
		path = fmt.Sprintf("%s%s&%s=%d", list, query, bound, *page.Next)
	}
}

// bodies makes bodies of all kinds that a search looks into, and queries that find some of them.
type bodies struct{ *rand.Rand }

func (r bodies) word() string {
	words := []string{
		"Deploy", "refund", "STRASSE", "straße", "İstanbul", "ſecret", "K", "naïve", "日本語", "node", "no", "e", "error", "pending",
		"1.50", "1e3", "1000", "17", "0.1", "true", "null", "a\"b", "tab\tbed", "back\\slash", "d75d41c2-7be1-4f0e-a3cc-1d5a8d20f00d", "damaged", "two words", "</script>",
	}
	return words[r.IntN(len(words))]
}

func (r bodies) value(depth int) any {
	switch n := r.IntN(9); {
	case n == 0 && depth < 4:
		m := map[string]any{}
		for range r.IntN(4) {
			m[r.name()] = r.value(depth + 1)
		}
		return m
	case n == 1 && depth < 4:
		l := []any{}
		for range r.IntN(4) {
			l = append(l, r.value(depth+1))
		}
		return l
	case n == 2:
		return r.Float64() * 1000
	case n == 3:
		return json.Number([]string{"1.50", "1e3", "17", "-0", "1E400", "0.10"}[r.IntN(6)])
	case n == 4:
		return nil
	case n == 5:
		return r.IntN(2) == 0
	default:
		return r.word()
	}
}

func (r bodies) name() string {
	return []string{"status", "rule_id", "runs", "a", "0", "b-c", "key with blank", "é", "x.y"}[r.IntN(9)]
}

func (r bodies) body() string {
	doc := map[string]any{"rule_id": fmt.Sprintf("%08x-%04x", r.Uint32(), r.IntN(1<<16)), "status": r.word()}
	var runs []any
	for range 1 + r.IntN(3) {
		runs = append(runs, map[string]any{"status": r.word(), "n": r.IntN(50), "inputs": r.value(1)})
	}
	doc["runs"] = runs
	switch r.IntN(24) {
	case 0: // more text than is marked
		doc["text"] = strings.Repeat(r.word()+" of many, ", 30_000) + r.word()
	case 1: // more values than are marked
		doc["many"] = slices.Repeat([]int{r.IntN(100), r.IntN(100)}, 7000)
	case 2, 3, 4, 5, 6: // many columns of a block
		doc["many"] = slices.Repeat([]int{r.IntN(10)}, 6000)
	case 7, 8:
		doc["deep"] = json.RawMessage(strings.Repeat(`{"a":`, 40) + `"Deploy"` + strings.Repeat("}", 40))
	case 9, 10:
		return ""
	case 11, 12:
		return "no JSON: " + r.word() + "\x00\xff\xc3" + r.word()
	}
	text, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	if r.IntN(5) == 0 {
		text = bytes.ReplaceAll(text, []byte("e"), []byte(`\u0065`)) // names and numbers with e too
		text = bytes.ReplaceAll(text, []byte(`1\u00653`), []byte("1e3"))
		text = bytes.ReplaceAll(text, []byte(`tru\u0065`), []byte("true"))
		text = bytes.ReplaceAll(text, []byte(`fals\u0065`), []byte("false"))
	}
	return string(text)
}

func (r bodies) change(c *webhook.Capture) {
	req := &c.Request
	req.Method = []string{"POST", "PUT", "GET"}[r.IntN(3)]
	// Ten minutes and more from what the queries ask for: both ways must see the same, however late the second is.
	from := []int{0, 40, 70}[r.IntN(3)]
	c.ReceivedAt = time.Now().Add(-time.Duration(from) * time.Minute).Add(-time.Duration(r.IntN(600)) * time.Second)
	extra := "X-Word: " + r.word() + "\r\nx-folded: one\r\n  " + r.word() + "\r\n"
	if r.IntN(4) == 0 {
		extra += "X-Only: " + r.word() + "\r\n"
	}
	req.Head = bytes.Replace(req.Head, []byte("Host: x\r\n"), []byte("Host: x\r\n"+extra), 1)
	switch r.IntN(8) {
	case 0:
		c.Class, c.Reason = webhook.Rejected, "secret_wrong"
		c.Plan.Status = 401
	case 1:
		c.Plan.Status = 503
	case 2:
		req.Target = "http://elsewhere/Hooks/" + url.PathEscape(r.word())
	}
	if r.IntN(6) == 0 && len(req.Body) > 0 {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		_, _ = w.Write(req.Body)
		_ = w.Close()
		req.Body, req.BodySHA256, req.BodySize = out.Bytes(), sha256.Sum256(out.Bytes()), int64(out.Len())
		req.Head = bytes.Replace(req.Head, []byte("Host: x\r\n"), []byte("Host: x\r\nContent-Encoding: gzip\r\n"), 1)
	}
}

func (r bodies) query() string {
	quote := func(text string) string {
		if r.IntN(3) > 0 && !strings.ContainsAny(text, " \t\"\\:*-") {
			return text
		}
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
	}
	piece := func() string {
		text := []rune(r.word())
		from := r.IntN(len(text))
		return string(text[from : from+1+r.IntN(len(text)-from)])
	}
	path := []string{
		"status", "rule_id", "runs.0.status", "runs.1.inputs.status", "runs.0.inputs.0", "runs.#.status", "runs.#", "runs", "runs.0.n", "runs.*.status", "runs.0.inputs",
		"runs.#(status==\"error\").n", "deep.a.a", "many.6999", "text", "runs.00.status", "{status}", "[status]", "é", "x\\.y", "key\\ with\\ blank", "runs.0.inputs.b-c", "STATUS",
	}[r.IntN(23)]
	// A path with a quotation mark cannot be written.
	path = strings.ReplaceAll(path, `"`, "")
	op := []string{"", ">", "<", ">=", "<="}[r.IntN(5)]
	terms := []string{
		quote(piece()), quote(piece()), quote(r.word()),
		"body." + path + ":" + quote(r.word()),
		"body." + path + ":" + []string{"*", "*rr*", "d75d*", "1*", "*e", "deploy", "17", "1000", "1.5", "+Inf", "true"}[r.IntN(11)],
		fmt.Sprintf("body.rule_id:%x*", r.IntN(256)),
		"header.x-word:" + quote(piece()), "header.X-FOLDED:" + quote("one "+piece()), "header.x-only:*", "header.content-encoding:gzip",
		"status:" + []string{"200", "503", "5xx", op + "400", "4xx", "401", ">=0"}[r.IntN(7)],
		"attempt:" + op + fmt.Sprint(r.IntN(3)), "size:" + op + []string{"0", "100", "1k", "100k", "1M"}[r.IntN(5)],
		"method:" + []string{"post", "PUT", "get"}[r.IntN(3)], "class:" + []string{"accepted", "rejected"}[r.IntN(2)],
		"reason:SECRET_WRONG", "kind:" + []string{"json", "langsmith-rule", "empty", "text", "binary"}[r.IntN(5)],
		"path:" + quote(piece()), "before:-1h", "after:-30m", "pinned:true", "note:ask", "endpoint:a", "endpoint:A",
	}
	out := terms[r.IntN(len(terms))]
	for r.IntN(2) == 0 {
		next := terms[r.IntN(len(terms))]
		if r.IntN(4) == 0 {
			next = "-" + next
		}
		out += " " + next
	}
	return out
}

// compare makes both servers answer queries, and wants the same.
func (s *searched) compare(t *testing.T, r bodies, queries int) {
	t.Helper()
	found := 0
	for range queries {
		text := r.query()
		if _, err := search.Parse(text); err != nil {
			continue
		}
		query := url.Values{"q": {text}, "limit": {fmt.Sprint(1 + r.IntN(200))}}
		if r.IntN(3) == 0 {
			query.Set("order", "asc")
		}
		if r.IntN(5) == 0 {
			query.Set("class", "rejected")
		}
		endpoint := []string{"a", "b", ""}[r.IntN(3)]
		want, got := all(t, s.plain, endpoint, query.Encode()), all(t, s.indexed, endpoint, query.Encode())
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s of %q (-walked +indexed):\n%s", text, endpoint, diff)
		}
		found += len(want)
	}
	if found == 0 {
		t.Error("no query found anything")
	}
}

// TestIndexFindsWhatAWalkFinds searches random captures with the index and without.
func TestIndexFindsWhatAWalkFinds(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := bodies{rand.New(rand.NewPCG(seed, 0))}
	s := newSearched(t)
	for _, name := range []string{"a", "b"} {
		s.indexed.endpoint(t, name)
	}
	add := func(count int) (seqs []webhook.Seq) {
		for range count {
			c := s.indexed.capture(t, []string{"a", "b"}[r.IntN(2)], r.body(), r.change)
			seqs = append(seqs, c.Seq)
		}
		return seqs
	}
	seqs := add(250)
	s.compare(t, r, 10) // partly indexed
	s.caughtUp(t)
	s.compare(t, r, 60)

	// What is deleted is not found, what is noted later is.
	for i, seq := range seqs {
		endpoint := []string{"a", "b"}[i%2]
		_ = s.store.DeleteCapture(t.Context(), endpoint, seq)
		if i%3 == 0 {
			_, _ = s.store.ChangeNote(t.Context(), endpoint, seq+1, webhook.NoteChange{Text: new("Ask them"), Pinned: new(i%2 == 0)})
		}
	}
	s.compare(t, r, 20)
	if _, err := s.store.DeleteCaptures(t.Context(), "a", webhook.Accepted, seqs[len(seqs)/2]); err != nil {
		t.Fatal(err)
	}
	add(50)
	s.compare(t, r, 20)

	s.open(t)
	s.compare(t, r, 10)
	s.caughtUp(t)
	add(30)
	s.compare(t, r, 20)
	for _, name := range []string{"a", "b"} {
		if !slices.Equal(all(t, s.plain, name, "limit=1000"), all(t, s.indexed, name, "limit=1000&q="+url.QueryEscape("-nothing-has-this"))) {
			t.Errorf("a search for everything in %s does not find everything", name)
		}
	}
}
