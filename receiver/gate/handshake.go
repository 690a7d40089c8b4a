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

// shake makes the TLS connection over c as planned and returns it, or nil when it broke off.
func (g *Gate) shake(c *Conn, plan *webhook.Plan) net.Conn {
	name := ""
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			name = hello.ServerName
			if plan.After > 0 {
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
	}
	conn := tls.Server(c, config)
	ctx, cancel := context.WithTimeout(g.ctx, handshakeTime+plan.After)
	defer cancel()
	err := conn.HandshakeContext(ctx)
	c.shaken(conn, name, err)
	if err != nil {
		_ = c.Close()
		return nil
	}
	return conn
}

// shaken notes how the handshake went.
func (c *Conn) shaken(conn *tls.Conn, name string, err error) {
	h := &webhook.Handshake{Done: time.Since(c.at), ServerName: name}
	if err == nil {
		state := conn.ConnectionState()
		h.Version, h.Protocol = tls.VersionName(state.Version), state.NegotiatedProtocol
	} else {
		h.Err = err.Error()
		if errors.Is(err, context.DeadlineExceeded) {
			h.Err = "not complete within " + handshakeTime.String()
		}
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
