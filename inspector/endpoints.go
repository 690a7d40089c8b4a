package inspector

import (
	"context"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"github.com/hookrange/hookrange/inspector/access"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func (s *Server) listEndpoints(w http.ResponseWriter, r *http.Request) error {
	v, err := s.revealed(r)
	if err != nil {
		return err
	}
	out := api.Endpoints{Endpoints: []api.Endpoint{}}
	for _, ep := range s.store.Endpoints() {
		if !grantOf(r.Context()).Covers(ep.Name) {
			continue
		}
		form, err := s.endpoint(r.Context(), v, ep)
		if err != nil {
			return err
		}
		out.Endpoints = append(out.Endpoints, form)
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *Server) createEndpoint(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	var form api.Endpoint
	if err := readInto(w, r, maxRequestBody, &form); err != nil {
		return err
	}
	if err := s.mayCreate(grantOf(r.Context()), form.Name); err != nil {
		return err
	}
	about(r.Context(), form.Name, "")
	ep, err := s.save(r.Context(), form, api.Endpoint{}, nil)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/endpoints/"+ep.Name)
	return s.writeEndpoint(w, r, http.StatusCreated, s.lens(true), ep)
}

// mayCreate refuses a token that would not be good for the endpoint that it makes.
func (s *Server) mayCreate(g *access.Grant, name string) error {
	if g.Whole() {
		return nil
	}
	if !g.Covers(name) {
		return &forbidden{grant: g, role: webhook.RoleAdmin, what: "an endpoint of this name"}
	}
	if t, err := s.store.Token(g.ID); err == nil && t.Declared {
		return nil
	}
	if _, err := s.store.Endpoint(name); err == nil {
		return webhook.ErrExists
	}
	return &forbidden{
		grant: g, role: webhook.RoleAdmin, what: "an endpoint of this name",
		why: "the one that it was for was deleted, and the new one would be another",
	}
}

func (s *Server) getEndpoint(w http.ResponseWriter, r *http.Request) error {
	v, err := s.revealed(r)
	if err != nil {
		return err
	}
	ep, err := s.endpointOf(r)
	if err != nil {
		return err
	}
	return s.writeEndpoint(w, r, http.StatusOK, v, ep)
}

// replaceEndpoint puts defaults where the request has nothing; only the secret is then kept.
func (s *Server) replaceEndpoint(w http.ResponseWriter, r *http.Request) error {
	return s.update(w, r, func(stored api.Endpoint) api.Endpoint {
		return api.Endpoint{Name: stored.Name, Secret: stored.Secret}
	})
}

// changeEndpoint leaves alone what the request leaves out.
func (s *Server) changeEndpoint(w http.ResponseWriter, r *http.Request) error {
	return s.update(w, r, func(stored api.Endpoint) api.Endpoint { return stored })
}

func (s *Server) update(w http.ResponseWriter, r *http.Request, start func(api.Endpoint) api.Endpoint) error {
	v, err := s.revealed(r)
	if err != nil {
		return err
	}
	body, err := readObject(w, r, maxRequestBody)
	if err != nil {
		return err
	}
	if err = checkChange(r.Context(), body); err != nil {
		return err
	}
	s.saving.Lock()
	defer s.saving.Unlock()
	stored, err := s.endpointOf(r)
	if err != nil {
		return err
	}
	shown := s.lens(false).Endpoint(stored)
	base := start(shown)
	form := api.Form(base)
	if err = api.Decode(body, &form); err != nil {
		return err
	}
	form = api.Fill(form, base)
	if form.Name != stored.Name {
		return invalid("name: endpoint %q cannot be renamed", stored.Name)
	}
	ep, err := s.save(r.Context(), form, shown, stored)
	if err != nil {
		return err
	}
	return s.writeEndpoint(w, r, http.StatusOK, v, ep)
}

// save checks and stores. An endpoint whose scheme needs a secret and has none gets a new random one.
func (s *Server) save(ctx context.Context, form, shown api.Endpoint, stored *webhook.Endpoint) (*webhook.Endpoint, error) {
	if err := webhook.CheckName(form.Name); err != nil {
		return nil, err
	}
	ep, err := api.Settings(form, shown, stored)
	if err != nil {
		return nil, err
	}
	if len(ep.Secret.Secrets) == 0 && ep.Secret.Scheme != webhook.SchemeNone {
		secret, err := s.cfg.Secrets.New()
		if err != nil {
			return nil, err
		}
		ep.Secret.Secrets = []string{secret}
	}
	if err := s.cfg.Secrets.Check(&ep); err != nil {
		return nil, err
	}
	if err := s.cfg.CheckRespond(ep.Respond); err != nil {
		return nil, err
	}
	if err := s.checkRules(&ep); err != nil {
		return nil, err
	}
	if err := s.cfg.Listeners.CheckListener(&ep); err != nil {
		return nil, err
	}
	if err := s.checkForwards(ctx, &ep, stored); err != nil {
		return nil, err
	}
	noting(ctx, s.changes(stored, &ep)...)
	return s.store.SaveEndpoint(ctx, ep, stored == nil)
}

func (s *Server) deleteEndpoint(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	if _, err := s.endpointOf(r); err != nil {
		return err
	}
	if err := s.store.DeleteEndpoint(r.Context(), mux.Vars(r)["endpoint"]); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// revealed returns the view of a route whose one parameter is reveal.
func (s *Server) revealed(r *http.Request) (*lens, error) {
	q, err := params(r, "reveal")
	if err != nil {
		return nil, err
	}
	return s.viewOf(r, q)
}

func (s *Server) viewOf(r *http.Request, q query) (*lens, error) {
	reveal, err := q.flag("reveal")
	if err != nil || !reveal {
		return s.lens(false), err
	}
	x, g := exchangeOf(r.Context()), grantOf(r.Context())
	if g == nil || x == nil || x.known == nil {
		return nil, errUnauthorized
	}
	if role := x.known.revealing(); !g.Role.Includes(role) {
		return nil, &forbidden{grant: g, role: role, what: "reveal=true"}
	}
	x.audit.wanted = true
	noting(r.Context(), fact("reveal", "true"))
	return s.lens(true), nil
}

func (s *Server) writeEndpoint(w http.ResponseWriter, r *http.Request, status int, v *lens, ep *webhook.Endpoint) error {
	form, err := s.endpoint(r.Context(), v, ep)
	if err != nil {
		return err
	}
	return writeJSON(w, status, form)
}

func (s *Server) endpoint(ctx context.Context, v *lens, ep *webhook.Endpoint) (api.Endpoint, error) {
	form := v.Endpoint(ep)
	form.URLs = s.ways(v, ep)
	if problem := s.cfg.Listeners.Problem(ep.Name); problem != nil {
		form.Listener.Problem = strings.TrimPrefix(problem.Error(), webhook.ErrInvalid.Error()+": ")
	}
	if err := s.forwardStates(ctx, v, ep, form.Forwards); err != nil {
		return form, err
	}
	counts, err := s.store.Counts(ctx, ep.Name)
	if err != nil {
		return form, err
	}
	for _, class := range []webhook.Class{webhook.Accepted, webhook.Rejected, webhook.Incomplete} {
		form.Counts[string(class)] = counts[class]
	}
	newest, err := s.newest(ctx, ep.Name)
	form.LastSeq = int64(newest)
	return form, err
}

// newest is the seq of an endpoint's newest capture, of whichever class; 0 when it has none.
func (s *Server) newest(ctx context.Context, endpoint string) (webhook.Seq, error) {
	page, err := s.store.Captures(ctx, webhook.Query{Endpoint: endpoint, Limit: 1})
	if err != nil || len(page) == 0 {
		return 0, err
	}
	return page[0].Seq, nil
}
