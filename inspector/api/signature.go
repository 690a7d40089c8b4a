package api

import (
	"fmt"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// SignatureInput says by which policy to check a capture's proof. What is left out is the endpoint's, or when Scheme is
// another than the endpoint's, the scheme's own.
type SignatureInput struct {
	Scheme          *string `json:"scheme,omitempty"`
	Secret          *string `json:"secret,omitempty"`
	Param           *string `json:"param,omitempty"`
	Header          *string `json:"header,omitempty"`
	Prefix          *string `json:"prefix,omitempty"`
	Encoding        *string `json:"encoding,omitempty"`
	Hash            *string `json:"hash,omitempty"`
	TimestampHeader *string `json:"timestamp_header,omitempty"`
	Tolerance       *Millis `json:"tolerance_ms,omitempty"`
}

// Policy returns the policy that the input makes of an endpoint's. It returns an ErrInvalid for a tolerance out of
// range; the rest is not checked. An empty Secret, or Hidden, stands for the endpoint's secrets.
func (in *SignatureInput) Policy(stored webhook.SecretPolicy) (webhook.SecretPolicy, error) {
	if stored.Scheme == "" {
		stored.Scheme = webhook.SchemeQuery
	}
	p := stored
	if in.Scheme != nil && *in.Scheme != "" && webhook.Scheme(*in.Scheme) != stored.Scheme {
		p = webhook.SecretPolicy{Scheme: webhook.Scheme(*in.Scheme), Secrets: stored.Secrets}
	}
	if in.Secret != nil && *in.Secret != "" && *in.Secret != Hidden {
		p.Secrets = []string{*in.Secret}
	}
	for _, field := range []struct {
		dst   *string
		value *string
	}{
		{&p.Param, in.Param},
		{&p.Header, in.Header},
		{&p.Prefix, in.Prefix},
		{&p.Encoding, in.Encoding},
		{&p.Hash, in.Hash},
		{&p.Timestamp, in.TimestampHeader},
	} {
		if field.value != nil {
			*field.dst = *field.value
		}
	}
	if in.Tolerance != nil {
		p.Tolerance = in.Tolerance.Duration()
		if *in.Tolerance < 0 || p.Tolerance > maxTolerance {
			return p, fmt.Errorf("%w: tolerance_ms: give 0 to %d", webhook.ErrInvalid, maxTolerance/time.Millisecond)
		}
	}
	return p, nil
}

// Signature says whether a capture proves its sender and, when not, why.
type Signature struct {
	Endpoint string `json:"endpoint"`
	Seq      int64  `json:"seq"`
	Scheme   string `json:"scheme"`
	Verified bool   `json:"verified"`
	Reason   string `json:"reason"`
	// Signed is what the scheme signs, such as "timestamp.body".
	Signed       string    `json:"signed"`
	SignedSHA256 string    `json:"signed_string_sha256"`
	Partial      bool      `json:"partial"`
	Findings     []Finding `json:"findings"`
}

// Finding is one thing that a sender did otherwise than the scheme wants it.
type Finding struct {
	Code     string `json:"code"`
	Text     string `json:"text"`
	Evidence []Pair `json:"evidence"`
}

// Signature returns a verification's JSON form.
func (v View) Signature(c *webhook.Capture, found *webhook.Verification) Signature {
	out := Signature{
		Endpoint: c.Endpoint, Seq: int64(c.Seq), Scheme: string(found.Scheme), Verified: found.Verified,
		Reason: string(found.Reason), Signed: found.Layout, SignedSHA256: found.SignedSHA256, Partial: found.Partial,
		Findings: []Finding{},
	}
	for _, f := range found.Findings {
		out.Findings = append(out.Findings, Finding{Code: f.Code, Text: f.Text, Evidence: v.pairs(f.Evidence)})
	}
	return out
}
