package inspector

import (
	"fmt"
	"math"
	"net/http"
	"slices"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// Listeners knows the listeners that endpoints have for themselves.
type Listeners interface {
	// CheckListener returns an ErrInvalid that says why an endpoint cannot have the listener that it asks for.
	CheckListener(ep *webhook.Endpoint) error
	// Address returns the base of the hook URLs at an endpoint's own listener; ok is false when it has none.
	Address(endpoint string) (base string, ok bool)
	// Problem tells why an endpoint does not have the listener that it asks for, or returns nil.
	Problem(endpoint string) error
	// Open returns the connections to an endpoint's own listener that have not ended, in no order.
	Open(endpoint string) []webhook.Connection
	// Shut returns the fault that keeps connections away from an endpoint's own listener now, or "".
	Shut(endpoint string) webhook.Fault
	// Countable tells whether tries to connect that were refused or dropped are counted, and if not, why.
	Countable() (ok bool, reason string)
	// AuthorityPEM returns the certificate that a sender must trust to reach endpoints over TLS, or ErrNotFound.
	AuthorityPEM() ([]byte, error)
}

// noListeners is a server where every endpoint is reached on the shared port only.
type noListeners struct{}

func (noListeners) CheckListener(ep *webhook.Endpoint) error {
	if ep.Listener == nil {
		return nil
	}
	return invalid("listener: this server gives endpoints no listeners of their own")
}

func (noListeners) Address(string) (base string, ok bool) { return "", false }
func (noListeners) Problem(string) error                  { return nil }
func (noListeners) Open(string) []webhook.Connection      { return nil }
func (noListeners) Shut(string) webhook.Fault             { return "" }

func (noListeners) Countable() (ok bool, reason string) {
	return false, "endpoints have no listeners of their own here"
}

func (noListeners) AuthorityPEM() ([]byte, error) {
	return nil, fmt.Errorf("certificate authority of this server: %w", webhook.ErrNotFound)
}

const authorityPath = "/api/v1/ca.pem"

// getAuthority serves the certificate that senders are to trust. It is what each of them is shown anyway.
func (s *Server) getAuthority(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	cert, err := s.cfg.Listeners.AuthorityPEM()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	w.Header().Set("Content-Disposition", `attachment; filename="hookrange-ca.pem"`)
	// The client may be gone; there is nobody left to tell.
	_, _ = w.Write(cert)
	return nil
}

func (s *Server) listConnections(w http.ResponseWriter, r *http.Request) error {
	q, err := params(r, "before", "after", "limit", "reveal")
	if err != nil {
		return err
	}
	before, limit, err := q.page()
	if err != nil {
		return err
	}
	after, err := q.number("after", 0, 0, math.MaxInt64)
	if err != nil {
		return err
	}
	v, err := s.viewOf(r, q)
	if err != nil {
		return err
	}
	ep, err := s.endpointOf(r)
	if err != nil {
		return err
	}
	// Those that end meanwhile are in both lists rather than in none.
	open := s.cfg.Listeners.Open(ep.Name)
	list, err := s.store.Connections(r.Context(), webhook.Query{
		Endpoint: ep.Name, Before: webhook.Seq(before), After: webhook.Seq(after), Limit: limit,
	})
	if err != nil {
		return err
	}
	slices.SortFunc(open, func(a, b webhook.Connection) int { return b.At.Compare(a.At) })
	counted, reason := s.cfg.Listeners.Countable()
	out := api.Connections{
		Connections: v.Connections(list), Open: v.Connections(open), Shut: string(s.cfg.Listeners.Shut(ep.Name)),
		Counted: counted, NotCounted: reason,
	}
	if len(list) == limit {
		out.Next = new(int64(list[len(list)-1].Seq))
	}
	return writeJSON(w, http.StatusOK, out)
}

// ways returns how an endpoint is reached, what a sender is to be given first.
func (s *Server) ways(v *lens, ep *webhook.Endpoint) []api.Way {
	shared := api.Way{Via: "shared", URL: s.cfg.Secrets.HookURL(s.cfg.HookBase, ep, !v.Exact())}
	base, ok := s.cfg.Listeners.Address(ep.Name)
	if !ok {
		return []api.Way{shared}
	}
	own := api.Way{Via: "port", URL: s.cfg.Secrets.HookURL(base, ep, !v.Exact())}
	if ep.Listener != nil && ep.Listener.Named {
		own.Via = "name"
	}
	return []api.Way{own, shared}
}
