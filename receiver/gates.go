package receiver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hookrange/hookrange/receiver/gate"
	"github.com/hookrange/hookrange/receiver/plan"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/receiver/wire"
)

// Listeners say where endpoints get listeners of their own.
type Listeners struct {
	// Host is the address that they listen on. Defaults to 127.0.0.1.
	Host netip.Addr
	// Ports to choose from. Defaults to 20000 to 20999.
	Ports gate.Ports
	// Authority signs the certificates of those with TLS. Nil makes one that lives as long as the server.
	Authority *gate.Authority
	// Name is the host name or address by which senders reach them. Defaults to Host, or to 127.0.0.1 where Host is every
	// address.
	Name string
	// Names is the TLS port that endpoints share which are told apart by name. Nil for none. Its owner closes it.
	Names *gate.Names
}

// gates keeps the listeners of endpoints in step with their settings. It opens them when it is first asked, and serves
// them between run and stop.
type gates struct {
	s       *Server
	where   Listeners
	counter gate.Counter
	// life does not end: listeners take their own time to close.
	life context.Context //nolint:containedctx // the server's, not a request's

	mu      sync.Mutex
	own     map[string]*own
	running bool
	stopped bool
	// serving counts the goroutines of servers, of those that end included.
	serving sync.WaitGroup
}

// retryTime is how long a listener that could not be opened waits for the next try.
const retryTime = time.Second

// maxStreams is how many requests one connection may have under way over HTTP/2.
const maxStreams = 100

// own is the listener of one endpoint.
type own struct {
	// endpoint is the version that the listener agrees with.
	endpoint *webhook.Endpoint
	policy   webhook.ListenerPolicy
	// gate is nil for an endpoint without a listener; problem says why it is when it should not be.
	gate    *gate.Gate
	problem error
	// stale makes the next look try again.
	stale  bool
	server *http.Server
}

func newGates(s *Server, where Listeners) *gates {
	if !where.Host.IsValid() {
		where.Host = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	where.Ports = where.Ports.WithDefaults()
	return &gates{s: s, where: where, own: map[string]*own{}, life: context.WithoutCancel(s.closing)}
}

// check refuses answers that no listener here can carry out.
func (g *gates) check(text string, p *plan.Program) error {
	if g == nil {
		return fmt.Errorf("%w: respond %.80q: a fault before HTTP needs a listener of the endpoint's own, which this server does not give; "+
			"on the shared port use close@request, reset@request, reset@body, hang, drip, trickle-head, truncate or garbage", webhook.ErrInvalid, text)
	}
	if !gate.CanDrop && p.Has(webhook.Blackhole) {
		return fmt.Errorf("%w: respond %.80q: this system cannot leave connections unanswered, as blackhole does", webhook.ErrInvalid, text)
	}
	if step := p.Waits(); step != "" {
		if ok, reason := g.counter.Countable(); !ok {
			return fmt.Errorf("%w: respond %.80q: %s ends with a number of tries, and %s; say how long instead, as in %s/for=5s",
				webhook.ErrInvalid, text, step, reason, step)
		}
	}
	return nil
}

// policy returns the listener that an endpoint needs; false for none.
func policy(ep *webhook.Endpoint, p *plan.Program) (webhook.ListenerPolicy, bool) {
	var need webhook.ListenerPolicy
	if ep.Listener != nil {
		need = *ep.Listener
	}
	withTLS, h2 := p.Protocols()
	need.H2 = need.H2 || h2
	need.TLS = need.TLS || withTLS || need.H2 || need.Named
	return need, ep.Listener != nil || p.NeedsListener()
}

// of returns the gate of an endpoint, in step with its settings as they are now, or nil.
func (g *gates) of(name string) *gate.Gate {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if o := g.sync(name); o != nil {
		return o.gate
	}
	return nil
}

// sync makes the listener of an endpoint agree with its settings; mu is held.
func (g *gates) sync(name string) *own {
	before := g.own[name]
	ep, err := g.s.config.Store.Endpoint(name)
	if err != nil || g.stopped {
		g.close(name)
		return nil
	}
	if before != nil && before.endpoint == ep && !before.stale {
		return before
	}
	program, err := g.s.program(ep.Respond)
	if err != nil {
		// The desk says so when a request comes.
		g.close(name)
		return nil
	}
	need, needed := policy(ep, program)
	if before != nil && needed && before.gate != nil && before.policy == need {
		if before.endpoint.Respond != ep.Respond {
			before.gate.Restart(program)
		}
		before.endpoint = ep
		return before
	}
	g.close(name)
	o := &own{endpoint: ep, policy: need}
	g.own[name] = o
	if !needed {
		return o
	}
	if o.problem = g.open(o, program); o.problem != nil {
		if before == nil || before.problem == nil || before.problem.Error() != o.problem.Error() {
			g.s.config.Log.Error("endpoint has no listener of its own", slog.String("endpoint", name), slog.Any("error", o.problem))
		}
		return o
	}
	if before != nil && before.problem != nil {
		g.s.config.Log.Info("endpoint has its listener now", slog.String("endpoint", name))
	}
	if g.running {
		g.serve(o)
	}
	return o
}

func (g *gates) open(o *own, program *plan.Program) error {
	if err := g.fits(o.endpoint.Name, o.policy, program); err != nil {
		return err
	}
	config := gate.Config{
		Endpoint: o.endpoint.Name, Steps: program, H2: o.policy.H2, Counter: &g.counter, Record: g.record, Log: g.s.config.Log,
		Addr: netip.AddrPortFrom(g.where.Host, uint16(o.policy.Port)), //nolint:gosec // it fits
	}
	if o.policy.TLS {
		authority, err := g.authority()
		if err != nil {
			return err
		}
		config.Authority = authority
	}
	open := g.where.Ports.Open
	if o.policy.Named {
		config.Names, open = g.where.Names, gate.Open
	}
	opened, err := open(config)
	if err != nil {
		return err
	}
	o.gate, o.server = opened, g.s.server(g.s.only(o.endpoint.Name))
	if o.policy.H2 {
		o.server.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: maxStreams}
		// net/http answers by itself what goes over its limit; a head that is not far over the receiver's is to be recorded.
		o.server.MaxHeaderBytes *= 2
		// What lies above TLS is handed over by ownListener.
		o.server.Protocols = new(http.Protocols)
		o.server.Protocols.SetHTTP1(true)
		o.server.Protocols.SetUnencryptedHTTP2(true)
	}
	return nil
}

// authority returns the one that signs, made when it is first needed; mu is held.
func (g *gates) authority() (*gate.Authority, error) {
	if g.where.Authority == nil {
		made, err := gate.NewAuthority()
		if err != nil {
			return nil, err
		}
		g.where.Authority = made
	}
	return g.where.Authority, nil
}

func (g *gates) serve(o *own) {
	g.serving.Go(func() {
		if err := o.server.Serve(ownListener{o.gate}); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			g.s.config.Log.Error("endpoint's listener ended", slog.String("endpoint", o.endpoint.Name), slog.Any("error", err))
		}
	})
}

// close ends the listener of an endpoint; requests under way are finished, for a while. mu is held.
func (g *gates) close(name string) {
	o := g.own[name]
	delete(g.own, name)
	if o == nil || o.gate == nil {
		return
	}
	g.free(o)
	g.serving.Go(func() { g.finish(o) })
}

func (g *gates) free(o *own) {
	if err := o.gate.Close(); err != nil {
		g.s.config.Log.Warn("endpoint's listener", slog.Any("error", err))
	}
}

func (g *gates) finish(o *own) {
	cut := time.AfterFunc(shutdownTime, func() { _ = o.server.Close() })
	defer cut.Stop()
	if err := o.server.Shutdown(g.life); err != nil {
		g.s.config.Log.Warn("endpoint's listener", slog.Any("error", err))
	}
}

func (g *gates) record(c webhook.Connection) {
	err := g.s.config.Store.RecordConnection(g.life, c)
	if err != nil && !errors.Is(err, webhook.ErrNotFound) {
		g.s.config.Log.Error("connection not recorded", slog.String("endpoint", c.Endpoint), slog.Any("error", err))
	}
}

// run serves the endpoints' listeners and follows the endpoints as they come, change and go, until ctx ends.
func (g *gates) run(ctx context.Context) {
	g.mu.Lock()
	g.running = true
	for _, o := range g.own {
		if o.gate != nil {
			g.serve(o)
		}
	}
	g.mu.Unlock()
	retry := time.NewTicker(retryTime)
	defer retry.Stop()
	for {
		changed := g.s.config.Store.Changed()
		g.follow()
		select {
		case <-changed:
		case <-retry.C:
			g.retry()
		case <-ctx.Done():
			return
		}
	}
}

// retry opens the listeners that could not be opened, perhaps because another program had the port.
func (g *gates) retry() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, o := range g.own {
		if o.problem != nil {
			o.stale = true
			g.sync(name)
		}
	}
}

func (g *gates) follow() {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := g.s.config.Store.Endpoints()
	for _, ep := range list {
		g.sync(ep.Name)
	}
	for name := range g.own {
		if !slices.ContainsFunc(list, func(ep *webhook.Endpoint) bool { return ep.Name == name }) {
			g.close(name)
		}
	}
}

// stop closes all listeners and waits for their servers, which cut what takes too long.
func (g *gates) stop() {
	g.mu.Lock()
	g.stopped = true
	for name := range g.own {
		g.close(name)
	}
	g.mu.Unlock()
	g.serving.Wait()
}

// ownListener hands connections to net/http.
type ownListener struct{ *gate.Gate }

// Accept returns the next connection.
func (l ownListener) Accept() (net.Conn, error) {
	conn, err := l.Gate.Accept()
	if err != nil {
		return nil, err
	}
	if secure, ok := conn.(*tls.Conn); ok && secure.ConnectionState().NegotiatedProtocol == "h2" {
		return gate.Frames(secure), nil
	}
	return wire.Wrap(conn), nil
}
