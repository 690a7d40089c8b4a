package secret

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // senders that sign with HMAC-SHA1 exist; HMAC does not rest on collisions
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strconv"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// signature proves a sender by the HMAC of the raw body in one header field. The generic scheme,
// GitHub's and LangSmith's share it.
type signature struct {
	name   string
	prefix []byte
	base64 bool
	// stamp is the field with a signed timestamp, or "".
	stamp     string
	tolerance time.Duration
	keys      keys
}

func newSignature(p webhook.SecretPolicy) *signature {
	return &signature{
		name: p.Header, prefix: []byte(p.Prefix), base64: p.Encoding == "base64",
		stamp: p.Timestamp, tolerance: p.Tolerance,
		keys: newKeys(newHash(p.Hash), plainKeys(p.Secrets)),
	}
}

func (s *signature) verify(req *webhook.Request, now time.Time) webhook.Reason {
	f := find(req.Head, s.name)
	if reason := f.unsigned(); reason != "" {
		return reason
	}
	text, ok := bytes.CutPrefix(f.value, s.prefix)
	if !ok {
		return webhook.SignatureBadForm
	}
	decode := decodeHex
	if s.base64 {
		decode = decodeBase64
	}
	sum := decode(text)
	if len(sum) != s.keys.size {
		return webhook.SignatureBadForm
	}
	if s.stamp != "" {
		return s.timed(req, sum, now)
	}
	if !s.keys.match([][]byte{sum}, req.Body) {
		return webhook.SignatureWrong
	}
	return ""
}

// timed checks a digest of "timestamp.body".
func (s *signature) timed(req *webhook.Request, sum []byte, now time.Time) webhook.Reason {
	stamp := find(req.Head, s.stamp)
	if reason := stamp.unsigned(); reason != "" {
		return reason
	}
	seconds, ok := unixSeconds(stamp.value)
	switch {
	case !ok:
		return webhook.SignatureBadForm
	case !s.keys.match([][]byte{sum}, stamp.value, []byte("."), req.Body):
		return webhook.SignatureWrong
	case stale(seconds, now, s.tolerance):
		return webhook.SignatureExpired
	default:
		return ""
	}
}

// unsigned returns why a field cannot be the one field that a scheme defines.
func (f *found) unsigned() webhook.Reason {
	switch {
	case f.count > 1 || f.folded:
		return webhook.SignatureBadForm
	case len(f.value) == 0:
		return webhook.SignatureMissing
	default:
		return ""
	}
}

// keys are the accepted signing keys of one hash.
type keys struct {
	hash func() hash.Hash
	size int
	keys [][]byte
}

func newKeys(h func() hash.Hash, values [][]byte) keys {
	return keys{hash: h, size: h().Size(), keys: values}
}

func plainKeys(secrets []string) [][]byte {
	values := make([][]byte, len(secrets))
	for i, s := range secrets {
		values[i] = []byte(s)
	}
	return values
}

// match tells whether one of the sums is the HMAC of the parts in a row under one of the keys.
// Every key is tried with every sum.
func (k *keys) match(sums [][]byte, parts ...[]byte) bool {
	right := false
	for _, key := range k.keys {
		mac := hmac.New(k.hash, key)
		for _, part := range parts {
			mac.Write(part)
		}
		want := mac.Sum(nil)
		for _, sum := range sums {
			equal := hmac.Equal(sum, want)
			right = right || equal
		}
	}
	return right
}

// newHash returns the constructor of a hash by its name in SecretPolicy, or nil.
func newHash(name string) func() hash.Hash {
	switch name {
	case "sha256":
		return sha256.New
	case "sha1":
		return sha1.New
	case "sha512":
		return sha512.New
	default:
		return nil
	}
}

// decodeHex returns nil for what is not hexadecimal. Both cases are accepted.
func decodeHex(text []byte) []byte {
	sum := make([]byte, hex.DecodedLen(len(text)))
	if _, err := hex.Decode(sum, text); err != nil {
		return nil
	}
	return sum
}

// decodeBase64 accepts the standard and the URL alphabet, with and without padding. It returns nil
// for anything else.
func decodeBase64(text []byte) []byte {
	if len(text)%4 == 0 {
		text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("=")), []byte("="))
	}
	encoding := base64.RawStdEncoding.Strict()
	if bytes.ContainsAny(text, "-_") {
		encoding = base64.RawURLEncoding.Strict()
	}
	if bytes.ContainsAny(text, "\r\n") {
		return nil
	}
	sum, err := encoding.DecodeString(string(text))
	if err != nil {
		return nil
	}
	return sum
}

// stale tells whether a signed time in Unix seconds lies further from now than the tolerance.
func stale(seconds int64, now time.Time, tolerance time.Duration) bool {
	distance := now.Sub(time.Unix(seconds, 0))
	return distance > tolerance || distance < -tolerance
}

// unixSeconds reads a timestamp as it stands in a header: decimal digits only.
func unixSeconds(text []byte) (int64, bool) {
	if len(text) == 0 || text[0] < '0' || text[0] > '9' {
		return 0, false
	}
	seconds, err := strconv.ParseInt(string(text), 10, 64)
	return seconds, err == nil
}
