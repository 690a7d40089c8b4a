package inspector

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
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
	var own bytes.Buffer
	s.metrics.set.WritePrometheus(&own)
	writeCounts(&own, counts)
	writeDescribed(w, own.String())
	s.cfg.Metrics(w)
	return nil
}

// writeDescribed writes samples with the type of each metric before its first one, and what it is. The library writes
// no types of its own here: it calls the quantiles of a summary a type that Prometheus does not know.
func writeDescribed(w io.Writer, samples string) {
	before := ""
	for line := range strings.Lines(samples) {
		name := line[:strings.IndexAny(line+" ", "{ ")]
		for _, end := range []string{"_sum", "_count"} {
			name = strings.TrimSuffix(name, end)
		}
		if name != before {
			before = name
			if kind, help := describedAs(name); kind != "" {
				fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
			}
		}
		_, _ = io.WriteString(w, line) // a scraper that is gone needs no rest
	}
}

func describedAs(name string) (kind, help string) {
	switch name {
	case "hookrange_body_bytes_in_flight":
		return "gauge", "Bytes of bodies that are being received."
	case "hookrange_captures_total":
		return "counter", "Captures recorded, by class."
	case "hookrange_captures_kept":
		return "gauge", "Captures in the store, by endpoint and class."
	case "hookrange_inspector_denied_total":
		return "counter", "Calls of the inspector that were refused, by reason."
	case "hookrange_inspector_request_seconds":
		return "summary", "Time that calls of the inspector took, by route."
	case "hookrange_inspector_requests_total":
		return "counter", "Calls of the inspector, by route, method and status."
	case "hookrange_last_seq":
		return "gauge", "Seq of the newest fact."
	case "hookrange_live_lag_facts":
		return "gauge", "Facts by which the slowest live socket is behind."
	case "hookrange_live_sockets":
		return "gauge", "Live sockets."
	case "hookrange_not_recorded_total":
		return "counter", "Webhooks that were refused without a capture, by reason."
	case "hookrange_record_seconds":
		return "summary", "Time from a whole webhook to its commit."
	case "hookrange_unknown_endpoint_total":
		return "counter", "Requests for endpoints that are not there."
	case "hookrange_waiting_answers":
		return "gauge", "Answers that wait, as their plans say."
	default:
		return "", ""
	}
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
