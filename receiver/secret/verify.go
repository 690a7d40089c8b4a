package secret

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Masked stands for a secret wherever one would be shown.
const Masked = "•••"

// Verifier checks the requests of one endpoint. It is safe for concurrent use and never changes.
type Verifier struct {
	scheme prover
	expect []expectation
}

// prover is one scheme, set up with the secrets of one endpoint.
type prover interface {
	verify(req *webhook.Request, now time.Time) webhook.Reason
}

type expectation struct {
	name string
	any  bool
	sum  [sha256.Size]byte
}

// New returns the verifier of an endpoint's SecretPolicy and expected headers, or an ErrInvalid
// that says which setting is refused and what is accepted.
func New(ep *webhook.Endpoint) (*Verifier, error) {
	if err := Check(ep.Secret); err != nil {
		return nil, err
	}
	v := &Verifier{expect: make([]expectation, 0, len(ep.Expect))}
	for _, want := range ep.Expect {
		if !isToken(want.Name) {
			return nil, fmt.Errorf("%w: expected header name %q: use letters, digits and '-'", webhook.ErrInvalid, want.Name)
		}
		if want.Value != trim(want.Value) || hasControl(want.Value) {
			return nil, fmt.Errorf("%w: value of expected header %s: no control characters, no space at its ends",
				webhook.ErrInvalid, want.Name)
		}
		v.expect = append(v.expect, expectation{
			name: want.Name, any: want.Value == "", sum: sha256.Sum256([]byte(want.Value)),
		})
	}
	v.scheme = newProver(defaults(ep.Secret))
	return v, nil
}

func newProver(p webhook.SecretPolicy) prover {
	switch p.Scheme {
	case webhook.SchemeNone:
		return none{}
	case webhook.SchemeHeader:
		return newHeader(p)
	case webhook.SchemeHMAC, webhook.SchemeGitHub, webhook.SchemeLangSmith:
		return newSignature(p)
	case webhook.SchemeStripe:
		return newStripe(p)
	case webhook.SchemeSlack:
		return newSlack(p)
	case webhook.SchemeStandard:
		return newStandard(p)
	default:
		return newQuery(p)
	}
}

// Verify returns why a request does not prove its sender, or "" when it does. It reads the
// undecoded query of req.Target, req.Head and req.Body, and changes none of them. Schemes that sign
// a timestamp compare it with now.
func (v *Verifier) Verify(req *webhook.Request, now time.Time) webhook.Reason {
	return v.scheme.verify(req, now)
}

// Expected returns why a request's fields do not meet the endpoint's expected headers, or "" when
// all are met: HeaderMissing or HeaderWrong, after the first expectation that is not. All are
// looked at every time.
func (v *Verifier) Expected(fields []webhook.Field) webhook.Reason {
	var reason webhook.Reason
	for i := range v.expect {
		if unmet := v.expect[i].unmet(fields); reason == "" {
			reason = unmet
		}
	}
	return reason
}

func (e *expectation) unmet(fields []webhook.Field) webhook.Reason {
	found, equal := false, 0
	for _, f := range fields {
		if !strings.EqualFold(f.Name, e.name) {
			continue
		}
		found = true
		sum := sha256.Sum256([]byte(trim(f.Value)))
		equal |= subtle.ConstantTimeCompare(sum[:], e.sum[:])
	}
	switch {
	case !found:
		return webhook.HeaderMissing
	case e.any || equal == 1:
		return ""
	default:
		return webhook.HeaderWrong
	}
}

type none struct{}

func (none) verify(*webhook.Request, time.Time) webhook.Reason { return "" }

// digests are the SHA-256 sums of the accepted secrets. With one secret both are its sum, so that
// the work is the same with one and with two.
type digests [2][sha256.Size]byte

func newDigests(secrets []string) digests {
	var d digests
	for i := range d {
		d[i] = sha256.Sum256([]byte(secrets[min(i, len(secrets)-1)]))
	}
	return d
}

func (d *digests) match(value []byte) bool {
	sum := sha256.Sum256(value)
	equal := 0
	for i := range d {
		equal |= subtle.ConstantTimeCompare(sum[:], d[i][:])
	}
	return equal == 1
}

// NewSecret returns 32 random bytes as 64 lower-case hexadecimal digits. Every scheme accepts it.
func NewSecret() (string, error) {
	var b [32]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("secret: read random bytes: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// HookURL returns the URL to give to a sender: base, "/hooks/", the endpoint's name and, with
// SchemeQuery, the current secret as its parameter; Masked in the secret's place when masked is
// true.
func HookURL(base string, ep *webhook.Endpoint, masked bool) string {
	u := strings.TrimRight(base, "/") + "/hooks/" + ep.Name
	p := defaults(ep.Secret)
	if p.Scheme != webhook.SchemeQuery || len(p.Secrets) == 0 {
		return u
	}
	value := Masked
	if !masked {
		value = url.QueryEscape(p.Secrets[0])
	}
	return u + "?" + url.QueryEscape(p.Param) + "=" + value
}
