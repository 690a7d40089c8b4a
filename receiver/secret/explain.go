package secret

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Explain says whether a request proves its sender under a policy and, when it does not, why: it makes the signature
// in the ways that senders are known to get wrong, one mistake or two at a time, until one gives what was received. The
// work is bounded. Nothing in the answer is a secret. It returns an ErrInvalid for a policy that Check refuses.
func Explain(claim *webhook.Claim) (webhook.Verification, error) {
	if err := Check(claim.Policy); err != nil {
		return webhook.Verification{}, err
	}
	p := defaults(claim.Policy)
	out := webhook.Verification{Scheme: p.Scheme, Reason: newProver(p).verify(claim.Request, claim.At)}
	out.Verified = out.Reason == ""
	if claim.Request.Truncated && p.Scheme != webhook.SchemeQuery && p.Scheme != webhook.SchemeHeader && !out.Verified {
		out.Findings = append(out.Findings, finding("body_cut"))
	}
	f, signs := formOf(p)
	switch {
	case p.Scheme == webhook.SchemeNone:
	case !signs:
		if !out.Verified {
			out.Findings = append(out.Findings, shared(claim, p, out.Reason)...)
		}
	default:
		e := explanation{claim: claim, policy: p, search: newSearch(claim, p, f), out: &out}
		e.explain()
	}
	return out, nil
}

// explanation is the work on one claim under a scheme that signs.
type explanation struct {
	claim  *webhook.Claim
	policy webhook.SecretPolicy
	search *search
	out    *webhook.Verification
}

func (e *explanation) add(code string, evidence ...string) {
	e.out.Findings = append(e.out.Findings, finding(code, evidence...))
}

func (e *explanation) explain() {
	s := e.search
	e.out.Layout = string(s.form.layout)
	message := s.parts.message(s.form.layout, e.claim.Request.Body)
	if message != nil {
		sum := sha256.New()
		for _, part := range message {
			sum.Write(part)
		}
		e.out.SignedSHA256 = hex.EncodeToString(sum.Sum(nil))
	}
	own := find(e.claim.Request.Head, s.form.header)
	if !e.out.Verified && own.count == 0 {
		if scheme := otherScheme(e.claim, e.policy); scheme != "" {
			e.add("other_scheme", "scheme", string(scheme))
			return
		}
	}
	if m := s.run(e.claim); m != nil {
		e.content(m, message)
		e.written(m)
	} else {
		e.out.Partial = s.partial
		e.unmatched(own)
	}
	if own.count > 1 {
		e.add("signature_repeated", "header", s.form.header)
	}
	e.times()
}

// content says what was hashed otherwise.
func (e *explanation) content(m *match, message [][]byte) {
	var evidence []string
	if message != nil {
		_, h := hashOf(e.search.form.size)
		want := constructions()[0].make(h, e.search.keys[0].bytes, message)
		evidence = []string{
			"expected", encode(want, e.search.form.base64),
			"received", encode(m.received.sum, e.search.form.base64),
		}
	}
	add := func(code string, more ...string) {
		if code != "" {
			e.add(code, append(more, evidence...)...)
		}
	}
	detail := func(v variant) []string {
		if v.detail == "" {
			return nil
		}
		return []string{"used", v.detail}
	}
	if m.key.code == "previous_secret" {
		e.add(m.key.code)
	} else {
		add(m.key.code, detail(m.key)...)
	}
	add(m.construction)
	if name, _ := hashOf(len(m.received.sum)); len(m.received.sum) != e.search.form.size {
		add("hash_" + name)
	}
	if code := m.layout.code(e.search.form.layout); code != "" {
		add(code, "signed", quoteLayout(m.layout), "to be signed", quoteLayout(e.search.form.layout))
	}
	if m.converted {
		add("signed_seconds")
	}
	add(m.body.code, detail(m.body)...)
}

func quoteLayout(l layout) string { return strings.ReplaceAll(string(l), "\n", `\n`) }

// written says what was right in the digest and wrong around it.
func (e *explanation) written(m *match) {
	f, r := &e.search.form, &m.received
	if !strings.EqualFold(r.field, f.header) {
		e.add("signature_under_other_name", "header", r.field, "expected header", f.header)
	}
	switch {
	case r.prefix == f.prefix:
	case r.prefix == "":
		e.add("prefix_missing", "expected prefix", f.prefix)
	case f.prefix == "":
		e.add("prefix_unexpected", "prefix", r.prefix)
	default:
		e.add("prefix_wrong", "prefix", r.prefix, "expected prefix", f.prefix)
	}
	switch {
	case r.encoding == "base64 of hex":
		e.add("encoding_base64_of_hex")
	case f.base64 && strings.HasSuffix(r.encoding, "hex"):
		e.add("encoding_hex")
	case !f.base64 && r.encoding == "base64url":
		e.add("encoding_base64url", "expected encoding", "hex")
	case !f.base64 && strings.HasPrefix(r.encoding, "base64"):
		e.add("encoding_base64")
	case f.base64 && r.encoding == "base64url":
		e.add("encoding_base64url", "expected encoding", "base64")
	case f.base64 && r.encoding == "base64 without padding":
		e.add("encoding_unpadded")
	case r.encoding == "upper-case hex":
		e.add("hex_upper_case")
	}
}

// unmatched says what is plain to see about a signature that no way gives.
func (e *explanation) unmatched(own found) {
	f := &e.search.form
	switch {
	case own.count == 0 || len(own.value) == 0:
		e.add("signature_missing", "header", f.header)
	case e.inClear(own.value):
		e.add("secret_in_clear", "header", f.header)
	case !e.hasDigest():
		e.add("signature_malformed", "header", f.header, "expected form", f.prefix+expectedDigest(f))
	}
}

func expectedDigest(f *form) string {
	name, _ := hashOf(f.size)
	if f.base64 {
		return "the base64 of a " + name + " digest"
	}
	return "the hex digits of a " + name + " digest"
}

func (e *explanation) hasDigest() bool {
	for i := range e.search.received {
		if strings.EqualFold(e.search.received[i].field, e.search.form.header) {
			return true
		}
	}
	return false
}

func (e *explanation) inClear(value []byte) bool {
	text := string(value)
	if _, rest, ok := cutPrefix(text); ok && e.secret(rest) {
		return true
	}
	_, rest, _ := strings.Cut(text, " ")
	return e.secret(text) || e.secret(trim(rest))
}

// secret tells whether a text is one of the secrets that are known here.
func (e *explanation) secret(text string) bool {
	is := false
	for _, s := range e.policy.Secrets {
		is = hmac.Equal([]byte(s), []byte(text)) || is
	}
	for _, ep := range e.claim.Others {
		for _, s := range ep.Secret.Secrets {
			is = hmac.Equal([]byte(s), []byte(text)) || is
		}
	}
	return is
}

// otherScheme returns the scheme that a request proves itself by with the policy's secrets, or "".
func otherScheme(claim *webhook.Claim, p webhook.SecretPolicy) webhook.Scheme {
	for _, scheme := range []webhook.Scheme{
		webhook.SchemeLangSmith, webhook.SchemeGitHub, webhook.SchemeStripe, webhook.SchemeSlack, webhook.SchemeStandard,
		webhook.SchemeQuery, webhook.SchemeHeader,
	} {
		other := webhook.SecretPolicy{Scheme: scheme, Secrets: p.Secrets}
		if scheme == p.Scheme || Check(other) != nil {
			continue
		}
		reason := newProver(defaults(other)).verify(claim.Request, claim.At)
		if reason == "" || reason == webhook.SignatureExpired {
			return scheme
		}
	}
	return ""
}
