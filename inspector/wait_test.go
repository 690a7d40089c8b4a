package inspector_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookrange/hookrange/inspector"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/live"
	"github.com/hookrange/hookrange/receiver/secret"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const waits = "/api/v1/endpoints/default/wait"

func TestWaitCountsWhatIsThere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	first := r.capture(t, "default", runBody)
	r.capture(t, "default", runBody)
	r.capture(t, "default", "", func(c *webhook.Capture) {
		c.Class, c.Reason, c.Request.Method = webhook.Rejected, webhook.SecretWrong, "PUT"
		c.Request.Target = "/hooks/default/x?n=1&n=2"
		c.Request.Head = []byte("PUT /hooks/default/x?n=1&n=2 HTTP/1.1\r\nX-Event: deploy\r\n\r\n")
	})
	r.settled(t)
	after := fmt.Sprint(first.Seq)
	for name, tc := range map[string]struct {
		query  url.Values
		status int
		count  int
	}{
		"one":              {url.Values{}, 200, 1},
		"two":              {url.Values{"count": {"2"}}, 200, 2},
		"only accepted":    {url.Values{"count": {"3"}}, 408, 2},
		"every class":      {url.Values{"count": {"3"}, "class": {"accepted,rejected"}}, 200, 3},
		"after":            {url.Values{"count": {"2"}, "after": {after}}, 408, 1},
		"from now":         {url.Values{"after": {"now"}}, 408, 0},
		"none, but some":   {url.Values{"none": {"true"}}, 408, 1},
		"none of three":    {url.Values{"none": {"true"}, "count": {"3"}, "class": {"accepted"}}, 200, 2},
		"none at all":      {url.Values{"none": {"true"}, "count": {"3"}}, 408, 3},
		"by class":         {url.Values{"match": {`class == "rejected"`}}, 200, 1},
		"none from now":    {url.Values{"none": {"true"}, "after": {"now"}}, 200, 0},
		"body":             {url.Values{"match": {`body.status == "success" && attempt == 2`}}, 200, 1},
		"body member":      {url.Values{"match": {`body.nothing.at.all == 1`}}, 408, 0},
		"kind":             {url.Values{"count": {"2"}, "match": {`kind == "agent-server-run"`}}, 200, 2},
		"header and query": {url.Values{"class": {"rejected"}, "match": {`header["X-EVENT"] == "deploy" && query.n == "1" && path endsWith "/x" && method == "PUT"`}}, 200, 1},
		"text body":        {url.Values{"class": {"rejected"}, "match": {`body == ""`}}, 200, 1},
		"status":           {url.Values{"match": {`status == 503`}}, 408, 0},
	} {
		tc.query.Set("timeout", "0")
		a := r.call(t, http.MethodGet, waits+"?"+tc.query.Encode(), "")
		got := decoded[api.Wait](t, a, tc.status)
		if got.Met != (tc.status == 200) || got.Count != tc.count || len(got.Captures) != tc.count {
			t.Errorf("%s: met %v with %d, want status %d with %d", name, got.Met, got.Count, tc.status, tc.count)
		}
	}
	for _, bad := range []url.Values{
		{"match": {"1 + 1"}},
		{"match": {"colour == 1"}},
		{"match": {"(("}},
		{"match": {"all(1..9999999, # > 0)"}},
		{"match": {strings.Repeat("x", 5000)}},
		{"timeout": {"11m"}},
		{"timeout": {"-1"}},
		{"timeout": {"NaN"}},
		{"timeout": {"x"}},
		{"timeout": {"1e300"}},
		{"count": {"0"}},
		{"count": {"1001"}},
		{"after": {"x"}},
		{"class": {"x"}},
		{"none": {"x"}},
	} {
		refused(t, r.call(t, http.MethodGet, waits+"?"+bad.Encode(), ""), 400, "invalid")
	}
	refused(t, r.call(t, http.MethodGet, "/api/v1/endpoints/nobody/wait", ""), 404, "not_found")
}

func TestWaitWakesOnArrival(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	var all sync.WaitGroup
	for _, count := range []int{1, 2, 3} {
		all.Go(func() {
			a := r.call(t, http.MethodGet, fmt.Sprintf("%s?count=%d&timeout=5m", waits, count), "")
			if got := decoded[api.Wait](t, a, 200); got.Count != count {
				t.Errorf("%d came, want %d", got.Count, count)
			}
		})
	}
	for i := range 3 {
		r.capture(t, "default", fmt.Sprint(i))
	}
	all.Wait()
}

// still is a store with nothing but one endpoint and, from arrive on, one capture.
type still struct {
	inspector.Store
	mu   sync.Mutex
	list []webhook.Capture
}

func (*still) Endpoints() []*webhook.Endpoint { return nil }

func (*still) Endpoint(name string) (*webhook.Endpoint, error) {
	return &webhook.Endpoint{Name: name}, nil
}

func (s *still) Captures(_ context.Context, q webhook.Query) ([]webhook.Capture, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list[min(int(q.After), len(s.list)):], nil
}

func (s *still) Last() webhook.Seq {
	s.mu.Lock()
	defer s.mu.Unlock()
	return webhook.Seq(len(s.list))
}

func (*still) Capture(context.Context, string, webhook.Seq) (webhook.Capture, error) {
	return webhook.Capture{}, webhook.ErrNotFound
}

func (s *still) arrive(bell *live.Bell) {
	s.mu.Lock()
	s.list = append(s.list, webhook.Capture{Seq: webhook.Seq(len(s.list) + 1), Endpoint: "default", Class: webhook.Accepted})
	last := len(s.list)
	s.mu.Unlock()
	bell.Ring(webhook.Seq(last))
}

// TestWaitTakesItsTime measures long waits in a bubble, where time is exact.
func TestWaitTakesItsTime(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		query   string
		arrives time.Duration
		client  time.Duration
		close   time.Duration
		status  int
		took    time.Duration
	}{
		"default timeout":       {query: "", status: 408, took: 30 * time.Second},
		"seconds":               {query: "timeout=2.5", status: 408, took: 2500 * time.Millisecond},
		"arrives in time":       {query: "timeout=10m", arrives: 9 * time.Minute, status: 200, took: 9 * time.Minute},
		"arrives too late":      {query: "timeout=1m", arrives: 61 * time.Second, status: 408, took: time.Minute},
		"nothing came":          {query: "timeout=1m&none=true", status: 200, took: time.Minute},
		"something came":        {query: "timeout=1m&none=true", arrives: 7 * time.Second, status: 408, took: 7 * time.Second},
		"the client went":       {query: "timeout=1m", client: time.Second, status: 0, took: time.Second},
		"the server stops":      {query: "timeout=1m", close: time.Second, status: 408, took: time.Second},
		"none, and it stops":    {query: "timeout=1m&none=true", close: time.Second, status: 408, took: time.Second},
		"came before it stops":  {query: "timeout=1m", arrives: time.Second, close: 2 * time.Second, status: 200, took: time.Second},
		"fewer than it expects": {query: "timeout=1m&none=true&count=2", arrives: time.Second, status: 200, took: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, bell := &still{}, live.New()
				server, err := inspector.New(inspector.Config{
					Store: s, Bell: bell, Token: token, CheckRespond: func(string) error { return nil },
					Describe: func(*webhook.Capture) webhook.Payload { return webhook.Payload{} },
					Mask:     func(...*webhook.Endpoint) inspector.Masker { return api.Exact{} },
					Secrets: inspector.SecretTools{
						New: secret.NewSecret, Check: func(*webhook.Endpoint) error { return nil }, HookURL: secret.HookURL, Explain: secret.Explain,
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				after := func(d time.Duration, f func()) {
					if d > 0 {
						timer := time.AfterFunc(d, f)
						t.Cleanup(func() { timer.Stop() })
					}
				}
				after(tc.arrives, func() { s.arrive(bell) })
				after(tc.client, cancel)
				after(tc.close, func() { _ = server.Close(context.Background()) })
				req := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+waits+"?"+tc.query, nil)
				req.Header.Set("Authorization", "Bearer "+token)
				w := httptest.NewRecorder()
				w.Code = 0
				start := time.Now()
				server.Handler().ServeHTTP(w, req)
				if took := time.Since(start); w.Code != tc.status || took != tc.took {
					t.Errorf("answered %d after %v, want %d after %v: %s", w.Code, took, tc.status, tc.took, w.Body)
				}
			})
		})
	}
}
