package secret

import (
	"bytes"
	"crypto/sha256"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	slackHeader = "X-Slack-Signature"
	slackStamp  = "X-Slack-Request-Timestamp"
)

// slack proves a sender by X-Slack-Signature: "v0=HEX", the HMAC-SHA256 of "v0:timestamp:body".
type slack struct {
	tolerance time.Duration
	keys      keys
}

func newSlack(p webhook.SecretPolicy) *slack {
	return &slack{tolerance: p.Tolerance, keys: newKeys(sha256.New, plainKeys(p.Secrets))}
}

func (s *slack) verify(req *webhook.Request, now time.Time) webhook.Reason {
	f, stamp := find(req.Head, slackHeader), find(req.Head, slackStamp)
	for _, each := range []*found{&f, &stamp} {
		if reason := each.unsigned(); reason != "" {
			return reason
		}
	}
	text, versioned := bytes.CutPrefix(f.value, []byte("v0="))
	sum := decodeHex(text)
	seconds, ok := unixSeconds(stamp.value)
	switch {
	case !versioned || !ok || len(sum) != s.keys.size:
		return webhook.SignatureBadForm
	case !s.keys.match([][]byte{sum}, []byte("v0:"), stamp.value, []byte(":"), req.Body):
		return webhook.SignatureWrong
	case stale(seconds, now, s.tolerance):
		return webhook.SignatureExpired
	default:
		return ""
	}
}
