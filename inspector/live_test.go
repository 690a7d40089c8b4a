package inspector_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/hookrange/hookrange/inspector"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// client is one end of a live socket.
type client struct{ *websocket.Conn }

func dial(tb testing.TB, r *rig, query string, headers ...http.Header) client {
	tb.Helper()
	conn, resp, err := tryDial(tb.Context(), r, query, headers...)
	if err != nil {
		tb.Fatalf("%v: %v", err, resp)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	return client{conn}
}

func tryDial(ctx context.Context, r *rig, query string, headers ...http.Header) (*websocket.Conn, *http.Response, error) {
	var h http.Header
	if len(headers) > 0 {
		h = headers[0]
	}
	dialer := websocket.Dialer{HandshakeTimeout: 30 * time.Second}
	return dialer.DialContext(ctx, "ws"+strings.TrimPrefix(r.http.URL, "http")+"/api/v1/live"+query, h)
}

func (c client) hello(tb testing.TB, text string) {
	tb.Helper()
	if err := c.WriteJSON(map[string]string{"token": text}); err != nil {
		tb.Fatal(err)
	}
	if e := c.event(tb); e.Type != "ready" || e.Last == nil {
		tb.Fatalf("first message is %+v, want ready", e)
	}
}

func (c client) text(tb testing.TB) []byte {
	tb.Helper()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	_, text, err := c.ReadMessage()
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func (c client) event(tb testing.TB) api.Event {
	tb.Helper()
	var e api.Event
	if err := json.Unmarshal(c.text(tb), &e); err != nil {
		tb.Fatal(err)
	}
	return e
}

// closed reads until the server closes, and returns the code and how many messages came before. A reset is taken for
// CloseMessageTooBig: a server that closes before it has read all may have its last words overtaken.
func (c client) closed(tb testing.TB) (code, messages int) {
	tb.Helper()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	for {
		_, _, err := c.ReadMessage()
		if closed, ok := errors.AsType[*websocket.CloseError](err); ok {
			return closed.Code, messages
		}
		if errors.Is(err, syscall.ECONNRESET) {
			return websocket.CloseMessageTooBig, messages
		}
		if err != nil {
			tb.Fatal(err)
		}
		messages++
	}
}

func TestLiveFeedNeedsTheTokenFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	r.capture(t, "default", "{}")
	for name, message := range map[string]string{
		"wrong": `{"token":"x"}`, "empty": `{}`, "not json": "nope", "a list": `["` + token + `"]`, "another scheme": "Basic " + token,
		"too long": `{"token":"` + strings.Repeat("x", 8<<10) + `"}`,
	} {
		c := dial(t, r, "?after=0")
		if err := c.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
			t.Fatal(err)
		}
		if code, n := c.closed(t); n > 0 || (code != websocket.ClosePolicyViolation && (name != "too long" || code != websocket.CloseMessageTooBig)) {
			t.Errorf("%s: closed with %d after %d messages, want 1008 after none", name, code, n)
		}
	}
	for _, message := range []string{
		`{"token":"` + token + `"}`, `{"type":"auth","token":"` + token + `"}`, `{"authorization":"Bearer ` + token + `"}`, token, "Bearer " + token,
	} {
		c := dial(t, r, "?after=0")
		if err := c.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
			t.Fatal(err)
		}
		if e := c.event(t); e.Type != "ready" {
			t.Errorf("answer to %s: %+v", message, e)
		}
	}
	c := dial(t, r, "?after=0", http.Header{"Authorization": {"Bearer " + token}})
	if e := c.event(t); e.Type != "ready" {
		t.Errorf("first message with a header: %+v", e)
	}
}

// TestSilentClientsAreGivenUp: a socket whose client says nothing is closed long before its silence would end one that is known.
func TestSilentClientsAreGivenUp(t *testing.T) {
	t.Parallel()
	c := dial(t, newRig(t), "?after=0")
	if code, n := c.closed(t); n > 0 || code != websocket.ClosePolicyViolation {
		t.Errorf("closed with %d after %d messages, want 1008 after none", code, n)
	}
}

// TestLiveClientsSayLittle: more than 4 KiB at once ends a socket, whatever it says.
func TestLiveClientsSayLittle(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	large := []byte(`{"token":"` + token + `","pad":"` + strings.Repeat("x", 8<<10) + `"}`)
	for _, known := range []bool{false, true} {
		c := dial(t, r, "")
		if known {
			c.hello(t, token)
		}
		if err := c.WriteMessage(websocket.TextMessage, large); err != nil {
			t.Fatal(err)
		}
		if code, n := c.closed(t); n > 0 || code != websocket.CloseMessageTooBig && (known || code != websocket.ClosePolicyViolation) {
			t.Errorf("token known %v: closed with %d after %d messages, want 1009 after none", known, code, n)
		}
	}
}

func TestLiveFeedChecksTheHandshake(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, tc := range map[string]struct {
		query  string
		header http.Header
		status int
	}{
		"other origin":   {"", http.Header{"Origin": {"http://evil.test"}}, http.StatusForbidden},
		"no origin":      {"", http.Header{"Origin": {"null"}}, http.StatusForbidden},
		"two origins":    {"", http.Header{"Origin": {r.http.URL, "http://evil.test"}}, http.StatusForbidden},
		"other scheme":   {"", http.Header{"Origin": {strings.Replace(r.http.URL, "http", "https", 1)}}, http.StatusForbidden},
		"other site":     {"", http.Header{"Sec-Fetch-Site": {"same-site"}}, http.StatusForbidden},
		"wrong token":    {"", http.Header{"Authorization": {"Bearer nope"}}, http.StatusUnauthorized},
		"token in query": {"?token=" + token, nil, http.StatusBadRequest},
		"bad cursor":     {"?after=-1", nil, http.StatusBadRequest},
		"bad endpoint":   {"?endpoint=A/B", nil, http.StatusBadRequest},
		"own origin":     {"", http.Header{"Origin": {r.http.URL}}, http.StatusSwitchingProtocols},
	} {
		conn, resp, err := tryDial(t.Context(), r, tc.query, tc.header)
		if err == nil {
			_ = conn.Close()
		}
		if resp == nil || resp.StatusCode != tc.status {
			t.Errorf("%s: %v (%v), want %d", name, resp, err, tc.status)
		}
	}
	refused(t, r.call(t, http.MethodGet, "/api/v1/live", ""), http.StatusUpgradeRequired, "upgrade_required")
}

// TestLiveFeedResumesExactlyOnce reads under load, breaks off at random places and resumes by the last seq:
// in the end every fact has come once and in order.
func TestLiveFeedResumesExactlyOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	r.endpoint(t, "other")
	const writers, each = 4, 60
	var load sync.WaitGroup
	for w := range writers {
		load.Go(func() {
			for i := range each {
				r.capture(t, "default", fmt.Sprintf(`{"w":%d,"i":%d}`, w, i))
				if i%10 == 0 {
					r.capture(t, "other", "{}")
				}
			}
		})
	}
	arrivals, outcomes, last := map[int64]int{}, map[int64]int{}, int64(0)
	for broken := 0; len(arrivals) < writers*each || len(outcomes) < writers*each; broken++ {
		c := dial(t, r, fmt.Sprintf("?endpoint=default&after=%d", last))
		c.hello(t, token)
		for n := 0; n < 7+13*(broken%5) && (len(arrivals) < writers*each || len(outcomes) < writers*each); n++ {
			e := c.event(t)
			if e.Seq <= last || e.Endpoint != "default" {
				t.Fatalf("seq %d of %s after %d", e.Seq, e.Endpoint, last)
			}
			last = e.Seq
			if e.Fact == "arrival" {
				arrivals[e.Seq]++
			} else {
				outcomes[e.Of]++
			}
		}
		_ = c.Close()
	}
	load.Wait()
	for seq, n := range arrivals {
		if n != 1 || outcomes[seq] != 1 {
			t.Errorf("capture %d: %d arrivals, %d outcomes", seq, n, outcomes[seq])
		}
	}
}

func TestLiveSocketsAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	header := http.Header{"Authorization": {"Bearer " + token}}
	var all []client
	for range 200 {
		all = append(all, dial(t, r, "", header))
	}
	_, resp, err := tryDial(t.Context(), r, "", header)
	if err == nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Fatalf("socket 201 of one address: %v, %v; want 503", resp, err)
	}
	_ = all[0].Close()
	deadline := time.Now().Add(30 * time.Second)
	for {
		conn, _, err := tryDial(t.Context(), r, "", header)
		if err == nil {
			_ = conn.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a place that was left is not free again")
		}
	}
}

func TestCloseTellsLiveSockets(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	waiting := dial(t, r, "")
	c := dial(t, r, "")
	c.hello(t, token)
	if err := r.server.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code, _ := c.closed(t); code != websocket.CloseGoingAway {
		t.Errorf("closed with %d, want 1001", code)
	}
	_, _ = waiting.closed(t)
	if a := r.call(t, http.MethodGet, "/readyz", ""); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("ready after the end: %d", a.StatusCode)
	}
}

// bells notes where sockets go to sleep.
type bells struct {
	inspector.Bell
	asleep chan webhook.Seq
}

func (b bells) Wait(ctx context.Context, after webhook.Seq) (webhook.Seq, error) {
	select {
	case b.asleep <- after:
	default:
	}
	return b.Bell.Wait(ctx, after)
}

// gone is a store whose facts are deleted as long as hidden is set, with nothing told of it.
type gone struct {
	inspector.Store
	hidden *atomic.Bool
}

func (g gone) Facts(ctx context.Context, after webhook.Seq, limit int) ([]webhook.Fact, error) {
	if g.hidden.Load() {
		return nil, nil
	}
	return g.Store.Facts(ctx, after, limit)
}

// TestLiveFeedPassesWhatIsGone begins where no fact is left: the socket must go to sleep at the end of what
// there was, not ask again and again.
func TestLiveFeedPassesWhatIsGone(t *testing.T) {
	t.Parallel()
	asleep := make(chan webhook.Seq, 1)
	var hidden atomic.Bool
	hidden.Store(true)
	r := newRig(t, func(c *inspector.Config) { c.Bell, c.Store = bells{c.Bell, asleep}, gone{c.Store, &hidden} })
	r.endpoint(t, "default")
	r.endpoint(t, "other")
	for range 5 {
		r.capture(t, "default", "{}")
	}
	r.settled(t)
	c := dial(t, r, "?after=1&endpoint=other")
	c.hello(t, token)
	if at := <-asleep; at != r.store.Last() {
		t.Errorf("asleep at %d, want %d", at, r.store.Last())
	}
	hidden.Store(false)
	want := r.capture(t, "other", "{}")
	if e := c.event(t); e.Seq != int64(want.Seq) || e.Fact != "arrival" {
		t.Errorf("got %+v, want the arrival %d", e, want.Seq)
	}
}
