package api

import (
	"encoding/json"
	"fmt"
	"net"
	"net/textproto"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Bounds of an endpoint's settings.
const (
	maxList      = 64
	maxText      = 64 << 10
	maxFetch     = 1 << 30
	maxTolerance = 24 * time.Hour
)

// UnmarshalJSON reads an array of exactly two strings.
func (p *Pair) UnmarshalJSON(b []byte) error {
	var list []string
	if err := json.Unmarshal(b, &list); err != nil || len(list) != len(p) {
		return fmt.Errorf("a header is an array of two strings, a name and a value, not %.60s", b)
	}
	*p = Pair{list[0], list[1]}
	return nil
}

// Form returns what a client's JSON is decoded over, so that fields it leaves out stay as they are: base
// without its lists. Fill puts those back that the client left out.
func Form(base Endpoint) Endpoint {
	base.Expect, base.Refusal.Headers, base.Fetch.Hosts, base.Fetch.Private = nil, nil, nil, nil
	base.Forwards = nil
	base.Rules, base.CORS.Origins, base.CORS.Methods, base.CORS.Headers = nil, nil, nil, nil
	return base
}

// Fill returns form with the lists of base where it has none.
func Fill(form, base Endpoint) Endpoint {
	fill(&form.Expect, base.Expect)
	fill(&form.Refusal.Headers, base.Refusal.Headers)
	fill(&form.Fetch.Hosts, base.Fetch.Hosts)
	fill(&form.Fetch.Private, base.Fetch.Private)
	fill(&form.Forwards, base.Forwards)
	fill(&form.Rules, base.Rules)
	fill(&form.CORS.Origins, base.CORS.Origins)
	fill(&form.CORS.Methods, base.CORS.Methods)
	fill(&form.CORS.Headers, base.CORS.Headers)
	return form
}

func fill[T any](list *[]T, base []T) {
	if *list == nil {
		*list = base
	}
}

// Settings makes an endpoint of a form. Shown is the masked JSON form of stored, both zero for a new
// endpoint: a text that is as shown keeps what is stored. It returns an ErrInvalid that names the field.
// Secrets and plan are not checked beyond that.
func Settings(form, shown Endpoint, stored *webhook.Endpoint) (webhook.Endpoint, error) {
	if stored == nil {
		stored = &webhook.Endpoint{}
	}
	m := merger{stored: stored, shown: shown}
	ep := webhook.Endpoint{
		Name: form.Name, Created: stored.Created, Declared: stored.Declared, Listener: m.listener(form.Listener),
		Secret:  m.secret(form),
		Expect:  m.expect(form.Expect),
		Respond: m.text("respond", form.Respond, shown.Respond, stored.Respond),
		Rules:   m.rules(form.Rules),
		CORS:    m.cors(form.CORS),
		Refusal: m.refusal(form.Refusal),
		Fetch:   m.fetch(form.Fetch), Forwards: m.forwards(form.Forwards),
		Retention: webhook.Retention{
			Accepted:   m.quota("accepted", form.Retention.Accepted),
			Rejected:   m.quota("rejected", form.Retention.Rejected),
			Incomplete: m.quota("incomplete", form.Retention.Incomplete),
			Connections: m.quota("connections", Quota{
				Count: form.Retention.Connections.Count, Age: form.Retention.Connections.Age,
			}),
		},
	}
	return ep, m.err
}

// merger checks fields and puts back what a form shows masked. The first thing wrong is kept.
type merger struct {
	stored *webhook.Endpoint
	shown  Endpoint
	err    error
}

func (m *merger) check(ok bool, format string, args ...any) {
	if !ok && m.err == nil {
		m.err = fmt.Errorf("%w: "+format, append([]any{webhook.ErrInvalid}, args...)...)
	}
}

// text returns the new value of a field: the stored one if the form still shows it masked.
func (m *merger) text(field, value, shown, stored string) string {
	if value == shown {
		return stored
	}
	m.check(len(value) <= maxText, "%s: at most %d bytes", field, maxText)
	m.check(!strings.Contains(value, Hidden), "%s: %s stands for a masked value; give the whole value, or leave the field out", field, Hidden)
	return value
}

func (m *merger) secret(form Endpoint) webhook.SecretPolicy {
	stored := append(append([]string{}, m.stored.Secret.Secrets...), "", "")
	policy := webhook.SecretPolicy{
		Scheme: webhook.Scheme(form.Scheme), Param: form.Param, Header: form.Header, Prefix: form.Prefix,
		Encoding: form.Encoding, Hash: form.Hash, Timestamp: form.Timestamp, Tolerance: form.Tolerance.Duration(),
	}
	if form.Scheme == m.shown.Scheme {
		policy.Scheme = m.stored.Secret.Scheme
	}
	m.check(form.Tolerance >= 0 && form.Tolerance.Duration() <= maxTolerance, "tolerance_ms: give 0 to %d", maxTolerance.Milliseconds())
	current := m.hidden("secret", form.Secret, stored[0])
	previous := m.hidden("previous_secret", form.PreviousSecret, stored[1])
	if current == "" && previous != "" {
		m.check(false, "previous_secret: there is no secret that it could come before")
	}
	for _, s := range []string{current, previous} {
		if s != "" {
			policy.Secrets = append(policy.Secrets, s)
		}
	}
	return policy
}

func (m *merger) hidden(field, value, stored string) string {
	if value != Hidden {
		m.check(!strings.Contains(value, Hidden), "%s: %s stands for the stored value only alone", field, Hidden)
		return value
	}
	m.check(stored != "", "%s: %s stands for the stored value, and there is none", field, Hidden)
	return stored
}

var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$")

func (m *merger) header(field, name, value string) {
	m.check(headerName.MatchString(name), "%s: %q is no header name", field, name)
	m.check(!strings.ContainsAny(value, "\r\n\x00"), "%s: the value of %s has a line break or NUL", field, name)
}

func (m *merger) expect(list []Expectation) []webhook.ExpectedHeader {
	m.check(len(list) <= maxList, "expect: at most %d headers", maxList)
	var out []webhook.ExpectedHeader
	for i, e := range list {
		m.header("expect", e.Name, e.Value)
		shown, stored := "", ""
		for j, s := range m.stored.Expect {
			if strings.EqualFold(s.Name, e.Name) && j < len(m.shown.Expect) && m.shown.Expect[j].Value == e.Value {
				shown, stored = e.Value, s.Value
				break
			}
		}
		value := m.text("expect."+strconv.Itoa(i)+".value", e.Value, shown, stored)
		out = append(out, webhook.ExpectedHeader{Name: e.Name, Value: value})
	}
	return out
}

// refusedFraming are fields that the receiver sets itself.
func refusedFraming(name string) bool {
	switch textproto.CanonicalMIMEHeaderKey(name) {
	case "Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Upgrade", "Keep-Alive":
		return true
	default:
		return false
	}
}

func defaultRefusal() Refusal { return (View{Mask: Exact{}}).refusal(webhook.Refusal{}) }

func (m *merger) refusal(r Refusal) webhook.Refusal {
	if r.Status == 0 || reflect.DeepEqual(r, defaultRefusal()) {
		m.check(r.Status != 0 || (len(r.Headers) == 0 && r.Body == ""), "refusal.status: give 400 to 499")
		return webhook.Refusal{}
	}
	m.check(r.Status >= 400 && r.Status <= 499, "refusal.status is %d: give 400 to 499", r.Status)
	m.check(len(r.Headers) <= maxList, "refusal.headers: at most %d", maxList)
	stored := m.stored.Refusal
	if stored.Status == 0 {
		stored = webhook.DefaultRefusal()
	}
	out := webhook.Refusal{Status: r.Status, Body: m.text("refusal.body", r.Body, m.shown.Refusal.Body, stored.Body)}
	for i, h := range r.Headers {
		m.header("refusal.headers", h[0], h[1])
		m.check(!refusedFraming(h[0]), "refusal.headers: %s is set by the receiver", h[0])
		shown, kept := "", ""
		if i < len(m.shown.Refusal.Headers) && i < len(stored.Header) && m.shown.Refusal.Headers[i] == h {
			shown, kept = h[1], stored.Header[i].Value
		}
		value := m.text("refusal.headers."+strconv.Itoa(i), h[1], shown, kept)
		out.Header = append(out.Header, webhook.Field{Name: h[0], Value: value})
	}
	return out
}

var hostPattern = regexp.MustCompile(`^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)

func (m *merger) fetch(f Fetch) webhook.FetchPolicy {
	m.check(len(f.Hosts) <= maxList && len(f.Private) <= maxList, "fetch: at most %d hosts", maxList)
	for _, h := range f.Hosts {
		m.check(len(h) <= 253 && hostPattern.MatchString(h), "fetch.hosts: %q: give a lower-case host name or *.suffix", h)
	}
	for _, p := range f.Private {
		host, port, err := net.SplitHostPort(p)
		n, portErr := strconv.ParseUint(port, 10, 16)
		m.check(err == nil && portErr == nil && n > 0 && host != "", "fetch.private: %q: give host:port", p)
	}
	m.check(f.MaxBytes >= 0 && f.MaxBytes <= maxFetch, "fetch.max_bytes: give 0 to %d", maxFetch)
	base := m.text("fetch.base_url", f.BaseURL, m.shown.Fetch.BaseURL, m.stored.Fetch.BaseURL)
	if base != "" {
		u, err := url.Parse(base)
		m.check(err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil &&
			u.RawQuery == "" && u.Fragment == "", "fetch.base_url: give an http or https URL without user, query and fragment")
	}
	return webhook.FetchPolicy{Off: f.Off, Hosts: f.Hosts, Private: f.Private, BaseURL: base, MaxBytes: f.MaxBytes}
}

func (m *merger) quota(class string, q Quota) webhook.Quota {
	out := webhook.Quota{Count: q.Count, Age: q.Age.Duration(), Bytes: q.Bytes}
	if q.Age == Millis(-time.Millisecond) {
		out.Age = -1
	}
	m.check(out.Count >= -1 && out.Age >= -1 && out.Bytes >= -1,
		"retention.%s: give -1 (unbounded), 0 (the default) or more", class)
	return out
}
