package inspector_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const endpoints = "/api/v1/endpoints"

func TestCreateShowsTheSecretOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.call(t, http.MethodPost, endpoints, `{"name":"orders","respond":"503x2 200"}`)
	made := decoded[api.Endpoint](t, a, http.StatusCreated)
	if len(made.Secret) != 64 || !strings.HasSuffix(made.URL, "/hooks/orders?secret="+made.Secret) || made.Scheme != "query" {
		t.Errorf("made %+v", made)
	}
	if got := a.Header.Get("Location"); got != endpoints+"/orders" {
		t.Errorf("Location %q", got)
	}
	shown := get[api.Endpoint](t, r, endpoints+"/orders")
	if shown.Secret != api.Hidden || !strings.HasSuffix(shown.URL, "?secret="+api.Hidden) {
		t.Errorf("shown %q, %q", shown.Secret, shown.URL)
	}
	if revealed := get[api.Endpoint](t, r, endpoints+"/orders?reveal=true"); revealed.Secret != made.Secret || revealed.URL != made.URL {
		t.Errorf("revealed %+v", revealed)
	}
	for _, listed := range get[api.Endpoints](t, r, endpoints).Endpoints {
		if listed.Secret != api.Hidden {
			t.Errorf("listed %q", listed.Secret)
		}
	}
}

func TestChangeKeepsWhatIsLeftOutOrMasked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	full := `{"name":"orders","secret":"first-secret","previous_secret":"older-secret","tolerance_ms":1500.5,
		"expect":[{"name":"X-Team","value":"first-secret!"}],"respond":"200/body=first-secret",
		"refusal":{"status":403,"headers":[["X-Why","first-secret"]],"body":"no first-secret"},
		"fetch":{"hosts":["*.example.com"],"private":["127.0.0.1:9000"],"base_url":"https://api.example.com/x","max_bytes":99},
		"retention":{"accepted":{"count":5,"age_ms":-1,"bytes":-1},"rejected":{"age_ms":60000}}}`
	decoded[api.Endpoint](t, r.call(t, http.MethodPost, endpoints, full), http.StatusCreated)
	want, err := r.store.Endpoint("orders")
	if err != nil {
		t.Fatal(err)
	}
	if want.Retention.Accepted.Age != -1 || want.Secret.Tolerance.Microseconds() != 1500500 {
		t.Errorf("stored %+v", want)
	}
	check := func(what string, change func(*webhook.Endpoint)) {
		t.Helper()
		got, err := r.store.Endpoint("orders")
		if err != nil {
			t.Fatal(err)
		}
		w := *want
		w.Secret.Secrets, w.Expect = slices.Clone(w.Secret.Secrets), slices.Clone(w.Expect)
		change(&w)
		w.Updated = got.Updated
		if diff := cmp.Diff(&w, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
		want = got
	}
	patch := func(body string) {
		decoded[api.Endpoint](t, r.call(t, http.MethodPatch, endpoints+"/orders", body), http.StatusOK)
	}
	// The masked form sent back changes nothing, by PATCH and by PUT.
	masked := string(r.call(t, http.MethodGet, endpoints+"/orders", "").text)
	if strings.Contains(masked, "first-secret") || strings.Contains(masked, "older-secret") {
		t.Fatalf("not masked: %s", masked)
	}
	patch(masked)
	check("masked form by PATCH", func(*webhook.Endpoint) {})
	decoded[api.Endpoint](t, r.call(t, http.MethodPut, endpoints+"/orders", masked), http.StatusOK)
	check("masked form by PUT", func(*webhook.Endpoint) {})
	patch(`{"respond":"204","fetch":{"off":true},"secret":null}`)
	check("two fields", func(ep *webhook.Endpoint) { ep.Respond, ep.Fetch.Off = "204", true })
	patch(`{"expect":[{"name":"X-Other"}],"retention":{"accepted":{"count":6}}}`)
	check("a list is replaced whole", func(ep *webhook.Endpoint) {
		ep.Expect, ep.Retention.Accepted.Count = []webhook.ExpectedHeader{{Name: "X-Other"}}, 6
	})
	patch(`{"secret":"second-secret","previous_secret":"first-secret"}`)
	check("rotated", func(ep *webhook.Endpoint) { ep.Secret.Secrets = []string{"second-secret", "first-secret"} })
	patch(`{"previous_secret":""}`)
	check("rotation ended", func(ep *webhook.Endpoint) { ep.Secret.Secrets = []string{"second-secret"} })
	decoded[api.Endpoint](t, r.call(t, http.MethodPut, endpoints+"/orders", `{"name":"orders"}`), http.StatusOK)
	check("PUT of a name", func(ep *webhook.Endpoint) {
		*ep = webhook.Endpoint{Name: ep.Name, Created: ep.Created, Secret: webhook.SecretPolicy{Secrets: []string{"second-secret"}}}
	})
	patch(`{"secret":""}`)
	if got, _ := r.store.Endpoint("orders"); len(got.Secret.Secrets) != 1 || len(got.Secret.Secrets[0]) != 64 {
		t.Errorf("an empty secret made %q", got.Secret.Secrets)
	}
}

func TestEndpointsRefuseWhatIsWrong(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	for name, tc := range map[string]struct {
		body, detail string
		status       int
		code         string
	}{
		"no object":         {`[]`, "JSON object", 400, "invalid"},
		"no json":           {`{"name":`, "", 400, "invalid"},
		"two values":        {`{"name":"a"}{}`, "follows", 400, "invalid"},
		"unknown field":     {`{"name":"a","reply":"200"}`, `"reply"`, 400, "invalid"},
		"unknown deep":      {`{"name":"a","fetch":{"host":[]}}`, `"host"`, 400, "invalid"},
		"wrong type":        {`{"name":1}`, "name", 400, "invalid"},
		"wrong deep type":   {`{"name":"a","fetch":{"off":"yes"}}`, "fetch.off", 400, "invalid"},
		"name":              {`{"name":"A b"}`, "A b", 400, "invalid"},
		"no name":           {`{}`, "name", 400, "invalid"},
		"name traversal":    {`{"name":"../x"}`, "", 400, "invalid"},
		"plan":              {`{"name":"a","respond":"2000"}`, "2000", 400, "invalid"},
		"scheme":            {`{"name":"a","scheme":"magic"}`, "magic", 400, "invalid"},
		"mask as secret":    {`{"name":"a","secret":"•••"}`, "secret", 400, "invalid"},
		"mask in text":      {`{"name":"a","respond":"200/body=•••"}`, "respond", 400, "invalid"},
		"previous alone":    {`{"name":"a","previous_secret":"x"}`, "previous_secret", 400, "invalid"},
		"refusal status":    {`{"name":"a","refusal":{"status":200}}`, "400 to 499", 400, "invalid"},
		"refusal header":    {`{"name":"a","refusal":{"status":401,"headers":[["A\r\nB","c"]]}}`, "header", 400, "invalid"},
		"refusal value":     {`{"name":"a","refusal":{"status":401,"headers":[["A","c\r\nSet-Cookie: x"]]}}`, "line break", 400, "invalid"},
		"refusal framing":   {`{"name":"a","refusal":{"status":401,"headers":[["content-length","5"]]}}`, "content-length", 400, "invalid"},
		"three of a header": {`{"name":"a","refusal":{"status":401,"headers":[["A","b","c"]]}}`, "two strings", 400, "invalid"},
		"expect name":       {`{"name":"a","expect":[{"name":"a b"}]}`, "header name", 400, "invalid"},
		"fetch host":        {`{"name":"a","fetch":{"hosts":["http://x"]}}`, "fetch.hosts", 400, "invalid"},
		"fetch private":     {`{"name":"a","fetch":{"private":["10.0.0.1"]}}`, "fetch.private", 400, "invalid"},
		"fetch base":        {`{"name":"a","fetch":{"base_url":"file:///etc"}}`, "base_url", 400, "invalid"},
		"fetch base user":   {`{"name":"a","fetch":{"base_url":"https://u:p@x/"}}`, "base_url", 400, "invalid"},
		"retention":         {`{"name":"a","retention":{"accepted":{"count":-2}}}`, "retention.accepted", 400, "invalid"},
		"duration":          {`{"name":"a","tolerance_ms":"5m"}`, "milliseconds", 400, "invalid"},
		"endless duration":  {`{"name":"a","tolerance_ms":1e300}`, "range", 400, "invalid"},
		"exists":            {`{"name":"default"}`, "exists", 409, "exists"},
		"too large":         {`{"name":"` + strings.Repeat("a", 1<<20) + `"}`, "1048576", 413, "too_large"},
	} {
		a := r.direct(t, http.MethodPost, endpoints, tc.body)
		if detail := refused(t, a, tc.status, tc.code); !strings.Contains(detail, tc.detail) {
			t.Errorf("%s: detail %q has no %q", name, detail, tc.detail)
		}
	}
	for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json2"} {
		refused(t, r.call(t, http.MethodPost, endpoints, `{"name":"b"}`, with("Content-Type", media)), 415, "media_type")
	}
	if a := r.call(t, http.MethodPatch, endpoints+"/default", `{"respond":"200"}`, with("Content-Type", "application/merge-patch+json")); a.StatusCode != http.StatusOK {
		t.Errorf("a merge patch: %d %s", a.StatusCode, a.text)
	}
	refused(t, r.call(t, http.MethodPatch, endpoints+"/default", `{"name":"other"}`), 400, "invalid")
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		refused(t, r.call(t, method, endpoints+"/nobody", ""), 404, "not_found")
	}
	refused(t, r.call(t, http.MethodPatch, endpoints+"/nobody", `{}`), 404, "not_found")
	if got := len(r.store.Endpoints()); got != 1 {
		t.Errorf("%d endpoints, want 1", got)
	}
}

func TestBodyLimitOnEveryRoute(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	body := `{"respond":"` + strings.Repeat("x", 2<<20) + `"}`
	for _, at := range routes(t, r) {
		switch at.name {
		case "createEndpoint", "replaceEndpoint", "changeEndpoint":
			refused(t, r.direct(t, at.method, at.path, body), 413, "too_large")
		}
	}
}

func TestDeleteEndpoint(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	r.capture(t, "default", "{}")
	if got := get[api.Endpoint](t, r, endpoints+"/default"); got.Counts["accepted"] != 1 || got.LastSeq == 0 {
		t.Errorf("counts %v, last %d", got.Counts, got.LastSeq)
	}
	if a := r.call(t, http.MethodDelete, endpoints+"/default", ""); a.StatusCode != http.StatusNoContent {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	refused(t, r.call(t, http.MethodGet, endpoints+"/default/captures", ""), 404, "not_found")
	list := get[map[string]json.RawMessage](t, r, endpoints)
	if string(list["endpoints"]) != "[]" {
		t.Errorf("%s, want an empty list and no null", list["endpoints"])
	}
}
