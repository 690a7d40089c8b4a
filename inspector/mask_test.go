package inspector_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// planted are secrets that stand in all places of captures where one can stand.
func planted() map[string]string {
	return map[string]string{
		"query secret":       hooked,
		"rotated secret":     "0ld-s3cr3t-in-rotation",
		"foreign secret":     "s3cr3t-of-another-endpoint",
		"bearer":             "bearer-canary-5301",
		"cookie":             "cookie-canary-9216",
		"presigned":          "5f0c4b9canarysignature77",
		"presigned token":    "FwoGZXIvYXdzSecurityTokenCanary",
		"header api key":     "api-key-canary-4410",
		"run webhook token":  "webhook-token-canary-118",
		"secret with quotes": `quo"te\s3cr3t`,
	}
}

// TestSecretsAreMaskedEverywhere plants secrets in every part of captures and endpoints and looks for them in
// the default answer of every route that reads.
func TestSecretsAreMaskedEverywhere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := planted()
	r.endpoint(t, "default", func(ep *webhook.Endpoint) {
		ep.Secret.Secrets = []string{hooked, p["rotated secret"]}
		ep.Respond = "200/body=" + hooked
		ep.Refusal = webhook.Refusal{Status: 401, Header: []webhook.Field{{Name: "X-Hint", Value: p["rotated secret"]}}, Body: hooked}
		ep.Expect = []webhook.ExpectedHeader{{Name: "Authorization", Value: "Bearer " + hooked}}
	})
	r.endpoint(t, "other", func(ep *webhook.Endpoint) {
		ep.Secret.Secrets = []string{p["foreign secret"], p["secret with quotes"]}
	})
	presigned := "https://b.s3.amazonaws.com/k?X-Amz-Signature=" + p["presigned"] + "&X-Amz-Security-Token=" + p["presigned token"]
	body := fmt.Sprintf(`{"run_id":"1ef","thread_id":"2ef","assistant_id":"fe0","status":"error","error":"no %s",
		"kwargs":{"webhook":"http://x/hooks/default?token=%s","config":{"configurable":{"x-api-key":%q}}},
		"values":{"a":%q,"b":%q,"url":%q,"%s":[%q]},"metadata":{"note":%q},"multitask_strategy":%q}`,
		hooked, p["run webhook token"], p["header api key"], p["rotated secret"], p["secret with quotes"], presigned,
		p["foreign secret"], hooked, p["foreign secret"], hooked)
	rule := fmt.Sprintf(`{"rule_id":"d75d7417-0c57-4655-88fe-1db3cda3a47a","start_time":"a","end_time":"b","runs":[{"id":"1","name":%q,
		"run_type":"chain","status":"error","error":%q,"trace_id":"1","dotted_order":"x","app_path":%q,"inputs":{"x":%q},"outputs":[%q],
		"session_id":"1","feedback_stats":{%q:1},"inputs_s3_urls":{"ROOT":{"presigned_url":%q}}}]}`,
		hooked, p["rotated secret"], "/o?secret="+hooked, p["foreign secret"], p["secret with quotes"], hooked, presigned)
	fill := func(c *webhook.Capture) {
		c.Request.Target = "/hooks/default/" + p["rotated secret"] + "?secret=" + hooked + "&x=" + p["foreign secret"]
		c.Request.Head = fmt.Appendf(nil, "POST %s HTTP/1.1\r\nAuthorization: Bearer %s\r\nCookie: a=%s\r\nX-Api-Key: %s\r\nReferer: http://x/?secret=%s\r\nContent-Type: application/json\r\n\r\n",
			c.Request.Target, p["bearer"], p["cookie"], p["header api key"], hooked)
		c.Plan.Text, c.Plan.Body = "200/body="+hooked, []byte("your secret was "+p["foreign secret"])
		c.Plan.Header = []webhook.Field{{Name: "Set-Cookie", Value: "a=" + p["cookie"]}, {Name: "X-Echo", Value: hooked}}
		c.Objects = []webhook.Object{
			{Ref: webhook.Ref{Name: "runs.0.inputs", URL: presigned}, State: webhook.Resolved, Data: []byte(`{"k":"` + hooked + `","u":"` + presigned + `"}`), Size: 10},
			{Ref: webhook.Ref{Name: "runs.0.outputs", URL: presigned}, State: webhook.Denied, Code: "AccessDenied", Message: "refused " + hooked},
		}
	}
	paths := []string{
		"/api/v1/endpoints", "/api/v1/endpoints/default", "/api/v1/endpoints/other", "/api/v1/info", "/metrics",
		captures, captures + "?q=" + hooked, captures + "?order=asc", "/api/v1/endpoints/default/deliveries", waits + "?count=2",
	}
	var last webhook.Capture
	for _, text := range []string{body, rule, "plain " + hooked + " text", "secret=" + hooked + "&b=" + p["rotated secret"]} {
		last = r.capture(t, "default", text, fill)
		at := fmt.Sprintf("%s/%d", captures, last.Seq)
		paths = append(paths, at, at+"/body", at+"/raw", at+"/resolved/runs.0.inputs", "/api/v1/endpoints/default/deliveries/"+last.Delivery)
	}
	r.settled(t)
	look := func(where string, text []byte) {
		t.Helper()
		for name, value := range p {
			for _, form := range []string{value, fmt.Sprintf("%q", value)} {
				form = string(bytes.Trim([]byte(form), `"`))
				if i := bytes.Index(text, []byte(form)); i >= 0 {
					t.Errorf("%s shows the %s: ...%s...", where, name, text[max(0, i-60):min(len(text), i+80)])
				}
			}
		}
	}
	revealed := 0
	for _, path := range paths {
		a := r.call(t, http.MethodGet, path, "")
		if a.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.text)
		}
		look(path, a.text)
		if path != "/metrics" && path != "/api/v1/info" {
			sep := "?"
			if bytes.ContainsRune([]byte(path), '?') {
				sep = "&"
			}
			if shown := r.call(t, http.MethodGet, path+sep+"reveal=true", ""); bytes.Contains(shown.text, []byte(hooked)) {
				revealed++
			}
		}
	}
	if revealed < 15 {
		t.Errorf("only %d routes reveal what was planted", revealed)
	}
	// A snippet that is cut short must not end within a secret.
	for pad := 100; pad < 170; pad += 3 {
		r.capture(t, "default", strings.Repeat("x", pad)+" "+hooked)
	}
	if a := r.call(t, http.MethodGet, captures+"?limit=30", ""); bytes.Contains(a.text, []byte(hooked[:5])) {
		t.Error("a snippet shows the beginning of a secret")
	}
	// Nor must a secret hide in a coding, or between two chunks.
	var zipped bytes.Buffer
	pack := gzip.NewWriter(&zipped)
	_, _ = pack.Write([]byte(`{"note":"` + hooked + `"}`))
	_ = pack.Close()
	coded := r.capture(t, "default", zipped.String(), func(c *webhook.Capture) {
		c.Request.Head = []byte("POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
		c.Request.Framed = zipped.Bytes()
	})
	chunked := r.capture(t, "default", hooked+" in two chunks", func(c *webhook.Capture) {
		c.Request.Framed = fmt.Appendf(nil, "5\r\n%s\r\n1f\r\n%s in two chunks\r\n0\r\n\r\n", hooked[:5], hooked[5:])
	})
	for _, c := range []webhook.Capture{coded, chunked} {
		for _, part := range []string{"", "/body", "/raw"} {
			a := r.call(t, http.MethodGet, fmt.Sprintf("%s/%d%s", captures, c.Seq, part), "")
			if bytes.Contains(a.text, []byte(hooked[:5])) || bytes.Contains(a.text, zipped.Bytes()) || !bytes.Contains(a.text, []byte("•••")) {
				t.Errorf("%s of the coded body: %q", part, a.text)
			}
		}
	}
	if list := get[api.Captures](t, r, captures+"?q=note%20header.content-encoding:gzip"); len(list.Captures) != 1 {
		t.Errorf("%d captures found by a decoded body, want 1", len(list.Captures))
	}
	socket := dial(t, r, "?after=0")
	socket.hello(t, token)
	for n := 0; n < 4; {
		text := socket.text(t)
		look("live feed", text)
		if bytes.Contains(text, []byte(`"fact":"arrival"`)) {
			n++
		}
	}
	look("PATCH", r.call(t, http.MethodPatch, "/api/v1/endpoints/default", `{"respond":"204"}`).text)
}
