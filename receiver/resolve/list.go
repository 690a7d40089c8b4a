package resolve

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/hookrange/hookrange/receiver/resolve/egress"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	// batch bounds the bodies held at a time while listing.
	batch = 8
	// maxRefs bounds the objects of one capture.
	maxRefs = 2000
)

// list lists the objects of a batch of captures, and says whether there may be more.
func (r *Resolver) list(ctx context.Context) (more bool) {
	captures, err := r.cfg.Store.Unplanned(ctx, batch)
	if err != nil {
		r.cfg.warn(ctx, "read captures", 0, err)
		return false
	}
	done := 0
	for i := range captures {
		c := &captures[i]
		if err := r.cfg.Store.PlanObjects(ctx, c.Seq, r.objects(ctx, c)); err != nil && !gone(err) {
			r.cfg.warn(ctx, "list objects", c.Seq, err)
			continue
		}
		done++
	}
	return len(captures) == batch && done > 0
}

// objects are what a capture names, with those final at once that need no fetch. Only accepted
// captures have any: nobody else may make us fetch.
func (r *Resolver) objects(ctx context.Context, c *webhook.Capture) (objects []webhook.Object) {
	if c.Class != webhook.Accepted {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			// The panic's value may quote the body.
			r.cfg.Log.LogAttrs(ctx, slog.LevelError, "payload has no objects: reading it panicked",
				slog.Int64("capture", int64(c.Seq)))
			objects = nil
		}
	}()
	refs := r.cfg.Refs(c)
	if len(refs) == 0 {
		return nil
	}
	ep, err := r.cfg.Endpoint(c.Endpoint)
	seen := make(map[string]bool, len(refs))
	for _, ref := range refs[:min(len(refs), maxRefs)] {
		if seen[ref.Name] {
			continue
		}
		seen[ref.Name] = true
		o := webhook.Object{Capture: c.Seq, Endpoint: c.Endpoint, Ref: ref, State: webhook.Pending}
		o.ExpiresAt, _ = Expiry(ref.URL)
		if err == nil {
			o = r.known(o, ep.Fetch)
		}
		objects = append(objects, o)
	}
	return objects
}

// known settles what needs no fetch: an object that policy blocks or whose time has passed.
func (r *Resolver) known(o webhook.Object, policy webhook.FetchPolicy) webhook.Object {
	now := r.cfg.Now()
	if err := r.cfg.Client.Check(egress.Request{URL: o.URL, Policy: policy}); err != nil {
		return failed(o, err, now, 0)
	}
	if expired(o, now) {
		return late(o, now)
	}
	return o
}

func expired(o webhook.Object, now time.Time) bool {
	return !o.ExpiresAt.IsZero() && !now.Before(o.ExpiresAt)
}

// late ends an object whose time has passed: expired, or failed when it was tried in time.
func late(o webhook.Object, now time.Time) webhook.Object {
	if o.Tries > 0 {
		return final(o, webhook.Failed, now)
	}
	o.Code, o.Message = "url_expired", "the URL had expired before it was fetched"
	return final(o, webhook.Expired, now)
}

func final(o webhook.Object, state webhook.State, now time.Time) webhook.Object {
	o.State, o.DoneAt, o.NextTry = state, now.UTC(), time.Time{}
	return o
}

func gone(err error) bool { return errors.Is(err, webhook.ErrNotFound) }
