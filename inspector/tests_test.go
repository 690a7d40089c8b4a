package inspector_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hookrange/hookrange/inspector"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/result"
)

// playedTests has one manual run, "one", at endpoint default.
type playedTests struct{ over bool }

func (p *playedTests) one() api.Test {
	at := time.Date(2026, 11, 22, 1, 2, 3, 4, time.UTC)
	second := time.Second
	test := api.Test{
		ID: "one", State: api.TestPaused, Revision: 3, Input: api.TestInput{Profile: "p", Sender: "manual"}, Profile: "p", Sender: "manual",
		Started: at, Total: 2, Counts: map[string]int{"fail": 1},
		Manual: &api.TestManual{Endpoint: "default", Case: "B", Header: []api.Pair{{"X-A", "1"}}, Unmeasured: map[string]string{"C": "why"}},
		Run: &result.Run{ID: "one", Profile: "p", Sender: "manual", Started: at, Cases: []result.Case{
			{
				ID: "A", State: "ended", Started: at, Ended: at, Expected: second, Verdict: result.Fail, Lag: second,
				Requirement: result.Requirement{Quote: "q", Source: "https://example.com", Date: "2026-11-22", Level: result.Must},
				Checks:      []result.Check{{Text: "expect", Line: 1, Verdict: result.Fail, Expected: "a", Actual: "b", Reason: "c", Captures: []webhook.Seq{1}}},
				Endpoints: []result.Endpoint{{
					Name: "main", Respond: "200", Watched: second, Connections: []result.Connection{{At: at, Peer: "p", Fault: webhook.Hang}},
					Deliveries: []result.Delivery{{ID: "d", By: "body", Attempts: []result.Attempt{{
						Seq: 1, N: 2, At: at, Gap: &second, Class: webhook.Accepted, Headers: []webhook.Field{{Name: "A", Value: "b"}},
						HungUp: &second, HungUpBy: webhook.HangUpRST, FirstByte: &second, Done: &second, Status: 200, Fault: webhook.Hang,
					}}}},
				}},
			},
			{ID: "B", State: "running", Requirement: result.Requirement{Level: result.Should}},
		}},
		Captures: []api.TestCaptures{{Case: "A", Name: "main", Endpoint: "default"}},
	}
	if p.over {
		test.State, test.Ended, test.Manual, test.Verdict = api.TestCancelled, &at, nil, "fail"
	}
	return test
}

func (p *playedTests) Start(_ context.Context, in api.TestInput) (api.Test, error) {
	if in.Sender != "manual" {
		return api.Test{}, fmt.Errorf("%w: sender %q", webhook.ErrInvalid, in.Sender)
	}
	return p.one(), nil
}

func (p *playedTests) List() api.Tests {
	test := p.one()
	test.Run, test.Captures = nil, nil
	return api.Tests{Tests: []api.Test{test}, Revision: 3, Profiles: []api.TestProfile{{Name: "p", Title: "t", Cases: 2, Vars: map[string]string{"v": ""}}}, Senders: []string{"manual"}}
}

// Changed waits for a revision other than 3, which never comes.
func (*playedTests) Changed(ctx context.Context, _ string, since int64) {
	if since == 3 {
		<-ctx.Done()
	}
}

func (p *playedTests) Get(id string) (api.Test, error) {
	if id != "one" {
		return api.Test{}, fmt.Errorf("conformance run %q: %w", id, webhook.ErrNotFound)
	}
	return p.one(), nil
}

func (p *playedTests) Pause(id string, _ bool) (api.Test, error) { return p.Get(id) }

func (p *playedTests) Drop(_ context.Context, id string) (bool, error) {
	_, err := p.Get(id)
	over := p.over
	p.over = true
	return over, err
}

func (p *playedTests) Report(w io.Writer, ids []string, format string) error {
	for _, id := range ids {
		if _, err := p.Get(id); err != nil {
			return err
		}
	}
	if format == "pdf" {
		return fmt.Errorf("%w: format %q", webhook.ErrInvalid, format)
	}
	_, err := io.WriteString(w, "<h1>"+format+"</h1>")
	return err
}

func playTests(c *inspector.Config) { c.Tests = &playedTests{} }

// TestReportIsNoPage: a report that a browser could render is an attachment, and harmless even where it is shown.
func TestReportIsNoPage(t *testing.T) {
	t.Parallel()
	r := newRig(t, playTests)
	for format, media := range map[string]string{
		"html": "text/html; charset=utf-8", "json": "application/json", "junit": "application/xml", "tap": "text/plain; charset=utf-8",
		"markdown": "text/markdown; charset=utf-8", "text": "text/plain; charset=utf-8",
	} {
		a := r.call(t, http.MethodGet, "/api/v1/tests/one/report?format="+format, "")
		h := a.Header
		if a.StatusCode != http.StatusOK || string(a.text) != "<h1>"+format+"</h1>" || h.Get("Content-Type") != media {
			t.Errorf("%s: answered %d, %s: %s", format, a.StatusCode, h.Get("Content-Type"), a.text)
		}
		if !strings.HasPrefix(h.Get("Content-Disposition"), "attachment; filename=\"hookrange-one.") ||
			!strings.HasPrefix(h.Get("Content-Security-Policy"), "sandbox; default-src 'none'") || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", format, h)
		}
	}
	refused(t, r.call(t, http.MethodGet, "/api/v1/tests/one/report?format=pdf", ""), http.StatusBadRequest, "invalid")
	refused(t, r.call(t, http.MethodGet, "/api/v1/tests/two/report", ""), http.StatusNotFound, "not_found")
	refused(t, r.call(t, http.MethodGet, "/api/v1/tests/one/report?with=one&with=two", ""), http.StatusNotFound, "not_found")
	refused(t, r.call(t, http.MethodGet, "/api/v1/tests/one/report?with=one"+strings.Repeat("&with=one", 20), ""), http.StatusBadRequest, "invalid")
}

// TestManualURL: the hook URL of a manual run hides its secret until it is asked for.
func TestManualURL(t *testing.T) {
	t.Parallel()
	r := newRig(t, playTests)
	r.endpoint(t, "default")
	for path, want := range map[string]bool{"/api/v1/tests": false, "/api/v1/tests/one": false, "/api/v1/tests?reveal=1": true, "/api/v1/tests/one?reveal=1": true} {
		text := string(r.call(t, http.MethodGet, path, "").text)
		if strings.Contains(text, hooked) != want || !strings.Contains(text, base+"/hooks/default?secret=") {
			t.Errorf("%s: %s", path, text)
		}
	}
}

// TestNoTests: a server without conformance runs says so.
func TestNoTests(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	refused(t, r.call(t, http.MethodPost, "/api/v1/tests", `{"sender":"manual"}`), http.StatusNotFound, "not_found")
	if got := get[api.Tests](t, r, "/api/v1/tests"); len(got.Tests) != 0 {
		t.Errorf("runs: %+v", got)
	}
}

// TestSince: an answer is held back while nothing has changed, but not beyond the timeout.
func TestSince(t *testing.T) {
	t.Parallel()
	r := newRig(t, playTests)
	r.endpoint(t, "default")
	for _, path := range []string{"/api/v1/tests", "/api/v1/tests/one"} {
		for query, held := range map[string]bool{"": false, "?since=2": false, "?since=3&timeout=200ms": true} {
			began := time.Now()
			if a := r.call(t, http.MethodGet, path+query, ""); a.StatusCode != http.StatusOK || !strings.Contains(string(a.text), `"revision":3`) {
				t.Errorf("%s%s: %d %s", path, query, a.StatusCode, a.text)
			}
			if took := time.Since(began); held && took < 200*time.Millisecond || !held && took > 20*time.Second {
				t.Errorf("%s%s: answered after %s", path, query, took)
			}
		}
		refused(t, r.call(t, http.MethodGet, path+"?since=x", ""), http.StatusBadRequest, "invalid")
		refused(t, r.call(t, http.MethodGet, path+"?since=3&timeout=1h", ""), http.StatusBadRequest, "invalid")
	}
	refused(t, r.call(t, http.MethodGet, "/api/v1/tests/two?since=2", ""), http.StatusNotFound, "not_found")
}
