package console_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/inspector/console"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// target answers each order as its list says, and 200 once that is empty; "" is no connection.
type target struct {
	mu      sync.Mutex
	bases   []string
	got     []string
	answers []string
}

func (x *target) relay(bases []string) console.Relay {
	x.bases = bases
	return x
}

func (x *target) Send(ctx context.Context, o webhook.Order, tell func(webhook.Replay)) error {
	x.mu.Lock()
	answer := "200"
	if len(x.answers) > 0 {
		answer, x.answers = x.answers[0], x.answers[1:]
	}
	x.got = append(x.got, string(o.Capture.Request.Body)+" "+answer)
	x.mu.Unlock()
	one := webhook.Replay{
		Capture: o.Capture.Seq, Endpoint: o.Capture.Endpoint, ID: o.ID, By: o.By, Target: "http://127.0.0.1:3000/", Policy: "none",
		Attempt: 1, Try: 1, Start: time.Now(), Duration: time.Millisecond, Status: 200, Delivered: true,
	}
	switch answer {
	case "":
		one.Status, one.Delivered, one.Failure = 0, false, "cannot connect: refused"
	case "500":
		one.Status, one.Delivered = 500, false
	}
	tell(one)
	return ctx.Err()
}

func (x *target) all() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]string{}, x.got...)
}

// forwarding runs Forward until the function that it returns is called, which returns Forward's error.
func forwarding(t *testing.T, c *console.Client, opts console.ForwardOptions, out *output) (end func() error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- console.Forward(ctx, c, opts, out) }()
	var once sync.Once
	var err error
	end = func() error {
		once.Do(func() { stop(); err = <-ended })
		return err
	}
	t.Cleanup(func() { _ = end() })
	return end
}

func newOrders(t *testing.T) (*world, *console.Client) {
	t.Helper()
	w, c := newWorld(t)
	if err := console.CreateEndpoint(t.Context(), c, console.EndpointOptions{Name: "orders"}, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	return w, c
}

// TestForwardLosesNothing: neither a target nor a server that goes away makes a capture missing, twice or out of order.
func TestForwardLosesNothing(t *testing.T) {
	t.Parallel()
	w, c := newOrders(t)
	to, out := &target{answers: []string{"", "", "200", "500"}}, newOutput()
	var mu sync.Mutex
	var kept []int64
	opts := console.ForwardOptions{Endpoint: "orders", Sending: console.Sending{URL: "http://127.0.0.1:3000/", Relay: to.relay}, Keep: func(seq int64) error {
		mu.Lock()
		defer mu.Unlock()
		kept = append(kept, seq)
		return nil
	}}
	w.capture(t, "before it began")
	opts.After = new(int64(w.store.Last()))
	end := forwarding(t, c, opts, out)
	w.capture(t, "a")
	w.capture(t, "b")
	out.until(t, "target away, trying again until it is there")
	out.until(t, "500 Internal Server Error")
	w.stop()
	w.capture(t, "while the server was away")
	w.start(t)
	w.capture(t, "c")
	for len(to.all()) < 6 {
		<-out.wake
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
	want := []string{"a ", "a ", "a 200", "b 500", "while the server was away 200", "c 200"}
	if diff := cmp.Diff(want, to.all()); diff != "" {
		t.Errorf("sent on (-want +got):\n%s", diff)
	}
	// What comes before the first was sent on is not lost when it ends before.
	if kept[0] != *opts.After {
		t.Errorf("kept at first: %d, want %d", kept[0], *opts.After)
	}
	// Of the tries while the target was away the first is kept.
	tries, err := w.store.Replays(t.Context(), "orders", webhook.Seq(kept[1]))
	if err != nil || len(tries) != 2 || tries[0].Status != 0 || tries[1].Status != 200 || tries[1].By != webhook.ByForward {
		t.Errorf("kept of the first: %+v, %v", tries, err)
	}
	if strings.Count(out.String(), "cannot connect") != 1 {
		t.Errorf("printed:\n%s", out)
	}
	if len(to.bases) < 3 {
		t.Errorf("told of %v, want the server's own addresses", to.bases)
	}
}

func TestForwardLeavesOut(t *testing.T) {
	t.Parallel()
	w, c := newOrders(t)
	w.capture(t, "a")
	marked := webhook.Capture{
		Endpoint: "orders", ReceivedAt: time.Now(), Class: webhook.Accepted, Attempt: 1, DeliveryBy: "none",
		Request: webhook.Request{Method: "POST", Target: "/", Head: []byte("POST / HTTP/1.1\r\nhookrange-replay: x\r\n\r\n")},
	}
	marked.Delivery = w.store.Arrive("orders", webhook.DeliveryKey{By: "none"}, true, time.Now()).Delivery
	marked.Request.BodySHA256 = [32]byte{
		0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
		0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
	}
	if _, err := w.store.Record(t.Context(), &marked, false); err != nil {
		t.Fatal(err)
	}
	w.capture(t, "b")
	to, out := &target{answers: []string{"", "200"}}, newOutput()
	opts := console.ForwardOptions{
		Endpoint: "orders", After: new(int64(0)), GoOn: true,
		Sending: console.Sending{URL: "http://127.0.0.1:3000/", Relay: to.relay, JSON: true},
	}
	end := forwarding(t, c, opts, out)
	out.until(t, `"status":200`)
	if err := end(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a ", "b 200"}, to.all()); diff != "" {
		t.Errorf("sent on (-want +got):\n%s", diff)
	}
	if !strings.Contains(out.String(), `"skipped":"it was sent on before: a loop"`) {
		t.Errorf("printed:\n%s", out)
	}
}

func TestForwardEnds(t *testing.T) {
	t.Parallel()
	_, c := newOrders(t)
	to := &target{}
	opts := console.ForwardOptions{Endpoint: "nobody", Sending: console.Sending{URL: "http://127.0.0.1:3000/", Relay: to.relay}}
	if err := console.Forward(t.Context(), c, opts, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("an unknown endpoint: %v", err)
	}
	away := &console.Client{Base: "http://127.0.0.1:1", Token: token}
	if err := console.Forward(t.Context(), away, opts, &bytes.Buffer{}); err == nil {
		t.Error("a server that was never there is no error")
	}
}

// TestExportBreaksOff: what is not whole is an error, however the server fails.
func TestExportBreaksOff(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"cut": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("half"))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"no word that it is whole": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("half")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(answer)
			defer s.Close()
			var out, progress bytes.Buffer
			_, err := console.Export(t.Context(), &console.Client{Base: s.URL}, console.ExportOptions{Endpoint: "a", Format: "har", Progress: &progress}, &out)
			if _, ok := errors.AsType[*console.Error](err); !ok || !strings.Contains(err.Error(), "broke off") || out.String() != "half" {
				t.Errorf("%v after %q", err, out.String())
			}
			if !strings.Contains(progress.String(), "4 B") {
				t.Errorf("progress: %q", progress.String())
			}
		})
	}
}
