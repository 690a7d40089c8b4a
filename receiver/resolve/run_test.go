package resolve_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver/resolve"
	"github.com/hookrange/hookrange/receiver/resolve/egress"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// script is a Client that answers from a function and keeps when it was asked for what.
type script struct {
	real  *egress.Client
	get   func(ctx context.Context, url string, n int) (*egress.Response, error)
	start time.Time

	mu    sync.Mutex
	asked []string
	at    []time.Duration
}

func newScript(get func(ctx context.Context, url string, n int) (*egress.Response, error)) *script {
	return &script{real: egress.New(egress.Config{}), get: get, start: time.Now()}
}

func (s *script) Check(req egress.Request) error { return s.real.Check(req) }

func (s *script) Get(ctx context.Context, req egress.Request) (*egress.Response, error) {
	s.mu.Lock()
	s.asked = append(s.asked, req.URL)
	s.at = append(s.at, time.Since(s.start))
	n := len(s.asked)
	s.mu.Unlock()
	return s.get(ctx, req.URL, n)
}

func (s *script) times() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Duration(nil), s.at...)
}

func (s *script) urls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

func answer(status int) (*egress.Response, error) {
	return &egress.Response{Status: status, Header: http.Header{}, Body: []byte("{}")}, nil
}

// good is a store's URL that is signed now and valid for some time.
func good(name string, valid time.Duration) string {
	return fmt.Sprintf("https://b.s3.amazonaws.com/%s?X-Amz-Date=%s&X-Amz-Expires=%d",
		name, time.Now().UTC().Format("20060102T150405Z"), int(valid.Seconds()))
}

func config(store *memory, client resolve.Client) resolve.Config {
	return resolve.Config{
		Store: store, Bell: store, Refs: refs, Client: client, Endpoint: endpoint(webhook.FetchPolicy{}),
		Jitter: func() float64 { return 1 },
	}
}

func TestRetriesUntilItWorks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := newScript(func(_ context.Context, _ string, n int) (*egress.Response, error) {
			switch n {
			case 1:
				return answer(503)
			case 2:
				return nil, &egress.Error{Kind: egress.Timeout, Code: "timeout", Message: "slow"}
			case 3:
				return nil, &egress.Error{Kind: egress.Network, Code: "connect_failed", Message: "down"}
			case 4:
				return answer(429)
			}
			return answer(200)
		})
		store := newMemory()
		store.record("inputs " + good("k", time.Hour))
		stop := run(t, config(store, client))
		o := store.settled(t, 1)["inputs"]
		stop()
		if diff := cmp.Diff(outcome{webhook.Resolved, "", 200}, outcome{o.State, o.Code, o.Status}); diff != "" || o.Tries != 5 {
			t.Errorf("after %d tries (-want +got):\n%s", o.Tries, diff)
		}
		want := []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second}
		if diff := cmp.Diff(want, client.times()); diff != "" {
			t.Errorf("times (-want +got):\n%s", diff)
		}
	})
}

func TestTriesRunOut(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		valid   time.Duration
		tries   int
		message string
	}{
		"eight tries":      {time.Hour, 8, "the object store could not serve the object; given up after 8 tries"},
		"until it expires": {10 * time.Second, 4, "the object store could not serve the object; given up after 4 tries"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := newScript(func(context.Context, string, int) (*egress.Response, error) { return answer(500) })
				store := newMemory()
				store.record("inputs " + good("k", tt.valid))
				stop := run(t, config(store, client))
				o := store.settled(t, 1)["inputs"]
				stop()
				if o.State != webhook.Failed || o.Tries != tt.tries || o.Code != "http_500" || o.Message != tt.message {
					t.Errorf("%s after %d tries: %s, %s", o.State, o.Tries, o.Code, o.Message)
				}
			})
		})
	}
}

func TestRetryAfterIsHeeded(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"30": 30 * time.Second, "99999": time.Minute, "-1": time.Second, "soon": time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			client := newScript(func(_ context.Context, _ string, n int) (*egress.Response, error) {
				if n == 1 {
					return &egress.Response{Status: 503, Header: http.Header{"Retry-After": {value}}}, nil
				}
				return answer(200)
			})
			store := newMemory()
			store.record("inputs " + good("k", time.Hour))
			stop := run(t, config(store, client))
			store.settled(t, 1)
			stop()
			if diff := cmp.Diff([]time.Duration{0, want}, client.times()); diff != "" {
				t.Errorf("Retry-After %s (-want +got):\n%s", value, diff)
			}
		})
	}
}

func TestSoonestExpiryFirstAndEightInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		busy, most := 0, 0
		client := newScript(func(context.Context, string, int) (*egress.Response, error) {
			mu.Lock()
			busy++
			most = max(most, busy)
			mu.Unlock()
			<-time.After(time.Second)
			mu.Lock()
			busy--
			mu.Unlock()
			return answer(200)
		})
		store := newMemory()
		const n = 40
		var body strings.Builder
		for i := range n {
			fmt.Fprintf(&body, "o%d %s\n", i, good(fmt.Sprintf("k%02d", n-1-i), time.Duration(n-i)*time.Minute))
		}
		store.record(body.String())
		stop := run(t, config(store, client))
		objects := store.settled(t, n)
		stop()
		for name, o := range objects {
			if o.State != webhook.Resolved || o.Tries != 1 {
				t.Errorf("%s: %s after %d tries", name, o.State, o.Tries)
			}
		}
		if most != 8 {
			t.Errorf("%d in flight at most, want 8", most)
		}
		// Within a wave of eight any order will do.
		for i, url := range client.urls() {
			var k int
			_, _ = fmt.Sscanf(url, "https://b.s3.amazonaws.com/k%02d", &k)
			if k/8 != i/8 {
				t.Errorf("fetch %d was object %d", i, k)
			}
		}
		if took := time.Since(client.start); took < 5*time.Second || took > 6*time.Second {
			t.Errorf("took %v, want 5 waves of 1s", took)
		}
	})
}

func TestKnownWithoutFetching(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := newScript(func(context.Context, string, int) (*egress.Response, error) { return answer(200) })
		client.start = time.Now()
		old := good("k", time.Minute)
		<-time.After(time.Minute)
		store := newMemory()
		store.record("old " + old + "\nhost https://evil.test/k\nplain http://b.s3.amazonaws.com/k\nrelative /d?jwt=x\n" +
			"old " + good("again", time.Hour))
		store.recordAs(webhook.Rejected, "rejected "+good("k", time.Hour))
		store.recordAs(webhook.Incomplete, "incomplete "+good("k", time.Hour))
		stop := run(t, config(store, client))
		want := map[string]outcome{
			"old":      {webhook.Expired, "url_expired", 0},
			"host":     {webhook.Blocked, "host_not_allowed", 0},
			"plain":    {webhook.Blocked, "scheme_not_allowed", 0},
			"relative": {webhook.Blocked, "base_url_missing", 0},
		}
		if diff := cmp.Diff(want, outcomes(store.settled(t, 4))); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		stop()
		if store.settles != 0 || len(client.urls()) != 0 {
			t.Errorf("%d settles, %d fetches, want none", store.settles, len(client.urls()))
		}
		off := newMemory()
		off.record("inputs " + good("k", time.Hour))
		cfg := config(off, client)
		cfg.Endpoint = endpoint(webhook.FetchPolicy{Off: true})
		stop = run(t, cfg)
		if o := off.settled(t, 1)["inputs"]; o.State != webhook.Blocked || o.Code != "fetch_off" {
			t.Errorf("fetch off: %s %s", o.State, o.Code)
		}
		stop()
	})
}

func TestRestartTakesUpWhereItStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := newScript(func(ctx context.Context, url string, _ int) (*egress.Response, error) {
			if strings.Contains(url, "retried") {
				return answer(503)
			}
			<-ctx.Done()
			return nil, ctx.Err()
		})
		store := newMemory()
		store.record("hung " + good("hung", time.Hour) + "\nretried " + good("retried", time.Hour) +
			"\nlate " + good("late", 30*time.Second))
		stop := run(t, config(store, hang))
		synctest.Wait()
		stop()
		if o := store.all()["hung"]; o.State != webhook.Pending || o.Tries != 0 {
			t.Errorf("stopped in flight: %s after %d tries, want pending after 0", o.State, o.Tries)
		}
		<-time.After(time.Minute)
		client := newScript(func(context.Context, string, int) (*egress.Response, error) { return answer(200) })
		stop = run(t, config(store, client))
		objects := store.settled(t, 3)
		stop()
		want := map[string]outcome{
			"hung": {webhook.Resolved, "", 200}, "retried": {webhook.Resolved, "", 200}, "late": {webhook.Expired, "url_expired", 0},
		}
		if diff := cmp.Diff(want, outcomes(objects)); diff != "" || objects["retried"].Tries != 2 {
			t.Errorf("outcomes, tries %d (-want +got):\n%s", objects["retried"].Tries, diff)
		}
	})
}

func TestPanicsCostOneCapture(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := newScript(func(_ context.Context, url string, _ int) (*egress.Response, error) {
			if strings.Contains(url, "poison") {
				panic("secret in a panic")
			}
			return answer(200)
		})
		store := newMemory()
		poison := store.record("poison")
		store.record("bad " + good("poison", time.Hour) + "\nfine " + good("fine", time.Hour))
		cfg := config(store, client)
		cfg.Refs = func(c *webhook.Capture) []webhook.Ref {
			if string(c.Request.Body) == "poison" {
				panic("secret in a panic")
			}
			return refs(c)
		}
		var log bytes.Buffer
		cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
		stop := run(t, cfg)
		objects := store.settled(t, 2)
		stop()
		want := map[string]outcome{"bad": {webhook.Failed, "internal", 0}, "fine": {webhook.Resolved, "", 200}}
		if diff := cmp.Diff(want, outcomes(objects)); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		if !store.planned[poison] || strings.Count(log.String(), "panicked") != 2 || strings.Contains(log.String(), "secret") {
			t.Errorf("planned %v, log:\n%s", store.planned[poison], log.String())
		}
	})
}

func TestStoreThatDoesNotTakeAResult(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := newScript(func(context.Context, string, int) (*egress.Response, error) { return answer(200) })
		store := newMemory()
		store.refuse = func(o webhook.Object) error {
			if time.Since(client.start) < time.Minute {
				return fmt.Errorf("settle %s: %w", o.Name, webhook.ErrUnavailable)
			}
			return nil
		}
		store.record("unwritten " + good("unwritten", time.Hour))
		stop := run(t, config(store, client))
		if o := store.settled(t, 1)["unwritten"]; o.State != webhook.Resolved {
			t.Errorf("state %s, want resolved", o.State)
		}
		if diff := cmp.Diff([]time.Duration{0, 30 * time.Second, time.Minute}, client.times()); diff != "" {
			t.Errorf("times (-want +got):\n%s", diff)
		}
		stop()
	})
}

func TestCaptureDeletedInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		client := newScript(func(_ context.Context, _ string, n int) (*egress.Response, error) {
			if n == 1 {
				store.mu.Lock()
				defer store.mu.Unlock()
				store.objects = nil
			}
			return answer(200)
		})
		store.record("deleted " + good("k", time.Hour))
		cfg := config(store, client)
		var log bytes.Buffer
		cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
		stop := run(t, cfg)
		synctest.Wait()
		store.record("next " + good("k", time.Hour))
		objects := store.settled(t, 1)
		stop()
		if objects["next"].State != webhook.Resolved || len(objects) != 1 || log.Len() != 0 {
			t.Errorf("objects %v, log:\n%s", outcomes(objects), log.String())
		}
	})
}

func TestEndpointIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := newScript(func(context.Context, string, int) (*egress.Response, error) { return answer(200) })
		store := newMemory()
		store.record("inputs " + good("k", time.Hour))
		cfg := config(store, client)
		cfg.Endpoint = func(string) (*webhook.Endpoint, error) { return nil, fmt.Errorf("endpoint: %w", webhook.ErrNotFound) }
		stop := run(t, cfg)
		o := store.settled(t, 1)["inputs"]
		stop()
		if o.State != webhook.Blocked || o.Code != "endpoint_deleted" || len(client.urls()) != 0 {
			t.Errorf("%s %s after %d fetches", o.State, o.Code, len(client.urls()))
		}
	})
}

func TestManyCapturesAndABellThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := newScript(func(context.Context, string, int) (*egress.Response, error) { return answer(200) })
		store := newMemory()
		cfg := config(store, client)
		cfg.Bell = silent{}
		stop := run(t, cfg)
		synctest.Wait()
		const n = 100
		for i := range n {
			store.record(fmt.Sprintf("o%d %s", i, good("k", time.Hour)))
		}
		store.settled(t, n)
		if took := time.Since(client.start); took != 5*time.Second {
			t.Errorf("found after %v, want by the poll after 5s", took)
		}
		stop()
	})
}

// silent is a Bell that is broken.
type silent struct{}

func (silent) Wait(context.Context, webhook.Seq) (webhook.Seq, error) {
	return 0, errors.New("no bell")
}
