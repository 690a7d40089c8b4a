package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

const (
	// dialTimeout bounds the look-up of a name, and all attempts to connect together.
	dialTimeout = 3 * time.Second
	// maxAddrs bounds how many addresses of one name are tried, and maxAnswers how many it may
	// have.
	maxAddrs, maxAnswers = 4, 64
)

// Resolver looks names up; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// DialFunc opens a connection with a dialer that checks the address once more right before it
// connects.
type DialFunc func(ctx context.Context, d *net.Dialer, network, address string) (net.Conn, error)

var errAddress = blocked("address_not_allowed",
	"the URL's host has a reserved or private address that the endpoint has not opted in to")

// dial connects to t. All addresses of its name are looked up and must be permitted, then exactly
// one of those is dialled: the name is not looked up again.
func (c *Client) dial(ctx context.Context, t *target) (net.Conn, error) {
	addrs, err := c.addresses(ctx, t)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	deadline := time.Now().Add(dialTimeout)
	d := &net.Dialer{KeepAlive: -1, ControlContext: c.control(t)}
	for i, addr := range addrs {
		d.Timeout = time.Until(deadline) / time.Duration(len(addrs)-i)
		network := "tcp4"
		if addr.Is6() {
			network = "tcp6"
		}
		var conn net.Conn
		if conn, err = c.dialer(ctx, d, network, t.authority(addr)); err == nil {
			return conn, nil
		}
		if refusal := new(Error); errors.As(err, &refusal) {
			return nil, refusal
		}
	}
	if timedOut(err) {
		return nil, &Error{Timeout, "connect_timeout", "the object store could not be connected to in time"}
	}
	return nil, &Error{Network, "connect_failed", "the object store could not be connected to"}
}

// addresses returns the permitted addresses of t, IPv4 first. One that is not permitted refuses
// all.
func (c *Client) addresses(ctx context.Context, t *target) ([]netip.Addr, error) {
	answers := []netip.Addr{t.addr}
	if !t.addr.IsValid() {
		lookup, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		var err error
		answers, err = c.resolver.LookupNetIP(lookup, "ip", t.host)
		switch {
		case err != nil && timedOut(err):
			return nil, &Error{Timeout, "dns_timeout", "the object store's name could not be looked up in time"}
		case err != nil || len(answers) == 0 || len(answers) > maxAnswers:
			return nil, &Error{Network, "dns_failed", "the object store's name could not be looked up"}
		}
	}
	addrs := make([]netip.Addr, 0, len(answers))
	for _, a := range answers {
		// A resolver may give IPv4 answers in their IPv6-mapped form.
		a = a.Unmap()
		if !c.guard.permits(a, t.private) {
			return nil, errAddress
		}
		if t.ours(a) {
			return nil, errOwn
		}
		addrs = append(addrs, a)
	}
	slices.SortStableFunc(addrs, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	return addrs[:min(len(addrs), maxAddrs)], nil
}

// control is the last look at an address, between socket and connect.
func (c *Client) control(t *target) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, network, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || network != "tcp4" && network != "tcp6" || to.Port() != t.port ||
			!c.guard.permits(to.Addr(), t.private) || t.ours(to.Addr()) {
			return errAddress
		}
		return nil
	}
}

func timedOut(err error) bool {
	var ne net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &ne) && ne.Timeout()
}
