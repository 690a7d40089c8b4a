package receiver_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestRulesAnswer(t *testing.T) {
	t.Parallel()
	ep := open("a", "s", "204")
	ep.Rules = []webhook.AnswerRule{
		{Name: "failed runs", Match: []webhook.Matcher{{Part: "json", Name: "runs.0.status", Op: "equals", Value: "error"}}, Respond: "503x2 200"},
		{Name: "echo", Match: []webhook.Matcher{{Part: "path", Op: "equals", Value: "/echo"}}, Respond: `201/template=on/header.X-Try={{.Attempt}}/body="{{.Body.id}} {{.Query.secret}}"`},
		{Name: "broken", Match: []webhook.Matcher{{Part: "path", Op: "equals", Value: "/broken"}}, Respond: `200/template=on/header.X-A={{.Raw}}/body=whole`},
	}
	e := newEdge(t, receiver.Config{}, ep)
	type answer struct {
		Status int
		Body   string
	}
	var got []answer
	for _, sent := range []struct{ path, body string }{
		{"?secret=s", `{"runs":[{"status":"error"}]}`},
		{"?secret=s", `{"runs":[{"status":"error"}]}`},
		{"?secret=s", `{"runs":[{"status":"error"}]}`},
		{"?secret=s", `{"runs":[{"status":"success"}]}`},
		{"?secret=wrong", `{"runs":[{"status":"error"}]}`},
		{"/echo?secret=s", `{"id":"x7"}`},
		{"/broken?secret=s", "a\nb"},
	} {
		status, header, body := e.post(t, "/hooks/a"+sent.path, sent.body)
		got = append(got, answer{status, header.Get("X-Try") + body})
	}
	want := []answer{
		{503, "503 Service Unavailable\n"},
		{503, "503 Service Unavailable\n"},
		{200, `{"received":true}`},
		{204, ""},
		{401, `{"detail":"Incorrect bearer token"}`},
		{201, "1x7 s"},
		{500, `{"detail":"The template of this answer failed; the outcome of the capture says why."}`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	type fact struct {
		Rule string
		Step int
		Body string
	}
	var facts []fact
	captures := e.captures(t, "a", len(want))
	for _, c := range captures {
		facts = append(facts, fact{c.Plan.Rule, c.Plan.Step, string(c.Plan.Body)})
	}
	if diff := cmp.Diff([]fact{
		{"failed runs", 0, ""},
		{"failed runs", 0, ""},
		{"failed runs", 1, ""},
		{"", 0, ""},
		{"", -1, `{"detail":"Incorrect bearer token"}`},
		{"echo", 0, "x7 s"},
		{"broken", 0, want[6].Body},
	}, facts); diff != "" {
		t.Errorf("plans (-want +got):\n%s", diff)
	}
	if note := captures[6].Outcome.Note; !strings.Contains(note, "header X-A: a header value holds no line break") {
		t.Errorf("the outcome's note is %q", note)
	}
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	ep := open("a", "s", "503 200")
	ep.CORS = &webhook.CORSPolicy{Origins: []string{"https://app.test"}, Credentials: true}
	e := newEdge(t, receiver.Config{}, ep, open("plain", "s", "200"))
	ask := func(method, path string, header ...string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, e.base+path, strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", "https://app.test")
		for _, line := range header {
			name, value, _ := strings.Cut(line, ": ")
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp
	}
	const method = "Access-Control-Request-Method: PUT"
	for range 2 {
		resp := ask(http.MethodOptions, "/hooks/a", method, "Access-Control-Request-Headers: content-type")
		h := resp.Header
		if resp.StatusCode != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != "https://app.test" || h.Get("Access-Control-Allow-Methods") != "PUT" ||
			h.Get("Access-Control-Allow-Headers") != "content-type" || h.Get("Access-Control-Allow-Credentials") != "true" || h.Get("Vary") != "Origin" {
			t.Errorf("preflight answered %d %v", resp.StatusCode, h)
		}
	}
	for _, want := range []int{503, 200} {
		if resp := ask(http.MethodPut, "/hooks/a?secret=s"); resp.StatusCode != want || resp.Header.Get("Access-Control-Allow-Origin") != "https://app.test" {
			t.Errorf("answered %d %v, want %d: a preflight takes no step", resp.StatusCode, resp.Header, want)
		}
	}
	if resp := ask(http.MethodPut, "/hooks/a"); resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("refused with %d %v", resp.StatusCode, resp.Header)
	}
	if resp := ask(http.MethodOptions, "/hooks/a", "Access-Control-Request-Method: PUT", "Origin: https://evil.test"); resp.StatusCode != http.StatusNoContent || resp.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("another origin: %d %v", resp.StatusCode, resp.Header)
	}
	if resp := ask(http.MethodOptions, "/hooks/plain", method); resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("Vary") != "" {
		t.Errorf("without a policy: %d %v", resp.StatusCode, resp.Header)
	}
	var got []string
	for _, c := range e.captures(t, "a", 6) {
		got = append(got, string(c.Class)+" "+string(c.Reason))
	}
	if diff := cmp.Diff([]string{"rejected preflight", "rejected preflight", "accepted ", "accepted ", "rejected secret_missing", "rejected preflight"}, got); diff != "" {
		t.Errorf("captures (-want +got):\n%s", diff)
	}
}

func TestTry(t *testing.T) {
	t.Parallel()
	s := receiver.New(receiver.Config{})
	ep := open("a", "s", "204")
	ep.Rules = []webhook.AnswerRule{{Name: "all", Respond: `418/template=on/body="{{.Attempt}} {{.Delivery}}"`}}
	ep.CORS = &webhook.CORSPolicy{Origins: []string{"*"}}
	in := webhook.Trial{
		Request: &webhook.Request{Method: "POST", Target: "/hooks/a?secret=s", Head: []byte("POST /hooks/a?secret=s HTTP/1.1\r\nOrigin: https://app.test\r\n\r\n")},
		Path:    "/hooks/a", ReceivedAt: time.Now(), Attempt: 3, Step: 2, Delivery: "d",
	}
	try := func() webhook.TrialResult {
		t.Helper()
		out, err := s.Try(&ep, in)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if got := try(); got.Refused != "" || got.Plan.Rule != "all" || string(got.Plan.Body) != "3 d" || !slices.Contains(got.Plan.Header, webhook.Field{Name: "Content-Length", Value: "3"}) || got.Rules[0].State != webhook.RuleAnswers {
		t.Errorf("%+v", got)
	}
	in.Request.Target = "/hooks/a?secret=wrong"
	if got := try(); got.Refused != webhook.SecretWrong || got.Plan.Status != 401 || got.Rules[0].State != webhook.RuleAnswers {
		t.Errorf("wrong secret: %+v", got)
	}
	in.Proven = true
	if got := try(); got.Refused != "" || got.Plan.Status != 418 {
		t.Errorf("taken for proven: %+v", got)
	}
	ep.Rules[0].Respond = "4i8"
	if _, err := s.Try(&ep, in); !errors.Is(err, webhook.ErrInvalid) || !strings.Contains(err.Error(), "rules.0.respond") {
		t.Errorf("error %v", err)
	}
	if err := s.CheckAnswers(&ep); !errors.Is(err, webhook.ErrInvalid) {
		t.Errorf("error %v", err)
	}
}
