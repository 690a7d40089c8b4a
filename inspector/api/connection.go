package api

import "github.com/hookrange/hookrange/receiver/webhook"

// The kinds of Listener.
const (
	listenerNone  = "none"
	listenerPlain = "plain"
	listenerTLS   = "tls"
	listenerName  = "name"
)

func listener(l *webhook.ListenerPolicy) Listener {
	switch {
	case l == nil:
		return Listener{Kind: listenerNone}
	case l.Named:
		return Listener{Kind: listenerName, H2: l.H2}
	case l.TLS || l.H2:
		return Listener{Kind: listenerTLS, H2: l.H2, Port: l.Port}
	default:
		return Listener{Kind: listenerPlain, Port: l.Port}
	}
}

// listener reads a form's listener. What the form only shows as it was, and the new kind does not have, is dropped.
func (m *merger) listener(form Listener) *webhook.ListenerPolicy {
	shown := m.shown.Listener
	if form.Port == shown.Port && form.Kind == listenerName {
		form.Port = 0
	}
	if form.H2 == shown.H2 && form.Kind == listenerPlain {
		form.H2 = false
	}
	m.check(form.Port >= 0 && form.Port <= 65535, "listener.port is %d: give 1 to 65535, or 0 for a free one", form.Port)
	switch form.Kind {
	case "", listenerNone:
		return nil
	case listenerPlain:
		m.check(!form.H2, "listener.h2: HTTP/2 needs TLS: use kind tls or name")
		return &webhook.ListenerPolicy{Port: form.Port}
	case listenerTLS:
		return &webhook.ListenerPolicy{TLS: true, H2: form.H2, Port: form.Port}
	case listenerName:
		return &webhook.ListenerPolicy{TLS: true, Named: true, H2: form.H2, Port: form.Port}
	default:
		m.check(false, "listener.kind is %q: use none, plain, tls or name", form.Kind)
		return nil
	}
}

// Connections returns the JSON forms of connections.
func (v View) Connections(list []webhook.Connection) []Connection {
	out := make([]Connection, len(list))
	for i := range list {
		out[i] = v.Connection(&list[i])
	}
	return out
}

// Connection returns a connection's JSON form.
func (v View) Connection(c *webhook.Connection) Connection {
	out := Connection{
		Seq: int64(c.Seq), Endpoint: c.Endpoint, At: c.At.UTC(), Reached: string(c.Reached), Fault: string(c.Fault),
		Step: v.Mask.String(c.Step), Requests: c.Requests, Ended: millis(c.Ended),
	}
	if c.Peer.IsValid() {
		out.RemoteAddr = c.Peer.String()
	}
	if h := c.Handshake; h != nil {
		out.Handshake = &Handshake{
			Done: Millis(h.Done), Version: h.Version, ServerName: v.Mask.String(h.ServerName), ALPN: h.Protocol, Error: v.Mask.String(h.Err),
		}
	}
	switch {
	case c.EndedBy != "":
		out.EndedBy, out.EndedWith = "sender", string(c.EndedBy)
	case c.Ended == nil:
	case c.Reset:
		out.EndedBy, out.EndedWith = "receiver", string(webhook.HangUpRST)
	default:
		out.EndedBy, out.EndedWith = "receiver", string(webhook.HangUpFIN)
	}
	return out
}
