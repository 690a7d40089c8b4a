package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

var errNoName = errors.New("no endpoint has the name that was asked for")

// Names is a TLS listener that gates share: a sender says by name (SNI) which one it wants, and meets from then on what
// that gate's steps say. The name is the endpoint's, a dot and the domain. It is safe for concurrent use.
type Names struct {
	ln      *net.TCPListener
	domain  string
	log     *slog.Logger
	ctx     context.Context //nolint:containedctx // the listener's own life
	stop    context.CancelFunc
	running sync.WaitGroup

	mu    sync.Mutex
	gates map[string]*Gate
}

// NewNames begins to accept connections of a TCP listener, which Close closes. ErrInvalid for a domain that is none.
func NewNames(ln net.Listener, domain string, log *slog.Logger) (*Names, error) {
	tcp, ok := ln.(*net.TCPListener)
	domain = strings.ToLower(strings.Trim(domain, "."))
	if !ok || !hostForm.MatchString(domain) {
		return nil, fmt.Errorf("%w: names below %q on %s: give a domain such as localhost or hooks.example.com, and a TCP port",
			webhook.ErrInvalid, domain, ln.Addr())
	}
	n := &Names{ln: tcp, domain: domain, log: log, gates: map[string]*Gate{}}
	n.ctx, n.stop = context.WithCancel(context.Background())
	n.running.Go(n.loop)
	return n, nil
}

// Host returns what stands between "https://" and the path in the URL of an endpoint.
func (n *Names) Host(endpoint string) string {
	host := endpoint + "." + n.domain
	if port := addrPort(n.ln.Addr()).Port(); port != 443 {
		host = net.JoinHostPort(host, strconv.Itoa(int(port)))
	}
	return host
}

// Close stops accepting, ends the handshakes that are under way and waits for them. Connections that were handed over
// stay.
func (n *Names) Close() error {
	n.stop()
	err := n.ln.Close()
	n.running.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("names below %s: close the listener: %w", n.domain, err)
	}
	return nil
}

func (n *Names) add(g *Gate) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.gates[g.config.Endpoint] = g
}

func (n *Names) remove(g *Gate) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.gates[g.config.Endpoint] == g {
		delete(n.gates, g.config.Endpoint)
	}
}

// find returns the gate that a sender wants, or nil.
func (n *Names) find(name string) *Gate {
	endpoint, ok := strings.CutSuffix(strings.ToLower(name), "."+n.domain)
	if !ok {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.gates[endpoint]
}

func (n *Names) loop() {
	for {
		conn, err := n.ln.AcceptTCP()
		if err == nil {
			n.running.Go(func() { n.meet(conn) })
			continue
		}
		if n.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return
		}
		// Too few descriptors, most likely.
		n.log.LogAttrs(n.ctx, slog.LevelWarn, "cannot accept", slog.String("domain", n.domain), slog.Any("error", err))
		timer := time.NewTimer(100 * time.Millisecond)
		select {
		case <-timer.C:
		case <-n.ctx.Done():
			timer.Stop()
		}
	}
}

// meet makes the TLS connection and hands it to the gate that its sender wants. One that wants none belongs to no
// endpoint, so no record has it.
func (n *Names) meet(raw *net.TCPConn) {
	var g *Gate
	name := ""
	conn := shake(n.ctx, newConn(raw), func(c *Conn, asked string) (*Gate, webhook.Plan) {
		name = asked
		if g = n.find(name); g == nil {
			return nil, webhook.Plan{}
		}
		return g, g.enter(c)
	})
	switch {
	case conn != nil:
		g.offer(conn)
	case g == nil:
		n.log.LogAttrs(n.ctx, slog.LevelDebug, "no endpoint of this name", slog.String("name", name), slog.Any("peer", raw.RemoteAddr()))
	}
}

// nobody answers a sender that wants a name which no gate has, as RFC 6066 asks for.
func (c *Conn) nobody() error {
	alert := [...]byte{
		21,   // alert
		3, 3, // TLS 1.2, as every version writes it here
		0, 2, // length
		2, 112, // fatal, unrecognized_name
	}
	_, err := c.Write(alert[:])
	// crypto/tls would send one of its own.
	c.mute.Store(true)
	return errors.Join(errNoName, err)
}
