package inspector

import (
	"cmp"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/inspector/search"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	defaultLimit = 50
	maxLimit     = 1000
)

// listing is a request for a page of captures.
type listing struct {
	query webhook.Query
	terms *search.Query
	view  *lens
	// masking is the view that terms are matched in, nil for exact.
	masking *lens
}

func (s *Server) listCaptures(w http.ResponseWriter, r *http.Request) error {
	l, err := s.listing(r)
	if err != nil {
		return err
	}
	found, err := s.find(r.Context(), l)
	if err != nil {
		return err
	}
	if err = s.outcomes(r.Context(), found.captures); err != nil {
		return err
	}
	rows, err := s.rows(r.Context(), l.view, found.captures)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.Captures{Captures: rows, Next: cursor(found.next), Complete: found.complete})
}

// listing reads what captures are asked for: those of the endpoint in the path, or of all where it names none.
func (s *Server) listing(r *http.Request) (listing, error) {
	q, err := params(r, "before", "after", "until", "limit", "class", "q", "order", "reveal")
	if err != nil {
		return listing{}, err
	}
	before, err := s.bound(r, q)
	if err != nil {
		return listing{}, err
	}
	after, err := q.number("after", 0, 0, math.MaxInt64)
	if err != nil {
		return listing{}, err
	}
	limit, err := q.number("limit", defaultLimit, 1, maxLimit)
	if err != nil {
		return listing{}, err
	}
	order := q.text("order")
	if order != "" && order != "asc" && order != "desc" {
		return listing{}, invalid("parameter order is %q: give asc or desc", order)
	}
	classes, err := q.classes()
	if err != nil {
		return listing{}, err
	}
	terms, err := search.Parse(q.text("q"))
	if err != nil {
		return listing{}, err
	}
	view, err := s.viewOf(r, q)
	if err != nil {
		return listing{}, err
	}
	name := mux.Vars(r)["endpoint"]
	if name != "" {
		if _, err := s.endpointOf(r); err != nil {
			return listing{}, err
		}
	}
	return listing{terms: terms, view: view, masking: s.masking(r.Context()), query: webhook.Query{
		Endpoint: name, Classes: classes, Before: before, After: webhook.Seq(after),
		Limit: int(limit), Ascending: order == "asc",
	}}, nil
}

// bound returns the seq that before and until bound captures by, 0 for none.
func (s *Server) bound(r *http.Request, q query) (webhook.Seq, error) {
	n, err := q.number("before", 0, 0, math.MaxInt64)
	before := webhook.Seq(n)
	if err != nil || !q.has("until") {
		return before, err
	}
	at, err := time.Parse(time.RFC3339Nano, q.text("until"))
	if err != nil {
		return 0, invalid("parameter until is %q: give a time such as 2026-11-22T12:00:00Z", q.text("until"))
	}
	moment, err := s.store.Moment(r.Context(), at)
	if err != nil {
		return 0, err
	}
	if before == 0 || moment < before {
		before = moment
	}
	return before, nil
}

func cursor(seq webhook.Seq) *int64 {
	if seq == 0 {
		return nil
	}
	return new(int64(seq))
}

func (s *Server) deleteCaptures(w http.ResponseWriter, r *http.Request) error {
	if asked := r.URL.Query(); asked.Has("q") || asked.Has("before") || asked.Has("after") || asked.Has("until") || asked.Has("limit") {
		return s.deleteFound(w, r)
	}
	q, err := params(r, "class", "through")
	if err != nil {
		return err
	}
	classes, err := q.classes()
	if err != nil {
		return err
	}
	through, err := q.number("through", 0, 1, math.MaxInt64)
	if err != nil {
		return err
	}
	ep, err := s.endpointOf(r)
	if err != nil {
		return err
	}
	noting(r.Context(), fact("class", cmp.Or(strings.Join(q.values["class"], ", "), "all")), fact("through", q.text("through")))
	var out api.Deleted
	if len(classes) == 0 {
		classes = []webhook.Class{""}
		if out.Connections, err = s.store.DeleteConnections(r.Context(), ep.Name, webhook.Seq(through)); err != nil {
			return err
		}
	}
	for _, class := range classes {
		n, err := s.store.DeleteCaptures(r.Context(), ep.Name, class, webhook.Seq(through))
		if err != nil {
			return err
		}
		out.Deleted += n
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *Server) getCapture(w http.ResponseWriter, r *http.Request) error {
	v, err := s.revealed(r)
	if err != nil {
		return err
	}
	c, err := s.capture(r)
	if err != nil {
		return err
	}
	read := []webhook.Capture{c}
	if err = s.outcomes(r.Context(), read); err != nil {
		return err
	}
	c.Outcome = read[0].Outcome
	described := s.described(v, c)
	return writeJSON(w, http.StatusOK, v.Capture(&c, v.Payload(&described)))
}

func (s *Server) capture(r *http.Request) (webhook.Capture, error) {
	endpoint, seq, err := captureOf(r)
	if err != nil {
		return webhook.Capture{}, err
	}
	c, err := s.store.Capture(r.Context(), endpoint, seq)
	if err != nil {
		return webhook.Capture{}, concerning(err, "capture %d of endpoint %q", seq, endpoint)
	}
	return c, nil
}

func (s *Server) deleteCapture(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	endpoint, seq, err := captureOf(r)
	if err != nil {
		return err
	}
	if err := s.store.DeleteCapture(r.Context(), endpoint, seq); err != nil {
		return concerning(err, "capture %d of endpoint %q", seq, endpoint)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
