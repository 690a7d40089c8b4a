package inspector_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hookrange/hookrange/inspector/api"
)

// BenchmarkLiveFanOut measures from before a capture is recorded until each of 190 viewers has it. The
// viewers are in this process and share its processors.
func BenchmarkLiveFanOut(b *testing.B) {
	const viewers = 190
	r := newRig(b)
	r.endpoint(b, "default")
	var ended sync.WaitGroup
	took := make(chan time.Duration, viewers)
	var began time.Time
	for range viewers {
		c := dial(b, r, "")
		c.hello(b, token)
		ended.Go(func() {
			for {
				_, text, err := c.ReadMessage()
				if err != nil {
					return
				}
				var e api.Event
				if json.Unmarshal(text, &e) == nil && e.Fact == "arrival" {
					took <- time.Since(began)
				}
			}
		})
	}
	var all []time.Duration
	for i := 0; b.Loop(); i++ {
		began = time.Now()
		r.capture(b, "default", fmt.Sprintf(`{"n":%d}`, i))
		for range viewers {
			all = append(all, <-took)
		}
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "ms-p50")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "ms-p99")
	if err := r.server.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	ended.Wait()
}

// BenchmarkList measures a page of 50 captures of 2 KB, its summaries known.
func BenchmarkList(b *testing.B) {
	r := newRig(b)
	r.endpoint(b, "default")
	for range 1000 {
		r.capture(b, "default", ruleBody)
	}
	for b.Loop() {
		if a := r.call(b, http.MethodGet, captures, ""); a.StatusCode != http.StatusOK {
			b.Fatal(a.StatusCode)
		}
	}
}
