package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Gate is a listener that carries out faults before HTTP. It is a net.Listener: Accept hands over only connections
// that should reach HTTP, after TLS where there is TLS; they are a *Conn or a *tls.Conn over one. Each connection
// that it hands over must be closed. It is safe for concurrent use.
type Gate struct {
	config Config
	// valve is nil for a gate that is reached by name.
	valve   *valve
	addr    net.Addr
	certs   *certificates
	out     chan net.Conn
	ctx     context.Context //nolint:containedctx // the gate's own life
	stop    context.CancelFunc
	running sync.WaitGroup
	flows   flows

	mu sync.Mutex
	// moved wakes those who wait for parked, moving or state to change.
	moved *sync.Cond
	steps Steps
	// place in the sequence of steps.
	place int
	state state
	// held is the step that the gate is shut for.
	held  hold
	holds int
	// parked tells that the accept loop is not accepting; moving that the valve is being turned.
	parked, moving, closed bool
	conns                  map[*Conn]struct{}
	// due are tries to connect that are to be recorded once mu is free.
	due []webhook.Connection
}

// state is what the valve lets through.
type state int

const (
	stateOpen state = iota
	stateShut
	stateHole
)

// hold is a step that keeps the gate shut.
type hold struct {
	plan webhook.Plan
	// byTries tells that tries to connect end it too.
	byTries bool
	timer   *time.Timer
}

// Open listens on config.Addr, whose port must not be 0, and begins with the first step.
func Open(config Config) (*Gate, error) {
	named := config.Names != nil
	if config.Addr.Port() == 0 && !named || (config.H2 || named) && config.Authority == nil {
		return nil, fmt.Errorf("%w: gate of %s: give a port, and an authority for TLS", webhook.ErrInvalid, config.Endpoint)
	}
	g := &Gate{config: config, steps: config.Steps, out: make(chan net.Conn), conns: map[*Conn]struct{}{}}
	g.moved = sync.NewCond(&g.mu)
	if named {
		config.Addr = addrPort(config.Names.ln.Addr())
	} else {
		v, err := newValve(config.Addr)
		if err != nil {
			return nil, fmt.Errorf("endpoint %s: listen: %w", config.Endpoint, err)
		}
		g.valve = v
	}
	g.addr = net.TCPAddrFromAddrPort(config.Addr)
	g.ctx, g.stop = context.WithCancel(context.Background())
	if config.Authority != nil {
		g.certs = newCertificates(config.Authority, config.Addr.Addr(), config.H2)
	}
	if named {
		config.Names.add(g)
		return g, nil
	}
	if config.Counter != nil {
		config.Counter.watch(g)
	}
	g.running.Go(g.loop)
	g.mu.Lock()
	g.adjust()
	g.unlock()
	return g, nil
}

// Addr returns the address that the gate listens on.
func (g *Gate) Addr() net.Addr { return g.addr }

// Accept waits for the next connection that should reach HTTP. It returns net.ErrClosed after Close.
func (g *Gate) Accept() (net.Conn, error) {
	select {
	case conn := <-g.out:
		return conn, nil
	case <-g.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close gives the port up and waits for what the gate has begun itself. Connections that were handed over stay.
func (g *Gate) Close() error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return nil
	}
	g.closed = true
	g.release()
	g.moved.Broadcast()
	for g.moving {
		g.moved.Wait()
	}
	g.mu.Unlock()
	g.stop()
	if g.config.Names != nil {
		g.config.Names.remove(g)
		return nil
	}
	err := g.valve.close()
	if g.config.Counter != nil {
		g.config.Counter.forget(g)
	}
	g.running.Wait()
	if err != nil {
		return fmt.Errorf("endpoint %s: close the listener: %w", g.config.Endpoint, err)
	}
	return nil
}

// Countable tells whether refused and dropped tries to connect are counted, and if not, why.
func (g *Gate) Countable() (ok bool, reason string) {
	if g.config.Counter == nil {
		return false, "counting is off"
	}
	return g.config.Counter.Countable()
}

// Open returns the connections that have not ended, in no order.
func (g *Gate) Open() []webhook.Connection {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := make([]webhook.Connection, 0, len(g.conns))
	for c := range g.conns {
		c.mu.Lock()
		facts := c.facts
		c.mu.Unlock()
		facts.Requests = int(c.requests.Load())
		list = append(list, facts)
	}
	return list
}

// Restart begins with the first step of other answers.
func (g *Gate) Restart(steps Steps) {
	g.mu.Lock()
	defer g.unlock()
	g.steps, g.place = steps, 0
	g.release()
	g.held = hold{plan: webhook.Plan{Step: -1}}
	g.adjust()
}

// Request takes the step of an accepted request and returns its place in the sequence. When it returns, the gate is
// as the next step wants it; connects tells that this step is before HTTP, so that its connection must be a new one.
func (g *Gate) Request() (place int, connects bool) {
	g.mu.Lock()
	defer g.unlock()
	place = g.steps.Request(g.place)
	if here, _ := g.steps.Connection(g.place); here.Fault == "" {
		g.place++
	}
	next, _ := g.steps.Connection(g.place)
	g.adjust()
	return place, next.Fault != ""
}

// unlock frees mu and then tells of tries to connect.
func (g *Gate) unlock() {
	due := g.due
	g.due = nil
	g.mu.Unlock()
	for i := range due {
		g.config.Record(due[i])
	}
}

// loop accepts connections whenever the gate is open.
func (g *Gate) loop() {
	for {
		g.mu.Lock()
		for g.parked = true; (g.state != stateOpen || g.moving) && !g.closed; {
			g.moved.Broadcast()
			g.moved.Wait()
		}
		g.parked = false
		closed := g.closed
		g.mu.Unlock()
		if closed {
			return
		}
		conn, err := g.valve.accept()
		if err == nil {
			g.flows.accepted(addrPort(conn.RemoteAddr()))
			g.meet(newConn(conn))
			continue
		}
		g.mu.Lock()
		pause := g.state == stateOpen && !g.moving && !g.closed
		g.mu.Unlock()
		if pause {
			// Too few descriptors, most likely.
			g.config.Log.LogAttrs(g.ctx, slog.LevelWarn, "cannot accept", slog.String("endpoint", g.config.Endpoint), slog.Any("error", err))
			g.wait(100 * time.Millisecond)
		}
	}
}

func (g *Gate) wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-g.ctx.Done():
	}
}

// enter takes a connection in and returns its step.
func (g *Gate) enter(c *Conn) webhook.Plan {
	c.join(g)
	g.mu.Lock()
	g.parked = true
	g.conns[c] = struct{}{}
	plan := g.take()
	// What comes after this connection must be right before its sender knows that it is over.
	g.adjust()
	g.unlock()
	if plan.Fault != "" {
		c.fault(&plan)
	}
	return plan
}

// meet gives a connection its step.
func (g *Gate) meet(c *Conn) {
	plan := g.enter(c)
	switch plan.Fault {
	case webhook.CloseAccept:
		g.running.Go(func() { g.wait(plan.After); c.closeAtOnce(g.ctx) })
	case webhook.ResetAccept:
		if plan.After == 0 {
			c.resetAtOnce()
			return
		}
		g.running.Go(func() { g.wait(plan.After); c.resetAtOnce() })
	case webhook.Refuse, webhook.Blackhole:
		c.late()
	default:
		g.admit(c, plan)
	}
}

// take returns what the connection meets and advances the sequence if that is before HTTP; mu is held.
func (g *Gate) take() webhook.Plan {
	if drawn := g.steps.Chance(rand.Uint64()); drawn.Fault != "" { //nolint:gosec // it chooses among planned answers
		g.place++
		return drawn
	}
	plan, _ := g.steps.Connection(g.place)
	switch plan.Fault {
	case "", webhook.Refuse, webhook.Blackhole:
	default:
		g.place++
	}
	return plan
}

// admit hands the connection over, after TLS where there is TLS.
func (g *Gate) admit(c *Conn, plan webhook.Plan) {
	if g.certs == nil {
		g.running.Go(func() { g.offer(c) })
		return
	}
	g.running.Go(func() {
		if conn := shake(g.ctx, c, func(*Conn, string) (*Gate, webhook.Plan) { return g, plan }); conn != nil {
			g.offer(conn)
		}
	})
}

func (g *Gate) offer(conn net.Conn) {
	select {
	case g.out <- conn:
	case <-g.ctx.Done():
		_ = conn.Close()
	}
}

func (g *Gate) left(c *Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c)
}

// turn puts the valve into a state; only the one who set moving calls it, with mu held, which it lets go of while it
// waits for the accept loop. SYNs that came before are told from those after by reading the counter's sockets at the
// border.
func (g *Gate) turn(to state) {
	g.flows.approach()
	g.count()
	from := g.state
	g.state = to
	var err error
	if from == stateOpen {
		err = g.valve.wake()
	}
	if to != stateOpen {
		g.flows.begin(reachedBy(to))
	}
	err = errors.Join(err, g.valve.shut())
	for !g.parked && !g.closed {
		g.moved.Wait()
	}
	if g.closed {
		return
	}
	switch to {
	case stateOpen:
		err = errors.Join(err, g.valve.open())
		g.count()
		if g.flows.end() {
			g.doubt()
		}
	case stateHole:
		err = errors.Join(err, g.valve.hole(g.ctx, g.flows.mine))
	default:
	}
	if err != nil {
		g.config.Log.LogAttrs(g.ctx, slog.LevelError, "listener cannot be turned",
			slog.String("endpoint", g.config.Endpoint), slog.Any("error", err))
	}
}

// Shut returns the fault that keeps connections out now, or "".
func (g *Gate) Shut() webhook.Fault {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state == stateOpen && !g.moving {
		return ""
	}
	return g.held.plan.Fault
}
