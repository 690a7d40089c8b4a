package secret_test

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-github/v72/github"
	"github.com/slack-go/slack"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	stripewebhook "github.com/stripe/stripe-go/v82/webhook"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// TestLibrariesAgree lets the schemes' own libraries sign, or accept what the tests' sender signs.
func TestLibrariesAgree(t *testing.T) {
	t.Parallel()
	now := time.Now()
	stamp := strconv.FormatInt(now.Unix(), 10)
	body := []byte(`{"a": "ü"}`)
	standard, err := standardwebhooks.NewWebhook("whsec_" + rightBase64)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := standard.Sign("msg_1", now, body)
	if err != nil {
		t.Fatal(err)
	}
	gitHub := "sha256=" + hex.EncodeToString(macOf("sha256", right, body))
	if err := github.ValidateSignature(gitHub, body, []byte(right)); err != nil {
		t.Error(err)
	}
	header := http.Header{}
	header.Set("X-Slack-Request-Timestamp", stamp)
	header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(macOf("sha256", right, []byte("v0:"+stamp+":"), body)))
	slackVerifier, err := slack.NewSecretsVerifier(header, right)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := slackVerifier.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := slackVerifier.Ensure(); err != nil {
		t.Error(err)
	}
	stripe := stripewebhook.GenerateTestSignedPayload(&stripewebhook.UnsignedPayload{Payload: body, Secret: right, Timestamp: now})
	for scheme, lines := range map[webhook.Scheme][]string{
		webhook.SchemeStandard: {"webhook-id: msg_1", "webhook-timestamp: " + stamp, "webhook-signature: " + signature},
		webhook.SchemeGitHub:   {"X-Hub-Signature-256: " + gitHub},
		webhook.SchemeSlack: {
			"X-Slack-Request-Timestamp: " + stamp, "X-Slack-Signature: " + header.Get("X-Slack-Signature"),
		},
		webhook.SchemeStripe: {"Stripe-Signature: " + stripe.Header},
	} {
		key := right
		if scheme == webhook.SchemeStandard {
			key = "whsec_" + rightBase64
		}
		claim := webhook.Claim{
			Policy:  webhook.SecretPolicy{Scheme: scheme, Secrets: []string{key}},
			Request: request("/hooks/a", string(body), lines...), At: now,
		}
		if got := explain(t, &claim); !got.Verified || len(got.Findings) > 0 {
			t.Errorf("%s: %+v", scheme, got)
		}
		claim.Request.Body = []byte(`{"a":"ü"}`)
		if got := explain(t, &claim); got.Verified || len(got.Findings) != 1 || got.Findings[0].Code != "body_spaced" {
			t.Errorf("%s, another body: %+v", scheme, got)
		}
	}
}
