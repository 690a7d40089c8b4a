package forward_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hookrange/hookrange/receiver/forward"
	"github.com/hookrange/hookrange/receiver/live"
	"github.com/hookrange/hookrange/receiver/relay"
	"github.com/hookrange/hookrange/receiver/secret"
	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a Forwarder over a real store, sending over real HTTP.
type rig struct {
	t         *testing.T
	dir       string
	store     *store.Store
	bell      *live.Bell
	forwarder *forward.Forwarder
	change    []func(*forward.Config)
	stop      func()
}

func newRig(t *testing.T, change ...func(*forward.Config)) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), change: change}
	r.open()
	t.Cleanup(r.close)
	return r
}

func (r *rig) open() {
	r.t.Helper()
	var err error
	r.bell = live.New()
	if r.store, err = store.Open(r.t.Context(), store.Config{Dir: r.dir, Bell: r.bell}); err != nil {
		r.t.Fatal(err)
	}
	cfg := forward.Config{
		Store: r.store, Bell: r.bell, Send: send, File: filepath.Join(r.dir, "forwards.json"),
		Match: func(_ context.Context, query string, c *webhook.Capture) (bool, error) {
			return strings.Contains(string(c.Request.Body), query), nil
		},
	}
	for _, f := range r.change {
		f(&cfg)
	}
	if r.forwarder, err = forward.New(cfg); err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.forwarder.Run(ctx) }()
	r.stop = func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			r.t.Errorf("Run ended with %v", err)
		}
	}
}

func (r *rig) close() {
	r.stop()
	if err := r.store.Close(); err != nil {
		r.t.Error(err)
	}
}

// send is a relay that tries once, and twice by the policy "twice".
func send(ctx context.Context, o webhook.Order, tell func(webhook.Replay)) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return relay.New(relay.Config{
		Sign: func(p webhook.SecretPolicy, m relay.Message, now time.Time) (relay.Message, error) {
			out, err := secret.Sign(p, secret.Signing{URL: m.URL, Header: m.Header, Body: m.Body}, now)
			return relay.Message{Method: m.Method, URL: out.URL, Header: out.Header, Body: out.Body}, err
		},
		Deliver: func(ctx context.Context, m relay.Message, policy string, tell func(webhook.Replay)) (bool, error) {
			for n := 1; ; n++ {
				try := webhook.Replay{Attempt: n, Try: 1, Start: time.Now()}
				req, err := http.NewRequestWithContext(ctx, m.Method, m.URL, strings.NewReader(string(m.Body)))
				if err != nil {
					return false, err
				}
				for _, f := range m.Header {
					req.Header.Add(f.Name, f.Value)
				}
				resp, err := client.Do(req)
				if err == nil {
					_ = resp.Body.Close()
					try.Status = resp.StatusCode
				} else {
					try.Failure = err.Error()
				}
				again := policy == "twice" && n == 1 && try.Status != http.StatusOK
				if again {
					try.NextIn = new(time.Duration)
				}
				tell(try)
				if !again {
					return try.Status == http.StatusOK, nil
				}
			}
		},
	}).Send(ctx, o, tell)
}

func (r *rig) endpoint(name string, forwards ...webhook.Forward) {
	r.t.Helper()
	_, err := r.store.Endpoint(name)
	ep := webhook.Endpoint{Name: name, Secret: webhook.SecretPolicy{Secrets: []string{"the-secret-of-the-endpoint"}}, Forwards: forwards}
	if _, err = r.store.SaveEndpoint(r.t.Context(), ep, err != nil); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) capture(endpoint, body string, change ...func(*webhook.Capture)) webhook.Seq {
	r.t.Helper()
	sum := sha256.Sum256([]byte(body))
	c := webhook.Capture{
		Endpoint: endpoint, ReceivedAt: time.Now(), Class: webhook.Accepted,
		Request: webhook.Request{
			Proto: "HTTP/1.1", Method: "POST", Target: "/hooks/" + endpoint, Head: []byte("POST / HTTP/1.1\r\nHost: a\r\nX-Kept: yes\r\n\r\n"),
			Body: []byte(body), BodySHA256: sum, BodySize: int64(len(body)), Declared: int64(len(body)),
		},
	}
	for _, f := range change {
		f(&c)
	}
	at := r.store.Arrive(endpoint, webhook.DeliveryKey{Sum: [16]byte(sum[:16]), By: "body"}, true, c.ReceivedAt)
	c.Delivery, c.Attempt = at.Delivery, at.Attempt
	ticket, err := r.store.Record(r.t.Context(), &c, false)
	if err != nil {
		r.t.Fatal(err)
	}
	return ticket.Seq
}

// state waits until a forward of an endpoint is as ok wants it.
func (r *rig) state(endpoint string, ok func(webhook.ForwardState) bool) webhook.ForwardState {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		ep, err := r.store.Endpoint(endpoint)
		if err != nil {
			r.t.Fatal(err)
		}
		state, err := r.forwarder.State(ctx, ep, &ep.Forwards[0])
		if err != nil {
			r.t.Fatal(err)
		}
		if ok(state) {
			return state
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			r.t.Fatalf("it never came to that: %+v", state)
		}
	}
}

func dealt(n int64) func(webhook.ForwardState) bool {
	return func(s webhook.ForwardState) bool { return s.Delivered+s.Failed == n }
}

// target is an app that notes what came to it.
type target struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
	heads  []http.Header
}

func newTarget(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *target {
	t.Helper()
	a := &target{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.mu.Lock()
		a.bodies, a.heads = append(a.bodies, string(body)), append(a.heads, r.Header)
		n := len(a.bodies)
		a.mu.Unlock()
		if answer != nil {
			answer(n, w, r)
		}
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *target) came() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string{}, a.bodies...)
}
