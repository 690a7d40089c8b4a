package secret_test

import (
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/secret"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// FuzzExplain holds the explanation against the verifier, on any bytes.
func FuzzExplain(f *testing.F) {
	f.Add("/hooks/a?secret="+right, "POST / HTTP/1.1\r\nX-Hub-Signature-256: sha256="+hexOf(right, sent)+"\r\n\r\n", sent, int64(0))
	f.Add("/", "POST / HTTP/1.1\r\nStripe-Signature: t=1,v1="+hexOf(right, "1."+sent)+"\r\nX-Sig: "+right+"\r\n\r\n", sent, int64(1))
	f.Add("/", "POST / HTTP/1.1\r\nwebhook-id: m\r\nwebhook-timestamp: 1e9\r\nwebhook-signature: v1,AA== v1a,;\r\n\r\n", "\xff", int64(-1))
	f.Fuzz(func(t *testing.T, target, head, body string, at int64) {
		req := &webhook.Request{Method: "POST", Target: target, Head: []byte(head), Body: []byte(body)}
		for _, p := range []webhook.SecretPolicy{
			{},
			{Scheme: webhook.SchemeHeader},
			{Scheme: webhook.SchemeGitHub},
			{Scheme: webhook.SchemeStripe},
			{Scheme: webhook.SchemeSlack},
			{Scheme: webhook.SchemeStandard},
			{Scheme: webhook.SchemeHMAC, Header: "X-Sig", Encoding: "base64", Hash: "sha512", Timestamp: "X-Time"},
		} {
			p.Secrets = []string{right}
			now := time.Unix(at, 0)
			got, err := secret.Explain(&webhook.Claim{Policy: p, Request: req, At: now})
			if err != nil {
				t.Fatal(err)
			}
			if reason := verifier(t, p).Verify(req, now); got.Reason != reason || got.Verified != (reason == "") {
				t.Errorf("%s: explained as %q, verified as %q", p.Scheme, got.Reason, reason)
			}
			for _, each := range got.Findings {
				if each.Text == each.Code {
					t.Errorf("%s: no advice for %s", p.Scheme, each.Code)
				}
			}
		}
	})
}
