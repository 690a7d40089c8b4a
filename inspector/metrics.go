package inspector

import (
	"bytes"
	"cmp"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/hookrange/hookrange/receiver/meter"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// serverMetrics counts requests by route and status. Its labels come from the router and net/http only, so
// their number is bounded.
type serverMetrics struct {
	requests, denied *meter.Counters
	seconds          *meter.Summaries
}

func newServerMetrics(s *Server) *serverMetrics {
	set := s.cfg.Set
	last := func() int64 { return int64(s.store.Last()) }
	set.Gauge("hookrange_last_seq", "Seq of the newest fact.", func() float64 { return float64(last()) })
	set.Gauge("hookrange_live_sockets", "Live sockets.", func() float64 {
		count, _ := s.sockets.behind(0)
		return float64(count)
	})
	set.Gauge("hookrange_live_lag_facts", "Facts by which the slowest live socket is behind.", func() float64 {
		_, lag := s.sockets.behind(last())
		return float64(lag)
	})
	return &serverMetrics{
		requests: set.Counters("hookrange_inspector_requests_total", "Calls of the inspector, by route, method and status.", "route", "method", "status"),
		denied:   set.Counters("hookrange_inspector_denied_total", "Calls of the inspector that were refused, by reason.", "reason"),
		seconds:  set.Summaries("hookrange_inspector_request_seconds", "Time that calls of the inspector took, by route.", "route"),
	}
}

func (m *serverMetrics) observe(x *exchange, method string, took time.Duration) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		method = "other"
	}
	m.requests.With(x.route, method, strconv.Itoa(cmp.Or(x.status, http.StatusOK))).Inc()
	if x.route != "live" && x.route != "wait" {
		m.seconds.With(x.route).Observe(took.Seconds())
	}
}

// getMetrics writes the inspector's metrics, the captures kept by endpoint and class, and what the program adds.
func (s *Server) getMetrics(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	var kept []meter.Sample
	for _, ep := range s.store.Endpoints() {
		counts, err := s.store.Counts(r.Context(), ep.Name)
		if err != nil {
			return err
		}
		for _, class := range []webhook.Class{webhook.Accepted, webhook.Rejected, webhook.Incomplete} {
			kept = append(kept, meter.Sample{Labels: []string{ep.Name, string(class)}, Value: float64(counts[class])})
		}
	}
	about := meter.Family{
		Name: "hookrange_captures_kept", Help: "Captures in the store, by endpoint and class.", Kind: meter.GaugeKind,
		Labels: []string{"endpoint", "class"},
	}
	var text bytes.Buffer
	if err := errors.Join(s.cfg.Set.Write(&text), about.Write(&text, kept), s.cfg.Metrics(&text)); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(text.Bytes()) // a scraper that is gone needs no rest
	return nil
}

func readiness(err error) string {
	if err == nil {
		return "the server is shutting down"
	}
	return "the store cannot accept captures"
}
