package gate

import (
	"context"
	"crypto/tls"
	"errors"
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
	err := conn.HandshakeContext(ctx)
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
