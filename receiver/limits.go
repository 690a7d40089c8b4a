package receiver

import (
	"fmt"
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

// counts are the edge's metrics.
type counts struct {
	captures                        map[webhook.Class]*metrics.Counter
	unknown, overloaded, refusedNow *metrics.Counter
	clientRate, endpointRate        *metrics.Counter
	seconds                         *metrics.Summary
}

func newCounts(set *metrics.Set, s *Server) counts {
	c := counts{
		captures:     map[webhook.Class]*metrics.Counter{},
		unknown:      set.NewCounter(`hookrange_unknown_endpoint_total`),
		overloaded:   set.NewCounter(`hookrange_not_recorded_total{reason="overloaded"}`),
		refusedNow:   set.NewCounter(`hookrange_not_recorded_total{reason="unavailable"}`),
		clientRate:   set.NewCounter(`hookrange_not_recorded_total{reason="client_rate"}`),
		endpointRate: set.NewCounter(`hookrange_not_recorded_total{reason="endpoint_rate"}`),
		seconds:      set.NewSummary(`hookrange_record_seconds`),
	}
	for _, class := range []webhook.Class{webhook.Accepted, webhook.Rejected, webhook.Incomplete} {
		c.captures[class] = set.NewCounter(fmt.Sprintf(`hookrange_captures_total{class=%q}`, class))
	}
	set.NewGauge(`hookrange_waiting_answers`, func() float64 { return float64(s.waiting.held.Load()) })
	set.NewGauge(`hookrange_body_bytes_in_flight`, func() float64 { return float64(s.bodies.held.Load()) })
	return c
}
