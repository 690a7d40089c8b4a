package inspector_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"github.com/hookrange/hookrange/inspector"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver"
	"github.com/hookrange/hookrange/receiver/live"
	"github.com/hookrange/hookrange/receiver/payload"
	"github.com/hookrange/hookrange/receiver/plan"
	"github.com/hookrange/hookrange/receiver/secret"
	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	token  = "the-token-of-the-tests"
	hooked = "s3cr3t-of-the-endpoint"
	base   = "http://127.0.0.1:8080"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// rig is a server over a real store, on a loopback port.
type rig struct {
	store  *store.Store
	bell   *live.Bell
	server *inspector.Server
	http   *httptest.Server
}

func newRig(tb testing.TB, change ...func(*inspector.Config)) *rig {
	tb.Helper()
	r := &rig{bell: live.New()}
	var err error
	if r.store, err = store.Open(tb.Context(), store.Config{Dir: tb.TempDir(), Bell: r.bell}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = r.store.Close() })
	edge := receiver.New(receiver.Config{Store: r.store})
	cfg := inspector.Config{
		Store: r.store, Bell: r.bell, Token: token, HookBase: base, Version: "test",
		Describe: func(c *webhook.Capture) webhook.Payload {
			return payload.Describe(api.Header(webhook.Fields(c.Request.Head), "Content-Type"), c.Request.Body)
		},
		Decode: func(c *webhook.Capture) ([]byte, error) {
			return payload.Unpack(webhook.Fields(c.Request.Head), c.Request.Body, 1<<20)
		},
		CheckRespond: func(text string) error {
			if text == "" {
				return nil
			}
			_, err := plan.Parse(text)
			return err
		},
		Mask: func(eps ...*webhook.Endpoint) inspector.Masker { return secret.NewMask(eps...) },
		Secrets: inspector.SecretTools{
			New:     secret.NewSecret,
			Check:   func(ep *webhook.Endpoint) error { return secret.Check(ep.Secret) },
			HookURL: secret.HookURL, Explain: secret.Explain,
		},
		Rules: inspector.RuleTools{Check: edge.CheckAnswers, Try: edge.Try, Write: plan.Write},
		UI: fstest.MapFS{
			"index.html":    {Data: []byte("<!doctype html><title>page</title>")},
			"assets/app.js": {Data: []byte("export {}" + strings.Repeat(" ", 2000))},
		},
	}
	for _, c := range change {
		c(&cfg)
	}
	if r.server, err = inspector.New(cfg); err != nil {
		tb.Fatal(err)
	}
	r.http = httptest.NewServer(r.server.Handler())
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := r.server.Close(ctx); err != nil {
			tb.Error(err)
		}
		r.http.Close()
	})
	return r
}

func (r *rig) endpoint(tb testing.TB, name string, change ...func(*webhook.Endpoint)) {
	tb.Helper()
	ep := webhook.Endpoint{Name: name, Secret: webhook.SecretPolicy{Secrets: []string{hooked}}}
	for _, c := range change {
		c(&ep)
	}
	if _, err := r.store.SaveEndpoint(tb.Context(), ep, true); err != nil {
		tb.Fatal(err)
	}
}

// capture records a POST of a body, with an outcome.
func (r *rig) capture(tb testing.TB, endpoint, body string, change ...func(*webhook.Capture)) webhook.Capture {
	tb.Helper()
	now := time.Now()
	target := "/hooks/" + endpoint + "?secret=" + hooked
	sum := sha256.Sum256([]byte(body))
	c := webhook.Capture{
		Endpoint: endpoint, ReceivedAt: now, Class: webhook.Accepted, DeliveryBy: "body",
		Request: webhook.Request{
			Peer: netip.MustParseAddrPort("192.0.2.1:1234"), Proto: "HTTP/1.1", Method: "POST", Target: target,
			Head: fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-twice: 1\r\nx-Twice: 2\r\n\r\n", target),
			Body: []byte(body), BodySHA256: sum, BodySize: int64(len(body)), Declared: int64(len(body)),
		},
		Plan: webhook.Plan{Text: "200", Status: 200, Body: []byte("ok"), Header: []webhook.Field{{Name: "X-Answer", Value: "1"}}},
	}
	for _, f := range change {
		f(&c)
	}
	at := r.store.Arrive(endpoint, webhook.DeliveryKey{Sum: [16]byte(sum[:16]), By: "body"}, c.Class == webhook.Accepted, now)
	c.Delivery, c.Attempt, c.Gap = at.Delivery, at.Attempt, at.Gap
	ticket, err := r.store.Record(tb.Context(), &c, len(c.Objects) > 0)
	if err != nil {
		tb.Fatal(err)
	}
	if len(c.Objects) > 0 {
		for i := range c.Objects {
			c.Objects[i].Capture, c.Objects[i].Endpoint = c.Seq, endpoint
		}
		if err := r.store.PlanObjects(tb.Context(), c.Seq, c.Objects); err != nil {
			tb.Fatal(err)
		}
		for _, o := range c.Objects {
			if o.State != webhook.Pending {
				if err := r.store.Settle(tb.Context(), o); err != nil {
					tb.Fatal(err)
				}
			}
		}
	}
	done := 3 * time.Millisecond
	outcome := webhook.Outcome{Status: c.Plan.Status, Bytes: 90, FirstByte: &done, Done: &done}
	if err := r.store.Finish(tb.Context(), ticket, outcome); err != nil {
		tb.Fatal(err)
	}
	return c
}

// settled waits until everything that was enqueued is committed: an endpoint's save goes through the same queue.
func (r *rig) settled(tb testing.TB) {
	tb.Helper()
	name := fmt.Sprintf("settled-%d", time.Now().UnixNano())
	r.endpoint(tb, name)
	if err := r.store.DeleteEndpoint(tb.Context(), name); err != nil {
		tb.Fatal(err)
	}
}

type change func(*http.Request)

func with(name, value string) change {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func anonymous(r *http.Request) { r.Header.Del("Authorization") }

// answer is a response with its body.
type answer struct {
	*http.Response
	text []byte
}

func (r *rig) call(tb testing.TB, method, path, body string, changes ...change) answer {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), method, r.http.URL+path, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, c := range changes {
		c(req)
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return answer{resp, text}
}

// direct calls without a connection, which a server may reset under a body that it refuses.
func (r *rig) direct(tb testing.TB, method, path, body string) answer {
	tb.Helper()
	req := httptest.NewRequestWithContext(tb.Context(), method, "http://localhost"+path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	r.server.Handler().ServeHTTP(w, req)
	resp := w.Result()
	resp.Request = req
	return answer{resp, w.Body.Bytes()}
}

// get decodes a 200.
func get[T any](tb testing.TB, r *rig, path string) T {
	tb.Helper()
	return decoded[T](tb, r.call(tb, http.MethodGet, path, ""), http.StatusOK)
}

func decoded[T any](tb testing.TB, a answer, status int) T {
	tb.Helper()
	var out T
	if a.StatusCode != status {
		tb.Fatalf("answered %d, want %d: %s", a.StatusCode, status, a.text)
	}
	if err := json.Unmarshal(a.text, &out); err != nil {
		tb.Fatalf("%v: %s", err, a.text)
	}
	return out
}

// refused checks an answer to be a problem with a code, and returns its detail.
func refused(tb testing.TB, a answer, status int, code string) string {
	tb.Helper()
	var p api.ProblemDetails
	if err := json.Unmarshal(a.text, &p); err != nil {
		tb.Fatalf("answered %d, no problem: %v: %s", a.StatusCode, err, a.text)
	}
	if a.StatusCode != status || p.Status != status || p.Code != code || p.RequestID == "" ||
		a.Header.Get("Content-Type") != "application/problem+json" {
		tb.Errorf("%s %s: answered %d %+v, want %d %s", a.Request.Method, a.Request.URL, a.StatusCode, p, status, code)
	}
	return p.Detail
}

func seqs(captures []api.Capture) []int64 {
	out := []int64{}
	for _, c := range captures {
		out = append(out, c.Seq)
	}
	return out
}
