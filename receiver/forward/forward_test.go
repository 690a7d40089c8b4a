package forward_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver/forward"
	"github.com/hookrange/hookrange/receiver/secret"
	"github.com/hookrange/hookrange/receiver/webhook"
)

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
