package inspector

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/inspector/search"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// replaySome sends several captures on, one after another in their order, and answers a line for each when it has ended.
func (s *Server) replaySome(w http.ResponseWriter, r *http.Request) error {
	v, err := s.revealed(r)
	if err != nil {
		return err
	}
	if _, err = s.endpointOf(r); err != nil {
		return err
	}
	var in api.ReplaysInput
	if err := readInto(w, r, maxRequestBody, &in); err != nil {
		return err
	}
	job := &someReplays{server: s, view: v, in: in, endpoint: mux.Vars(r)["endpoint"], w: w}
	if err = job.check(r.Context()); err != nil {
		return err
	}
	noting(r.Context(), fact("target", hostOf(in.URL)), fact("captures", strconv.Itoa(len(job.seqs))))
	ctx, leave, err := s.replaying(r.Context())
	if err != nil {
		return err
	}
	defer leave()
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	if err = job.run(ctx); err != nil && ctx.Err() == nil {
		s.log.failed(ctx, "replay", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// someReplays is one call for several captures.
type someReplays struct {
	server   *Server
	view     *lens
	in       api.ReplaysInput
	endpoint string
	w        http.ResponseWriter
	seqs     []webhook.Seq
}

// check finds the captures, so that what is wrong with the call is answered before anything is sent.
func (j *someReplays) check(ctx context.Context) error {
	if _, err := j.server.order(&webhook.Capture{Endpoint: j.endpoint}, j.one()); err != nil {
		return err
	}
	if len(j.in.Captures) > 0 {
		if j.in.Q != "" || len(j.in.Class) > 0 || j.in.Before != 0 || j.in.After != 0 || len(j.in.Captures) > maxSome {
			return invalid("captures: give at most %d, and no q, class, before or after with them", maxSome)
		}
		for _, seq := range j.in.Captures {
			j.seqs = append(j.seqs, webhook.Seq(seq))
		}
		return nil
	}
	terms, err := search.Parse(j.in.Q)
	if err != nil {
		return err
	}
	classes, err := query{map[string][]string{"class": j.in.Class}}.classes()
	if err != nil {
		return err
	}
	if j.in.Limit < 0 || j.in.Limit > maxSome {
		return invalid("limit: give 1 to %d", maxSome)
	}
	if len(classes) == 0 {
		classes = []webhook.Class{webhook.Accepted}
	}
	before := webhook.Seq(j.in.Before)
	if before == 0 {
		before = j.server.store.Last() + 1
	}
	found, err := j.server.find(ctx, listing{terms: terms, view: j.view, query: webhook.Query{
		Endpoint: j.endpoint, Classes: classes, Before: before, After: webhook.Seq(j.in.After), Limit: orLimit(j.in.Limit), Ascending: true,
	}})
	for i := range found.captures {
		j.seqs = append(j.seqs, found.captures[i].Seq)
	}
	return err
}

func orLimit(limit int) int {
	if limit == 0 {
		return maxSome
	}
	return limit
}

func (j *someReplays) one() *api.ReplayInput {
	return &api.ReplayInput{URL: j.in.URL, Sign: j.in.Sign, Secret: j.in.Secret, Policy: j.in.Policy}
}

func (j *someReplays) run(ctx context.Context) error {
	control := http.NewResponseController(j.w)
	for _, seq := range j.seqs {
		_ = control.SetWriteDeadline(time.Now().Add(maxReplayTime)) // a writer in a test has no deadline
		result, err := j.send(ctx, seq)
		if err != nil {
			return err
		}
		line, err := json.Marshal(result)
		if err != nil {
			return err
		}
		if _, err = j.w.Write(append(line, '\n')); err != nil {
			return nil //nolint:nilerr // the client is gone; there is nobody left to send for
		}
		_ = control.Flush() // as above
	}
	return nil
}

// send sends one capture on. One that is gone, or refused by itself, is a problem of its own line.
func (j *someReplays) send(ctx context.Context, seq webhook.Seq) (api.ReplayResult, error) {
	c, err := j.server.store.Capture(ctx, j.endpoint, seq)
	if err == nil {
		var o webhook.Order
		if o, err = j.server.order(&c, j.one()); err == nil {
			var result api.ReplayResult
			if result, err = j.server.sendOn(ctx, j.view, o); err == nil {
				return result, nil
			}
		}
	}
	if ctx.Err() == nil && (errors.Is(err, webhook.ErrNotFound) || errors.Is(err, webhook.ErrInvalid) || errors.Is(err, webhook.ErrDamaged)) {
		return api.ReplayResult{Capture: int64(seq), Problem: j.view.Mask.String(err.Error()), Replays: []api.Replay{}}, nil
	}
	return api.ReplayResult{}, err
}
