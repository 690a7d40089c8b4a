package resolve_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver/resolve"
	"github.com/hookrange/hookrange/receiver/resolve/egress"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	signature = "c0ffee00c0ffee00c0ff"
	xmlHead   = `<?xml version="1.0" encoding="utf-8"?>` + "\n"
)

// answers are what object stores and gateways answer, and what becomes of the object.
var answers = map[string]struct {
	status  int
	header  string
	body    string
	want    outcome
	message string
}{
	"AWS denied": {
		403, "", xmlHead + "<Error><Code>AccessDenied</Code><Message>Access Denied</Message><RequestId>1</RequestId></Error>",
		outcome{webhook.Denied, "AccessDenied", 403},
		"the object store refused: Access Denied",
	},
	"AWS expired": {
		403, "", xmlHead + "<Error><Code>AccessDenied</Code><Message>Request has expired</Message><Expires>2026</Expires></Error>",
		outcome{webhook.Expired, "AccessDenied", 403},
		"the URL has expired: Request has expired",
	},
	"AWS session ended": {
		400, "", "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>",
		outcome{webhook.Expired, "ExpiredToken", 400},
		"the URL has expired: The provided token has expired",
	},
	"no message": {
		404, "", "<Error><Code>NoSuchKey</Code></Error>",
		outcome{webhook.Missing, "NoSuchKey", 404},
		"the object store has no such object",
	},
	"no bucket": {
		404, "", "<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>",
		outcome{webhook.Missing, "NoSuchBucket", 404},
		"the object store has no such object: The specified bucket does not exist",
	},
	"unknown signer by 404": {
		404, "", "<Error><Code>XAdminUserNotFound</Code><Message>User not found</Message></Error>",
		outcome{webhook.Denied, "XAdminUserNotFound", 404},
		"the object store refused: User not found",
	},
	"GCS expired": {
		400, "", "<?xml version='1.0' encoding='UTF-8'?><Error><Code>ExpiredToken</Code><Message>Invalid argument.</Message>" +
			"<Details>The provided token has expired. Request signature expired at: 2026</Details></Error>",
		outcome{webhook.Expired, "ExpiredToken", 400},
		"the URL has expired: Invalid argument",
	},
	"GCS JSON": {
		403, "", `{"error":{"code":403,"message":"Permission denied.","status":"PERMISSION_DENIED"}}`,
		outcome{webhook.Denied, "PERMISSION_DENIED", 403},
		"the object store refused: Permission denied",
	},
	"Azure expired": {
		403, "AuthenticationFailed", "\xef\xbb\xbf" + xmlHead + "<Error><Code>AuthenticationFailed</Code><Message>Server failed to " +
			"authenticate the request. Make sure the value is formed correctly.\nRequestId:1</Message><AuthenticationErrorDetail>" +
			"Signature not valid in the specified time frame: Start [a] - Expiry [b] - Current [c]</AuthenticationErrorDetail></Error>",
		outcome{webhook.Expired, "AuthenticationFailed", 403},
		"the URL has expired: Server failed to authenticate the request",
	},
	"Azure, bad signature": {
		403, "AuthenticationFailed", xmlHead + "<Error><Code>AuthenticationFailed</Code><AuthenticationErrorDetail>Signature did " +
			"not match</AuthenticationErrorDetail></Error>",
		outcome{webhook.Denied, "AuthenticationFailed", 403},
		"the object store refused",
	},
	"Azure, code in the head": {
		404, "BlobNotFound", "", outcome{webhook.Missing, "BlobNotFound", 404}, "the object store has no such object",
	},
	"gateway expired": {
		401, "", `{"detail":"Signature has expired"}`,
		outcome{webhook.Expired, "http_401", 401},
		"the URL has expired: Signature has expired",
	},
	"gateway denied": {
		403, "", `{"detail":{"code":"Forbidden","message":"Not yours."}}`,
		outcome{webhook.Denied, "Forbidden", 403},
		"the object store refused: Not yours",
	},
	"gateway missing": {
		404, "", `{"detail":"Not Found"}`,
		outcome{webhook.Missing, "http_404", 404},
		"the object store has no such object: Not Found",
	},
	"gone":                {410, "", "", outcome{webhook.Missing, "http_410", 410}, "the object store has no such object"},
	"other 4xx":           {416, "", "<html><body>No", outcome{webhook.Denied, "http_416", 416}, "the object store refused"},
	"redirect to nowhere": {301, "", "<Error><Code>PermanentRedirect</Code></Error>", outcome{webhook.Denied, "PermanentRedirect", 301}, "the object store refused"},
	"no content":          {204, "", "", outcome{webhook.Failed, "http_204", 204}, "the object store answered with status 204 and no whole object"},
	"repeats the signature": {
		403, "", "<Error><Code>SignatureDoesNotMatch</Code><Message>got " + signature + "</Message></Error>",
		outcome{webhook.Denied, "SignatureDoesNotMatch", 403},
		"the object store refused",
	},
	"signature for a code": {
		403, "", "<Error><Code>" + signature + "</Code></Error>",
		outcome{webhook.Denied, "http_403", 403},
		"the object store refused",
	},
	"repeats the URL": {
		403, "", "<Error><Code>AccessDenied</Code><Message>no access to https://b.test/k</Message></Error>",
		outcome{webhook.Denied, "AccessDenied", 403},
		"the object store refused",
	},
	"markup for a message": {
		403, "", `{"code":"x y","message":"<script>alert(1)</script>"}`,
		outcome{webhook.Denied, "http_403", 403},
		"the object store refused",
	},
	"endless nesting": {
		403, "", strings.Repeat("<Error>", 20000), outcome{webhook.Denied, "http_403", 403}, "the object store refused",
	},
	"endless arrays": {
		403, "", `{"detail":` + strings.Repeat("[", 60000), outcome{webhook.Denied, "http_403", 403}, "the object store refused",
	},
	"coding unknown": {200, "", "encoded", outcome{webhook.Failed, "bad_encoding", 0}, "the object's content encoding is damaged or not a known one"},
	"too large": {
		200, "", strings.Repeat("x", 100<<10+1),
		outcome{webhook.TooLarge, "too_large", 0},
		"the object is larger than the endpoint accepts",
	},
	"elsewhere": {
		307, "", "",
		outcome{webhook.Blocked, "redirect_refused", 0},
		"the object store redirects to a place that the endpoint does not accept",
	},
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := answers[r.URL.Query().Get("case")]
		if a.header != "" {
			w.Header().Set("X-Ms-Error-Code", a.header)
		}
		if a.status == http.StatusTemporaryRedirect {
			w.Header().Set("Location", "https://evil.test/k")
		}
		if a.body == "encoded" {
			w.Header().Set("Content-Encoding", "rot13")
		}
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte(a.body))
	}))
	t.Cleanup(srv.Close)
	var body strings.Builder
	want, messages := map[string]outcome{}, map[string]string{}
	for name, a := range answers {
		key := strings.ReplaceAll(name, " ", "+")
		fmt.Fprintf(&body, "%s %s/k?case=%s&sig=%s\n", key, srv.URL, key, signature)
		want[key], messages[key] = a.want, a.message
	}
	store := newMemory()
	store.record(body.String())
	run(t, resolve.Config{
		Store: store, Bell: store, Refs: refs, Client: egress.New(egress.Config{}),
		Endpoint: endpoint(webhook.FetchPolicy{
			Private: []string{strings.TrimPrefix(srv.URL, "http://")}, MaxBytes: 100 << 10,
		}),
	})
	objects := store.settled(t, len(answers))
	if diff := cmp.Diff(want, outcomes(objects)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	said := map[string]string{}
	for name, o := range objects {
		said[name] = o.Message
	}
	if diff := cmp.Diff(messages, said); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}
