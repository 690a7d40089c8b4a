package inspector

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// serverMetrics counts requests by route and status. Its labels come from the router and net/http only, so
// their number is bounded.
type serverMetrics struct {
	set *metrics.Set
}

func newServerMetrics(s *Server) *serverMetrics {
	m := &serverMetrics{set: s.cfg.Set}
	last := func() int64 { return int64(s.store.Last()) }
	m.set.NewGauge("hookrange_last_seq", func() float64 { return float64(last()) })
	m.set.NewGauge("hookrange_live_sockets", func() float64 {
		count, _ := s.sockets.behind(0)
		return float64(count)
	})
	m.set.NewGauge("hookrange_live_lag_facts", func() float64 {
		_, lag := s.sockets.behind(last())
		return float64(lag)
	})
	return m
}

func (m *serverMetrics) observe(x *exchange, method string, took time.Duration) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		method = "other"
	}
	m.set.GetOrCreateCounter(fmt.Sprintf(`hookrange_inspector_requests_total{route=%q,method=%q,status=%q}`,
		x.route, method, strconv.Itoa(cmp.Or(x.status, http.StatusOK)))).Inc()
	if x.route != "live" && x.route != "wait" {
		m.set.GetOrCreateSummary(fmt.Sprintf(`hookrange_inspector_request_seconds{route=%q}`, x.route)).Update(took.Seconds())
	}
}

// getMetrics writes the inspector's metrics, the captures kept by endpoint and class, and what the program adds.
func (s *Server) getMetrics(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	counts := map[string]map[webhook.Class]int64{}
	for _, ep := range s.store.Endpoints() {
		of, err := s.store.Counts(r.Context(), ep.Name)
		if err != nil {
			return err
		}
		counts[ep.Name] = of
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	s.metrics.set.WritePrometheus(w)
	writeCounts(w, counts)
	s.cfg.Metrics(w)
	return nil
}

func writeCounts(w io.Writer, counts map[string]map[webhook.Class]int64) {
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		for _, class := range []webhook.Class{webhook.Accepted, webhook.Rejected, webhook.Incomplete} {
			fmt.Fprintf(w, "hookrange_captures_kept{endpoint=%q,class=%q} %d\n", name, class, counts[name][class])
		}
	}
}

func readiness(err error) string {
	if err == nil {
		return "the server is shutting down"
	}
	return "the store cannot accept captures"
}
