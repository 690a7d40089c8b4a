package webhook

import (
	"fmt"
	"net/netip"
	"regexp"
	"time"
)

// Endpoint is a named URL with its secret, answers, expectations, fetch policy and retention. An *Endpoint
// that a store hands out is never changed: an update makes a new one, so a pointer is also a version.
type Endpoint struct {
	// Name is the path segment after /hooks/: see CheckName.
	Name string
	// Created and Updated are UTC; the store sets them.
	Created, Updated time.Time
	// Secret says how a sender proves itself.
	Secret SecretPolicy
	// Expect lists headers that each request must carry; an unmet one is refused like a bad secret.
	Expect []ExpectedHeader
	// Respond is the plan text (package plan). Empty means "200".
	Respond string
	// Rules are tried in order before Respond.
	Rules []AnswerRule
	// CORS lets pages of other origins send; nil answers no preflight.
	CORS *CORSPolicy
	// Refusal is the answer to a request that fails Secret or Expect. Its zero value is DefaultRefusal.
	Refusal Refusal
	// Fetch bounds what the resolver may fetch for this endpoint.
	Fetch FetchPolicy
	// Retention bounds what is kept, per class.
	Retention Retention
	// Forwards are where each new capture is sent on to, each with a URL of its own; at most MaxForwards.
	Forwards []Forward
	// Listener is nil for an endpoint that is reached on the shared port only, unless Respond needs more.
	Listener *ListenerPolicy
	// Declared is true for an endpoint that the settings file owns: the file wins at each start.
	Declared bool
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// CheckName returns an ErrInvalid that says what is wrong with an endpoint's name, or nil.
func CheckName(name string) error {
	if nameForm.MatchString(name) {
		return nil
	}
	return fmt.Errorf("%w: endpoint name %q: use 1 to 63 of a-z, 0-9 and '-', beginning with a letter or digit", ErrInvalid, name)
}

// Scheme names a way in which a sender proves itself. The zero value is SchemeQuery.
type Scheme string

// The schemes; package secret has one file for each family.
const (
	// SchemeQuery: a query parameter (SecretPolicy.Param) has the secret as its value.
	SchemeQuery Scheme = "query"
	// SchemeNone: nothing is checked.
	SchemeNone Scheme = "none"
	// SchemeHeader: a header (SecretPolicy.Header) has the secret as its value, after "Bearer " if it is Authorization.
	SchemeHeader Scheme = "header"
	// SchemeHMAC: a header has the HMAC of the raw body, with SecretPolicy's Header, Prefix, Encoding and Hash.
	SchemeHMAC Scheme = "hmac"
	// SchemeLangSmith: X-LangSmith-Signature: sha256=<hex HMAC-SHA256 of the raw body>.
	SchemeLangSmith Scheme = "langsmith"
	// SchemeGitHub: X-Hub-Signature-256: sha256=<hex HMAC-SHA256 of the raw body>.
	SchemeGitHub Scheme = "github"
	// SchemeStripe: Stripe-Signature: t=..,v1=<hex HMAC-SHA256 of "t.body">.
	SchemeStripe Scheme = "stripe"
	// SchemeSlack: X-Slack-Signature: v0=<hex HMAC-SHA256 of "v0:ts:body">.
	SchemeSlack Scheme = "slack"
	// SchemeStandard: Standard Webhooks 1.0 (webhook-id, webhook-timestamp, webhook-signature).
	SchemeStandard Scheme = "standard-webhooks"
)

// SecretPolicy says how a sender proves itself to an endpoint.
type SecretPolicy struct {
	// Scheme defaults to SchemeQuery.
	Scheme Scheme
	// Param is the query parameter of SchemeQuery. Defaults to "secret"; Agent Server users set "token".
	Param string
	// Header is the header of SchemeHeader (default "Authorization") and SchemeHMAC.
	Header string
	// Prefix stands before the digest in SchemeHMAC, such as "sha256=".
	Prefix string
	// Encoding of the digest in SchemeHMAC: "hex" (default) or "base64".
	Encoding string
	// Hash of SchemeHMAC: "sha256" (default), "sha1" or "sha512".
	Hash string
	// Timestamp is the header with the Unix time that SchemeHMAC signs before the body, as "TIMESTAMP.BODY". Empty
	// signs the body alone.
	Timestamp string
	// Tolerance is the accepted clock difference of schemes with a timestamp. Defaults to 5 minutes.
	Tolerance time.Duration
	// Secrets are the accepted values: the current one first, at most two, so that one can be rotated.
	// Empty only with SchemeNone.
	Secrets []string
}

// CORSPolicy says which pages in a browser may send and read the answers.
type CORSPolicy struct {
	// Origins that are allowed: exact ones, or "*" for all.
	Origins []string
	// Methods and Headers that may be used; empty allows what is asked for.
	Methods, Headers []string
	// MaxAge is how long a browser may remember the answer; zero leaves it to the browser.
	MaxAge time.Duration
	// Credentials lets pages send cookies; not with origin "*".
	Credentials bool
}

// ExpectedHeader is a header that a request must carry.
type ExpectedHeader struct {
	// Name is matched without regard to case.
	Name string
	// Value must equal one of the header's values; empty accepts any value.
	Value string
}

// Refusal is an endpoint's answer to a request that it rejects.
type Refusal struct {
	// Status is 400 to 499; zero means DefaultRefusal as a whole.
	Status int
	// Header is sent in order.
	Header []Field
	// Body is sent as it is.
	Body string
}

// DefaultRefusal answers as the receiver example in the LangSmith documentation does.
func DefaultRefusal() Refusal {
	return Refusal{
		Status: 401,
		Header: []Field{{"WWW-Authenticate", "Bearer"}, {"Content-Type", "application/json"}},
		Body:   `{"detail":"Incorrect bearer token"}`,
	}
}

// FetchPolicy bounds what the resolver fetches on behalf of an endpoint.
type FetchPolicy struct {
	// Off turns fetching off; presigned URLs are then listed as blocked.
	Off bool
	// Hosts are the accepted host patterns, exact or "*.suffix". Empty means the well-known object stores.
	Hosts []string
	// Private opts in to stores at reserved addresses, by exact "host:port". Metadata addresses stay refused.
	Private []string
	// BaseURL is what a relative presigned URL is joined to (self-hosted LangSmith).
	BaseURL string
	// MaxBytes bounds one object as stored, after decompression. Defaults to 32 MiB.
	MaxBytes int64
}

// Retention bounds what an endpoint keeps. Each class has these bounds for itself, so that rejected or
// incomplete captures never evict accepted ones. Zero fields take the store's defaults; -1 means unbounded.
type Retention struct {
	Accepted, Rejected, Incomplete Quota
	// Connections bounds those to the endpoint's own listener; its Bytes are not used.
	Connections Quota
}

// Quota bounds the captures of one class of one endpoint. The oldest go first.
type Quota struct {
	// Count of captures.
	Count int64
	// Age since arrival.
	Age time.Duration
	// Bytes of heads and bodies.
	Bytes int64
}

// Of returns the quota of a class.
func (r Retention) Of(class Class) Quota {
	switch class {
	case Rejected:
		return r.Rejected
	case Incomplete:
		return r.Incomplete
	default:
		return r.Accepted
	}
}

// ListenerPolicy asks for a listener that an endpoint has for itself. Whatever the policy says, a Respond with faults
// before HTTP gets one, with TLS for tls-* and HTTP/2 for h2-*.
type ListenerPolicy struct {
	// TLS makes it speak HTTPS. H2 offers HTTP/2 beside HTTP/1.1, and with it TLS.
	TLS, H2 bool
	// Named gives the endpoint a name on the receiver's shared TLS port in place of a port of its own, and with it TLS.
	Named bool
	// Port is the port it listens on; zero takes a free one of the receiver's range. It is zero when Named.
	Port int
}

// Field is one header line as it stood on the wire: order, case and repetition are kept by a []Field.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Peer is the address of a sender as the connection shows it.
type Peer = netip.AddrPort
