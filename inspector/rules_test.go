package inspector_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestRulesAreSaved(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	const path = "/api/v1/endpoints/default"
	rules := `[{"name":"echo","match":[{"part":"query","name":"secret","op":"equals","value":"` + hooked + `"}],"respond":"200/body=` + hooked + `"},` +
		`{"name":"b","off":true,"match":[],"respond":"503"}]`
	saved := decoded[api.Endpoint](t, r.call(t, http.MethodPatch, path, `{"rules":`+rules+`}`), http.StatusOK)
	if got := saved.Rules; len(got) != 2 || got[0].Match[0].Value != api.Hidden || !strings.Contains(got[0].Respond, api.Hidden) || !got[1].Off {
		t.Errorf("rules are shown as %+v", got)
	}
	// What is shown masked is kept as it is stored, also after a move, and what is left out stays.
	moved := fmt.Sprintf(`[{"name":"b","match":[],"respond":"503"},{"name":"echo","match":[{"part":"query","name":"secret","op":"equals","value":%q}],"respond":%q}]`,
		saved.Rules[0].Match[0].Value, saved.Rules[0].Respond)
	decoded[api.Endpoint](t, r.call(t, http.MethodPatch, path, `{"rules":`+moved+`}`), http.StatusOK)
	decoded[api.Endpoint](t, r.call(t, http.MethodPatch, path, `{"respond":"204"}`), http.StatusOK)
	saved = decoded[api.Endpoint](t, r.call(t, http.MethodGet, path+"?reveal=true", ""), http.StatusOK)
	want := []api.AnswerRule{
		{Name: "b", Match: []api.Matcher{}, Respond: "503"},
		{Name: "echo", Match: []api.Matcher{{Part: "query", Name: "secret", Op: "equals", Value: hooked}}, Respond: "200/body=" + hooked},
	}
	if diff := cmp.Diff(want, saved.Rules); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	for body, want := range map[string]string{
		`{"rules":[{"name":"a","match":[],"respond":"2oo"}]}`:                                              "rules.0.respond: ",
		`{"rules":[{"name":"a","match":[{"part":"body","op":"matches","value":"("}]}]}`:                    "rules.0.match.0.value: ",
		`{"rules":[{"name":"c","match":[],"respond":"200/body=•••"}]}`:                                     "rules.0.respond: ",
		`{"cors":{"methods":["PUT"]}}`:                                                                     "cors.origins: ",
		`{"cors":{"origins":["*"],"credentials":true}}`:                                                    "cors.credentials: ",
		`{"rules":[{"name":"a","match":[],"respond":"200/template=on/body=\"a\\n{{nothing .Method}}\""}]}`: `line 2: function "nothing" not defined`,
	} {
		problem := decoded[api.ProblemDetails](t, r.call(t, http.MethodPatch, path, body), http.StatusBadRequest)
		if !strings.Contains(problem.Detail, want) {
			t.Errorf("%s: %q, want %q", body, problem.Detail, want)
		}
	}
	saved = decoded[api.Endpoint](t, r.call(t, http.MethodPatch, path, `{"rules":[]}`), http.StatusOK)
	if len(saved.Rules) != 0 {
		t.Errorf("rules are left: %+v", saved.Rules)
	}
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default", func(ep *webhook.Endpoint) { ep.Respond = "204" })
	c := r.capture(t, "default", `{"rule_id":"r1","n":3}`)
	const path = "/api/v1/endpoints/default/dry-run"
	input := func(rest string) string {
		return `{"rules":[{"name":"no","match":[{"part":"json","name":"n","op":">","value":"3"},{"part":"query","name":"secret","op":"exists"}],"respond":"500"},` +
			`{"name":"yes","match":[{"part":"method","op":"equals","value":"POST"}],"respond":"503 418/template=on/body={{.Body.rule_id}}/header.X-A={{.Query.secret}}"}],` + rest + `}`
	}
	got := decoded[api.DryRun](t, r.call(t, http.MethodPost, path, input(fmt.Sprintf(`"capture":%d,"attempt":2`, c.Seq))), http.StatusOK)
	want := []api.RuleTrial{
		{Name: "no", State: "differs", Match: []api.MatcherTrial{
			{Matcher: api.Matcher{Part: "json", Name: "n", Op: ">", Value: "3"}, Present: true, Actual: "3"},
			{Matcher: api.Matcher{Part: "query", Name: "secret", Op: "exists"}, Holds: true, Present: true, Actual: api.Hidden},
		}},
		{Name: "yes", State: "answers", Match: []api.MatcherTrial{{Matcher: api.Matcher{Part: "method", Op: "equals", Value: "POST"}, Holds: true, Present: true, Actual: "POST"}}},
	}
	if diff := cmp.Diff(want, got.Rules); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if p := got.Plan; p.Rule != "yes" || p.Status != 418 || p.Body != "r1" || got.Refused != "" {
		t.Errorf("plan %+v, refused %q", p, got.Refused)
	}
	for _, pair := range got.Plan.Headers {
		if pair[0] == "X-A" && pair[1] != api.Hidden {
			t.Errorf("an echoed secret is shown: %v", pair)
		}
	}
	got = decoded[api.DryRun](t, r.call(t, http.MethodPost, path, input(`"request":{"method":"PUT","path":"x?a=b","body":"{}"}`)), http.StatusOK)
	if got.Plan.Rule != "" || got.Plan.Status != 204 || got.Rules[1].State != "differs" {
		t.Errorf("made up: %+v", got)
	}
	wrong := r.capture(t, "default", `{}`, func(c *webhook.Capture) { c.Request.Target = "/hooks/default?secret=wrong" })
	got = decoded[api.DryRun](t, r.call(t, http.MethodPost, path, input(fmt.Sprintf(`"capture":%d`, wrong.Seq))), http.StatusOK)
	if got.Refused != "secret_wrong" || got.Plan.Status != 401 || got.Plan.Rule != "" {
		t.Errorf("a wrong secret: %+v", got)
	}
	// The latest is the newest of its endpoint, of whichever class.
	refused(t, r.call(t, http.MethodPost, path, `{"capture":999}`), http.StatusNotFound, "not_found")
	got = decoded[api.DryRun](t, r.call(t, http.MethodPost, path, input(`"capture":"latest"`)), http.StatusOK)
	if got.Refused != "secret_wrong" {
		t.Errorf("the latest: %+v", got)
	}
	r.endpoint(t, "other")
	detail := refused(t, r.call(t, http.MethodPost, "/api/v1/endpoints/other/dry-run", `{"capture":"latest"}`), http.StatusNotFound, "not_found")
	if !strings.Contains(detail, `endpoint "other" has none`) {
		t.Errorf("the latest of none: %s", detail)
	}
	for body, want := range map[string]string{
		`{"capture":"newest"}`:                     "or latest",
		`{"capture":"3"}`:                          "or latest",
		`{"capture":0}`:                            "give one of them",
		`{"capture":-1}`:                           "or latest",
		`{"capture":1.5}`:                          "or latest",
		`{}`:                                       "give one of them",
		`{"capture":1,"request":{}}`:               "give one of them",
		`{"request":{"headers":[["a b","c"]]}}`:    "request.headers.0",
		`{"request":{"path":"/a b"}}`:              "request.path",
		`{"request":{},"respond":"refuse"}`:        "listener",
		`{"request":{},"seed":"x"}`:                "seed",
		`{"request":{},"rules":[{"name":""}]}`:     "rules.0.name",
		`{"request":{"method":"A\r\nB"}}`:          "request.method",
		`{"request":{"headers":[["A","b\r\nc"]]}}`: "request.headers.0",
	} {
		problem := decoded[api.ProblemDetails](t, r.call(t, http.MethodPost, path, body), http.StatusBadRequest)
		if !strings.Contains(problem.Detail, want) {
			t.Errorf("%s: %q, want %q", body, problem.Detail, want)
		}
	}
}

// TestPresetsCanBeUsed saves each preset as it is offered.
func TestPresetsCanBeUsed(t *testing.T) {
	t.Parallel()
	presets, err := api.ReadPresets()
	if err != nil || len(presets.Presets) < 7 {
		t.Fatalf("%d presets: %v", len(presets.Presets), err)
	}
	edge := receiver.New(receiver.Config{Listeners: &receiver.Listeners{}})
	for _, p := range presets.Presets {
		ep, err := api.Settings(api.Endpoint{Name: "a", Respond: p.Respond, Rules: p.Rules}, api.Endpoint{}, nil)
		if err == nil {
			err = edge.CheckAnswers(&ep)
		}
		if err != nil || p.Title == "" || p.Says == "" || (p.Respond == "") == (len(p.Rules) == 0) {
			t.Errorf("%s: %v", p.ID, err)
		}
	}
}

// TestImportedExamplesCanBeTried tries the requests of a document as they are offered, with the rules that were made of it.
func TestImportedExamplesCanBeTried(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	form, err := json.Marshal(map[string]string{"text": `{"openapi":"3.1.0","paths":{"/orders/{id}":{"post":{
"parameters":[{"name":"id","in":"path","required":true,"example":"7 8"},{"name":"X-Tenant","in":"header","example":"acme"}],
"requestBody":{"content":{"application/json":{"schema":{"properties":{"n":{"type":"integer"}}}}}},"responses":{"201":{"description":"taken"}}}}}}`})
	if err != nil {
		t.Fatal(err)
	}
	got := decoded[api.Imported](t, r.call(t, http.MethodPost, "/api/v1/import", string(form)), http.StatusOK)
	want := []api.Example{{
		Name: "POST /orders/{id}", At: "paths./orders/{id}.post.requestBody", Method: "POST", Path: "/orders/7%208",
		Headers: []api.Pair{{"Content-Type", "application/json"}, {"X-Tenant", "acme"}}, Body: `{"n":0}`, Made: true,
	}}
	if diff := cmp.Diff(want, got.Examples); diff != "" {
		t.Fatalf("examples (-want +got):\n%s", diff)
	}
	e := got.Examples[0]
	trial, err := json.Marshal(api.DryRunInput{Rules: got.Rules, Request: &api.TrialRequest{Method: e.Method, Path: e.Path, Headers: e.Headers, Body: e.Body}})
	if err != nil {
		t.Fatal(err)
	}
	tried := decoded[api.DryRun](t, r.call(t, http.MethodPost, "/api/v1/endpoints/default/dry-run", string(trial)), http.StatusOK)
	if tried.Plan.Rule != "POST /orders/{id}" || tried.Plan.Status != http.StatusCreated {
		t.Errorf("tried: %+v", tried)
	}
	binary := `{"text":"{\"log\":{\"entries\":[{\"request\":{\"method\":\"PUT\",\"url\":\"https://a.test/\",\"postData\":{\"text\":\"AP8=\",\"encoding\":\"base64\"}},\"response\":{\"status\":200}}]}}"}`
	got = decoded[api.Imported](t, r.call(t, http.MethodPost, "/api/v1/import", binary), http.StatusOK)
	if len(got.Examples) != 0 || len(got.LeftOut) != 1 || !strings.Contains(got.LeftOut[0].Why, "no text") {
		t.Errorf("a body that is no text: %+v", got)
	}
}
