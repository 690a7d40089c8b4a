package store_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// benchCapture is a POST of 2 KB as a LangSmith rule sends it.
func benchCapture(s *store.Store, n uint64, body []byte, sum [32]byte) *webhook.Capture {
	c := capture(s.Arrive("hook", deliveryKey(n), true, start), "")
	c.Plan = webhook.Plan{Text: "200", Status: 200}
	c.Request.TLS = nil
	c.Request.Head = benchHead
	c.Request.Body, c.Request.BodySHA256, c.Request.BodySize = body, sum, int64(len(body))
	return c
}

var benchHead = []byte("POST /hooks/hook?secret=0123456789abcdef HTTP/1.1\r\nHost: hooks.example.com\r\n" +
	"User-Agent: python-httpx/0.28.1\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\nContent-Type: application/json\r\n" +
	"Content-Length: 2048\r\nConnection: keep-alive\r\nX-Trace: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n")

// BenchmarkRecord measures captures on disk, each with the commit waited for and its outcome, at several numbers of
// writers in a closed loop. The data folder is on TMPDIR's disk.
func BenchmarkRecord(b *testing.B) {
	for _, writers := range []int{1, 64, 256} {
		for _, full := range []bool{false, true} {
			quota := webhook.Quota{Count: -1, Bytes: -1, Age: -1}
			name := fmt.Sprintf("writers=%d", writers)
			if full {
				quota.Count = 2000
				name += "/full-lane"
			}
			b.Run(name, func(b *testing.B) { benchRecord(b, writers, quota) })
		}
	}
}

func benchRecord(b *testing.B, writers int, quota webhook.Quota) {
	b.Helper()
	s := open(b, store.Config{})
	endpoint(b, s, webhook.Endpoint{Name: "hook", Retention: webhook.Retention{Accepted: quota}})
	b.ResetTimer()
	fill(b, s, writers, b.N)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "captures/s")
}

// BenchmarkRecordBeside measures captures on disk, from 64 writers, beside those that are there already, and how many bytes
// of the file each of these takes.
func BenchmarkRecordBeside(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint("captures=", n), func(b *testing.B) {
			dir := b.TempDir()
			if err := filled(b, dir, n).Close(); err != nil {
				b.Fatal(err)
			}
			file, err := os.Stat(filepath.Join(dir, "hookrange.db"))
			if err != nil {
				b.Fatal(err)
			}
			// Checked before, not meanwhile.
			s := open(b, store.Config{Dir: dir, CheckTime: time.Hour})
			b.Run("more", func(b *testing.B) {
				fill(b, s, 64, b.N)
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "captures/s")
				b.ReportMetric(float64(file.Size())/float64(n), "bytes/capture")
			})
		})
	}
}

// fill records n captures of 2 KB at the endpoint "hook", each of a delivery of its own and with its outcome.
func fill(b *testing.B, s *store.Store, writers, n int) {
	b.Helper()
	body := []byte(strings.Repeat("x", 2048))
	sum := sha256.Sum256(body)
	var next atomic.Int64
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				ticket, err := s.Record(b.Context(), benchCapture(s, keys.Add(1), body, sum), false)
				if err == nil {
					err = s.Finish(b.Context(), ticket, webhook.Outcome{Status: 200, Bytes: 100, FirstByte: new(time.Millisecond), Done: new(time.Millisecond)})
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

// keys keeps any two captures of fill from being one delivery's.
var keys atomic.Uint64

// filled returns a store with n captures of 2 KB and outcomes.
func filled(b *testing.B, dir string, n int) *store.Store {
	b.Helper()
	s := open(b, store.Config{Dir: dir})
	unbounded := webhook.Quota{Count: -1, Bytes: -1, Age: -1}
	_, err := s.SaveEndpoint(b.Context(), webhook.Endpoint{Name: "hook", Retention: webhook.Retention{Accepted: unbounded}}, false)
	if err != nil {
		b.Fatal(err)
	}
	fill(b, s, 1000, n)
	return s
}

// BenchmarkList reads a page of 50 captures: the newest, and one from the middle.
func BenchmarkList(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint("captures=", n), func(b *testing.B) {
			s := filled(b, b.TempDir(), n)
			for name, before := range map[string]webhook.Seq{"newest": 0, "middle": s.Last() / 2} {
				b.Run(name, func(b *testing.B) {
					for b.Loop() {
						found, err := s.Captures(b.Context(), webhook.Query{Endpoint: "hook", Limit: 50, Before: before})
						if err != nil || len(found) != 50 {
							b.Fatal(len(found), err)
						}
					}
				})
			}
			b.Run("deliveries", func(b *testing.B) {
				for b.Loop() {
					found, err := s.Deliveries(b.Context(), "hook", 0, 50)
					if err != nil || len(found) != 50 {
						b.Fatal(len(found), err)
					}
				}
			})
		})
	}
}

// BenchmarkFacts reads all facts of a store in pages, and the last ones as a live watcher does.
func BenchmarkFacts(b *testing.B) {
	s := filled(b, b.TempDir(), 10_000)
	b.Run("all", func(b *testing.B) {
		count := 0
		for b.Loop() {
			for after := webhook.Seq(0); ; {
				facts, err := s.Facts(b.Context(), after, 500)
				if err != nil {
					b.Fatal(err)
				}
				if len(facts) == 0 {
					break
				}
				count += len(facts)
				after = facts[len(facts)-1].Seq
			}
		}
		b.ReportMetric(float64(count)/b.Elapsed().Seconds(), "facts/s")
	})
	b.Run("last", func(b *testing.B) {
		for b.Loop() {
			if facts, err := s.Facts(b.Context(), s.Last()-2, 500); err != nil || len(facts) != 2 {
				b.Fatal(len(facts), err)
			}
		}
	})
}

// BenchmarkOpen opens and closes a folder with 100 000 captures, all within the delivery window.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	if err := filled(b, dir, 100_000).Close(); err != nil {
		b.Fatal(err)
	}
	clock := func() time.Time { return start }
	for b.Loop() {
		s, err := store.Open(b.Context(), store.Config{Dir: dir, Now: clock})
		if err != nil {
			b.Fatal(err)
		}
		if n := s.Known(); n != 100_000 {
			b.Fatalf("%d deliveries are known", n)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
