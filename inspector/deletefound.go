package inspector

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// deleteFound deletes what a list with the same parameters would have, without limit= all pages of it.
func (s *Server) deleteFound(w http.ResponseWriter, r *http.Request) error {
	l, err := s.listing(r)
	if err != nil {
		return err
	}
	asked := r.URL.Query()
	if !asked.Has("limit") {
		l.query.Limit = maxLimit
	}
	for _, name := range []string{"q", "class", "before", "after", "until", "limit"} {
		if asked.Has(name) {
			noting(r.Context(), fact(name, asked.Get(name)))
		}
	}
	var out api.Deleted
	for {
		page, err := s.find(r.Context(), l)
		if err != nil {
			return err
		}
		n, err := s.deleteEach(r.Context(), page.captures)
		out.Deleted += n
		if err != nil {
			return err
		}
		if page.next == 0 || asked.Has("limit") && page.complete {
			return writeJSON(w, http.StatusOK, out)
		}
		if l.query.Ascending {
			l.query.After = page.next
		} else {
			l.query.Before = page.next
		}
		if asked.Has("limit") {
			if l.query.Limit -= len(page.captures); l.query.Limit <= 0 {
				return writeJSON(w, http.StatusOK, out)
			}
		}
	}
}

// deleteEach deletes captures, at once so that they share their commits.
func (s *Server) deleteEach(ctx context.Context, captures []webhook.Capture) (deleted int, err error) {
	failures := make([]error, len(captures))
	var under sync.WaitGroup
	for i := range captures {
		under.Go(func() { failures[i] = s.store.DeleteCapture(ctx, captures[i].Endpoint, captures[i].Seq) })
	}
	under.Wait()
	for _, failure := range failures {
		switch {
		case failure == nil:
			deleted++
		case !errors.Is(failure, webhook.ErrNotFound):
			err = errors.Join(err, failure)
		}
	}
	return deleted, err
}
