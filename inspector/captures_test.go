package inspector_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/hookrange/hookrange/inspector"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const captures = "/api/v1/endpoints/default/captures"

func TestCaptureInJSON(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	r.capture(t, "default", `{"a":1}`)
	c := r.capture(t, "default", `{"a":1}`)
	r.settled(t)
	got := get[api.Capture](t, r, fmt.Sprintf("%s/%d?reveal=true", captures, c.Seq))
	sum := sha256.Sum256([]byte(`{"a":1}`))
	if got.Attempt != 2 || got.Gap == nil || got.Delivery != c.Delivery || got.BodySHA256 != hex.EncodeToString(sum[:]) ||
		got.Path != "/hooks/default" || got.Query != "secret="+hooked || got.RemoteAddr != "192.0.2.1:1234" || *got.Declared != 7 ||
		got.ContentType != "application/json" || got.Payload.Kind != "json" || got.Outcome == nil || got.Outcome.Status != 200 {
		t.Errorf("%+v", got)
	}
	want := []api.Pair{{"Host", "x"}, {"Content-Type", "application/json"}, {"X-twice", "1"}, {"x-Twice", "2"}}
	if diff := cmp.Diff(want, got.Headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	masked := get[api.Capture](t, r, fmt.Sprintf("%s/%d", captures, c.Seq))
	if masked.Target != "/hooks/default?secret="+api.Hidden || masked.Query != "secret="+api.Hidden {
		t.Errorf("masked %q %q", masked.Target, masked.Query)
	}
	for _, path := range []string{"/0", "/99999999", "/99999999999999999999999", "/1/body", "/99/raw", "/99/resolved/x"} {
		if path == "/1/body" {
			continue
		}
		refused(t, r.call(t, http.MethodGet, captures+path, ""), 404, "not_found")
	}
	for _, path := range []string{"/-1", "/x", "/1e3"} {
		refused(t, r.call(t, http.MethodGet, captures+path, ""), 404, "no_route")
	}
}

func TestListPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	var want []int64
	for i := range 25 {
		c := r.capture(t, "default", fmt.Sprintf(`{"n":%d}`, i))
		want = append(want, int64(c.Seq))
	}
	for _, extra := range []string{"", "&q=POST", "&class=accepted", "&q=size:>0"} {
		var up, down []int64
		for cursor, page := "", 0; page < 9; page++ {
			list := get[api.Captures](t, r, captures+"?limit=7&order=asc"+extra+cursor)
			up = append(up, seqs(list.Captures)...)
			if list.Next == nil {
				break
			}
			cursor = fmt.Sprintf("&after=%d", *list.Next)
		}
		for cursor, page := "", 0; page < 9; page++ {
			list := get[api.Captures](t, r, captures+"?limit=7"+extra+cursor)
			down = append(down, seqs(list.Captures)...)
			if list.Next == nil {
				break
			}
			cursor = fmt.Sprintf("&before=%d", *list.Next)
		}
		slices.Reverse(down)
		if diff := cmp.Diff(want, up); diff != "" {
			t.Errorf("%s upwards (-want +got):\n%s", extra, diff)
		}
		if diff := cmp.Diff(want, down); diff != "" {
			t.Errorf("%s downwards (-want +got):\n%s", extra, diff)
		}
	}
	for _, bad := range []string{"limit=0", "limit=1001", "limit=x", "before=-1", "order=up", "class=good", "class=&class=accepted", "klass=accepted", "limit=1&limit=2", "q=colour:red", "reveal=maybe", "%zz=1", "a;b"} {
		refused(t, r.call(t, http.MethodGet, captures+"?"+bad, ""), 400, "invalid")
	}
	whole := get[api.Captures](t, r, captures)
	if diff := cmp.Diff(whole, get[api.Captures](t, r, captures+"?before=&after=&limit=&class=&q=")); diff != "" || len(whole.Captures) == 0 {
		t.Errorf("with parameters that have no value (-want +got):\n%s", diff)
	}
	for _, empty := range []string{"class=", "before=", "limit="} {
		refused(t, r.call(t, http.MethodDelete, captures+"?"+empty, ""), 400, "invalid")
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	name := map[int64]string{}
	add := func(as, body string, change ...func(*webhook.Capture)) {
		name[int64(r.capture(t, "default", body, change...).Seq)] = as
	}
	add("rule", ruleBody)
	add("run", runBody)
	add("again", runBody)
	add("get", "", func(c *webhook.Capture) {
		c.Request.Method, c.Request.Target = "GET", "/hooks/default/Sub/Path?x=1"
		c.Request.Head = []byte("GET /hooks/default/Sub/Path?x=1 HTTP/1.1\r\nUser-Agent: Python-Urllib\r\n\r\n")
	})
	add("bad", `{"deep":{"list":[{"k":"Värde"}]},"n":12}`, func(c *webhook.Capture) {
		c.Class, c.Reason, c.Plan.Status = webhook.Rejected, webhook.SecretWrong, 401
	})
	add("big", `{"pad":"`+strings.Repeat("x", 3000)+`"}`, func(c *webhook.Capture) { c.Plan.Status = 503 })
	r.settled(t)
	for q, want := range map[string]string{
		"search":              "rule",
		"SEARCH why":          "rule",
		`"two words"`:         "",
		"kind:langsmith-rule": "rule",
		"-kind:langsmith-rule size:>0 -kind:json": "run again",
		"attempt:>1":                  "again",
		"attempt:2 status:200":        "again",
		"status:5xx":                  "big",
		"status:>=401":                "bad big",
		"-status:2xx class:rejected":  "bad",
		"reason:secret_wrong":         "bad",
		"method:get":                  "get",
		"path:/sub/":                  "get",
		"header.user-agent:python":    "get",
		"body.deep.list.0.k:värde":    "bad",
		"body.n:12":                   "bad",
		"body.runs.0.name:Search":     "rule",
		"body.runs:Search":            "rule",
		"body.nothing:x":              "",
		"size:>=3k size:<1M":          "big",
		"endpoint:default method:GET": "get",
		"endpoint:other":              "",
		"värde":                       "bad",
		"":                            "rule run again get bad big",
	} {
		list := get[api.Captures](t, r, captures+"?order=asc&q="+strings.NewReplacer(" ", "%20", ">", "%3E", "<", "%3C", `"`, "%22", "&", "%26", "+", "%2B").Replace(q))
		var got []string
		for _, c := range list.Captures {
			got = append(got, name[c.Seq])
		}
		if strings.Join(got, " ") != want || !list.Complete {
			t.Errorf("q=%s: got %v (complete %v), want %s", q, got, list.Complete, want)
		}
	}
}

func TestBodiesAreAttachments(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	hostile := `<html><script>alert(1)</script>` + hooked
	c := r.capture(t, "default", hostile, func(c *webhook.Capture) {
		c.Request.Head = []byte("POST /hooks/default HTTP/1.1\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
		c.Request.Framed = []byte("5;x=y\r\n<html\r\n0\r\nT: 1\r\n\r\n")
		c.Objects = []webhook.Object{{
			Ref: webhook.Ref{Name: `runs.0.s3_urls.a"b/../c`, URL: "https://b.s3.amazonaws.com/k"}, State: webhook.Resolved,
			ContentType: "text/html", Data: []byte(hostile), Size: int64(len(hostile)),
		}}
	})
	at := fmt.Sprintf("%s/%d", captures, c.Seq)
	masked := strings.ReplaceAll(hostile, hooked, api.Hidden)
	raw := string(c.Request.Head) + string(c.Request.Framed)
	for path, want := range map[string][2]string{
		"/body":             {masked, fmt.Sprintf("capture-%d.bin", c.Seq)},
		"/body?reveal=true": {hostile, fmt.Sprintf("capture-%d.bin", c.Seq)},
		"/raw?reveal=true":  {raw, fmt.Sprintf("capture-%d.http", c.Seq)},
		"/raw":              {string(c.Request.Head) + masked, fmt.Sprintf("capture-%d.http", c.Seq)},
		"/resolved/runs.0.s3_urls.a%22b%2F..%2Fc": {masked, fmt.Sprintf("capture-%d-runs.0.s3_urls.a_b_.._c.bin", c.Seq)},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			a := r.call(t, method, at+path, "")
			if method == http.MethodGet && string(a.text) != want[0] {
				t.Errorf("%s: %q, want %q", path, a.text, want[0])
			}
			for name, value := range map[string]string{
				"Content-Type": "application/octet-stream", "Content-Disposition": `attachment; filename="` + want[1] + `"`,
				"Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'", "X-Content-Type-Options": "nosniff",
				"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
			} {
				if got := a.Header.Get(name); got != value {
					t.Errorf("%s %s: %s is %q, want %q", method, path, name, got, value)
				}
			}
		}
	}
}

func TestDeleteCaptures(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	rejected := func(c *webhook.Capture) { c.Class, c.Reason = webhook.Rejected, webhook.SecretWrong }
	first := r.capture(t, "default", "1")
	second := r.capture(t, "default", "2")
	r.capture(t, "default", "3")
	r.capture(t, "default", "4", rejected)
	for path, want := range map[string]int{fmt.Sprintf("?class=accepted,rejected&through=%d", second.Seq): 2} {
		if got := decoded[api.Deleted](t, r.call(t, http.MethodDelete, captures+path, ""), 200); got.Deleted != want {
			t.Errorf("%s: %d deleted, want %d", path, got.Deleted, want)
		}
	}
	refused(t, r.call(t, http.MethodGet, fmt.Sprintf("%s/%d", captures, first.Seq), ""), 404, "not_found")
	for _, bad := range []string{"klass=rejected", "through=0", "q=x&through=1", "class=all", "reveal=true"} {
		refused(t, r.call(t, http.MethodDelete, captures+"?"+bad, ""), 400, "invalid")
	}
	if got := decoded[api.Deleted](t, r.call(t, http.MethodDelete, captures+"?class=rejected", ""), 200); got.Deleted != 1 {
		t.Errorf("%d rejected deleted", got.Deleted)
	}
	if got := decoded[api.Deleted](t, r.call(t, http.MethodDelete, captures, ""), 200); got.Deleted != 1 {
		t.Errorf("%d of the rest deleted", got.Deleted)
	}
}

// TestDeleteFound deletes what lists with the same parameters have.
func TestDeleteFound(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	var seqs []webhook.Seq
	for i := range 120 {
		body := fmt.Sprintf(`{"n":%d,"kind":"%s"}`, i, []string{"even", "odd"}[i%2])
		seqs = append(seqs, r.capture(t, "default", body).Seq)
	}
	r.settled(t)
	for _, test := range []struct {
		query         string
		deleted, left int
	}{
		{"q=body.kind:odd", 60, 60},
		{"q=body.kind:odd", 0, 60},
		{fmt.Sprintf("before=%d", seqs[10]), 5, 55},
		{fmt.Sprintf("after=%d", seqs[109]), 5, 50},
		{"limit=7", 7, 43},
		{"limit=3&order=asc", 3, 40},
		{"q=nothing-of-the-kind", 0, 40},
		{"class=rejected&limit=5", 0, 40},
		{"limit=1000", 40, 0},
	} {
		if got := decoded[api.Deleted](t, r.call(t, http.MethodDelete, captures+"?"+test.query, ""), 200); got.Deleted != test.deleted {
			t.Errorf("%s: %d deleted, want %d", test.query, got.Deleted, test.deleted)
		}
		if left := get[api.Captures](t, r, captures+"?limit=1000"); len(left.Captures) != test.left {
			t.Errorf("%s: %d left, want %d", test.query, len(left.Captures), test.left)
		}
	}
}

func TestDeliveries(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	for range 3 {
		r.capture(t, "default", "one")
		r.capture(t, "default", "two")
	}
	r.capture(t, "default", "three")
	r.settled(t)
	page := get[api.Deliveries](t, r, "/api/v1/endpoints/default/deliveries?limit=2")
	if len(page.Deliveries) != 2 || page.Deliveries[0].AttemptCount != 1 || page.Deliveries[1].AttemptCount != 3 || page.Next == nil {
		t.Fatalf("%+v", page)
	}
	rest := get[api.Deliveries](t, r, fmt.Sprintf("/api/v1/endpoints/default/deliveries?limit=2&before=%d", *page.Next))
	if len(rest.Deliveries) != 1 || rest.Next != nil {
		t.Fatalf("%+v", rest)
	}
	one := get[api.Delivery](t, r, "/api/v1/endpoints/default/deliveries/"+rest.Deliveries[0].ID)
	for i, a := range one.Attempts {
		if a.Attempt != i+1 || (a.Gap == nil) != (i == 0) {
			t.Errorf("attempt %d: number %d, gap %v", i, a.Attempt, a.Gap)
		}
	}
	for _, id := range []string{"x", "00000000-0000-0000-0000-000000000000", "%2e%2e"} {
		refused(t, r.call(t, http.MethodGet, "/api/v1/endpoints/default/deliveries/"+id, ""), 404, "not_found")
	}
}

// broken is a store whose captures are damaged and which cannot be written.
type broken struct{ inspector.Store }

func (broken) Capture(_ context.Context, _ string, seq webhook.Seq) (webhook.Capture, error) {
	switch seq % 3 {
	case 0:
		return webhook.Capture{}, fmt.Errorf("row %d: %w", seq, webhook.ErrDamaged)
	case 1:
		return webhook.Capture{}, fmt.Errorf("disk of %s broke", hooked)
	default:
		panic("capture of " + hooked)
	}
}

func (broken) SaveEndpoint(context.Context, webhook.Endpoint, bool) (*webhook.Endpoint, error) {
	return nil, fmt.Errorf("/data/hookrange.db: %w", webhook.ErrUnavailable)
}

func (broken) Ready() error { return webhook.ErrUnavailable }

// TestPanicsTellNoSecret: a panic's value may quote what was sent; the log names its place only.
func TestPanicsTellNoSecret(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	r := newRig(t, func(c *inspector.Config) {
		c.Store, c.Log = broken{c.Store}, slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	r.endpoint(t, "default")
	refused(t, r.call(t, http.MethodGet, captures+"/5/body", ""), 500, "internal")
	r.http.Close()
	if text := log.String(); strings.Contains(text, hooked) || !strings.Contains(text, "a value of type string") || !strings.Contains(text, "captures_test.go") {
		t.Errorf("the log has %s", text)
	}
}

func TestFailuresTellNoMoreThanNeeded(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *inspector.Config) { c.Store = broken{c.Store} })
	r.endpoint(t, "default")
	refused(t, r.call(t, http.MethodGet, captures+"/3", ""), 500, "damaged")
	for _, seq := range []string{"/4", "/5"} {
		a := r.call(t, http.MethodGet, captures+seq+"/body", "")
		if refused(t, a, 500, "internal"); strings.Contains(string(a.text), hooked) {
			t.Errorf("the answer has the cause: %s", a.text)
		}
	}
	a := r.call(t, http.MethodPost, endpoints, `{"name":"x"}`)
	if detail := refused(t, a, 503, "unavailable"); strings.Contains(detail, "/data") || a.Header.Get("Retry-After") == "" {
		t.Errorf("%q, %v", detail, a.Header)
	}
	if a := r.call(t, http.MethodGet, "/readyz", "", anonymous); a.StatusCode != http.StatusServiceUnavailable || strings.Contains(string(a.text), "data") {
		t.Errorf("ready: %d %s", a.StatusCode, a.text)
	}
}

// TestPanicsCostOneCall: a defect in a handler is an answer like others.
func TestPanicsCostOneCall(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *inspector.Config) {
		c.Describe = func(*webhook.Capture) webhook.Payload { panic("a defect") }
	})
	r.endpoint(t, "default")
	c := r.capture(t, "default", "{}")
	refused(t, r.call(t, http.MethodGet, fmt.Sprintf("%s/%d", captures, c.Seq), ""), http.StatusInternalServerError, "internal")
	if a := r.call(t, http.MethodGet, "/healthz", ""); a.StatusCode != http.StatusOK {
		t.Errorf("afterwards: %d", a.StatusCode)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *inspector.Config) {
		c.Metrics = func(w io.Writer) error {
			_, err := fmt.Fprintln(w, "hookrange_more 1")
			return err
		}
	})
	r.endpoint(t, "default")
	r.capture(t, "default", "{}")
	get[api.Captures](t, r, captures)
	dial(t, r, "").hello(t, token)
	text := string(r.call(t, http.MethodGet, "/metrics", "").text)
	for _, want := range []string{
		`hookrange_captures_kept{endpoint="default",class="accepted"} 1`, "hookrange_live_sockets 1", "hookrange_more 1",
		`hookrange_inspector_requests_total{route="listCaptures",method="GET",status="200"} 1`, "hookrange_last_seq ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for name, kind := range map[string]dto.MetricType{
		"hookrange_inspector_request_seconds": dto.MetricType_SUMMARY, "hookrange_inspector_requests_total": dto.MetricType_COUNTER,
		"hookrange_captures_kept": dto.MetricType_GAUGE, "hookrange_last_seq": dto.MetricType_GAUGE,
		"hookrange_live_lag_facts": dto.MetricType_GAUGE, "hookrange_live_sockets": dto.MetricType_GAUGE,
	} {
		if f := families[name]; f == nil || f.GetType() != kind || f.GetHelp() == "" {
			t.Errorf("%s is %v", name, f)
		}
	}
}
