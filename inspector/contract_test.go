package inspector_test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// contract is the OpenAPI document with a validator for its schemas.
type contract struct {
	doc      map[string]any
	compiler *jsonschema.Compiler
}

const contractURL = "mem://openapi.json"

func newContract(tb testing.TB) contract {
	tb.Helper()
	text, err := yaml.YAMLToJSON(api.Document())
	if err != nil {
		tb.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		tb.Fatal(err)
	}
	c := contract{doc: doc.(map[string]any), compiler: jsonschema.NewCompiler()}
	c.compiler.AssertFormat()
	if err := c.compiler.AddResource(contractURL, doc); err != nil {
		tb.Fatal(err)
	}
	return c
}

// check validates JSON against a component schema.
func (c contract) check(tb testing.TB, schema string, text []byte) {
	tb.Helper()
	compiled, err := c.compiler.Compile(contractURL + "#/components/schemas/" + schema)
	if err != nil {
		tb.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		tb.Fatalf("%v: %s", err, text)
	}
	if err := compiled.Validate(value); err != nil {
		tb.Errorf("not a %s: %v\n%s", schema, err, text)
	}
}

type operation struct{ ID, Method, Path string }

func (c contract) operations() []operation {
	var out []operation
	for path, item := range c.doc["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			if method != "parameters" {
				out = append(out, operation{op.(map[string]any)["operationId"].(string), strings.ToUpper(method), path})
			}
		}
	}
	slices.SortFunc(out, func(a, b operation) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

func TestContractAndRoutesAgree(t *testing.T) {
	t.Parallel()
	var routed []operation
	pattern := regexp.MustCompile(`\{(\w+):[^}]*\}`)
	err := newRig(t).server.Router().Walk(func(m *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := m.GetPathTemplate()
		if err != nil {
			return err
		}
		methods, err := m.GetMethods()
		for _, method := range methods {
			if method != http.MethodHead {
				routed = append(routed, operation{m.GetName(), method, pattern.ReplaceAllString(path, "{$1}")})
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(routed, func(a, b operation) int { return cmp.Compare(a.ID, b.ID) })
	if diff := gocmp.Diff(newContract(t).operations(), routed); diff != "" {
		t.Errorf("contract and router differ (-contract +router):\n%s", diff)
	}
}

// TestContractDescribesEveryParameter calls each GET with each parameter that the contract has, and with one
// that it does not.
func TestContractDescribesEveryParameter(t *testing.T) {
	t.Parallel()
	r, c := newRig(t, playTests, withListeners), newContract(t)
	r.endpoint(t, "default")
	first := r.capture(t, "default", "{}")
	share := decoded[api.NewShare](t, r.call(t, http.MethodPost, fmt.Sprintf("%s/%d/share", captures, first.Seq), "{}"), http.StatusCreated)
	values := map[string]string{"class": "accepted", "order": "asc", "q": "x", "match": "true", "endpoint": "default", "reveal": "true", "none": "true", "format": "html", "decoded": "true", "until": "2026-11-22T12:00:00Z"}
	fill := strings.NewReplacer("{endpoint}", "default", "{seq}", fmt.Sprint(first.Seq), "{id}", first.Delivery, "{name}", "x")
	for path, item := range c.doc["paths"].(map[string]any) {
		op, found := item.(map[string]any)["get"].(map[string]any)
		if !found || path == "/healthz" || path == "/readyz" {
			continue
		}
		path = fill.Replace(path)
		by := with("Authorization", "Bearer "+token)
		if op["x-role"] == "share" {
			by = with("Authorization", "Bearer "+share.Key)
		}
		list, _ := op["parameters"].([]any)
		for _, p := range list {
			param := p.(map[string]any)
			if ref, ok := param["$ref"].(string); ok {
				param = c.doc["components"].(map[string]any)["parameters"].(map[string]any)[ref[strings.LastIndex(ref, "/")+1:]].(map[string]any)
			}
			if param["in"] != "query" {
				continue
			}
			name := param["name"].(string)
			query := "?timeout=0"
			if !strings.HasSuffix(path, "/wait") {
				query = "?"
			}
			if strings.HasSuffix(path, "/export") {
				query = "?format=har"
			}
			if !strings.Contains(query, name+"=") {
				query += "&" + name + "=" + cmp.Or(values[name], "1")
			}
			if a := r.call(t, http.MethodGet, path+query, "", by); a.StatusCode == http.StatusBadRequest {
				t.Errorf("%s%s: %s", path, query, a.text)
			}
		}
		detail := refused(t, r.call(t, http.MethodGet, path+"?surprise=1", "", by), http.StatusBadRequest, "invalid")
		if !strings.Contains(detail, `"surprise"`) {
			t.Errorf("%s: the detail does not name the parameter: %s", path, detail)
		}
	}
}

const ruleBody = `{"rule_id":"d75d7417-0c57-4655-88fe-1db3cda3a47a","start_time":"2024-04-05T01:28:54.734491+00:00",
"end_time":"2024-04-05T01:28:56.492563+00:00","feedback_stats":null,"runs":[{"id":"0190","name":"Search","run_type":"chain",
"status":"success","trace_id":"0190","dotted_order":"x","app_path":"/o/1","session_id":"s","start_time":"2024-04-05T01:28:54.1",
"end_time":"2024-04-05T01:28:55.2","total_tokens":12,"total_cost":"0.01","inputs":{"q":"why"},"outputs":null,
"feedback_stats":{"good":{"n":1}},"inputs_s3_urls":{"ROOT":{"presigned_url":"https://b.s3.amazonaws.com/k?X-Amz-Signature=abcdef"}}}]}`

const runBody = `{"run_id":"1ef","thread_id":"2ef","assistant_id":"fe0","status":"success","created_at":"2026-11-22T00:46:19.282Z",
"kwargs":{"webhook":"http://127.0.0.1:8080/hooks/default?secret=` + hooked + `"},"values":{"messages":[]},"metadata":{},
"multitask_strategy":"reject","run_started_at":"2026-11-22T00:46:19.282Z","run_ended_at":"2026-11-22T00:46:20.282Z","webhook_sent_at":"2026-11-22T00:46:20.300Z"}`

// TestAnswersKeepTheContract checks a real answer of every operation.
func TestAnswersKeepTheContract(t *testing.T) {
	t.Parallel()
	r, c := newRig(t, playTests, withListeners, playRelay), newContract(t)
	hung := 2 * time.Second
	r.endpoint(t, "default")
	r.capture(t, "default", ruleBody, func(c *webhook.Capture) {
		c.Request.TLS = &webhook.TLS{Version: "TLS 1.3", Cipher: "x", ServerName: "y"}
		c.Objects = []webhook.Object{
			{
				Ref: webhook.Ref{Name: "runs.0.inputs", URL: "https://b.s3.amazonaws.com/k?X-Amz-Signature=abcdef"}, State: webhook.Resolved,
				ContentType: "application/json", Data: []byte(`{"q":"why"}`), Size: 11, DoneAt: time.Now(),
			},
			{Ref: webhook.Ref{Name: "runs.0.outputs", URL: "https://b.s3.amazonaws.com/l"}, State: webhook.Pending, ExpiresAt: time.Now().Add(time.Hour)},
		}
	})
	again := r.capture(t, "default", ruleBody)
	r.capture(t, "default", runBody)
	r.capture(t, "default", "\x00\xff<svg onload=alert(1)>", func(c *webhook.Capture) {
		c.Class, c.Reason, c.Request.Truncated, c.Request.Declared = webhook.Incomplete, webhook.BodyCut, true, -1
		c.Plan = webhook.Plan{Step: -1, Status: 400}
	})
	at := r.store.Arrive("default", webhook.DeliveryKey{By: "none"}, false, time.Now())
	ticket, err := r.store.Record(t.Context(), &webhook.Capture{
		Endpoint: "default", ReceivedAt: time.Now(), Class: webhook.Rejected, Reason: webhook.SecretWrong, DeliveryBy: "none", Attempt: 1, Delivery: at.Delivery,
		Request: webhook.Request{Method: "GET", Target: "*", Proto: "HTTP/1.0", Head: []byte("GET * HTTP/1.0\r\n\r\n"), BodySHA256: sha256.Sum256(nil)},
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.store.Finish(t.Context(), ticket, webhook.Outcome{HungUp: &hung, HungUpBy: webhook.HangUpRST, Fault: webhook.Hang}); err != nil {
		t.Fatal(err)
	}
	r.connection(t, "default", func(c *webhook.Connection) { c.Handshake = &webhook.Handshake{Err: "EOF"} })
	r.connection(t, "default", func(c *webhook.Connection) { c.Reached, c.Ended = webhook.ConnDropped, nil })
	r.settled(t)
	one := fmt.Sprintf("/api/v1/endpoints/default/captures/%d", again.Seq)
	first := fmt.Sprintf("/api/v1/endpoints/default/captures/%d", again.Seq-1)
	if got := get[api.Captures](t, r, "/api/v1/endpoints/default/captures?order=asc&limit=1"); len(got.Captures) == 1 {
		first = fmt.Sprintf("/api/v1/endpoints/default/captures/%d", got.Captures[0].Seq)
	}
	made := decoded[api.NewToken](t, r.call(t, "POST", "/api/v1/tokens", `{"name":"made","role":"view"}`), http.StatusCreated)
	share := decoded[api.NewShare](t, r.call(t, "POST", first+"/share", `{"objects":true}`), http.StatusCreated)
	seen := map[string]bool{"live": true}
	for _, step := range []struct {
		id, method, path, body string
		status                 int
		schema                 string
	}{
		{"createEndpoint", "POST", "/api/v1/endpoints", `{"name":"new","expect":[{"name":"X-A"}],"scheme":"none"}`, 201, "Endpoint"},
		{"createEndpoint", "POST", "/api/v1/endpoints", `{"name":"new"}`, 409, "Problem"},
		{"listEndpoints", "GET", "/api/v1/endpoints", "", 200, "Endpoints"},
		{"getEndpoint", "GET", "/api/v1/endpoints/default", "", 200, "Endpoint"},
		{"replaceEndpoint", "PUT", "/api/v1/endpoints/new", `{"name":"new"}`, 200, "Endpoint"},
		{"changeEndpoint", "PATCH", "/api/v1/endpoints/new", `{"respond":"503x2 200"}`, 200, "Endpoint"},
		{"changeEndpoint", "PATCH", "/api/v1/endpoints/new", `{"rules":[{"name":"a","match":[{"part":"json","name":"id","op":"exists"}],"respond":"503x2 200"}],"cors":{"origins":["*"]}}`, 200, "Endpoint"},
		{"changeEndpoint", "PATCH", "/api/v1/endpoints/new", `{"rules":[{"name":"a","match":[{"part":"jso"}]}]}`, 400, "Problem"},
		{"dryRun", "POST", "/api/v1/endpoints/new/dry-run", `{"request":{"path":"/a?b=c","headers":[["A","b"]],"body":"{\"id\":1}"}}`, 200, "DryRun"},
		{"dryRun", "POST", "/api/v1/endpoints/new/dry-run", `{"capture":999}`, 404, "Problem"},
		{"listPresets", "GET", "/api/v1/presets", "", 200, "Presets"},
		{"importRules", "POST", "/api/v1/import", `{"text":"openapi: 3.0.0\npaths: {/a: {get: {responses: {'200': {description: ok}}}}}"}`, 200, "Imported"},
		{"importRules", "POST", "/api/v1/import", `{"text":"swagger: '2.0'"}`, 400, "Problem"},
		{"deleteEndpoint", "DELETE", "/api/v1/endpoints/new", "", 204, ""},
		{"listCaptures", "GET", "/api/v1/endpoints/default/captures", "", 200, "Captures"},
		{"listCaptures", "GET", "/api/v1/endpoints/default/captures?q=why&reveal=1&limit=1", "", 200, "Captures"},
		{"listAllCaptures", "GET", "/api/v1/captures?q=why&limit=1", "", 200, "Captures"},
		{"getCapture", "GET", one, "", 200, "Capture"},
		{"getCapture", "GET", first + "?reveal=true", "", 200, "Capture"},
		{"getCapture", "GET", fmt.Sprintf("/api/v1/endpoints/default/captures/%d", ticket.Seq), "", 200, "Capture"},
		{"changeNote", "PATCH", first + "/note", `{"pinned":true,"text":"look at this"}`, 200, "Note"},
		{"changeNote", "PATCH", one + "/note", `{}`, 400, "Problem"},
		{"changeNote", "PATCH", "/api/v1/endpoints/default/captures/999/note", `{"pinned":true}`, 404, "Problem"},
		{"listCaptures", "GET", "/api/v1/endpoints/default/captures?q=pinned:true", "", 200, "Captures"},
		{"getBody", "GET", one + "/body", "", 200, ""},
		{"getRaw", "GET", one + "/raw", "", 200, ""},
		{"getResolved", "GET", first + "/resolved/runs.0.inputs", "", 200, ""},
		{"getResolved", "GET", first + "/resolved/runs.0.outputs", "", 404, "Problem"},
		{"replay", "POST", one + "/replay", `{"url":"https://a.example/x?secret=s","headers":[["A","b"]],"body":"x","policy":"none"}`, 200, "ReplayResult"},
		{"replay", "POST", one + "/replay", `{"url":""}`, 400, "Problem"},
		{"listReplays", "GET", one + "/replays", "", 200, "Replays"},
		{"recordReplay", "POST", one + "/replays", replayed, 201, "Replay"},
		{"replaySome", "POST", "/api/v1/endpoints/default/replay", `{"url":"https://a.example/","limit":1}`, 200, "ReplayResult"},
		{"getExport", "GET", "/api/v1/endpoints/default/export?format=csv", "", 200, ""},
		{"getExport", "GET", "/api/v1/endpoints/default/export?format=doc", "", 400, "Problem"},
		{"explainSignature", "POST", one + "/signature", `{"scheme":"stripe","secret":"another one"}`, 200, "Signature"},
		{"explainSignature", "POST", one + "/signature", `{"scheme":"rot13"}`, 400, "Problem"},
		{"listDeliveries", "GET", "/api/v1/endpoints/default/deliveries", "", 200, "Deliveries"},
		{"getDelivery", "GET", "/api/v1/endpoints/default/deliveries/" + again.Delivery, "", 200, "Delivery"},
		{"listConnections", "GET", "/api/v1/endpoints/default/connections?limit=1", "", 200, "Connections"},
		{"getAuthority", "GET", "/api/v1/ca.pem", "", 200, ""},
		{"changeEndpoint", "PATCH", "/api/v1/endpoints/default", `{"listener":{"kind":"tls","h2":true}}`, 200, "Endpoint"},
		{"wait", "GET", "/api/v1/endpoints/default/wait?count=2", "", 200, "Wait"},
		{"wait", "GET", "/api/v1/endpoints/default/wait?count=99&timeout=0", "", 408, "Wait"},
		{"startTest", "POST", "/api/v1/tests", `{"profile":"p","sender":"manual","cases":"*","jobs":1,"strict":true,"scale":1,"set":{"a":"b"}}`, 201, "Test"},
		{"startTest", "POST", "/api/v1/tests", `{"profile":"p","sender":"rm -r"}`, 400, "Problem"},
		{"listTests", "GET", "/api/v1/tests", "", 200, "Tests"},
		{"getTest", "GET", "/api/v1/tests/one", "", 200, "Test"},
		{"getTest", "GET", "/api/v1/tests/two", "", 404, "Problem"},
		{"changeTest", "PATCH", "/api/v1/tests/one", `{"paused":true}`, 200, "Test"},
		{"changeTest", "PATCH", "/api/v1/tests/one", `{}`, 400, "Problem"},
		{"getTestReport", "GET", "/api/v1/tests/one/report", "", 200, ""},
		{"deleteTest", "DELETE", "/api/v1/tests/one", "", 200, "Test"},
		{"deleteTest", "DELETE", "/api/v1/tests/one", "", 204, ""},
		{"createToken", "POST", "/api/v1/tokens", `{"name":"ci","role":"operate","endpoints":["default"],"expires_in_ms":60000}`, 201, "NewToken"},
		{"createToken", "POST", "/api/v1/tokens", `{"name":"ci","role":"view"}`, 409, "Problem"},
		{"listTokens", "GET", "/api/v1/tokens", "", 200, "Tokens"},
		{"deleteToken", "DELETE", "/api/v1/tokens/" + made.ID, "", 204, ""},
		{"deleteToken", "DELETE", "/api/v1/tokens/" + made.ID, "", 404, "Problem"},
		{"createShare", "POST", one + "/share", `{}`, 201, "NewShare"},
		{"getShared", "GET", "/api/v1/shared", "", 200, "Shared"},
		{"getSharedBody", "GET", "/api/v1/shared/body", "", 200, ""},
		{"getSharedRaw", "GET", "/api/v1/shared/raw", "", 200, ""},
		{"getSharedObject", "GET", "/api/v1/shared/resolved/runs.0.inputs", "", 200, ""},
		{"listCaptureShares", "GET", one + "/shares", "", 200, "Shares"},
		{"listShares", "GET", "/api/v1/shares", "", 200, "Shares"},
		{"deleteShare", "DELETE", "/api/v1/shares/" + share.ID, "", 204, ""},
		{"getShared", "GET", "/api/v1/shared", "", 404, "Problem"},
		{"listAudit", "GET", "/api/v1/audit", "", 200, "Audit"},
		{"listPolicies", "GET", "/api/v1/policies", "", 200, "Policies"},
		{"getInfo", "GET", "/api/v1/info", "", 200, "Info"},
		{"getContract", "GET", "/api/v1/openapi.yaml", "", 200, ""},
		{"health", "GET", "/healthz", "", 200, "Health"},
		{"ready", "GET", "/readyz", "", 200, "Health"},
		{"getMetrics", "GET", "/metrics", "", 200, ""},
		{"deleteCapture", "DELETE", one, "", 204, ""},
		{"deleteCapture", "DELETE", one, "", 404, "Problem"},
		{"deleteCaptures", "DELETE", "/api/v1/endpoints/default/captures?class=rejected", "", 200, "Deleted"},
	} {
		seen[step.id] = true
		by := token
		if strings.HasPrefix(step.id, "getShared") {
			by = share.Key
		}
		a := r.call(t, step.method, step.path, step.body, with("Authorization", "Bearer "+by))
		if a.StatusCode != step.status {
			t.Errorf("%s %s: answered %d, want %d: %s", step.method, step.path, a.StatusCode, step.status, a.text)
		}
		if step.schema != "" {
			c.check(t, step.schema, a.text)
		}
	}
	for _, op := range c.operations() {
		if !seen[op.ID] {
			t.Errorf("%s is not checked", op.ID)
		}
	}
	socket := dial(t, r, "?after=0")
	socket.hello(t, token)
	kinds := map[string]bool{}
	for last := false; !last; {
		text := socket.text(t)
		c.check(t, "Event", text)
		var e api.Event
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatal(err)
		}
		kinds[e.Fact] = true
		last = e.Deletion != nil && e.Deletion.Class == string(webhook.Rejected)
	}
	for _, kind := range []string{"arrival", "outcome", "resolved", "note", "deletion", "connection", "replay"} {
		if !kinds[kind] {
			t.Errorf("no %s on the live feed; there were %v", kind, kinds)
		}
	}
}
