package receiver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/hookrange/hookrange/receiver"
	"github.com/hookrange/hookrange/receiver/live"
	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/receiver/wire"
)

// Summaries keep a goroutine of the library for as long as the process lives.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// edge is a running receiver over a real store on a real socket.
type edge struct {
	server  *receiver.Server
	store   *store.Store
	bell    *live.Bell
	base    string
	address string
	stop    context.CancelFunc
	stopped chan error
}

func newEdge(t *testing.T, config receiver.Config, endpoints ...webhook.Endpoint) *edge {
	t.Helper()
	bell := live.New()
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(t.Context(), store.Config{Dir: t.TempDir(), Bell: bell, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	for _, ep := range endpoints {
		if _, err = db.SaveEndpoint(t.Context(), ep, true); err != nil {
			t.Fatal(err)
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if config.Store == nil {
		config.Store = db
	}
	if config.Log == nil {
		config.Log = log
	}
	ctx, stop := context.WithCancel(context.Background())
	e := &edge{
		store: db, bell: bell, base: "http://" + ln.Addr().String(), address: ln.Addr().String(),
		stop: stop, stopped: make(chan error, 1),
	}
	e.server = receiver.New(config)
	go func() { e.stopped <- e.server.Run(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		<-e.stopped
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	return e
}

func open(name, secret, respond string) webhook.Endpoint {
	return webhook.Endpoint{Name: name, Secret: webhook.SecretPolicy{Secrets: []string{secret}}, Respond: respond}
}

func (e *edge) post(t *testing.T, path, body string) (int, http.Header, string) {
	t.Helper()
	resp, err := http.Post(e.base+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

// raw sends bytes and returns the answer's status.
func (e *edge) raw(t *testing.T, request string) int {
	t.Helper()
	conn, err := net.Dial("tcp", e.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err = io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

// captures waits until n captures of the endpoint have an outcome and returns them, oldest first.
func (e *edge) captures(t *testing.T, endpoint string, n int) []webhook.Capture {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		seen := e.store.Last()
		list, err := e.store.Captures(ctx, webhook.Query{Endpoint: endpoint, Limit: 1000, Ascending: true, WithBody: true})
		if err != nil {
			t.Fatal(err)
		}
		ended := 0
		for _, c := range list {
			if c.Outcome != nil {
				ended++
			}
		}
		if len(list) >= n && ended >= n {
			return list
		}
		if _, err = e.bell.Wait(ctx, seen); err != nil {
			t.Fatalf("%d of %d captures, %d ended: %v", len(list), n, ended, err)
		}
	}
}

func TestAcceptedIsRecordedAndAnswered(t *testing.T) {
	t.Parallel()
	e := newEdge(t, receiver.Config{}, open("rules", "s3cret", ""))
	status, header, _ := e.post(t, "/hooks/rules/sub//path/..%2Fx?secret=s3cret&a=b", `{"a":1}`)
	if status != http.StatusOK || header.Get("Content-Security-Policy") == "" {
		t.Fatalf("answered %d with %v", status, header)
	}
	c := e.captures(t, "rules", 1)[0]
	got := []any{c.Class, c.Reason, c.Request.Method, c.Request.Target, string(c.Request.Body), c.Attempt, c.Outcome.Status, c.DeliveryBy}
	want := []any{
		webhook.Accepted, webhook.Reason(""), "POST", "/hooks/rules/sub//path/..%2Fx?secret=s3cret&a=b", `{"a":1}`, 1, 200, "body",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	if c.Outcome.Bytes == 0 || c.Outcome.FirstByte == nil || c.Outcome.Done == nil || c.Outcome.HungUp != nil {
		t.Fatalf("outcome %+v", c.Outcome)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	expecting := open("headers", "s", "")
	expecting.Expect = []webhook.ExpectedHeader{{Name: "X-Team", Value: "blue"}}
	own := open("own", "s", "")
	own.Refusal = webhook.Refusal{Status: 403, Header: []webhook.Field{{"X-Why", "no"}}, Body: "go away"}
	rotated := open("rotated", "new", "")
	rotated.Secret.Secrets = append(rotated.Secret.Secrets, "old")
	e := newEdge(t, receiver.Config{}, open("rules", "s", ""), expecting, own, rotated)
	tests := map[string]struct {
		path   string
		status int
		reason webhook.Reason
		body   string
	}{
		"missing":         {"/hooks/rules", 401, webhook.SecretMissing, `{"detail":"Incorrect bearer token"}`},
		"wrong":           {"/hooks/rules?secret=x", 401, webhook.SecretWrong, `{"detail":"Incorrect bearer token"}`},
		"repeated":        {"/hooks/rules?secret=s&secret=s", 401, webhook.SecretRepeated, `{"detail":"Incorrect bearer token"}`},
		"malformed":       {"/hooks/rules?secret=s%zz", 401, webhook.SecretMalformed, `{"detail":"Incorrect bearer token"}`},
		"header missing":  {"/hooks/headers?secret=s", 401, webhook.HeaderMissing, `{"detail":"Incorrect bearer token"}`},
		"own refusal":     {"/hooks/own", 403, webhook.SecretMissing, "go away"},
		"previous secret": {"/hooks/rotated?secret=old", 200, "", ""},
		"current secret":  {"/hooks/rotated?secret=new", 200, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			status, header, body := e.post(t, test.path, "{}")
			if status != test.status || test.body != "" && body != test.body {
				t.Fatalf("answered %d %q", status, body)
			}
			if status == 401 && header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("WWW-Authenticate %q", header.Get("WWW-Authenticate"))
			}
			endpoint := strings.FieldsFunc(test.path, func(r rune) bool { return r == '/' || r == '?' })[1]
			list := e.captures(t, endpoint, 1)
			if last := list[len(list)-1]; last.Reason != test.reason {
				t.Fatalf("reason %q, want %q", last.Reason, test.reason)
			}
		})
	}
	if status, _, _ := e.post(t, "/hooks/absent?secret=s", ""); status != http.StatusNotFound {
		t.Errorf("unknown endpoint answered %d", status)
	}
	if status, _, _ := e.post(t, "/", ""); status != http.StatusNotFound {
		t.Errorf("unknown path answered %d", status)
	}
}

func TestSequenceAdvancesPerDeliveryOnArrival(t *testing.T) {
	t.Parallel()
	e := newEdge(t, receiver.Config{}, open("rules", "s", "503x2 200"))
	var got []string
	for _, body := range []string{"one", "two", "one", "wrong", "one", "two", "one"} {
		path := "/hooks/rules?secret=s"
		if body == "wrong" { // a rejected request takes no step
			path, body = "/hooks/rules?secret=x", "one"
		}
		status, _, _ := e.post(t, path, body)
		got = append(got, fmt.Sprint(body, " ", status))
	}
	want := []string{"one 503", "two 503", "one 503", "one 401", "one 200", "two 503", "one 200"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	list := e.captures(t, "rules", 7)
	if list[4].Attempt != 4 || list[4].Gap == nil || *list[4].Gap < 0 || list[4].Delivery != list[0].Delivery {
		t.Fatalf("attempt %d, gap %v, delivery %s", list[4].Attempt, list[4].Gap, list[4].Delivery)
	}
}

func TestNotWholeIsNever2xx(t *testing.T) {
	t.Parallel()
	e := newEdge(t, receiver.Config{Limits: wire.Limits{Body: 16}}, open("rules", "s", ""))
	const head = "POST /hooks/rules?secret=s HTTP/1.1\r\nHost: h\r\n"
	for name, test := range map[string]struct {
		raw    string
		status int
		reason webhook.Reason
	}{
		"too large":            {head + "Content-Length: 17\r\n\r\n12345678901234567", 413, webhook.BodyTooLarge},
		"asks before it sends": {head + "Content-Length: 17\r\nExpect: 100-continue\r\n\r\n", 413, webhook.BodyTooLarge},
		"bad chunk":            {head + "Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400, webhook.BodyMalformed},
		"two ends":             {head + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, webhook.AmbiguousFraming},
		"head":                 {head + "X: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", 431, webhook.HeadTooLarge},
	} {
		if got := e.raw(t, test.raw); got != test.status {
			t.Errorf("%s: answered %d, want %d", name, got, test.status)
			continue
		}
		found := false
		for _, c := range e.captures(t, "rules", 1) {
			found = found || c.Class == webhook.Incomplete && c.Reason == test.reason
		}
		if !found {
			t.Errorf("%s: no incomplete capture with reason %s", name, test.reason)
		}
	}
}

// TestDrippedBodiesHoldNothing: a sender that goes on byte by byte after its answer, or where nobody reads its body, is cut
// off all the same.
func TestDrippedBodiesHoldNothing(t *testing.T) {
	t.Parallel()
	e := newEdge(t, receiver.Config{Limits: wire.Limits{Grace: time.Millisecond}}, open("rules", "s", ""))
	for path, status := range map[string]string{"/hooks/rules?secret=s": "408", "/nowhere": "404", "/healthz": "404"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", e.address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			closed := make(chan []byte, 1)
			go func() {
				got, _ := io.ReadAll(conn)
				closed <- got
			}()
			drip := "POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n"
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			// 100 000 bytes would take 33 minutes.
			for late := time.After(30 * time.Second); ; drip = "x" {
				_, _ = io.WriteString(conn, drip)
				select {
				case got := <-closed:
					if !strings.HasPrefix(string(got), "HTTP/1.1 "+status) {
						t.Errorf("answered %.40q", got)
					}
					return
				case <-late:
					t.Fatal("the connection is still open")
				case <-tick.C:
				}
			}
		})
	}
}

func TestWaitingAnswersAreBounded(t *testing.T) {
	t.Parallel()
	e := newEdge(t, receiver.Config{WaitingPerEndpoint: 2}, open("rules", "s", "hang"), open("other", "s", "200"))
	var held []net.Conn
	for i := range 2 {
		conn, err := net.Dial("tcp", e.address)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
		_, _ = fmt.Fprintf(conn, "POST /hooks/rules?secret=s HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n%d", i)
	}
	for webhook.Seq(2) > e.store.Last() {
		if _, err := e.bell.Wait(t.Context(), e.store.Last()); err != nil {
			t.Fatal(err)
		}
	}
	status, header, _ := e.post(t, "/hooks/rules?secret=s", "third")
	if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
		t.Fatalf("third answered %d, Retry-After %q", status, header.Get("Retry-After"))
	}
	if status, _, _ = e.post(t, "/hooks/other?secret=s", "x"); status != http.StatusOK {
		t.Fatalf("another endpoint answered %d", status)
	}
	for _, conn := range held {
		_ = conn.Close()
	}
	for _, c := range e.captures(t, "rules", 3)[:2] {
		if c.Outcome.HungUp == nil || c.Outcome.HungUpBy != webhook.HangUpFIN || c.Outcome.Status != 0 {
			t.Errorf("outcome of a hang: %+v", c.Outcome)
		}
	}
}

// The first requests of an endpoint, all at once, share its bound.
func TestWaitingIsBoundedFromTheStart(t *testing.T) {
	t.Parallel()
	const sent, bound = 20, 2
	e := newEdge(t, receiver.Config{WaitingPerEndpoint: bound}, open("rules", "s", "hang"))
	for i := range sent {
		conn, err := net.Dial("tcp", e.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		go func() { // all at once
			_, _ = fmt.Fprintf(conn, "POST /hooks/rules?secret=s HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n%02d", i)
		}()
	}
	for {
		seen := e.store.Last()
		list, err := e.store.Captures(t.Context(), webhook.Query{Endpoint: "rules", Limit: sent})
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == sent {
			hanging := slices.DeleteFunc(list, func(c webhook.Capture) bool { return c.Plan.Fault != webhook.Hang })
			if len(hanging) != bound {
				t.Errorf("%d answers wait, and %d may", len(hanging), bound)
			}
			return
		}
		if _, err := e.bell.Wait(t.Context(), seen); err != nil {
			t.Fatal(err)
		}
	}
}

// full is a store whose disk is full.
type full struct{ receiver.Store }

func (full) Record(context.Context, *webhook.Capture, bool) (webhook.Ticket, error) {
	return webhook.Ticket{}, fmt.Errorf("store: record: %w", errors.Join(webhook.ErrUnavailable, errors.New("disk full")))
}

func (full) Endpoint(name string) (*webhook.Endpoint, error) {
	if name != "rules" {
		return nil, webhook.ErrNotFound
	}
	return &webhook.Endpoint{Name: name, Secret: webhook.SecretPolicy{Scheme: webhook.SchemeNone}}, nil
}

func (full) Arrive(string, webhook.DeliveryKey, bool, time.Time) webhook.Arrival {
	return webhook.Arrival{Attempt: 1}
}

func TestNothingRecordedIs503(t *testing.T) {
	t.Parallel()
	e := newEdge(t, receiver.Config{Store: full{}})
	status, header, body := e.post(t, "/hooks/rules", "x")
	if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" || strings.Contains(body, "disk") {
		t.Fatalf("answered %d, Retry-After %q, %q", status, header.Get("Retry-After"), body)
	}
}

func TestAnswersChangeWithTheirEndpoint(t *testing.T) {
	t.Parallel()
	e := newEdge(t, receiver.Config{}, open("rules", "s", "200"))
	e.post(t, "/hooks/rules?secret=s", "a")
	ep := open("rules", "s", "418")
	if _, err := e.store.SaveEndpoint(t.Context(), ep, false); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := e.post(t, "/hooks/rules?secret=s", "b"); status != 418 {
		t.Fatalf("answered %d after the plan changed", status)
	}
	if err := e.store.DeleteEndpoint(t.Context(), "rules"); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := e.post(t, "/hooks/rules?secret=s", "c"); status != 404 {
		t.Fatalf("answered %d after the endpoint was deleted", status)
	}
}

func TestCheckRespond(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{"": true, "503x2 200": true, "refuse": false, "2000": false, "tls-alert 200": false} {
		if err := receiver.New(receiver.Config{}).CheckRespond(text); (err == nil) != ok || err != nil && !errors.Is(err, webhook.ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
