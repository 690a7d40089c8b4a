package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Leave says where a capture may be sent on to, beside public addresses of any host and port.
type Leave struct {
	// Private are the hosts and ports, each exactly "host:port", that may have private addresses. Metadata addresses stay
	// refused.
	Private []string
	// Own tells the program's own listeners, which are never connected to. Nil knows none.
	Own func(netip.AddrPort) bool
}

// CheckPrivate returns a webhook.ErrInvalid that names the first of Leave.Private that can never match, or nil.
func CheckPrivate(private []string) error {
	return CheckPolicy(webhook.FetchPolicy{Private: private})
}

var errOwn = blocked("own_address", "the URL leads back to this server, which would make a loop")

// Permit looks a URL's host up and says whether Dial would connect to it: nil, the *Error that Dial would give, or ctx's
// error.
func (c *Client) Permit(ctx context.Context, rawURL string, leave Leave) error {
	u, refusal := parseURL(rawURL)
	if refusal != nil {
		return worded(refusal)
	}
	port := u.Port()
	if port == "" {
		port = strconv.Itoa(int(defaultPort(u.Scheme)))
	}
	t, refusal := outward(net.JoinHostPort(u.Hostname(), port), leave)
	if refusal != nil {
		return worded(refusal)
	}
	if _, err := c.addresses(ctx, t); err != nil {
		return c.refused(ctx, err)
	}
	return nil
}

// Dial connects to "host:port" to send a capture on. Every address of the host must be public, or private and opted in
// to, and none may be our own; exactly one of the checked ones is dialled. It fails with an *Error or ctx's error.
func (c *Client) Dial(ctx context.Context, address string, leave Leave) (net.Conn, error) {
	t, refusal := outward(address, leave)
	if refusal != nil {
		return nil, worded(refusal)
	}
	conn, err := c.dial(ctx, t)
	if err != nil {
		return nil, c.refused(ctx, err)
	}
	return conn, nil
}

func (*Client) refused(ctx context.Context, err error) error {
	known := new(Error)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &known):
		return worded(known)
	default:
		return typed(err)
	}
}

// outward makes a target of "host:port".
func outward(address string, leave Leave) (*target, *Error) {
	host, port, err := net.SplitHostPort(address)
	n, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil || n == 0 {
		return nil, blocked("port_not_allowed", "the URL's port is not a port number")
	}
	t := &target{host: strings.ToLower(host), port: uint16(n), own: leave.Own}
	var refusal *Error
	if t.addr, refusal = checkHost(t.host); refusal != nil {
		return nil, refusal
	}
	t.private = optedIn(webhook.FetchPolicy{Private: leave.Private}, t.host, t.port)
	return t, nil
}

// worded puts a refusal into the words of sending on, where there is no object store.
func worded(e *Error) *Error {
	message := map[string]string{
		"dns_timeout":         "the target's name could not be looked up in time",
		"dns_failed":          "the target's name could not be looked up",
		"connect_timeout":     "the target could not be connected to in time",
		"connect_failed":      "the target could not be connected to",
		"scheme_not_allowed":  "the URL is neither http nor https",
		"address_not_allowed": "the URL's host has a reserved or private address that this server was not allowed to send to",
	}[e.Code]
	if message == "" {
		message = e.Message
	}
	return &Error{Kind: e.Kind, Code: e.Code, Message: message}
}
