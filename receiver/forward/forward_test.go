package forward_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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

func TestForward(t *testing.T) {
	t.Parallel()
	app := newTarget(t, nil)
	r := newRig(t)
	r.endpoint("a")
	r.capture("a", "before it was on")
	r.endpoint("a", webhook.Forward{URL: app.URL + "/x?key=k"})
	first := r.capture("a", "one")
	r.capture("a", "refused", func(c *webhook.Capture) { c.Class = webhook.Rejected })
	r.capture("a", "two")
	state := r.state("a", dealt(2))
	if diff := cmp.Diff([]string{"one", "two"}, app.came()); diff != "" {
		t.Errorf("what came (-want +got):\n%s", diff)
	}
	if state.Delivered != 2 || state.Waiting != 0 || state.Problem != "" || state.Last.IsZero() {
		t.Errorf("state: %+v", state)
	}
	tries, err := r.store.Replays(t.Context(), "a", first)
	if err != nil || len(tries) != 1 {
		t.Fatalf("%v, %v", tries, err)
	}
	one := tries[0]
	if one.By != webhook.ByEndpoint || one.Target != app.URL+"/x?•••" || !one.Delivered || one.Status != 200 || one.Policy != "none" {
		t.Errorf("the fact: %+v", one)
	}
	if h := app.heads[0]; h.Get("X-Kept") != "yes" || h.Get(webhook.ReplayMarker) != one.ID {
		t.Errorf("the head: %v", h)
	}
}

func TestForwardChooses(t *testing.T) {
	t.Parallel()
	rejected := func(c *webhook.Capture) { c.Class = webhook.Rejected }
	for name, tt := range map[string]struct {
		forward webhook.Forward
		want    []string
	}{
		"accepted": {webhook.Forward{}, []string{"good one", "good two", "last"}},
		"all":      {webhook.Forward{All: true}, []string{"good one", "bad one", "good two", "last"}},
		"a search": {webhook.Forward{Search: "o"}, []string{"good one", "good two"}},
		"a search in all": {
			webhook.Forward{All: true, Search: "one"}, []string{"good one", "bad one"},
		},
		"signed anew": {webhook.Forward{Sign: webhook.SignOwn, All: true}, []string{"good one", "good two", "last"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := newTarget(t, nil)
			r := newRig(t)
			tt.forward.URL = app.URL
			r.endpoint("a", tt.forward)
			r.capture("a", "good one")
			r.capture("a", "bad one", rejected)
			r.capture("a", "good two")
			last := r.capture("a", "last")
			r.state("a", func(s webhook.ForwardState) bool { return s.After >= last })
			if diff := cmp.Diff(tt.want, app.came()); diff != "" {
				t.Errorf("what came (-want +got):\n%s", diff)
			}
		})
	}
}

func TestForwardSigns(t *testing.T) {
	t.Parallel()
	app := newTarget(t, nil)
	r := newRig(t)
	r.endpoint("a", webhook.Forward{URL: app.URL, Sign: webhook.SchemeGitHub, Secret: "another-secret-of-ours"})
	r.capture("a", "one")
	r.state("a", dealt(1))
	policy := webhook.SecretPolicy{Scheme: webhook.SchemeGitHub, Secrets: []string{"another-secret-of-ours"}}
	want, err := secret.Sign(policy, secret.Signing{URL: app.URL, Body: []byte("one")}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if got := app.heads[0].Get("X-Hub-Signature-256"); got == "" || got != want.Header[0].Value {
		t.Errorf("signature %q, want %v", got, want.Header)
	}
}

// TestForwardRefusesLoops: what one of us has sent on is not sent on again, and the capture says so.
func TestForwardRefusesLoops(t *testing.T) {
	t.Parallel()
	app := newTarget(t, nil)
	r := newRig(t)
	r.endpoint("a", webhook.Forward{URL: app.URL})
	marked := r.capture("a", "one", func(c *webhook.Capture) {
		c.Request.Head = []byte("POST / HTTP/1.1\r\nHost: a\r\nhookrange-replay: 1\r\n\r\n")
	})
	r.capture("a", "two")
	state := r.state("a", dealt(2))
	if state.Failed != 1 || len(app.came()) != 1 {
		t.Errorf("%+v; came: %q", state, app.came())
	}
	tries, err := r.store.Replays(t.Context(), "a", marked)
	if err != nil || len(tries) != 1 || !strings.Contains(tries[0].Failure, "loop") || tries[0].Delivered {
		t.Errorf("%+v, %v", tries, err)
	}
}

func TestForwardSaysWhyNot(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *forward.Config) {
		c.Send = func(context.Context, webhook.Order, func(webhook.Replay)) error {
			return fmt.Errorf("%w: url: the address is private", webhook.ErrInvalid)
		}
	})
	r.endpoint("a", webhook.Forward{URL: "http://10.0.0.1/x?key=k"})
	seq := r.capture("a", "one")
	state := r.state("a", dealt(1))
	tries, err := r.store.Replays(t.Context(), "a", seq)
	if err != nil || len(tries) != 1 || tries[0].Failure != "url: the address is private" || strings.Contains(tries[0].Target, "key=k") {
		t.Errorf("%+v, %v", tries, err)
	}
	if state.Problem != "url: the address is private" {
		t.Errorf("%+v", state)
	}
}

// TestForwardByPolicy: the policy says how often, and each try is a fact.
func TestForwardByPolicy(t *testing.T) {
	t.Parallel()
	app := newTarget(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	r := newRig(t)
	r.endpoint("a", webhook.Forward{URL: app.URL, Policy: "twice"})
	seq := r.capture("a", "one")
	r.state("a", dealt(1))
	tries, err := r.store.Replays(t.Context(), "a", seq)
	if err != nil || len(tries) != 2 || tries[0].Status != 503 || tries[0].ID != tries[1].ID || !tries[1].Delivered {
		t.Errorf("%+v, %v", tries, err)
	}
}

// TestForwardDeadTarget: it holds up no other forward, and of what waits too long the oldest goes and is counted.
func TestForwardDeadTarget(t *testing.T) {
	t.Parallel()
	held := make(chan struct{})
	dead := newTarget(t, func(n int, _ http.ResponseWriter, r *http.Request) {
		if n > 1 {
			return
		}
		select {
		case <-held:
		case <-r.Context().Done():
		}
	})
	app := newTarget(t, nil)
	r := newRig(t, func(c *forward.Config) { c.Behind, c.Under = 5, 2 })
	r.endpoint("dead", webhook.Forward{URL: dead.URL})
	r.endpoint("alive", webhook.Forward{URL: app.URL})
	r.capture("dead", "0")
	r.state("dead", func(webhook.ForwardState) bool { return len(dead.came()) == 1 })
	for i := 1; i <= 20; i++ {
		r.capture("dead", fmt.Sprint(i))
	}
	r.capture("alive", "one")
	r.state("alive", dealt(1))
	if s := r.state("dead", func(webhook.ForwardState) bool { return true }); s.Waiting < 5 {
		t.Errorf("of 20 captures %d are said to wait", s.Waiting)
	}
	close(held)
	state := r.state("dead", dealt(6))
	if state.Dropped != 15 {
		t.Errorf("dropped %d, want 15", state.Dropped)
	}
	if diff := cmp.Diff([]string{"0", "16", "17", "18", "19", "20"}, dead.came()); diff != "" {
		t.Errorf("what came (-want +got):\n%s", diff)
	}
}

// TestForwardOverARestart: what waited is sent by the next one, and what was under way again.
func TestForwardOverARestart(t *testing.T) {
	t.Parallel()
	var open sync.Once
	began := make(chan struct{})
	app := newTarget(t, func(n int, _ http.ResponseWriter, r *http.Request) {
		if n == 2 {
			open.Do(func() { close(began) })
			<-r.Context().Done()
		}
	})
	r := newRig(t)
	r.endpoint("a", webhook.Forward{URL: app.URL})
	for _, body := range []string{"one", "two", "three"} {
		r.capture("a", body)
	}
	<-began
	r.stop()
	r.capture("a", "while it was down")
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	r.open()
	state := r.state("a", dealt(4))
	if diff := cmp.Diff([]string{"one", "two", "two", "three", "while it was down"}, app.came()); diff != "" {
		t.Errorf("what came (-want +got):\n%s", diff)
	}
	if state.Delivered != 4 {
		t.Errorf("%+v", state)
	}
}

// TestForwardFollowsItsSettings: off sends nothing, on again begins with what is new, and a deleted endpoint ends it.
func TestForwardFollowsItsSettings(t *testing.T) {
	t.Parallel()
	app := newTarget(t, nil)
	r := newRig(t)
	r.endpoint("a", webhook.Forward{URL: app.URL})
	r.capture("a", "one")
	r.state("a", dealt(1))
	r.endpoint("a", webhook.Forward{URL: app.URL, Off: true})
	r.capture("a", "two")
	r.state("a", func(s webhook.ForwardState) bool { return s == webhook.ForwardState{} })
	// The forward's place is forgotten before it is on again.
	text := func() string {
		raw, err := os.ReadFile(filepath.Join(r.dir, "forwards.json"))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	r.state("a", func(webhook.ForwardState) bool { return text() == "[]" })
	r.endpoint("a", webhook.Forward{URL: app.URL})
	r.capture("a", "three")
	r.state("a", dealt(1))
	if diff := cmp.Diff([]string{"one", "three"}, app.came()); diff != "" {
		t.Errorf("what came (-want +got):\n%s", diff)
	}
	if strings.Contains(text(), app.URL) {
		t.Errorf("the file holds the URL: %s", text())
	}
}

func TestNewRefusesAFileThatIsDamaged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "forwards.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := forward.New(forward.Config{File: path}); !errors.Is(err, webhook.ErrDamaged) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
}
