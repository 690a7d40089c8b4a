package receiver

import (
	"io"
	"sync/atomic"

	"github.com/hookrange/hookrange/receiver/meter"
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

// counted is a body whose bytes count among all that are in flight: those that were announced from the start, others from
// when they are read. Who does not say how much will come takes no more room than what has come.
type counted struct {
	io.ReadCloser
	all        *counter
	held, read int64
	// full tells that there was no room for what came.
	full bool
}

func (b *counted) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	if more := b.read - b.held; more > 0 {
		if !b.all.take(more) {
			b.full = true
			return 0, webhook.ErrOverloaded
		}
		b.held += more
	}
	return n, err
}

func (b *counted) give() { b.all.give(b.held) }

// counts are the edge's metrics.
type counts struct {
	captures                        map[webhook.Class]*meter.Counter
	unknown, overloaded, refusedNow *meter.Counter
	clientRate, endpointRate        *meter.Counter
	seconds                         *meter.Summary
}

func newCounts(set *meter.Set, s *Server) counts {
	lost := set.Counters("hookrange_not_recorded_total", "Webhooks that were refused without a capture, by reason.", "reason")
	c := counts{
		captures:     map[webhook.Class]*meter.Counter{},
		unknown:      set.Counter("hookrange_unknown_endpoint_total", "Requests for endpoints that are not there."),
		overloaded:   lost.With("overloaded"),
		refusedNow:   lost.With("unavailable"),
		clientRate:   lost.With("client_rate"),
		endpointRate: lost.With("endpoint_rate"),
		seconds:      set.Summary("hookrange_record_seconds", "Time from a whole webhook to its commit."),
	}
	captures := set.Counters("hookrange_captures_total", "Captures recorded, by class.", "class")
	for _, class := range []webhook.Class{webhook.Accepted, webhook.Rejected, webhook.Incomplete} {
		c.captures[class] = captures.With(string(class))
	}
	set.Gauge("hookrange_waiting_answers", "Answers that wait, as their plans say.",
		func() float64 { return float64(s.waiting.held.Load()) })
	set.Gauge("hookrange_body_bytes_in_flight", "Bytes of bodies that are being received.",
		func() float64 { return float64(s.bodies.held.Load()) })
	return c
}
