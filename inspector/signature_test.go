package inspector_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/inspector"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	signed = "the-secret-that-signs"
	typed  = "the-secret-that-is-typed"
)

// signedBy adds a header with the HMAC of a text.
func signedBy(header, key, text string) func(*webhook.Capture) {
	return func(c *webhook.Capture) {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(text))
		line := header + ": sha256=" + hex.EncodeToString(mac.Sum(nil)) + "\r\n\r\n"
		c.Request.Head = append(bytes.TrimSuffix(c.Request.Head, []byte("\r\n")), line...)
	}
}

func TestSignature(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	r := newRig(t, func(c *inspector.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	c := newContract(t)
	r.endpoint(t, "signed", func(ep *webhook.Endpoint) {
		ep.Secret = webhook.SecretPolicy{Scheme: webhook.SchemeGitHub, Secrets: []string{signed}}
	})
	r.endpoint(t, "default")
	const body = `{"a": 1}`
	right := r.capture(t, "signed", body, signedBy("X-Hub-Signature-256", signed, body))
	spaced := r.capture(t, "signed", body, signedBy("X-Hub-Signature-256", signed, `{"a":1}`))
	other := r.capture(t, "signed", body, signedBy("X-Hub-Signature-256", hooked, body))
	generic := r.capture(t, "default", body, signedBy("X-Sig", typed, body))
	r.settled(t)
	for name, test := range map[string]struct {
		capture  *webhook.Capture
		input    string
		verified bool
		want     []string
	}{
		"right":                 {&right, "", true, nil},
		"right, empty object":   {&right, "{}", true, nil},
		"spaced":                {&spaced, "", false, []string{"body_compact"}},
		"another endpoint's":    {&other, "", false, []string{"other_secret"}},
		"typed":                 {&generic, `{"scheme":"hmac","header":"X-Sig","prefix":"sha256=","secret":"` + typed + `"}`, true, nil},
		"typed, wrong prefix":   {&generic, `{"scheme":"hmac","header":"X-Sig","prefix":"v1=","secret":"` + typed + `"}`, false, []string{"prefix_wrong"}},
		"typed, wrong secret":   {&right, `{"secret":"` + typed + `"}`, false, []string{"other_secret"}},
		"typed, other header":   {&generic, `{"scheme":"github","secret":"` + typed + `"}`, false, []string{"signature_under_other_name"}},
		"endpoint's, by query":  {&generic, `{"secret":"•••"}`, true, nil},
		"endpoint's, no tie":    {&generic, `{"scheme":"hmac","header":"X-Sig"}`, false, nil},
		"typed, nothing to see": {&generic, `{"scheme":"stripe","secret":"another one"}`, false, []string{"signature_missing"}},
	} {
		path := fmt.Sprintf("/api/v1/endpoints/%s/captures/%d/signature", test.capture.Endpoint, test.capture.Seq)
		a := r.call(t, http.MethodPost, path, test.input)
		got := decoded[api.Signature](t, a, http.StatusOK)
		c.check(t, "Signature", a.text)
		var codes []string
		for _, f := range got.Findings {
			codes = append(codes, f.Code)
		}
		if diff := cmp.Diff(test.want, codes); diff != "" || got.Verified != test.verified || got.Seq != int64(test.capture.Seq) {
			t.Errorf("%s: %s\n%s", name, diff, a.text)
		}
		for _, s := range []string{signed, typed, hooked} {
			if strings.Contains(string(a.text), s) {
				t.Errorf("%s: a secret is shown: %s", name, a.text)
			}
		}
	}
	if log.Len() > 0 {
		t.Errorf("the log says %s", log.String())
	}
}

func TestSignatureProblems(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	kept := r.capture(t, "default", "{}")
	path := fmt.Sprintf("/api/v1/endpoints/default/captures/%d/signature", kept.Seq)
	for input, says := range map[string]string{
		`[1]`:                           "JSON object",
		`{"password":"` + typed + `"}`:  "password",
		`{"secret":1}`:                  "secret",
		`{"scheme":"rot13"}`:            "rot13",
		`{"scheme":"hmac"}`:             "header",
		`{"tolerance_ms":-1}`:           "tolerance_ms",
		`{"secret":"` + typed + `\n"}`:  "control characters",
		`{"secret":"` + typed + `•••"}`: "masked",
	} {
		if detail := refused(t, r.call(t, http.MethodPost, path, input), http.StatusBadRequest, "invalid"); !strings.Contains(detail, says) ||
			strings.Contains(detail, typed) {
			t.Errorf("%s: %s", input, detail)
		}
	}
	refused(t, r.call(t, http.MethodPost, path+"?reveal=true", ""), http.StatusBadRequest, "invalid")
	refused(t, r.call(t, http.MethodPost, path, "{}", with("Content-Type", "text/plain")), http.StatusUnsupportedMediaType, "media_type")
	refused(t, r.call(t, http.MethodPost, "/api/v1/endpoints/none/captures/1/signature", ""), http.StatusNotFound, "not_found")
	refused(t, r.call(t, http.MethodPost, "/api/v1/endpoints/default/captures/999/signature", ""), http.StatusNotFound, "not_found")
	refused(t, r.call(t, http.MethodPost, path, "", anonymous), http.StatusUnauthorized, "unauthorized")
	refused(t, r.call(t, http.MethodGet, path, ""), http.StatusMethodNotAllowed, "method_not_allowed")
}
