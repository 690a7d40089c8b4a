package inspector

import (
	"context"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func (s *Server) listDeliveries(w http.ResponseWriter, r *http.Request) error {
	q, err := params(r, "before", "limit", "reveal")
	if err != nil {
		return err
	}
	before, limit, err := q.page()
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
	list, err := s.store.Deliveries(r.Context(), ep.Name, webhook.Seq(before), limit)
	if err != nil {
		return err
	}
	out := api.Deliveries{Deliveries: make([]api.Delivery, len(list))}
	for i := range list {
		if out.Deliveries[i], err = s.delivery(r.Context(), v, &list[i]); err != nil {
			return err
		}
	}
	// A full page may be the last one; the next is then empty.
	if len(list) == limit {
		out.Next = new(out.Deliveries[len(list)-1].FirstSeq)
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *Server) getDelivery(w http.ResponseWriter, r *http.Request) error {
	v, err := s.revealed(r)
	if err != nil {
		return err
	}
	ep, err := s.endpointOf(r)
	if err != nil {
		return err
	}
	id := mux.Vars(r)["id"]
	d, err := s.store.Delivery(r.Context(), ep.Name, id)
	if err != nil {
		return concerning(err, "delivery %q of endpoint %q", id, ep.Name)
	}
	out, err := s.delivery(r.Context(), v, &d)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *Server) listPolicies(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.Policies{Policies: append([]api.Policy{}, s.cfg.Policies...)})
}

func (s *Server) delivery(ctx context.Context, v *lens, d *webhook.Delivery) (api.Delivery, error) {
	rows, err := s.rows(ctx, v, d.Attempts)
	out := api.Delivery{ID: d.ID, Endpoint: d.Endpoint, AttemptCount: len(rows), Attempts: rows}
	if len(rows) > 0 {
		out.DeliveryBy = d.Attempts[0].DeliveryBy
		out.FirstSeq, out.LastSeq = rows[0].Seq, rows[len(rows)-1].Seq
	}
	return out, err
}
