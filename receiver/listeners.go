package receiver

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/hookrange/hookrange/receiver/gate"
	"github.com/hookrange/hookrange/receiver/plan"
	"github.com/hookrange/hookrange/receiver/webhook"
)

var errNoListeners = errors.New("receiver: endpoints have no listeners of their own here")

// Address returns the base of the hook URLs of an endpoint that has a listener of its own, such as
// "https://127.0.0.1:20017"; ok is false for one that has none. It opens the listener if need be.
func (s *Server) Address(endpoint string) (base string, ok bool) {
	o := s.own(endpoint)
	if o == nil || o.gate == nil {
		return "", false
	}
	if o.policy.Named {
		return "https://" + s.gates.where.Names.Host(endpoint), true
	}
	scheme := "http://"
	if o.policy.TLS {
		scheme = "https://"
	}
	host, port, err := net.SplitHostPort(o.gate.Addr().String())
	if err != nil {
		return "", false
	}
	switch {
	case s.gates.where.Name != "":
		host = s.gates.where.Name
	case s.gates.where.Host.IsUnspecified():
		host = "127.0.0.1"
	}
	return scheme + net.JoinHostPort(host, port), true
}

// Problem tells why an endpoint does not have the listener that its settings ask for, or returns nil.
func (s *Server) Problem(endpoint string) error {
	if o := s.own(endpoint); o != nil {
		return o.problem
	}
	return nil
}

// own returns the listener of an endpoint, in step with its settings as they are now, or nil. What it points to is not
// changed while somebody looks at it, but for its endpoint.
func (s *Server) own(endpoint string) *own {
	if s.gates == nil {
		return nil
	}
	s.gates.mu.Lock()
	defer s.gates.mu.Unlock()
	return s.gates.sync(endpoint)
}

// Countable tells whether tries to connect that were refused or dropped are counted here, and if not, why.
func (s *Server) Countable() (ok bool, reason string) {
	if s.gates == nil {
		return false, "endpoints have no listeners of their own here"
	}
	return s.gates.counter.Countable()
}

// Open returns the connections to an endpoint's own listener that have not ended. The others are in the store.
func (s *Server) Open(endpoint string) []webhook.Connection {
	if own := s.gates.of(endpoint); own != nil {
		return own.Open()
	}
	return nil
}

// Shut returns the fault that keeps connections away from an endpoint's own listener now, or "".
func (s *Server) Shut(endpoint string) webhook.Fault {
	if own := s.gates.of(endpoint); own != nil {
		return own.Shut()
	}
	return ""
}

// AuthorityPEM returns the certificate that a sender must trust to reach endpoints over TLS. ErrNotFound where endpoints
// have no listeners of their own.
func (s *Server) AuthorityPEM() ([]byte, error) {
	if s.gates == nil {
		return nil, fmt.Errorf("%w: %w", webhook.ErrNotFound, errNoListeners)
	}
	s.gates.mu.Lock()
	defer s.gates.mu.Unlock()
	authority, err := s.gates.authority()
	if err != nil {
		return nil, err
	}
	return authority.PEM(), nil
}

// CheckListener tells why an endpoint cannot have the listener that it asks for together with its answers, which
// CheckRespond accepts, or returns nil.
func (s *Server) CheckListener(ep *webhook.Endpoint) error {
	if ep.Listener == nil {
		return nil
	}
	if s.gates == nil {
		return fmt.Errorf("%w: listener: this server gives endpoints no listeners of their own", webhook.ErrInvalid)
	}
	program, err := s.program(ep.Respond)
	if err != nil {
		return err
	}
	need, _ := policy(ep, program)
	s.gates.mu.Lock()
	defer s.gates.mu.Unlock()
	return s.gates.fits(ep.Name, need, program)
}

// fits tells why an endpoint cannot have a listener, or returns nil; mu is held.
func (g *gates) fits(name string, need webhook.ListenerPolicy, p *plan.Program) error {
	if need.Named {
		return g.named(need, p)
	}
	if need.Port == 0 {
		return nil
	}
	if err := (gate.Ports{First: need.Port, Last: need.Port}).Check(); err != nil {
		return fmt.Errorf("listener: port %s: %w", strconv.Itoa(need.Port), err)
	}
	for other, o := range g.own {
		if other != name && o.gate != nil && !o.policy.Named && addrPort(o.gate.Addr()) == need.Port {
			return fmt.Errorf("%w: listener: port %d is endpoint %s's; give another, or 0 for a free one", webhook.ErrInvalid, need.Port, other)
		}
	}
	return nil
}

func addrPort(addr net.Addr) int {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return tcp.Port
	}
	return 0
}

// named tells why an endpoint cannot be reached by name.
func (g *gates) named(need webhook.ListenerPolicy, p *plan.Program) error {
	switch {
	case g.where.Names == nil:
		return fmt.Errorf("%w: listener: a name needs the shared TLS port: start serve with --listen-tls, or give the endpoint a port of its own",
			webhook.ErrInvalid)
	case need.Port != 0:
		return fmt.Errorf("%w: listener: port %d: an endpoint that is reached by name has no port of its own; leave it 0", webhook.ErrInvalid, need.Port)
	}
	for _, fault := range []webhook.Fault{webhook.Refuse, webhook.Blackhole, webhook.CloseAccept, webhook.ResetAccept} {
		if p.Has(fault) {
			return fmt.Errorf("%w: listener: %s happens before a sender can name the endpoint; give it a port of its own", webhook.ErrInvalid, fault)
		}
	}
	return nil
}
