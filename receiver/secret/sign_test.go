package secret_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver/secret"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// TestSignIsVerified signs by every scheme and lets the scheme's own verifier judge.
func TestSignIsVerified(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	const right = "c2VjcmV0LW9mLTI0LWJ5dGVzLS0h"
	for name, policy := range map[string]webhook.SecretPolicy{
		"query":             {Param: "token"},
		"authorization":     {Scheme: webhook.SchemeHeader},
		"header":            {Scheme: webhook.SchemeHeader, Header: "X-Key"},
		"hmac":              {Scheme: webhook.SchemeHMAC, Header: "X-Sum", Prefix: "v=", Encoding: "base64", Hash: "sha512"},
		"hmac of a time":    {Scheme: webhook.SchemeHMAC, Header: "X-Sum", Timestamp: "X-Time"},
		"langsmith":         {Scheme: webhook.SchemeLangSmith},
		"github":            {Scheme: webhook.SchemeGitHub},
		"stripe":            {Scheme: webhook.SchemeStripe},
		"slack":             {Scheme: webhook.SchemeSlack},
		"standard webhooks": {Scheme: webhook.SchemeStandard},
	} {
		for what, in := range map[string][]webhook.Field{
			"nothing there": {{"Content-Type", "text/plain"}},
			"stale": {
				{"X-hub-signature-256", "sha256=00"},
				{"x-langsmith-signature", "no"},
				{"authorization", "Bearer old"},
				{"X-Key", "old"},
				{"X-Key", "twice"},
				{"X-Sum", "v=no"},
				{"Stripe-Signature", "t=1,v1=00"},
				{"X-Slack-Request-Timestamp", "1"},
				{"X-Slack-Signature", "v0=00"},
				{"webhook-id", "msg_1"},
				{"webhook-timestamp", "1"},
				{"webhook-signature", "v1,AA"},
			},
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				policy.Secrets = []string{right, "previous"}
				if policy.Scheme == webhook.SchemeStandard {
					policy.Secrets = []string{"whsec_" + right}
				}
				before := append([]webhook.Field{}, in...)
				out, err := secret.Sign(policy, secret.Signing{URL: "http://a.example/x?token=old&b=%2f&token=2#f", Header: in, Body: []byte("body\x00")}, now)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(before, in); diff != "" {
					t.Errorf("the given header changed:\n%s", diff)
				}
				u, err := url.Parse(out.URL)
				if err != nil {
					t.Fatal(err)
				}
				head := "POST " + u.RequestURI() + " HTTP/1.1\r\n"
				for _, f := range out.Header {
					head += f.Name + ": " + f.Value + "\r\n"
				}
				verifier, err := secret.New(&webhook.Endpoint{Secret: policy})
				if err != nil {
					t.Fatal(err)
				}
				req := webhook.Request{Method: "POST", Target: u.RequestURI(), Head: []byte(head + "\r\n"), Body: out.Body}
				if reason := verifier.Verify(&req, now.Add(time.Minute)); reason != "" {
					t.Errorf("%s: %s", reason, head)
				}
				req.Body, req.Target = []byte("other"), strings.ReplaceAll(req.Target, right, "x")
				req.Head = []byte(strings.ReplaceAll(head, right, "x") + "\r\n")
				if verifier.Verify(&req, now) == "" {
					t.Error("anything is right")
				}
				if !strings.Contains(out.URL, "b=%2f") || u.Fragment != "f" {
					t.Errorf("the rest of the URL changed: %s", out.URL)
				}
			})
		}
	}
}

func TestSignRefuses(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]webhook.SecretPolicy{
		"nothing to sign with": {Scheme: webhook.SchemeNone},
		"no secret":            {Scheme: webhook.SchemeGitHub},
		"an unknown scheme":    {Scheme: "magic", Secrets: []string{"s"}},
	} {
		if _, err := secret.Sign(policy, secret.Signing{URL: "http://a.example/"}, time.Now()); !errors.Is(err, webhook.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
