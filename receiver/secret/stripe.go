package secret

import (
	"bytes"
	"crypto/sha256"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

const stripeHeader = "Stripe-Signature"

// stripe proves a sender by Stripe-Signature: "t=SECONDS,v1=HEX[,v1=HEX...]", the HMAC-SHA256 of
// "t.body". While a secret is rotated Stripe sends a v1 for each; items of other versions are
// passed over.
type stripe struct {
	tolerance time.Duration
	keys      keys
}

func newStripe(p webhook.SecretPolicy) *stripe {
	return &stripe{tolerance: p.Tolerance, keys: newKeys(sha256.New, plainKeys(p.Secrets))}
}

func (s *stripe) verify(req *webhook.Request, now time.Time) webhook.Reason {
	f := find(req.Head, stripeHeader)
	if reason := f.unsigned(); reason != "" {
		return reason
	}
	var stamp []byte
	var sums [][]byte
	for item := range bytes.SplitSeq(f.value, []byte(",")) {
		name, value, _ := bytes.Cut(bytes.Trim(item, " \t"), []byte("="))
		switch string(name) {
		case "t":
			if stamp != nil {
				return webhook.SignatureBadForm
			}
			stamp = value
		case "v1":
			if sum := decodeHex(value); len(sum) == s.keys.size {
				sums = append(sums, sum)
			}
		default:
		}
	}
	seconds, ok := unixSeconds(stamp)
	switch {
	case !ok || len(sums) == 0:
		return webhook.SignatureBadForm
	case !s.keys.match(sums, stamp, []byte("."), req.Body):
		return webhook.SignatureWrong
	case stale(seconds, now, s.tolerance):
		return webhook.SignatureExpired
	default:
		return ""
	}
}
