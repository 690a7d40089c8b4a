package receiver

import (
	"fmt"
	"io"
	"sync/atomic"

	"github.com/VictoriaMetrics/metrics"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// counter is a bounded sum.
type counter struct {
	limit int64
	held  atomic.Int64
}

// take adds n unless that would pass the limit.
func (c *counter) take(n int64) bool {
	if c.held.Add(n) <= c.limit {
		return true
	}
	c.held.Add(-n)
	return false
}

func (c *counter) give(n int64) { c.held.Add(-n) }

// has tells whether there is room for n now.
func (c *counter) has(n int64) bool { return c.held.Load()+n <= c.limit }

// counted is a body whose bytes count from when they are read, and not from when they are announced: what a sender only
// declares, or does not declare, takes no room from others.
type counted struct {
	io.ReadCloser
	all  *counter
	held int64
	// full tells that there was no room for what came.
	full bool
}

func (b *counted) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if !b.all.take(int64(n)) {
		b.full = true
		return 0, webhook.ErrOverloaded
	}
	b.held += int64(n)
	return n, err
}

func (b *counted) give() { b.all.give(b.held) }

// counts are the edge's metrics.
type counts struct {
	captures                        map[webhook.Class]*metrics.Counter
	unknown, overloaded, refusedNow *metrics.Counter
	seconds                         *metrics.Summary
}

func newCounts(set *metrics.Set, s *Server) counts {
	c := counts{
		captures:   map[webhook.Class]*metrics.Counter{},
		unknown:    set.NewCounter(`hookrange_unknown_endpoint_total`),
		overloaded: set.NewCounter(`hookrange_not_recorded_total{reason="overloaded"}`),
		refusedNow: set.NewCounter(`hookrange_not_recorded_total{reason="unavailable"}`),
		seconds:    set.NewSummary(`hookrange_record_seconds`),
	}
	for _, class := range []webhook.Class{webhook.Accepted, webhook.Rejected, webhook.Incomplete} {
		c.captures[class] = set.NewCounter(fmt.Sprintf(`hookrange_captures_total{class=%q}`, class))
	}
	set.NewGauge(`hookrange_waiting_answers`, func() float64 { return float64(s.waiting.held.Load()) })
	set.NewGauge(`hookrange_body_bytes_in_flight`, func() float64 { return float64(s.bodies.held.Load()) })
	return c
}
