package secret

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	standardID     = "webhook-id"
	standardStamp  = "webhook-timestamp"
	standardHeader = "webhook-signature"
)

// standard proves a sender as Standard Webhooks 1.0 says: webhook-signature lists "v1,BASE64" items
// divided by spaces, each the HMAC-SHA256 of "id.timestamp.body". Items of other versions are
// passed over; the asymmetric v1a is not supported.
type standard struct {
	tolerance time.Duration
	keys      keys
}

func newStandard(p webhook.SecretPolicy) *standard {
	values := make([][]byte, len(p.Secrets))
	for i, s := range p.Secrets {
		values[i] = standardKey(s)
	}
	return &standard{tolerance: p.Tolerance, keys: newKeys(sha256.New, values)}
}

// standardKey decodes a secret as the specification writes it; nil if it is not base64.
func standardKey(s string) []byte {
	return decodeBase64([]byte(strings.TrimPrefix(s, "whsec_")))
}

func (s *standard) verify(req *webhook.Request, now time.Time) webhook.Reason {
	id, stamp, f := find(req.Head, standardID), find(req.Head, standardStamp), find(req.Head, standardHeader)
	for _, each := range []*found{&id, &stamp, &f} {
		if reason := each.unsigned(); reason != "" {
			return reason
		}
	}
	var sums [][]byte
	for item := range bytes.SplitSeq(f.value, []byte(" ")) {
		version, text, _ := bytes.Cut(item, []byte(","))
		if sum := decodeBase64(text); string(version) == "v1" && len(sum) == s.keys.size {
			sums = append(sums, sum)
		}
	}
	seconds, ok := unixSeconds(stamp.value)
	switch {
	case !ok || len(sums) == 0:
		return webhook.SignatureBadForm
	case !s.keys.match(sums, id.value, []byte("."), stamp.value, []byte("."), req.Body):
		return webhook.SignatureWrong
	case stale(seconds, now, s.tolerance):
		return webhook.SignatureExpired
	default:
		return ""
	}
}
