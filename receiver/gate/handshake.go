package gate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// handshakeTime bounds a TLS handshake.
const handshakeTime = 10 * time.Second

// shake makes the TLS connection over c and returns it, or nil when it broke off. Choose is asked, once the sender's
// first message has named what it wants, for the gate that the connection comes to and what is planned there.
func shake(ctx context.Context, c *Conn, choose func(c *Conn, name string) (*Gate, webhook.Plan)) net.Conn {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(handshakeTime, func() { cancel(context.DeadlineExceeded) })
	defer late.Stop()
	name := ""
	conn := tls.Server(c, &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			name = hello.ServerName
			g, plan := choose(c, name)
			if g == nil {
				return nil, c.nobody()
			}
			if plan.After > 0 {
				late.Reset(handshakeTime + plan.After)
				g.wait(plan.After)
			}
			switch plan.Fault {
			case webhook.TLSAlert:
				return nil, errAlert
			case webhook.TLSReset:
				return nil, c.resetInHandshake()
			default:
				return g.certs.config(plan.Cert), nil
			}
		},
	})
	c.shaking.Store(true)
	err := conn.HandshakeContext(ctx)
	c.shaking.Store(false)
	if said := c.alert.Load(); err != nil && said != 0 {
		err = fmt.Errorf("remote error: %w", tls.AlertError(said)) //nolint:gosec // a byte
	}
	if err != nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		err = errSlow
	}
	c.shaken(conn, name, err)
	if err != nil {
		_ = c.Close()
		return nil
	}
	return conn
}

var errSlow = errors.New("not complete within " + handshakeTime.String())

// listen notes a fatal alert at the end of what was read. OpenSSL says in the clear why it refuses a certificate, when
// crypto/tls expects what it can decrypt and knows of a bad record only.
func (c *Conn) listen(p []byte) {
	const size = 7
	if len(p) < size {
		return
	}
	if p = p[len(p)-size:]; p[0] == 21 && p[1] == 3 && p[3] == 0 && p[4] == 2 && p[5] == 2 {
		c.alert.Store(uint32(p[6]))
	}
}

// shaken notes how the handshake went.
func (c *Conn) shaken(conn *tls.Conn, name string, err error) {
	h := &webhook.Handshake{Done: time.Since(c.at), ServerName: name}
	if err == nil {
		state := conn.ConnectionState()
		h.Version, h.Protocol = tls.VersionName(state.Version), state.NegotiatedProtocol
	} else {
		h.Err = err.Error()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.facts.Handshake = h
	}
	if err == nil {
		c.tls = conn
	}
}
