// Package forward sends the new captures of endpoints on to where their settings say, while the server runs.
//
// It has no queue: the store is the queue, and each forward stands at a place in it. So a target that is slow or dead
// costs a place and one capture in memory, holds up no answer and no other forward, and nothing is lost over a restart.
//
//	bell -> captures after the place -> those that the forward asks for -> send -> tries as facts -> the place moves on
//
// The promise is at least once: the place is kept after each capture, so one that was under way when the process died
// is sent again. Captures that were deleted meanwhile are not sent, and of more than Config.Behind that wait the oldest
// are dropped and counted.
package forward

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Store is what a Forwarder asks of a store.
type Store interface {
	// Endpoints returns all endpoints.
	Endpoints() []*webhook.Endpoint
	// Endpoint returns ErrNotFound if there is none of that name.
	Endpoint(name string) (*webhook.Endpoint, error)
	// Changed returns a channel that is closed when an endpoint changes.
	Changed() <-chan struct{}
	// Captures lists captures by seq.
	Captures(ctx context.Context, q webhook.Query) ([]webhook.Capture, error)
	// Capture returns one with its body; ErrNotFound or ErrDamaged.
	Capture(ctx context.Context, endpoint string, seq webhook.Seq) (webhook.Capture, error)
	// Moment returns the seq before which the captures stand that arrived up to a time.
	Moment(ctx context.Context, at time.Time) (webhook.Seq, error)
	// Last returns the newest committed seq.
	Last() webhook.Seq
	// RecordReplay stores a try as a fact; ErrNotFound when its capture is gone.
	RecordReplay(ctx context.Context, r webhook.Replay) error
}

// Bell wakes watchers.
type Bell interface {
	// Wait blocks until there is something after a seq and returns its seq, or ctx's error.
	Wait(ctx context.Context, after webhook.Seq) (webhook.Seq, error)
}

// Config is what New needs. Every field without a default must be set.
type Config struct {
	Store Store
	Bell  Bell
	// Send blocks until the policy has ended and tells each try. It returns ErrInvalid for an order that is refused.
	Send func(ctx context.Context, o webhook.Order, tell func(webhook.Replay)) error
	// Match says whether a capture, with its body, matches a query that is not empty.
	Match func(ctx context.Context, query string, c *webhook.Capture) (bool, error)
	// File keeps the places over a restart.
	File string
	// Behind bounds the captures that wait for one forward. Defaults to 10,000.
	Behind int
	// Under bounds the captures that are under way at once, over all forwards, and with it the bodies in memory.
	// Defaults to 16.
	Under int
	// Log gets what could not be recorded. Defaults to nothing.
	Log *slog.Logger
}

// Forwarder sends captures on. Make one with New and run it.
type Forwarder struct {
	cfg    Config
	places *places
	under  chan struct{}
	born   time.Time

	mu      sync.Mutex
	workers map[key]*worker
}

// key tells forwards apart. An endpoint of the same name that was made anew is another one.
type key struct {
	endpoint string
	created  int64
	// url is a digest, as a URL may hold a secret.
	url [8]byte
}

func keyOf(ep *webhook.Endpoint, url string) key {
	sum := sha256.Sum256([]byte(url))
	return key{ep.Name, ep.Created.UnixNano(), [8]byte(sum[:8])}
}

// New returns a Forwarder that goes on where the file says. It returns an error for a file that cannot be read.
func New(cfg Config) (*Forwarder, error) {
	if cfg.Behind <= 0 {
		cfg.Behind = 10_000
	}
	if cfg.Under <= 0 {
		cfg.Under = 16
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	kept, err := open(cfg.File)
	if err != nil {
		return nil, err
	}
	return &Forwarder{cfg: cfg, places: kept, under: make(chan struct{}, cfg.Under), born: time.Now(), workers: map[key]*worker{}}, nil
}

// Run sends on until ctx ends, and then ends what is under way; that is sent again by the next Run.
func (f *Forwarder) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for first := true; ; first = false {
		changed := f.cfg.Store.Changed()
		if err := f.adopt(ctx, &wg, first); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// adopt starts the forwards that are new and ends those that are gone.
func (f *Forwarder) adopt(ctx context.Context, wg *sync.WaitGroup, first bool) error {
	wanted := map[key]bool{}
	for _, ep := range f.cfg.Store.Endpoints() {
		for i := range ep.Forwards {
			k := keyOf(ep, ep.Forwards[i].URL)
			if ep.Forwards[i].Off || wanted[k] {
				continue
			}
			wanted[k] = true
			if err := f.begin(ctx, k, ep, first); err != nil {
				return err
			}
			f.start(ctx, wg, k, ep.Forwards[i].URL)
		}
	}
	f.mu.Lock()
	for k, w := range f.workers {
		if !wanted[k] {
			w.stop()
			delete(f.workers, k)
		}
	}
	f.mu.Unlock()
	f.keep(ctx, func() error { return f.places.retain(wanted) })
	return nil
}

// begin gives a forward that has no place one: what came since the settings were saved, or the server was started if
// that is later, is still sent.
func (f *Forwarder) begin(ctx context.Context, k key, ep *webhook.Endpoint, first bool) error {
	last := f.cfg.Store.Last()
	if state, found := f.places.get(k); found {
		// A store that was put back to an earlier copy counts from there.
		if first && state.After > last {
			f.keep(ctx, func() error { return f.places.change(k, true, func(s *webhook.ForwardState) { s.After = last }) })
		}
		return nil
	}
	since := ep.Updated
	if since.Before(f.born) {
		since = f.born
	}
	next, err := f.cfg.Store.Moment(ctx, since)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		f.cfg.Log.ErrorContext(ctx, "forward: begin", slog.String("endpoint", ep.Name), slog.Any("error", err))
	default:
		last = next - 1
	}
	f.keep(ctx, func() error { return f.places.add(k, webhook.ForwardState{After: last}) })
	return nil
}

func (f *Forwarder) start(ctx context.Context, wg *sync.WaitGroup, k key, url string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.workers[k] != nil {
		return
	}
	ctx, stop := context.WithCancel(ctx)
	w := &worker{f: f, key: k, url: url, stop: stop}
	f.workers[k] = w
	wg.Go(func() {
		defer stop()
		w.run(ctx)
	})
}

// keep carries out a change of the places. One that cannot be written costs repetitions after a restart, no captures.
func (f *Forwarder) keep(ctx context.Context, change func() error) {
	if err := change(); err != nil {
		f.cfg.Log.ErrorContext(ctx, "forward: keep places", slog.Any("error", err))
	}
}

// State returns how a forward of an endpoint does; the zero state for one that is not on.
func (f *Forwarder) State(ctx context.Context, ep *webhook.Endpoint, forward *webhook.Forward) (webhook.ForwardState, error) {
	state, found := f.places.get(keyOf(ep, forward.URL))
	if !found || forward.Off {
		return webhook.ForwardState{}, nil
	}
	waiting, err := f.waiting(ctx, ep.Name, forward, state.After)
	state.Waiting = len(waiting)
	if errors.Is(err, webhook.ErrNotFound) {
		err = nil
	}
	return state, err
}

// waiting lists the captures after a place, a few more than may wait at most.
func (f *Forwarder) waiting(ctx context.Context, endpoint string, forward *webhook.Forward, after webhook.Seq) ([]webhook.Seq, error) {
	const page = 1000
	var found []webhook.Seq
	last := f.cfg.Store.Last()
	for len(found) <= f.cfg.Behind {
		list, err := f.cfg.Store.Captures(ctx, query(endpoint, forward, after, last, page))
		if err != nil {
			return nil, err
		}
		for i := range list {
			found = append(found, list[i].Seq)
		}
		if len(list) < page {
			break
		}
		after = found[len(found)-1]
	}
	return found, nil
}

// query asks for the captures after a place that were there when through was the last: a list of several classes that is
// read while more come may have a later capture of one class and not yet an earlier one of another.
func query(endpoint string, forward *webhook.Forward, after, through webhook.Seq, limit int) webhook.Query {
	q := webhook.Query{Endpoint: endpoint, After: after, Before: through + 1, Limit: limit, Ascending: true}
	if !forward.All || forward.Sign != "" {
		q.Classes = []webhook.Class{webhook.Accepted}
	}
	return q
}
