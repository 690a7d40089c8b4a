package gate

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Conn is a connection that a gate has accepted, below TLS. It notes what becomes of it and tells it once, when it is
// closed. It is safe for the use that crypto/tls and net/http make of a connection.
type Conn struct {
	*net.TCPConn

	at       time.Time
	requests atomic.Int64
	written  atomic.Int64
	sharing  atomic.Int64
	// mute drops what is written; abrupt tells that closing sends an RST.
	mute, abrupt atomic.Bool
	// shaking is true during the handshake; alert is what the sender said in the clear in it, or zero.
	shaking atomic.Bool
	alert   atomic.Uint32

	mu sync.Mutex
	// gate is nil until the sender has named it, where gates are told apart by name.
	gate  *Gate
	facts webhook.Connection
	tls   *tls.Conn
	// frames is nil where HTTP/2 is not served.
	frames *frames
	// gone is when the sender ended it.
	gone   time.Time
	closed bool
}

func newConn(raw *net.TCPConn) *Conn {
	at := time.Now()
	return &Conn{TCPConn: raw, at: at, facts: webhook.Connection{
		Peer: addrPort(raw.RemoteAddr()), At: at.UTC(), Reached: webhook.ConnAccepted,
	}}
}

// join makes the connection one of the gate's.
func (c *Conn) join(g *Gate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gate, c.facts.Endpoint = g, g.config.Endpoint
}

// Under returns the Conn below the layers of a connection, or nil.
func Under(conn net.Conn) *Conn {
	for {
		switch c := conn.(type) {
		case *Conn:
			return c
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}

type connKey struct{}

// Context is for http.Server.ConnContext: it makes the connection known to handlers.
func Context(ctx context.Context, conn net.Conn) context.Context {
	if c := Under(conn); c != nil {
		return context.WithValue(ctx, connKey{}, c)
	}
	return ctx
}

// From returns the connection that a request's context carries, or nil.
func From(ctx context.Context) *Conn {
	c, _ := ctx.Value(connKey{}).(*Conn)
	return c
}

// Request counts a request that came on the connection.
func (c *Conn) Request() { c.requests.Add(1) }

// Share changes how many requests are open on the connection and returns how many there are then.
func (c *Conn) Share(change int64) int64 { return c.sharing.Add(change) }

// Written returns how many bytes have left, those of TLS included.
func (c *Conn) Written() int64 { return c.written.Load() }

// TLS returns the state of a connection with TLS, or nil.
func (c *Conn) TLS() *tls.ConnectionState {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tls == nil {
		return nil
	}
	state := c.tls.ConnectionState()
	return &state
}

// Read notes how the sender ends the connection.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if c.shaking.Load() {
		c.listen(p[:n])
	}
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		c.leave(webhook.HangUpFIN)
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		c.leave(webhook.HangUpRST)
	}
	return n, err
}

// Write counts what leaves.
func (c *Conn) Write(p []byte) (int, error) {
	if c.mute.Load() {
		return len(p), nil
	}
	n, err := c.TCPConn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// ReadFrom counts what leaves.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.TCPConn.ReadFrom(r)
	c.written.Add(n)
	return n, err
}

// HungUp tells when and how the sender ended the connection; ok is false while it has not.
func (c *Conn) HungUp() (at time.Time, by webhook.HangUp, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gone, c.facts.EndedBy, !c.gone.IsZero()
}

func (c *Conn) leave(by webhook.HangUp) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone.IsZero() && !c.closed {
		c.gone, c.facts.EndedBy = time.Now(), by
	}
}

// SetLinger notes whether closing sends an RST, as it does with 0.
func (c *Conn) SetLinger(sec int) error {
	c.abrupt.Store(sec == 0)
	return c.TCPConn.SetLinger(sec)
}

// Reset closes the connection with an RST, dropping what was not sent.
func (c *Conn) Reset() error {
	return errors.Join(c.SetLinger(0), c.Close())
}

// Part ends the connection by an orderly close. A socket that is closed with bytes unread sends a reset instead, so who
// serves the connection reads on for a while, and then closes it; what it still writes is dropped. One that has already
// ended, because the sender did not wait for more, is as it should be.
func (c *Conn) Part() error {
	c.mute.Store(true)
	switch err := c.CloseWrite(); {
	case errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ENOTCONN):
		return nil
	case err != nil:
		return errors.Join(err, c.Close())
	}
	c.tell()
	_ = c.SetReadDeadline(time.Now().Add(lingerTime))
	return nil
}

// Close ends the connection and tells what became of it.
func (c *Conn) Close() error {
	// A sender that has closed its side of a TLS connection was not read to its end.
	if by := endedBy(c.TCPConn); by != "" {
		c.leave(by)
	}
	err := c.TCPConn.Close()
	c.tell()
	return err
}

// tell records the connection as it is now, once.
func (c *Conn) tell() {
	c.mu.Lock()
	told := c.closed
	c.closed = true
	facts, g := c.facts, c.gate
	ended := time.Since(c.at)
	if !c.gone.IsZero() {
		ended = c.gone.Sub(c.at)
	}
	c.mu.Unlock()
	if told || g == nil {
		return
	}
	facts.Ended, facts.Requests = &ended, int(c.requests.Load())
	facts.Reset = facts.EndedBy == "" && c.abrupt.Load()
	g.left(c)
	g.config.Record(facts)
}

func (c *Conn) fault(p *webhook.Plan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.facts.Fault, c.facts.Step = p.Fault, p.Text
}

func addrPort(addr net.Addr) netip.AddrPort {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		at := tcp.AddrPort()
		return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	}
	return netip.AddrPort{}
}

// local returns the address under which a listener can be reached from this machine.
func local(addr net.Addr) netip.AddrPort {
	at := addrPort(addr)
	if at.Addr().IsUnspecified() {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port())
	}
	return at
}
