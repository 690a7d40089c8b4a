package inspector

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/hookrange/hookrange/inspector/access"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	maxTokenLife = 10 * 365 * 24 * time.Hour
	minLife      = time.Second
	// useTime is how often uses of tokens and shares are kept.
	useTime = 30 * time.Second
)

func (s *Server) listTokens(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	out := api.Tokens{Tokens: []api.Token{}}
	for _, t := range s.store.Tokens() {
		form := api.TokenForm(t)
		if used := s.uses.Of(t.ID); used.Count > 0 {
			form.UsedAt = new(used.Last.UTC())
		}
		form.Expired = s.over(t.Expires)
		form.Gone = s.goneOf(t)
		out.Tokens = append(out.Tokens, form)
	}
	return writeJSON(w, http.StatusOK, out)
}

// goneOf returns those of a token's endpoints that it is not good for any more.
func (s *Server) goneOf(t *webhook.Token) []string {
	gone := []string{}
	for _, name := range t.Endpoints {
		_, err := s.store.Endpoint(name)
		if !t.Declared && (err != nil || slices.Contains(t.Gone, name)) {
			gone = append(gone, name)
		}
	}
	return gone
}

// createToken answers with the key, which nobody can read again.
func (s *Server) createToken(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	var in api.TokenInput
	if err := readInto(w, r, maxRequestBody, &in); err != nil {
		return err
	}
	if err := s.checkToken(&in); err != nil {
		return err
	}
	key, now := access.NewKey(access.TokenKey), s.cfg.Now().UTC()
	t := webhook.Token{
		ID: key.ID, Name: in.Name, Role: webhook.Role(in.Role), Endpoints: in.Endpoints, Hash: key.Hash(), Created: now,
		By: grantOf(r.Context()).Name,
	}
	if in.Life != 0 {
		t.Expires = now.Add(in.Life.Duration())
	}
	about(r.Context(), "", t.ID)
	noting(r.Context(), fact("name", t.Name), fact("role", in.Role), fact("endpoints", strings.Join(t.Endpoints, ", ")))
	if !t.Expires.IsZero() {
		noting(r.Context(), fact("expires_at", t.Expires.Format(time.RFC3339)))
	}
	if err := s.store.SaveToken(r.Context(), t); err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/tokens/"+t.ID)
	return writeJSON(w, http.StatusCreated, api.NewToken{Token: api.TokenForm(&t), Key: key.Text})
}

func (s *Server) checkToken(in *api.TokenInput) error {
	if err := access.CheckToken(in.Name, webhook.Role(in.Role)); err != nil {
		return err
	}
	for _, t := range s.store.Tokens() {
		if t.Declared && t.Name == in.Name {
			return fmt.Errorf("%w: the name %q is taken by it", errDeclared, t.Name)
		}
	}
	for i, name := range in.Endpoints {
		if _, err := s.store.Endpoint(name); err != nil {
			return invalid("endpoints.%d: there is no endpoint %q", i, name)
		}
	}
	return checkLife(in.Life, maxTokenLife, true)
}

// checkLife refuses a time until something expires that is out of bounds; none is 0.
func checkLife(life api.Millis, most time.Duration, none bool) error {
	if none && life == 0 {
		return nil
	}
	if d := life.Duration(); d < minLife || d > most {
		return invalid("expires_in_ms: give %d to %d", minLife.Milliseconds(), most.Milliseconds())
	}
	return nil
}

// deleteToken revokes a token and ends every call that came with it.
func (s *Server) deleteToken(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	id := mux.Vars(r)["id"]
	t, err := s.store.Token(id)
	if err != nil {
		return fmt.Errorf("token %q: %w", id, webhook.ErrNotFound)
	}
	noting(r.Context(), fact("name", t.Name), fact("role", string(t.Role)))
	if t.Declared {
		return fmt.Errorf("%w: take %q out of the file and start the server again", errDeclared, t.Name)
	}
	if err = s.store.DeleteToken(r.Context(), id); err != nil {
		return concerning(err, "token %q", id)
	}
	w.WriteHeader(http.StatusNoContent)
	s.calls.End(id, errEnded)
	return nil
}

// keepUses keeps what was counted of uses, now and then, until ctx ends; Close keeps the rest.
func (s *Server) keepUses(ctx context.Context) {
	tick := time.NewTicker(useTime)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.recordUses(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (s *Server) recordUses(ctx context.Context) {
	uses := s.uses.Take()
	if len(uses) == 0 {
		return
	}
	if err := s.store.RecordUses(ctx, uses); err != nil {
		s.log.failed(ctx, "uses", err)
	}
}
