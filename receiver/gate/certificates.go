package gate

import (
	"crypto/tls"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// maxCerts bounds the certificates that are remembered.
const maxCerts = 256

// certificates makes them on demand, for the name that a sender asks for.
type certificates struct {
	authority *Authority
	good      *tls.Config
	ips       []net.IP

	mu   sync.Mutex
	made map[certKey]dated
}

type certKey struct {
	flaw webhook.Flaw
	name string
	ip   netip.Addr
}

type dated struct {
	cert *tls.Certificate
	at   time.Time
}

func newCertificates(a *Authority, addr netip.Addr, h2 bool) *certificates {
	c := &certificates{authority: a, made: map[certKey]dated{}, ips: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}}
	if !addr.IsUnspecified() && !addr.IsLoopback() {
		c.ips = append(c.ips, addr.AsSlice())
	}
	c.good = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, GetCertificate: c.forFlaw("")}
	if h2 {
		c.good.NextProtos = []string{"h2", "http/1.1"}
	}
	return c
}

// config returns the settings for a handshake. One with a flaw resumes no session, since that would show no certificate.
func (c *certificates) config(flaw webhook.Flaw) *tls.Config {
	if flaw == "" {
		return c.good
	}
	bad := c.good.Clone()
	bad.SessionTicketsDisabled = true
	bad.GetCertificate = c.forFlaw(flaw)
	return bad
}

var hostForm = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?$`)

func (c *certificates) forFlaw(flaw webhook.Flaw) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		key := certKey{flaw: flaw, name: strings.ToLower(hello.ServerName), ip: addrPort(hello.Conn.LocalAddr()).Addr()}
		if !hostForm.MatchString(key.name) {
			key.name = ""
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if held, ok := c.made[key]; ok && time.Since(held.at) < leafTime/2 {
			return held.cert, nil
		}
		// A sender that knows us by address names none, so the certificate has the address that it has reached.
		names := certNames{name: key.name, ips: append([]net.IP{key.ip.AsSlice()}, c.ips...)}
		cert, err := c.make(flaw, names)
		if err != nil {
			return nil, err
		}
		if len(c.made) >= maxCerts {
			clear(c.made)
		}
		c.made[key] = dated{cert, time.Now()}
		return cert, nil
	}
}

func (c *certificates) make(flaw webhook.Flaw, names certNames) (*tls.Certificate, error) {
	if flaw != "" {
		return c.authority.flawed(flaw, names)
	}
	return c.authority.sign(c.authority.template(names, time.Now()), c.authority.cert, c.authority.key)
}
