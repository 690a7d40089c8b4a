package console_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/hookrange/hookrange/inspector"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/inspector/console"
	"github.com/hookrange/hookrange/receiver/live"
	"github.com/hookrange/hookrange/receiver/secret"
	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const token = "the-token-of-the-tests"

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// world is a running inspector that can be restarted at its address.
type world struct {
	store  *store.Store
	bell   *live.Bell
	addr   string
	server *inspector.Server
	http   *httptest.Server
}

func newWorld(t *testing.T) (*world, *console.Client) {
	t.Helper()
	w := &world{bell: live.New(), addr: "127.0.0.1:0"}
	var err error
	if w.store, err = store.Open(t.Context(), store.Config{Dir: t.TempDir(), Bell: w.bell}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	w.start(t)
	t.Cleanup(w.stop)
	return w, &console.Client{Base: w.http.URL, Token: token}
}

func (w *world) start(t *testing.T) {
	t.Helper()
	var err error
	w.server, err = inspector.New(inspector.Config{
		Store: w.store, Bell: w.bell, Token: token, HookBase: "http://127.0.0.1:8080",
		Describe: func(c *webhook.Capture) webhook.Payload {
			return webhook.Payload{Kind: "text", Title: string(c.Request.Body)}
		},
		CheckRespond: func(text string) error {
			if text == "bad" {
				return fmt.Errorf("%w: respond: no step %q", webhook.ErrInvalid, text)
			}
			return nil
		},
		Mask: func(eps ...*webhook.Endpoint) inspector.Masker { return secret.NewMask(eps...) },
		Secrets: inspector.SecretTools{
			New: secret.NewSecret, Check: func(ep *webhook.Endpoint) error { return secret.Check(ep.Secret) },
			HookURL: secret.HookURL, Explain: secret.Explain,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.http = httptest.NewUnstartedServer(w.server.Handler())
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = w.http.Listener.Close()
	w.http.Listener = ln
	w.addr = ln.Addr().String()
	w.http.Start()
}

func (w *world) stop() {
	_ = w.server.Close(context.Background())
	w.http.Close()
}

func (w *world) capture(t *testing.T, body string) {
	t.Helper()
	now := time.Now()
	sum := sha256.Sum256([]byte(body))
	at := w.store.Arrive("orders", webhook.DeliveryKey{Sum: [16]byte(sum[:16]), By: "body"}, true, now)
	ticket, err := w.store.Record(t.Context(), &webhook.Capture{
		Endpoint: "orders", ReceivedAt: now, Class: webhook.Accepted, Delivery: at.Delivery, DeliveryBy: "body", Attempt: at.Attempt, Gap: at.Gap,
		Plan: webhook.Plan{Text: "503", Status: 503},
		Request: webhook.Request{
			Proto: "HTTP/1.1", Method: "POST", Target: "/hooks/orders?secret=first-secret", Head: []byte("POST / HTTP/1.1\r\n\r\n"),
			Body: []byte(body), BodySize: int64(len(body)), BodySHA256: sum,
		},
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	took := 200 * time.Millisecond
	if err := w.store.Finish(t.Context(), ticket, webhook.Outcome{Status: 503, FirstByte: &took, Done: &took}); err != nil {
		t.Fatal(err)
	}
}

// output is a writer that tests read while a command writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	wake chan struct{}
}

func newOutput() *output { return &output{wake: make(chan struct{}, 1)} }

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) until(t *testing.T, want string) {
	t.Helper()
	limit := time.After(time.Minute)
	for !strings.Contains(o.String(), want) {
		select {
		case <-o.wake:
		case <-limit:
			t.Fatalf("no %q within a minute in:\n%s", want, o.String())
		}
	}
}

func TestEndpointCommands(t *testing.T) {
	t.Parallel()
	_, c := newWorld(t)
	ctx := t.Context()
	var out bytes.Buffer
	run := func(err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer out.Reset()
		return out.String()
	}
	settings := console.Settings{Secret: new("first-secret"), Respond: new("503x2 200"), Expect: []string{"X-Team: a", "X-Any"}, FetchOff: new(true)}
	text := run(console.CreateEndpoint(ctx, c, console.EndpointOptions{Name: "orders", Settings: settings}, &out))
	for _, want := range []string{"http://127.0.0.1:8080/hooks/orders?secret=first-secret", "503x2 200", "X-Team: a", "X-Any\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("create: no %q in\n%s", want, text)
		}
	}
	text = run(console.UpdateEndpoint(ctx, c, console.EndpointOptions{Name: "orders", Settings: console.Settings{Respond: new("204")}, JSON: true}, &out))
	var ep api.Endpoint
	if err := json.Unmarshal([]byte(text), &ep); err != nil || ep.Respond != "204" || !ep.Fetch.Off || len(ep.Expect) != 2 || ep.Secret != api.Hidden {
		t.Errorf("update: %v, %+v", err, ep)
	}
	text = run(console.ListEndpoints(ctx, c, console.ListOptions{}, &out))
	if !regexp.MustCompile(`(?m)^orders +0 +0 +0 +204 +http://127.0.0.1:8080/hooks/orders\?secret=•••$`).MatchString(text) {
		t.Errorf("list:\n%s", text)
	}
	if text = run(console.ListEndpoints(ctx, c, console.ListOptions{JSON: true, Reveal: true}, &out)); strings.Count(text, "\n") != 1 || !strings.Contains(text, "first-secret") {
		t.Errorf("list as JSON:\n%s", text)
	}
	if text = run(console.ShowEndpoint(ctx, c, console.NameOptions{Name: "orders"}, &out)); strings.Contains(text, "first-secret") {
		t.Errorf("show:\n%s", text)
	}
	if text = run(console.DeleteEndpoint(ctx, c, console.NameOptions{Name: "orders"}, &out)); text != "deleted orders\n" {
		t.Errorf("delete: %s", text)
	}
}

func TestErrorsHaveHints(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t)
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	free, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + free.Addr().String()
	_ = free.Close()
	_ = w
	for name, tc := range map[string]struct {
		client     *console.Client
		opts       console.EndpointOptions
		text, hint string
	}{
		"nobody there": {&console.Client{Base: nobody, Token: token}, console.EndpointOptions{Name: "a"}, "no answer from " + nobody, "hookrange serve"},
		"no URL":       {&console.Client{Base: "127.0.0.1:8081", Token: token}, console.EndpointOptions{Name: "a"}, "no http URL", "--server"},
		"wrong token":  {&console.Client{Base: c.Base, Token: "wrong"}, console.EndpointOptions{Name: "a"}, "refused the token", "--token"},
		"other server": {&console.Client{Base: other.URL, Token: token}, console.EndpointOptions{Name: "a"}, "404 Not Found", "inspector's address"},
		"refused plan": {c, console.EndpointOptions{Name: "a", Settings: console.Settings{Respond: new("bad")}}, `respond: no step "bad"`, ""},
		"refused name": {c, console.EndpointOptions{Name: "A b"}, `endpoint name "A b"`, ""},
	} {
		err := console.CreateEndpoint(t.Context(), tc.client, tc.opts, new(bytes.Buffer))
		e, ok := errors.AsType[*console.Error](err)
		if !ok || !strings.Contains(e.Error(), tc.text) || !strings.Contains(e.Hint(), tc.hint) || (e.Hint() == "") != (tc.hint == "") {
			t.Errorf("%s: %v (hint %q), want %q (hint %q)", name, err, e.Hint(), tc.text, tc.hint)
		}
	}
	err = console.UpdateEndpoint(t.Context(), c, console.EndpointOptions{Name: "a"}, new(bytes.Buffer))
	if e, ok := errors.AsType[*console.Error](err); !ok || e.Hint() == "" || !errors.Is(err, webhook.ErrInvalid) {
		t.Errorf("nothing to change: %v", err)
	}
	err = console.ShowEndpoint(t.Context(), c, console.NameOptions{Name: "../info"}, new(bytes.Buffer))
	if e, ok := errors.AsType[*console.Error](err); !ok || e.Status != http.StatusNotFound {
		t.Errorf("a name that is a path: %v", err)
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t)
	var out bytes.Buffer
	if err := console.CreateEndpoint(t.Context(), c, console.EndpointOptions{Name: "orders", Settings: console.Settings{Secret: new("first-secret")}}, &out); err != nil {
		t.Fatal(err)
	}
	w.capture(t, "one")
	w.capture(t, "one")
	for name, tc := range map[string]struct {
		opts console.WaitOptions
		met  bool
		last string
	}{
		"met":        {console.WaitOptions{Count: 2}, true, "met: 2 of 2 captures"},
		"not met":    {console.WaitOptions{Count: 3, Within: 10 * time.Millisecond}, false, "not met: 2 of 3 captures"},
		"matching":   {console.WaitOptions{Match: "attempt == 2"}, true, "met: 1 of 1 captures"},
		"none":       {console.WaitOptions{None: true, After: "now", Within: 10 * time.Millisecond}, true, "met: 0 captures, fewer than 1 expected"},
		"none, some": {console.WaitOptions{None: true}, false, "not met: 1 captures, fewer than 1 expected"},
	} {
		var out bytes.Buffer
		tc.opts.Endpoint = "orders"
		err := console.Wait(t.Context(), c, tc.opts, &out)
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if (err == nil) != tc.met || (err != nil) != errors.Is(err, console.ErrNotMet) || lines[len(lines)-1] != tc.last {
			t.Errorf("%s: %v\n%s", name, err, out.String())
		}
	}
	out.Reset()
	if err := console.Wait(t.Context(), c, console.WaitOptions{Endpoint: "orders", Count: 2, JSON: true}, &out); err != nil {
		t.Fatal(err)
	}
	var first api.Capture
	if err := json.NewDecoder(&out).Decode(&first); err != nil || first.Attempt != 1 {
		t.Errorf("%v, %+v", err, first)
	}
	err := console.Wait(t.Context(), c, console.WaitOptions{Endpoint: "orders", Match: "(("}, &out)
	if e, ok := errors.AsType[*console.Error](err); !ok || e.Code != "invalid" {
		t.Errorf("a bad expression: %v", err)
	}
}

func TestTailPrintsRows(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t)
	if err := console.CreateEndpoint(t.Context(), c, console.EndpointOptions{Name: "orders", Settings: console.Settings{Secret: new("first-secret")}}, new(bytes.Buffer)); err != nil {
		t.Fatal(err)
	}
	w.capture(t, "evil \x1b[2J \u202e title")
	ctx, cancel := context.WithCancel(t.Context())
	out, done := newOutput(), make(chan error, 1)
	go func() {
		done <- console.Tail(ctx, c, console.TailOptions{Endpoint: "orders", After: new(int64(0)), Zone: time.UTC}, out)
	}()
	out.until(t, "\n")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("ended with %v", err)
	}
	form := regexp.MustCompile(`^\d\d:\d\d:\d\d\.\d{3} ● evil \\x1b\[2J \\u202e title +#1 +POST /hooks/orders\?secret=•••  503 after 0\.20s  19 B\n$`)
	if !form.MatchString(out.String()) {
		t.Errorf("row: %q", out.String())
	}
}

func TestTailPrintsCapturesAsJSON(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t)
	if err := console.CreateEndpoint(t.Context(), c, console.EndpointOptions{Name: "orders", Settings: console.Settings{Secret: new("first-secret")}}, new(bytes.Buffer)); err != nil {
		t.Fatal(err)
	}
	w.capture(t, "one")
	w.capture(t, "two")
	ctx, cancel := context.WithCancel(t.Context())
	out, done := newOutput(), make(chan error, 1)
	go func() {
		done <- console.Tail(ctx, c, console.TailOptions{Endpoint: "orders", After: new(int64(0)), JSON: true}, out)
	}()
	out.until(t, `"two"`)
	cancel()
	if err := <-done; err != nil {
		t.Errorf("ended with %v", err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		var one api.Capture
		if err := json.Unmarshal([]byte(line), &one); err != nil || one.Outcome == nil {
			t.Fatalf("%v: %s", err, line)
		}
		got = append(got, fmt.Sprintf("%s %s %s %d", one.Endpoint, one.Method, one.Payload.Title, one.Outcome.Status))
	}
	if diff := cmp.Diff([]string{"orders POST one 503", "orders POST two 503"}, got); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
}

// TestTailGoesOnAfterARestart stops the server under a tail, and captures come while it is away: in the end
// each was printed once and in order.
func TestTailGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t)
	if err := console.CreateEndpoint(t.Context(), c, console.EndpointOptions{Name: "orders", Settings: console.Settings{Secret: new("first-secret")}}, new(bytes.Buffer)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	out, done := newOutput(), make(chan error, 1)
	go func() { done <- console.Tail(ctx, c, console.TailOptions{After: new(int64(0)), Facts: true}, out) }()
	for i := range 9 {
		if i == 3 || i == 6 {
			w.stop()
		}
		w.capture(t, fmt.Sprint("body-", i))
		if i == 4 || i == 6 {
			w.start(t)
		}
		if i < 3 || i > 6 {
			out.until(t, fmt.Sprintf(`"title":"body-%d"`, i))
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("ended with %v", err)
	}
	var titles []string
	for line := range strings.Lines(out.String()) {
		var e api.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Capture != nil {
			titles = append(titles, e.Capture.Payload.Title)
		}
	}
	if got, want := strings.Join(titles, " "), "body-0 body-1 body-2 body-3 body-4 body-5 body-6 body-7 body-8"; got != want {
		t.Errorf("printed %s, want %s", got, want)
	}
}

func TestTailTellsOfConnectionsWithoutARequest(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t)
	if err := console.CreateEndpoint(t.Context(), c, console.EndpointOptions{Name: "orders"}, new(bytes.Buffer)); err != nil {
		t.Fatal(err)
	}
	ended := 12 * time.Millisecond
	peer := netip.MustParseAddrPort("192.0.2.7:4711")
	for _, made := range []webhook.Connection{
		{Reached: webhook.ConnRefused, Fault: webhook.Refuse, Step: "refuse/for=5s"},
		{Reached: webhook.ConnAccepted, Requests: 1, Ended: &ended, Step: "never shown"},
		{Reached: webhook.ConnAccepted, Handshake: &webhook.Handshake{Err: "bad\x1b[31m"}, Ended: &ended, EndedBy: webhook.HangUpRST},
	} {
		made.Endpoint, made.At, made.Peer = "orders", time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), peer
		if err := w.store.RecordConnection(t.Context(), made); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	out, done := newOutput(), make(chan error, 1)
	go func() { done <- console.Tail(ctx, c, console.TailOptions{After: new(int64(0)), Zone: time.UTC}, out) }()
	out.until(t, "RST")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("ended with %v", err)
	}
	want := "12:00:00.000 ✕ orders  192.0.2.7:4711  connection refused, refuse/for=5s\n" +
		`12:00:00.000 ✕ orders  192.0.2.7:4711  connection accepted without a request, TLS: bad\x1b[31m, ended by the sender (RST) after 0.012s` + "\n"
	if got := out.String(); got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}

func TestTailRefusedAtOnce(t *testing.T) {
	t.Parallel()
	_, c := newWorld(t)
	for _, client := range []*console.Client{{Base: c.Base, Token: "wrong"}, {Base: "http://127.0.0.1:1", Token: token}} {
		err := console.Tail(t.Context(), client, console.TailOptions{}, new(bytes.Buffer))
		if e, ok := errors.AsType[*console.Error](err); !ok || e.Hint() == "" {
			t.Errorf("%s: %v", client.Base, err)
		}
	}
}
