package webhook

import (
	"net/url"
	"strings"
	"time"
)

// MaxForwards bounds the forwards of one endpoint.
const MaxForwards = 4

// SignOwn is a Forward's Sign that stands for the endpoint's own scheme.
const SignOwn Scheme = "endpoint"

// Forward asks for the new captures of an endpoint to be sent on as they come, one after another in their order.
type Forward struct {
	// URL is http or https. It tells the forwards of an endpoint apart.
	URL string
	// All sends rejected and incomplete captures too. It does not go with Sign, which would make good what was refused.
	All bool
	// Search is a query of the search language that a capture must match; empty matches all.
	Search string
	// Sign is the scheme to make the proof anew with; SignOwn is that of the endpoint. Empty sends the proof as it came.
	Sign Scheme
	// Secret to sign with. Empty is the endpoint's own, which goes with SignOwn only.
	Secret string
	// Policy names the delivery policy; empty is "none", which tries once.
	Policy string
	// Off keeps the forward without sending. It begins with what is new when it is on again.
	Off bool
}

// Proof returns what to sign with, or nil for the proof as it came.
func (f *Forward) Proof(own *SecretPolicy) *SecretPolicy {
	if f.Sign == "" {
		return nil
	}
	p := SecretPolicy{Scheme: f.Sign}
	if f.Sign == SignOwn {
		p = *own
	}
	if f.Secret != "" {
		p.Secrets = []string{f.Secret}
	}
	return &p
}

// ForwardState says how far a forward is and how it went since it is on.
type ForwardState struct {
	// After is the seq up to which every capture was dealt with.
	After Seq
	// Delivered captures, and those that their policy gave up or that could not be sent.
	Delivered, Failed int64
	// Dropped captures were left out because too many waited.
	Dropped int64
	// Waiting captures come next.
	Waiting int
	// Last is when a capture was sent last, zero for never. Problem is why it was not delivered, or empty.
	Last    time.Time
	Problem string
}

// ShownURL returns a URL without user, query and fragment, which may hold secrets; a query that was there shows as
// "?•••". It is empty for what is no URL.
func ShownURL(raw string) string {
	base, _, _ := strings.Cut(raw, "#")
	path, _, queried := strings.Cut(base, "?")
	u, err := url.Parse(path)
	if err != nil {
		return ""
	}
	u.User = nil
	if queried {
		return u.String() + "?•••"
	}
	return u.String()
}
