package inspector_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookrange/hookrange/inspector"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// benchEndpoints share the captures of one file.
const benchEndpoints = 20

func benchEndpoint(n uint64) string { return fmt.Sprintf("e%02d", n%benchEndpoints) }

// benchBody is a body of some 2 KB, as of a rule's webhook. The n-th is always the same.
func benchBody(n uint64) []byte {
	r := rand.New(rand.NewPCG(n, 1))
	id := func() string {
		return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", r.Uint32(), r.Uint32N(1<<16), r.Uint32N(1<<12), r.Uint32N(1<<12), r.Uint64N(1<<48))
	}
	words := []string{"refund", "weather", "invoice", "translate", "summary", "customer", "order", "flight", "hotel", "password", "shipping", "meeting"}
	status := "success"
	if n%1000 == 7 {
		status = "error"
	}
	run := map[string]any{
		"id": id(), "trace_id": id(), "session_id": id(), "parent_run_id": nil, "name": "agent", "run_type": "chain", "status": status,
		"start_time": fmt.Sprintf("2026-11-22T12:%02d:%02d.%06d", r.IntN(60), r.IntN(60), r.IntN(1e6)), "total_tokens": r.IntN(5000), "total_cost": r.Float64() / 100,
		"inputs":  map[string]any{"messages": []any{map[string]any{"role": "user", "content": fmt.Sprintf("Please help with the %s of my %s, number %d.", words[r.IntN(12)], words[r.IntN(12)], r.Uint32())}}},
		"outputs": map[string]any{"messages": []any{map[string]any{"role": "assistant", "content": fmt.Sprintf("The %s was found and the %s is on its way. Anything else I can do for you today?", words[r.IntN(12)], words[r.IntN(12)])}}},
		"extra":   map[string]any{"runtime": map[string]any{"sdk": "langsmith-py", "sdk_version": "0.4.13", "platform": "Linux-6.1", "python": "3.12.4"}, "metadata": map[string]any{"thread_id": id(), "revision": "a1b2c3d", "ls_model_name": "gpt-4.1-mini"}},
		"tags":    []string{"production", "eu-west-1"}, "feedback_stats": map[string]any{"correctness": map[string]any{"n": 1, "avg": r.Float64()}},
		"app_path":      "/o/" + id() + "/projects/p/" + id() + "/r/" + id(),
		"dotted_order":  "20261122T120000000000Z" + id(),
		"child_run_ids": []string{id(), id()}, "execution_order": 1, "reference_example_id": nil, "in_dataset": false,
	}
	body, err := json.Marshal(map[string]any{"rule_id": id(), "start_time": "2026-11-22T12:00:00", "end_time": "2026-11-22T12:05:00", "runs": []any{run}})
	if err != nil {
		panic(err)
	}
	return body
}

func benchCapture(n uint64) *webhook.Capture {
	body := benchBody(n)
	sum := sha256.Sum256(body)
	endpoint := benchEndpoint(n)
	target := "/hooks/" + endpoint + "?secret=" + hooked
	class, status := webhook.Accepted, 200
	if n%500 == 7 {
		class, status = webhook.Rejected, 401
	}
	return &webhook.Capture{
		Endpoint: endpoint, ReceivedAt: time.Now(), Class: class, DeliveryBy: "id",
		Request: webhook.Request{
			Peer: netip.MustParseAddrPort("192.0.2.1:1234"), Proto: "HTTP/1.1", Method: "POST", Target: target,
			Head: fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: hooks.example.com\r\nUser-Agent: python-httpx/0.28.1\r\nAccept: */*\r\n"+
				"Accept-Encoding: gzip, deflate\r\nContent-Type: application/json\r\nContent-Length: %d\r\nX-Number: n%dn\r\n\r\n", target, len(body), n),
			Body: body, BodySHA256: sum, BodySize: int64(len(body)), Declared: int64(len(body)),
		},
		Plan: webhook.Plan{Text: "200", Status: status},
	}
}

// benchStore opens a folder with an index or without.
func benchStore(b *testing.B, config inspector.Config, c store.Config, indexed bool) *store.Store {
	b.Helper()
	if indexed {
		c.Marker = inspector.Marker{Decode: config.Decode, Describe: config.Describe}
	}
	s, err := store.Open(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// benchSettle makes the endpoints.
func benchSettle(b *testing.B, s *store.Store) {
	b.Helper()
	unbounded := webhook.Quota{Count: -1, Bytes: -1, Age: -1}
	for n := range uint64(benchEndpoints) {
		_, err := s.SaveEndpoint(b.Context(), webhook.Endpoint{
			Name: benchEndpoint(n), Secret: webhook.SecretPolicy{Secrets: []string{hooked}},
			Retention: webhook.Retention{Accepted: unbounded, Rejected: unbounded, Incomplete: unbounded},
		}, true)
		if err != nil {
			b.Fatal(err)
		}
	}
}

// benchFill records captures as senders do, many at once.
func benchFill(b *testing.B, s *store.Store, count uint64, nth func(n uint64) *webhook.Capture) {
	b.Helper()
	var next atomic.Uint64
	var group sync.WaitGroup
	for range 256 {
		group.Go(func() {
			for n := next.Add(1) - 1; n < count; n = next.Add(1) - 1 {
				c := nth(n)
				key := webhook.DeliveryKey{By: "id"}
				binary.BigEndian.PutUint64(key.Sum[:], n)
				at := s.Arrive(c.Endpoint, key, c.Class == webhook.Accepted, c.ReceivedAt)
				c.Delivery, c.Attempt = at.Delivery, at.Attempt
				ticket, err := s.Record(b.Context(), c, false)
				if err == nil {
					err = s.Finish(b.Context(), ticket, webhook.Outcome{Status: c.Plan.Status, Bytes: 2, Done: new(time.Millisecond)})
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

// benchIndexed waits until the index has all captures.
func benchIndexed(b *testing.B, s *store.Store) {
	b.Helper()
	newest, err := s.Captures(b.Context(), webhook.Query{Limit: 1})
	if err != nil || len(newest) == 0 {
		b.Fatal(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for s.Indexed() < newest[0].Seq {
		<-tick.C
	}
}

// BenchmarkFind measures, at the interface, what people do in a file with so many captures of 20 endpoints. The file is
// made as a server makes it, with the index in the background.
func BenchmarkFind(b *testing.B) {
	for _, count := range []uint64{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("captures=%d", count), func(b *testing.B) {
			var config inspector.Config
			newRig(b, func(c *inspector.Config) { config = *c })
			dir, there := benchDir(b, count)
			if !there {
				benchRecord(b, dir, config, count)
			}
			info, err := os.Stat(filepath.Join(dir, "hookrange.db"))
			if err != nil {
				b.Fatal(err)
			}
			var s *store.Store
			var opened time.Duration
			once(b, "open", func(b *testing.B) {
				b.Helper()
				began := time.Now()
				s = benchStore(b, config, store.Config{Dir: dir}, true)
				opened = time.Since(began)
			}, func(b *testing.B) {
				b.Helper()
				b.ReportMetric(opened.Seconds()*1000, "ms")
				b.ReportMetric(float64(info.Size())/float64(count), "bytes/capture")
			})
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			// Opened so that the file is checked before and not meanwhile, as it is only after a start.
			s = benchStore(b, config, store.Config{Dir: dir, CheckTime: time.Hour}, true)
			benchIndexed(b, s)
			r := newRig(b, func(c *inspector.Config) { c.Store = s })
			benchFinds(b, r, s, count)
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// benchDir returns the folder for a file of so many captures, and whether a whole one is there. HOOKRANGE_BENCH_DATA names
// a folder that keeps such files from run to run: the large one takes minutes to make.
func benchDir(b *testing.B, count uint64) (dir string, there bool) {
	b.Helper()
	kept := os.Getenv("HOOKRANGE_BENCH_DATA")
	if kept == "" {
		return b.TempDir(), false
	}
	dir = filepath.Join(kept, strconv.FormatUint(count, 10))
	_, err := os.Stat(filepath.Join(dir, benchWhole))
	if there = err == nil; !there {
		if err := os.RemoveAll(dir); err != nil {
			b.Fatal(err)
		}
	}
	return dir, there
}

// benchWhole is the name of the file that tells that a kept folder was filled to the end.
const benchWhole = "whole"

// benchRecord makes a file of so many captures.
func benchRecord(b *testing.B, dir string, config inspector.Config, count uint64) {
	b.Helper()
	s := benchStore(b, config, store.Config{Dir: dir}, true)
	benchSettle(b, s)
	var recorded, indexed time.Duration
	once(b, "record", func(b *testing.B) {
		b.Helper()
		began := time.Now()
		benchFill(b, s, count, benchCapture)
		recorded = time.Since(began)
		benchIndexed(b, s)
		indexed = time.Since(began)
	}, func(b *testing.B) {
		b.Helper()
		b.ReportMetric(float64(count)/recorded.Seconds(), "captures/s")
		b.ReportMetric(float64(count)/indexed.Seconds(), "indexed/s")
	})
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, benchWhole), nil, 0o600); err != nil {
		b.Fatal(err)
	}
}

// once does what a benchmark can do only once, and reports it however often it is called.
func once(b *testing.B, name string, do, report func(b *testing.B)) {
	b.Helper()
	done := false
	b.Run(name, func(b *testing.B) {
		if !done {
			do(b)
			done = true
		}
		report(b)
	})
}

// benchSome returns captures from all over the file, the same in each run: each request is for another one, as people's are.
func benchSome(b *testing.B, s *store.Store) []webhook.Capture {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	var some []webhook.Capture
	for range 2000 {
		found, err := s.Captures(b.Context(), webhook.Query{Limit: 1, Before: s.Last()/20 + webhook.Seq(r.Int64N(int64(s.Last())*19/20))})
		if err != nil || len(found) == 0 {
			b.Fatal(err, len(found))
		}
		some = append(some, found...)
	}
	return some
}

func benchFinds(b *testing.B, r *rig, s *store.Store, count uint64) {
	b.Helper()
	const one = "/api/v1/endpoints/e07/captures?"
	some := benchSome(b, s)
	at := func(i int) *webhook.Capture { return &some[i%len(some)] }
	// The oldest capture of e07 is what only a whole search finds.
	var body struct {
		Rule string `json:"rule_id"`
	}
	if err := json.Unmarshal(benchBody(7), &body); err != nil {
		b.Fatal(err)
	}
	same := func(path string) func(int) string { return func(int) string { return path } }
	q := func(text string) func(int) string { return same(one + "limit=50&q=" + url.QueryEscape(text)) }
	for _, c := range []struct {
		name string
		path func(i int) string
	}{
		{"list", func(i int) string { return "/api/v1/endpoints/" + benchEndpoint(uint64(i)) + "/captures?limit=50" }},
		{"jump", func(i int) string {
			return "/api/v1/endpoints/" + at(i).Endpoint + "/captures?limit=50&until=" + url.QueryEscape(at(i).ReceivedAt.Format(time.RFC3339Nano))
		}},
		{"get", func(i int) string { return fmt.Sprintf("/api/v1/endpoints/%s/captures/%d", at(i).Endpoint, at(i).Seq) }},
		{"deliveries", same("/api/v1/endpoints/e07/deliveries?limit=50")},
		{"class", same(one + "limit=50&class=rejected")},
		{"class-everywhere", same("/api/v1/captures?limit=50&class=incomplete")},
		{"search-rare", q(body.Rule)},
		{"search-rare-everywhere", same("/api/v1/captures?limit=50&q=" + url.QueryEscape(body.Rule))},
		{"search-rare-field", q("body.rule_id:" + body.Rule[:13] + "*")},
		{"search-frequent", q("weather")},
		{"search-field", q("body.runs.0.status:error")},
		{"search-header", q("header.x-number:n7n")},
		{"search-status", q("status:401")},
		{"search-short", q("zq")},
		{"search-nothing", q("nothing-has-this")},
		{"search-nothing-likely", q(`"the refund of my invoice was found"`)},
		{"search-nothing-everywhere", same("/api/v1/captures?limit=50&q=nothing-has-this")},
		{"search-nothing-field", q("body.runs.0.status:pending")},
	} {
		benchAsk(b, r, c.name, c.path)
	}
	// Who may not see secrets searches what is masked for them, without the index.
	viewer := r.token(b, "viewer", webhook.RoleView, "e07")
	for _, c := range []struct{ name, q string }{
		{"viewer-frequent", "weather"},
		{"viewer-field", "body.runs.0.status:error"},
		{"viewer-status", "status:401"},
		{"viewer-nothing", "nothing-has-this"},
	} {
		benchAsk(b, r, c.name, q(c.q), by(viewer.Key))
	}
	if a := r.call(b, http.MethodDelete, "/api/v1/tokens/"+viewer.ID, ""); a.StatusCode != http.StatusNoContent {
		b.Fatal(a.StatusCode, string(a.text))
	}
}

// benchAsk asks for one path after the other, and reports how long half and nearly all of the answers took at most.
func benchAsk(b *testing.B, r *rig, name string, path func(i int) string, changes ...change) {
	b.Helper()
	b.Run(name, func(b *testing.B) {
		var took []time.Duration
		complete, found := true, 0
		for b.Loop() {
			began := time.Now()
			a := r.call(b, http.MethodGet, path(len(took)), "", changes...)
			took = append(took, time.Since(began))
			if a.StatusCode != http.StatusOK {
				b.Fatal(a.StatusCode, string(a.text))
			}
			var page api.Captures
			if json.Unmarshal(a.text, &page) == nil && page.Captures != nil {
				complete, found = page.Complete, len(page.Captures)
			}
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-p50")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
		b.ReportMetric(float64(found), "found")
		if !complete {
			b.Log("the answer says that it is partial")
		}
	})
}

// BenchmarkMark makes the marks of a capture, as the index does after each.
func BenchmarkMark(b *testing.B) {
	var config inspector.Config
	newRig(b, func(c *inspector.Config) { config = *c })
	m := inspector.Marker{Decode: config.Decode, Describe: config.Describe}
	c := benchCapture(7)
	for b.Loop() {
		if _, err := m.Mark(c); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIndexCost records captures, each with the commit waited for, with a search index and without, and then tells
// how large the file is. The index is made beside it, and rests while captures come in such numbers.
func BenchmarkIndexCost(b *testing.B) {
	const count, kinds = 50_000, 4096
	var config inspector.Config
	newRig(b, func(c *inspector.Config) { config = *c })
	var made [kinds]*webhook.Capture
	for n := range made {
		made[n] = benchCapture(uint64(n))
	}
	for _, indexed := range []bool{false, true, false, true} {
		dir := b.TempDir()
		s := benchStore(b, config, store.Config{Dir: dir}, indexed)
		benchSettle(b, s)
		var recorded time.Duration
		var size int64
		once(b, fmt.Sprintf("index=%t", indexed), func(b *testing.B) {
			b.Helper()
			began := time.Now()
			benchFill(b, s, count, func(n uint64) *webhook.Capture {
				c := *made[n%kinds]
				return &c
			})
			recorded = time.Since(began)
			if indexed {
				benchIndexed(b, s)
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			info, err := os.Stat(filepath.Join(dir, "hookrange.db"))
			if err != nil {
				b.Fatal(err)
			}
			size = info.Size()
		}, func(b *testing.B) {
			b.Helper()
			b.ReportMetric(count/recorded.Seconds(), "captures/s")
			b.ReportMetric(float64(size)/count, "bytes/capture")
		})
	}
}
