package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hookrange/hookrange/fixtures/sender"
	"github.com/hookrange/hookrange/inspector/console"
	"github.com/hookrange/hookrange/receiver/gate"
	"github.com/hookrange/hookrange/receiver/relay"
	"github.com/hookrange/hookrange/receiver/resolve/egress"
	"github.com/hookrange/hookrange/receiver/secret"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/command"
)

// once tries a single time and takes any answer for the end.
const once = "none"

func replayPolicy(name string) (sender.Policy, error) {
	if name == once {
		return sender.Policy{Name: once, ConnectTimeout: 10 * time.Second, Timeout: 30 * time.Second}, nil
	}
	if strings.Contains(name, "/") {
		return sender.Policy{}, fmt.Errorf("%w: policy %q: a broken variant is no policy to send on by", webhook.ErrInvalid, name)
	}
	p, err := sender.PolicyNamed(name)
	if err != nil {
		return p, fmt.Errorf("%w: no policy %q: use one of %s", webhook.ErrInvalid, name, strings.Join(replayPolicies(), ", "))
	}
	return p, nil
}

func checkPolicy(name string) error {
	_, err := replayPolicy(name)
	return err
}

func replayPolicies() []string {
	names := []string{once}
	for _, p := range sender.Policies() {
		names = append(names, p.Name)
	}
	return names
}

// dialer opens a connection to "host:port".
type dialer func(ctx context.Context, address string) (net.Conn, error)

// deliverOver makes the delivery with the reference sender, over connections of dial.
func deliverOver(dial dialer) func(context.Context, relay.Message, string, func(webhook.Replay)) (bool, error) {
	return func(ctx context.Context, m relay.Message, policy string, tell func(webhook.Replay)) (bool, error) {
		p, err := replayPolicy(policy)
		if err != nil {
			return false, err
		}
		s := sender.Sender{Dial: func(ctx context.Context, _, address string) (net.Conn, error) { return dial(ctx, address) }}
		d := sender.Delivery{Method: m.Method, URL: m.URL, Header: m.Header, Body: m.Body}
		result := s.Send(ctx, d, p, func(a sender.Attempt) {
			try := webhook.Replay{
				Attempt: a.N, Try: a.Try, Hop: a.Hop, Start: a.Start, Duration: a.Duration, Status: a.Status, NextIn: a.NextIn,
			}
			if a.Err != nil {
				try.Failure = command.OneLine(a.Err.Error())
			}
			tell(try)
		})
		if errors.Is(result.Err, sender.ErrInvalid) {
			return false, fmt.Errorf("%w: %w", webhook.ErrInvalid, result.Err)
		}
		return result.Delivered, nil
	}
}

func signed(p webhook.SecretPolicy, m relay.Message, now time.Time) (relay.Message, error) {
	out, err := secret.Sign(p, secret.Signing{URL: m.URL, Header: m.Header, Body: m.Body}, now)
	return relay.Message{Method: m.Method, URL: out.URL, Header: out.Header, Body: out.Body}, err
}

// guarded is the server's Relay: its way out is egress.
type guarded struct{ *relay.Relay }

// Policies returns the names of all policies.
func (guarded) Policies() []string { return replayPolicies() }

// relay returns what sends captures on for the server. Private targets are those that its user named.
func (h *house) relay(private []string, listeners ...net.Addr) guarded {
	client, own := egress.New(egress.Config{Version: version}), ownListeners(h.ports, append(listeners, h.named))
	leave := egress.Leave{Private: private, Own: own}
	return guarded{relay.New(relay.Config{
		Sign: signed,
		Permit: func(ctx context.Context, target string) error {
			if sameAuthority(target, h.base) {
				return fmt.Errorf("%w: url: it leads back to this server, which would make a loop", webhook.ErrInvalid)
			}
			return refusedTarget(client.Permit(ctx, target, leave))
		},
		Deliver: deliverOver(func(ctx context.Context, address string) (net.Conn, error) { return client.Dial(ctx, address, leave) }),
	})}
}

// refusedTarget says of a target that the guard blocks what a user can do about it.
func refusedTarget(err error) error {
	refusal := new(egress.Error)
	if !errors.As(err, &refusal) || refusal.Kind != egress.Blocked {
		// A name that is not found and the like are what the try will say.
		return nil
	}
	advice := ""
	if refusal.Code == "address_not_allowed" {
		advice = "; start it with --replay-private HOST:PORT, or send from your machine with hookrange replay"
	}
	return fmt.Errorf("%w: url: %s%s", webhook.ErrInvalid, refusal.Message, advice)
}

// ownListeners tells the addresses under which this process listens on this machine.
func ownListeners(ports gate.Ports, listeners []net.Addr) func(netip.AddrPort) bool {
	var fixed []uint16
	for _, l := range listeners {
		if tcp, ok := l.(*net.TCPAddr); ok {
			fixed = append(fixed, tcp.AddrPort().Port())
		}
	}
	return func(to netip.AddrPort) bool {
		port := int(to.Port())
		if !slices.Contains(fixed, to.Port()) && (port < ports.First || port > ports.Last) {
			return false
		}
		return ofThisMachine(to.Addr())
	}
}

func ofThisMachine(addr netip.Addr) bool {
	if addr.IsLoopback() || addr.IsUnspecified() {
		return true
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	return slices.ContainsFunc(all, func(a net.Addr) bool {
		prefix, ok := a.(*net.IPNet)
		return ok && prefix.IP.Equal(net.IP(addr.AsSlice()))
	})
}

// sameAuthority says whether two URLs name the same host and port.
func sameAuthority(a, b string) bool {
	first, second := authorityOf(a), authorityOf(b)
	return first != "" && first == second
}

func authorityOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[strings.ToLower(u.Scheme)]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// unguarded is the Relay of a command: where it may send to is its user's choice, but for the inspector that it reads
// from and the endpoint that the captures are of, whose hook URLs begin with the bases.
func unguarded(bases []string) console.Relay {
	return relay.New(relay.Config{
		Sign: signed,
		Permit: func(ctx context.Context, target string) error {
			for _, base := range bases {
				if below(target, base) && leadsTo(ctx, target, base) {
					return fmt.Errorf("%w: URL: it leads back to the endpoint that the capture is from, or to its inspector, which would make a loop", webhook.ErrInvalid)
				}
			}
			return nil
		},
		Deliver: deliverOver(func(ctx context.Context, address string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", address)
		}),
		Limit: 30 * time.Minute,
	})
}

// below says whether a URL's path is that of the base, or under it.
func below(target, base string) bool {
	to, err := url.Parse(target)
	at, baseErr := url.Parse(base)
	if err != nil || baseErr != nil {
		return true
	}
	path := strings.TrimSuffix(at.EscapedPath(), "/")
	return path == "" || to.EscapedPath() == path || strings.HasPrefix(to.EscapedPath(), path+"/")
}

// leadsTo says whether two URLs reach the same port of the same machine, as far as names can tell.
func leadsTo(ctx context.Context, target, base string) bool {
	if sameAuthority(target, base) {
		return true
	}
	host, port, err := net.SplitHostPort(authorityOf(target))
	other, same, otherErr := net.SplitHostPort(authorityOf(base))
	if err != nil || otherErr != nil || port != same {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	to, from := addressesOf(ctx, host), addressesOf(ctx, other)
	return slices.ContainsFunc(to, func(a netip.Addr) bool {
		local := a.IsLoopback() || a.IsUnspecified()
		return slices.Contains(from, a) || local && slices.ContainsFunc(from, ofThisMachine)
	})
}

func addressesOf(ctx context.Context, host string) []netip.Addr {
	found, err := (&net.Resolver{}).LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil
	}
	for i := range found {
		found[i] = found[i].Unmap()
	}
	return found
}

// checkPrivate refuses a --replay-private that can never match.
func checkPrivate(private []string) error {
	if err := egress.CheckPrivate(private); err != nil {
		return fmt.Errorf("--replay-private: %w", err)
	}
	return nil
}
