// Package egress is the one guarded way out: an HTTP client that fetches an object of an object
// store on behalf of an untrusted payload, and a dialer for captures that a person sends on.
//
// A URL is parsed once and held against the endpoint's policy; every address of its host must be
// public, or private and opted in to, and exactly one of the checked addresses is dialled. There is
// no proxy, cookie, credential, Referer or pooled connection, and time, sizes and decompression are
// bounded. Each Get may hold 64 MiB for a moment; of bodies over 1 MiB two are read at a time.
package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	totalTimeout  = 30 * time.Second
	tlsTimeout    = 5 * time.Second
	headerTimeout = 5 * time.Second
	// maxHead bounds an answer's head, and all 1xx heads before it together.
	maxHead = 64 << 10
)

// Config is what New needs; its zero value works.
type Config struct {
	// Version stands in the User-Agent. Defaults to "dev".
	Version string
	// Resolver defaults to the system's.
	Resolver Resolver
	// Dial defaults to the dialer's own DialContext. Tests use it to watch or to replace
	// connections.
	Dial DialFunc
	// RootCAs of private stores. Defaults to the system's.
	RootCAs *x509.CertPool
}

// Request asks for one object.
type Request struct {
	// URL is absolute, or relative to Policy.BaseURL.
	URL string
	// Policy is the endpoint's.
	Policy webhook.FetchPolicy
}

// Response is an object store's answer.
type Response struct {
	Status int
	Header http.Header
	// Body is the decoded object for status 200, else the first 64 KiB as they came.
	Body []byte
}

// Client fetches objects. It is safe for use by several goroutines and holds no connection between
// Gets.
type Client struct {
	agent    string
	resolver Resolver
	dialer   DialFunc
	roots    *x509.CertPool
	guard    *guard
	large    chan struct{}
}

// New returns a Client.
func New(cfg Config) *Client {
	c := &Client{
		agent: "hookrange-resolve/" + cfg.Version, resolver: cfg.Resolver, dialer: cfg.Dial, roots: cfg.RootCAs,
		guard: newGuard(), large: make(chan struct{}, largeSlots),
	}
	if cfg.Version == "" {
		c.agent += "dev"
	}
	if c.resolver == nil {
		c.resolver = &net.Resolver{}
	}
	if c.dialer == nil {
		c.dialer = func(ctx context.Context, d *net.Dialer, network, address string) (net.Conn, error) {
			return d.DialContext(ctx, network, address)
		}
	}
	return c
}

// Check says without asking anyone whether the policy refuses a URL: the *Error of kind Blocked
// that Get would give, or nil. A host's addresses are checked by Get alone.
func (*Client) Check(req Request) error {
	if _, refusal := resolveTarget(req.URL, req.Policy); refusal != nil {
		return refusal
	}
	return nil
}

// Get fetches one object within 30 s and follows at most one redirect. An answer of any status is a
// Response; everything else is an *Error, or the context's error when ctx has ended.
func (c *Client) Get(ctx context.Context, req Request) (*Response, error) {
	t, refusal := resolveTarget(req.URL, req.Policy)
	if refusal != nil {
		return nil, refusal
	}
	limited, cancel := context.WithTimeout(ctx, totalTimeout)
	defer cancel()
	resp, next, err := c.hop(limited, t)
	if next != nil {
		resp, next, err = c.hop(limited, next)
		if next != nil {
			err = blocked("redirect_refused", "the object store redirects more than once")
		}
	}
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("egress: %w", ctx.Err())
	}
	if err != nil {
		return nil, typed(err)
	}
	return resp, nil
}

// hop makes one request on a connection of its own. next is where the answer redirects to.
func (c *Client) hop(ctx context.Context, t *target) (answer *Response, next *target, err error) {
	transport := c.transport(t)
	defer transport.CloseIdleConnections()
	req := (&http.Request{
		Method: http.MethodGet, URL: t.url,
		Header: http.Header{"User-Agent": {c.agent}, "Accept-Encoding": {"identity"}},
	}).WithContext(ctx)
	// RoundTrip, not a Client: no redirects, cookies, Referer or URL in errors that would have to
	// be undone.
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if location := resp.Header.Get("Location"); location != "" && redirects(resp.StatusCode) {
		to, refusal := t.redirect(location)
		if refusal != nil {
			return nil, nil, refusal
		}
		return nil, to, nil
	}
	answer = &Response{Status: resp.StatusCode, Header: resp.Header}
	if resp.StatusCode == http.StatusOK {
		answer.Body, err = c.object(ctx, resp, bound(t.policy))
		return answer, nil, err
	}
	// The text of an error helps a person; without it the status still counts.
	answer.Body, _ = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return answer, nil, nil
}

func (c *Client) transport(t *target) *http.Transport {
	var h1 http.Protocols
	h1.SetHTTP1(true)
	return &http.Transport{
		Proxy: nil,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return c.dial(ctx, t)
		},
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.roots},
		TLSHandshakeTimeout:    tlsTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		MaxResponseHeaderBytes: maxHead,
		DisableCompression:     true,
		DisableKeepAlives:      true,
		Protocols:              &h1,
	}
}

func redirects(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

func bound(policy webhook.FetchPolicy) int64 {
	if policy.MaxBytes <= 0 {
		return defaultMax
	}
	return min(policy.MaxBytes, hardMax)
}

// typed makes an *Error of what the transport says, and drops its text: it may hold addresses or
// headers.
func typed(err error) error {
	known := new(Error)
	if errors.As(err, &known) {
		return known
	}
	unverified := new(tls.CertificateVerificationError)
	switch {
	case timedOut(err):
		return &Error{Timeout, "timeout", "the object store did not answer in time"}
	case errors.As(err, &unverified):
		return &Error{Network, "tls_failed", "the object store's certificate is not valid for its name"}
	}
	return &Error{Network, "connection_failed", "the connection to the object store failed before its answer was whole"}
}
