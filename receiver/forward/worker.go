package forward

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	// pause is between looks at the store, so that a busy one is not asked for each of its facts.
	pause = 20 * time.Millisecond
	// rest is before another try after the store failed.
	rest = time.Second
	// few captures are listed at once, without their bodies.
	few = 50
)

// worker is one forward at work.
type worker struct {
	f    *Forwarder
	key  key
	url  string
	stop context.CancelFunc
	// counted is when the captures that wait were counted last.
	counted time.Time
}

// run sends captures on until ctx ends.
func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		seen := w.f.cfg.Store.Last()
		busy, err := w.some(ctx, seen)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errGone):
			// The settings have changed; whoever started this ends it.
			<-ctx.Done()
			return
		case err != nil:
			w.f.cfg.Log.ErrorContext(ctx, "forward", slog.String("endpoint", w.key.endpoint), slog.Any("error", err))
			wait(ctx, rest)
		case !busy:
			if _, err := w.f.cfg.Bell.Wait(ctx, seen); err == nil {
				wait(ctx, pause)
			}
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

var errGone = errors.New("the forward is gone")

// settings returns the newest form of the forward: all but its URL may have changed since it was started.
func (w *worker) settings() (*webhook.Endpoint, *webhook.Forward, error) {
	ep, err := w.f.cfg.Store.Endpoint(w.key.endpoint)
	if err != nil {
		return nil, nil, errGone
	}
	for i := range ep.Forwards {
		if ep.Forwards[i].URL == w.url && !ep.Forwards[i].Off {
			return ep, &ep.Forwards[i], nil
		}
	}
	return nil, nil, errGone
}

// some deals with the next captures up to a seq; false when there are none.
func (w *worker) some(ctx context.Context, through webhook.Seq) (bool, error) {
	ep, forward, err := w.settings()
	if err != nil {
		return false, err
	}
	state, _ := w.f.places.get(w.key)
	list, err := w.f.cfg.Store.Captures(ctx, query(ep.Name, forward, state.After, through, few))
	if err != nil || len(list) == 0 {
		return false, err
	}
	for i := range list {
		if err = w.one(ctx, &list[i]); err != nil {
			return false, err
		}
		if err = w.shed(ctx); err != nil {
			return false, err
		}
		if now, _ := w.f.places.get(w.key); now.After > list[i].Seq {
			// The rest of the list was dropped.
			break
		}
	}
	return true, nil
}

// shed drops the oldest of more captures than may wait. Their seqs tell cheaply that there cannot be as many.
func (w *worker) shed(ctx context.Context) error {
	for {
		state, _ := w.f.places.get(w.key)
		if int64(w.f.cfg.Store.Last()-state.After) <= int64(w.f.cfg.Behind) || time.Since(w.counted) < rest {
			return nil
		}
		ep, forward, err := w.settings()
		if err != nil {
			return err
		}
		waiting, err := w.f.waiting(ctx, ep.Name, forward, state.After)
		over := len(waiting) - w.f.cfg.Behind
		if err != nil || over <= 0 {
			w.counted = time.Now()
			return err
		}
		w.f.keep(ctx, func() error {
			return w.f.places.change(w.key, true, func(s *webhook.ForwardState) {
				s.After, s.Dropped = waiting[over-1], s.Dropped+int64(over)
			})
		})
	}
}

// result is what became of one capture.
type result struct {
	sent, delivered bool
	problem         string
}

// one deals with a capture and moves the place behind it. The error is the store's, ctx's or errGone; then it stays.
func (w *worker) one(ctx context.Context, row *webhook.Capture) error {
	select {
	case w.f.under <- struct{}{}:
		defer func() { <-w.f.under }()
	case <-ctx.Done():
		return ctx.Err()
	}
	ep, forward, err := w.settings()
	if err != nil {
		return err
	}
	var r result
	c, err := w.f.cfg.Store.Capture(ctx, ep.Name, row.Seq)
	switch {
	case errors.Is(err, webhook.ErrNotFound), errors.Is(err, webhook.ErrDamaged):
		// It was deleted meanwhile, or its row is not to be trusted.
	case err != nil:
		return err
	default:
		if r, err = w.matching(ctx, ep, forward, &c); err != nil {
			return err
		}
	}
	w.f.keep(ctx, func() error {
		return w.f.places.change(w.key, r.sent, func(s *webhook.ForwardState) { r.into(s, row.Seq) })
	})
	return nil
}

func (r result) into(s *webhook.ForwardState, seq webhook.Seq) {
	s.After = seq
	if !r.sent {
		return
	}
	s.Last, s.Problem = time.Now().UTC(), r.problem
	if r.delivered {
		s.Delivered++
	} else {
		s.Failed++
	}
}

// matching sends a capture that the forward asks for.
func (w *worker) matching(ctx context.Context, ep *webhook.Endpoint, forward *webhook.Forward, c *webhook.Capture) (result, error) {
	if query := strings.TrimSpace(forward.Search); query != "" {
		if yes, err := w.f.cfg.Match(ctx, query, c); err != nil || !yes {
			return result{}, err
		}
	}
	id, err := uuid.NewV7()
	if err != nil {
		return result{}, err
	}
	o := webhook.Order{
		ID: id.String(), By: webhook.ByEndpoint, Capture: c, URL: forward.URL, Policy: forward.Policy, Sign: forward.Proof(&ep.Secret),
	}
	if looped(c) {
		return w.refused(ctx, &o, "not sent on: it was sent on before, which may be a loop"), nil
	}
	var last *webhook.Replay
	err = w.f.cfg.Send(ctx, o, func(one webhook.Replay) {
		last = &one
		w.record(ctx, one)
	})
	switch {
	case ctx.Err() != nil:
		return result{}, ctx.Err()
	case last == nil && err == nil:
		err = errors.New("no try was made")
		fallthrough
	case last == nil:
		return w.refused(ctx, &o, strings.TrimPrefix(err.Error(), webhook.ErrInvalid.Error()+": ")), nil
	}
	r := result{sent: true, delivered: last.Delivered, problem: last.Failure}
	if !r.delivered && r.problem == "" {
		r.problem = fmt.Sprintf("answered %d", last.Status)
	}
	return r, nil
}

// looped says whether one of us has sent the capture on already.
func looped(c *webhook.Capture) bool {
	for _, f := range webhook.Fields(c.Request.Head) {
		if strings.EqualFold(f.Name, webhook.ReplayMarker) {
			return true
		}
	}
	return false
}

// refused records that a capture was not even tried.
func (w *worker) refused(ctx context.Context, o *webhook.Order, why string) result {
	policy := o.Policy
	if policy == "" {
		policy = "none"
	}
	w.record(ctx, webhook.Replay{
		Capture: o.Capture.Seq, Endpoint: o.Capture.Endpoint, ID: o.ID, By: o.By, Target: webhook.ShownURL(o.URL), Policy: policy, Signed: o.Sign != nil,
		Attempt: 1, Try: 1, Start: time.Now().UTC(), Failure: why,
	})
	return result{sent: true, problem: why}
}

// record keeps a try that was made, whether the server ends meanwhile or not.
func (w *worker) record(ctx context.Context, r webhook.Replay) {
	err := w.f.cfg.Store.RecordReplay(context.WithoutCancel(ctx), r)
	if err != nil && !errors.Is(err, webhook.ErrNotFound) {
		w.f.cfg.Log.ErrorContext(ctx, "forward: record", slog.Int64("capture", int64(r.Capture)), slog.Any("error", err))
	}
}
