package inspector_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// line is an entry of the audit log without what differs from run to run.
type line struct{ Who, Action, Endpoint, Outcome, Details string }

func lines(tb testing.TB, r *rig, query string) []line {
	tb.Helper()
	var out []line
	for _, e := range get[api.Audit](tb, r, "/api/v1/audit"+query).Entries {
		l := line{Who: e.Who, Action: e.Action, Endpoint: e.Endpoint, Outcome: e.Outcome}
		for _, d := range e.Details {
			l.Details += fmt.Sprintf("%s: %s→%s; ", d.Name, d.From, d.To)
		}
		if e.Peer != "127.0.0.1" || e.Request == "" || e.Count < 1 || e.At.IsZero() {
			tb.Errorf("entry %+v", e)
		}
		out = append(out, l)
	}
	return out
}

func TestEveryChangeIsInTheAuditLog(t *testing.T) {
	t.Parallel()
	r := newRig(t, playTests, playRelay)
	op := r.token(t, "op", webhook.RoleOperate)
	r.call(t, "POST", "/api/v1/endpoints", `{"name":"default","secret":"`+hooked+`"}`)
	r.call(t, "PATCH", "/api/v1/endpoints/default", `{"respond":"503x2 200/body=`+hooked+`","secret":"a-new-secret-value","previous_secret":"`+hooked+`"}`)
	r.call(t, "PATCH", "/api/v1/endpoints/default", `{"respond":"204"}`, by(op.Key))
	refused(t, r.call(t, "PATCH", "/api/v1/endpoints/default", `{"scheme":"none"}`, by(op.Key)), 403, "forbidden")
	seq := r.capture(t, "default", "{}").Seq
	at := fmt.Sprintf("%s/%d", captures, seq)
	r.call(t, "PATCH", at+"/note", `{"pinned":true}`, by(op.Key))
	for range 3 {
		r.call(t, "POST", at+"/replays", replayed, by(op.Key))
	}
	r.call(t, "POST", at+"/replay", `{"url":"https://a.example/hook/very-secret-path?secret=s"}`, by(op.Key))
	r.call(t, "GET", at+"/body?reveal=true", "", by(op.Key))
	r.call(t, "GET", at+"/body", "", by(op.Key))
	r.call(t, "GET", "/api/v1/endpoints/default/export?format=har&q="+hooked, "", by(op.Key))
	r.call(t, "POST", "/api/v1/tests", `{"profile":"p","sender":"manual"}`, by(op.Key))
	refused(t, r.call(t, "POST", "/api/v1/tests", `{"profile":"p","sender":"agent-server:http://127.0.0.1:1"}`, by(op.Key)), 403, "forbidden")
	r.call(t, "DELETE", captures+"?class=rejected", "", by(op.Key))
	r.call(t, "DELETE", captures+"/999", "", by(op.Key))
	r.call(t, "DELETE", at, "", by(op.Key))
	r.call(t, "DELETE", "/api/v1/tokens/"+op.ID, "")
	r.call(t, "DELETE", "/api/v1/endpoints/default", "")
	const root = "start-up token"
	want := []line{
		{root, "deleteEndpoint", "default", "done", ""},
		{root, "deleteToken", "", "done", "name: →op; role: →operate; "},
		{"op", "deleteCapture", "default", "done", ""},
		{"op", "deleteCapture", "default", "refused", ""},
		{"op", "deleteCaptures", "default", "done", "class: →rejected; through: →; "},
		{"op", "startTest", "", "done", "profile: →p; sender: →manual; cases: →; "},
		{"op", "getExport", "default", "done", "format: →har; q: →•••; "},
		{"op", "getBody", "default", "done", "reveal: →true; "},
		{"op", "replay", "default", "done", "target: →https://a.example; "},
		{"op", "recordReplay", "default", "done", "target: →http://127.0.0.1:3000; "},
		{"op", "changeNote", "default", "done", ""},
		{"op", "changeEndpoint", "default", "done", "respond: 503x2 200/body=•••→204; "},
		{root, "changeEndpoint", "default", "done", "previous_secret: →•••; respond: →503x2 200/body=•••; secret: •••→•••; "},
		{root, "createEndpoint", "default", "done", "respond: →; "},
		{root, "createToken", "", "done", "name: →op; role: →operate; endpoints: →; "},
	}
	if diff := gocmp.Diff(want, lines(t, r, "")); diff != "" {
		t.Errorf("audit log (-want +got):\n%s", diff)
	}
	for query, n := range map[string]int{
		"?who=op": 10, "?who=" + op.ID: 10, "?action=deleteCapture": 2, "?endpoint=default&action=changeNote": 1, "?limit=2": 2, "?who=nobody": 0,
	} {
		if got := len(lines(t, r, query)); got != n {
			t.Errorf("%s: %d entries, want %d", query, got, n)
		}
	}
	page := get[api.Audit](t, r, "/api/v1/audit?limit=5")
	rest := get[api.Audit](t, r, fmt.Sprintf("/api/v1/audit?before=%d", *page.Next))
	if len(page.Entries)+len(rest.Entries) != len(want) || rest.Next != nil {
		t.Errorf("%d and %d entries in two pages", len(page.Entries), len(rest.Entries))
	}
	for _, e := range rest.Entries {
		if e.Action == "recordReplay" && e.Count != 3 {
			t.Errorf("three equal changes are counted as %d", e.Count)
		}
	}
	text := r.call(t, "GET", "/api/v1/audit?limit=1000", "").text
	for _, secret := range []string{hooked, "a-new-secret", op.Key[20:], "very-secret-path", token} {
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("the audit log shows %q", secret)
		}
	}
}

// auditedRoutes says of each route whose calls are in the audit log why they are.
func auditedRoutes() map[string]string {
	return map[string]string{
		"createEndpoint":  "makes an endpoint",
		"replaceEndpoint": "changes an endpoint",
		"changeEndpoint":  "changes an endpoint",
		"deleteEndpoint":  "takes an endpoint with its captures away",
		"deleteCaptures":  "takes captures away",
		"deleteCapture":   "takes a capture away",
		"changeNote":      "changes what is noted about a capture",
		"replay":          "sends a capture on",
		"replaySome":      "sends captures on",
		"recordReplay":    "says that a capture was sent on",
		"getExport":       "takes captures out of here",
		"startTest":       "has a sender called, and lends endpoints",
		"changeTest":      "stops a run, or lets it go on",
		"deleteTest":      "cancels a run or takes it away",
		"createShare":     "lets others see a capture",
		"deleteShare":     "takes a share away",
		"createToken":     "lets somebody in",
		"deleteToken":     "shuts somebody out",
	}
}

// TestWhatIsAudited calls each operation of the contract: those with a reason are in the audit log, also when they are
// refused, and no other is, unless it shows secrets.
func TestWhatIsAudited(t *testing.T) {
	t.Parallel()
	c, walked := newCensus(t), 0
	why := auditedRoutes()
	for _, op := range newContract(t).asked() {
		path := c.place(t, op)
		body := map[string]string{
			"dryRun": `{"request":{}}`, "importRules": `{"text":"openapi: 3.0.0\npaths: {/a: {get: {responses: {'200': {description: ok}}}}}"}`,
			"explainSignature": `{}`,
		}[op.ID]
		if op.ID == "getExport" {
			path += "?format=jsonl"
		}
		a := c.call(t, op.Method, path, body)
		if body != "" && a.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", op.ID, a.StatusCode, a.text)
		}
		entries := get[api.Audit](t, c.rig, "/api/v1/audit?limit=1000&action="+op.ID).Entries
		// The census itself makes tokens, endpoints and shares.
		switch reason, wanted := why[op.ID]; {
		case wanted && len(entries) == 0:
			t.Errorf("%s is not in the audit log, and %s", op.ID, reason)
		case !wanted && len(entries) > 0:
			t.Errorf("%s is in the audit log: %+v", op.ID, entries)
		case wanted:
			delete(why, op.ID)
		}
		walked++
	}
	if len(why) > 0 || walked < 50 {
		t.Errorf("%d operations; not among them: %v", walked, why)
	}
	// What shows a secret is kept, also where nothing is changed.
	place := c.place(t, asked{operation: operation{Path: "/api/v1/endpoints/{endpoint}/dry-run"}})
	c.call(t, http.MethodPost, place+"?reveal=true", `{"request":{}}`)
	if entries := get[api.Audit](t, c.rig, "/api/v1/audit?action=dryRun").Entries; len(entries) != 1 || entries[0].Details[0].Name != "reveal" {
		t.Errorf("a dry run that shows secrets: %+v", entries)
	}
}

// TestViewersDoNotFindSecrets searches for secrets by parts of them.
func TestViewersDoNotFindSecrets(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	seq := r.capture(t, "default", `{"note":"`+hooked+` and more"}`, func(c *webhook.Capture) {
		c.Request.Head = bytes.Replace(c.Request.Head, []byte("\r\n\r\n"), []byte("\r\nAuthorization: Bearer bearer-canary\r\n\r\n"), 1)
	}).Seq
	viewer := r.token(t, "viewer", webhook.RoleView).Key
	for _, q := range []string{hooked[:6], "header.authorization:Bearer*", "body.note:" + hooked[:5] + "*", "bearer-canary"} {
		path := captures + "?q=" + url.QueryEscape(q)
		if list := decoded[api.Captures](t, r.call(t, "GET", path, "", by(viewer)), 200); len(list.Captures) != 0 {
			t.Errorf("a viewer finds %q", q)
		}
		if list := get[api.Captures](t, r, path); len(list.Captures) != 1 {
			t.Errorf("%q finds nothing", q)
		}
		a := r.call(t, "GET", "/api/v1/endpoints/default/export?format=jsonl&q="+url.QueryEscape(q), "", by(viewer))
		if a.StatusCode != http.StatusOK || len(a.text) > 0 {
			t.Errorf("a viewer exports by %q: %d %s", q, a.StatusCode, a.text)
		}
	}
	if list := decoded[api.Captures](t, r.call(t, "GET", captures+"?q=more", "", by(viewer)), 200); len(list.Captures) != 1 {
		t.Error("a viewer does not find what is not masked")
	}
	match := url.QueryEscape(`query.secret startsWith "` + hooked[:3] + `" || body.note startsWith "` + hooked[:3] + `"`)
	if a := r.call(t, "GET", waits+"?timeout=0&match="+match, "", by(viewer)); a.StatusCode != http.StatusRequestTimeout {
		t.Errorf("a viewer waits for a secret: %d %s", a.StatusCode, a.text)
	}
	for _, path := range []string{"", "/body", "/raw", "/replays"} {
		refused(t, r.call(t, "GET", fmt.Sprintf("%s/%d%s?reveal=true", captures, seq, path), "", by(viewer)), 403, "forbidden")
	}
	operator := r.token(t, "operator", webhook.RoleOperate).Key
	if a := r.call(t, "GET", fmt.Sprintf("%s/%d/body?reveal=1", captures, seq), "", by(operator)); !strings.Contains(string(a.text), hooked) {
		t.Errorf("an operator sees %d %s", a.StatusCode, a.text)
	}
	for _, path := range []string{"/api/v1/endpoints?reveal=true", "/api/v1/endpoints/default?reveal=true"} {
		if detail := refused(t, r.call(t, "GET", path, "", by(operator)), 403, "forbidden"); !strings.Contains(detail, "admin") {
			t.Errorf("%s: %s", path, detail)
		}
	}
	refused(t, r.call(t, "PATCH", "/api/v1/endpoints/default?reveal=true", `{"respond":"204"}`, by(operator)), 403, "forbidden")
	a := r.call(t, "GET", "/api/v1/endpoints/default/export?format=report&reveal=true", "", by(operator))
	if a.StatusCode == http.StatusOK && bytes.Contains(a.text, []byte(`"secret":"`+hooked)) {
		t.Error("an operator's report has the endpoint's secret")
	}
}
