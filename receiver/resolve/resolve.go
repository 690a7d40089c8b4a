// Package resolve fetches the objects behind the presigned URLs of stored captures, in the
// background and after the answer has left.
//
// All state is in the store: captures whose URLs are not listed yet, and listed objects that are
// due. A Resolver lists the former, fetches the latter with the soonest expiry first, and settles
// what came out. What was in flight when the process ended is simply due again.
package resolve

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hookrange/hookrange/receiver/resolve/egress"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	defaultInFlight = 8
	// poll bounds how long a due object waits that this process has not heard of.
	poll = 5 * time.Second
	// maxAgain bounds what is remembered for a punctual retry; the poll finds the rest.
	maxAgain = 4096
	// settleTime gathers rings of the bell: a busy store rings with each commit.
	settleTime = 20 * time.Millisecond
	// holdTime is how long an object rests whose result the store did not take.
	holdTime = 30 * time.Second
	// lastWrites bounds the settling of finished fetches after Run's context has ended.
	lastWrites = 5 * time.Second
)

// Store is what a Resolver needs of the store.
type Store interface {
	// Unplanned returns captures whose objects are not listed yet, ascending, with body.
	Unplanned(ctx context.Context, limit int) ([]webhook.Capture, error)
	// PlanObjects lists the objects of a capture, which may be none.
	PlanObjects(ctx context.Context, capture webhook.Seq, objects []webhook.Object) error
	// Due returns pending objects that are due, soonest expiry first.
	Due(ctx context.Context, now time.Time, limit int) ([]webhook.Object, error)
	// Settle records the new state of a listed object; webhook.ErrNotFound when it is gone.
	Settle(ctx context.Context, o webhook.Object) error
}

// Bell wakes a Resolver when the store has something new.
type Bell interface {
	Wait(ctx context.Context, after webhook.Seq) (webhook.Seq, error)
}

// Client is the guarded way out; *egress.Client is one.
type Client interface {
	Check(req egress.Request) error
	Get(ctx context.Context, req egress.Request) (*egress.Response, error)
}

// Config is what New needs. Store, Refs, Endpoint, Client and Bell have no default.
type Config struct {
	Store Store
	// Refs finds the presigned URLs in a capture's body. A panic in it costs the capture its objects, nothing
	// else.
	Refs func(c *webhook.Capture) []webhook.Ref
	// Endpoint returns the endpoint of a name, or webhook.ErrNotFound.
	Endpoint func(name string) (*webhook.Endpoint, error)
	Client   Client
	Bell     Bell
	// Log defaults to none.
	Log *slog.Logger
	// Now defaults to time.Now.
	Now func() time.Time
	// Jitter returns a number in [0,1) that spreads retries. Defaults to a random one.
	Jitter func() float64
	// InFlight bounds the fetches at a time. Defaults to 8.
	InFlight int
}

// Resolver lists and fetches objects. It has one Run at a time.
type Resolver struct{ cfg Config }

// New returns a Resolver.
func New(cfg Config) *Resolver {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Jitter == nil {
		cfg.Jitter = rand.Float64
	}
	if cfg.InFlight <= 0 {
		cfg.InFlight = defaultInFlight
	}
	return &Resolver{cfg: cfg}
}

// key names one object of a store.
type key struct {
	capture webhook.Seq
	name    string
}

// end is how a fetch left the loop's hands.
type end struct {
	key key
	// next is when the object is due again; zero when it is final.
	next time.Time
	// hold: the store did not take the result, and next is when to fetch again.
	hold bool
}

// loop is the state of one Run; its goroutine alone touches it.
type loop struct {
	*Resolver
	inFlight map[key]struct{}
	held     map[key]time.Time
	// again is when objects that were tried are due again, as far as this Run knows.
	again map[key]time.Time
	ends  chan end
	wg    sync.WaitGroup
}

// Run lists and fetches until ctx ends, then waits for what is in flight and returns nil. Errors of
// the store are logged and tried again.
func (r *Resolver) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	l := &loop{
		Resolver: r, inFlight: map[key]struct{}{}, held: map[key]time.Time{}, again: map[key]time.Time{},
		ends: make(chan end, r.cfg.InFlight),
	}
	defer l.wg.Wait()
	defer cancel()
	rung := make(chan struct{}, 1)
	l.wg.Go(func() { r.listen(ctx, rung) })
	for list := true; ctx.Err() == nil; {
		more := list && r.list(ctx)
		l.dispatch(ctx)
		list = l.wait(ctx, rung, more)
	}
	return nil
}

// listen turns the bell into a channel.
func (r *Resolver) listen(ctx context.Context, rung chan<- struct{}) {
	for after := webhook.Seq(0); ; {
		seq, err := r.cfg.Bell.Wait(ctx, after)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			// Without a bell there is still the poll.
			r.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "resolver has no bell", slog.String("error", err.Error()))
			return
		}
		after = seq
		select {
		case rung <- struct{}{}:
		default:
		}
	}
}

// wait returns when there may be something to do, and whether there may be something to list.
func (l *loop) wait(ctx context.Context, rung <-chan struct{}, more bool) (list bool) {
	if more {
		l.drain()
		return true
	}
	timer := time.NewTimer(l.pause())
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case e := <-l.ends:
		l.finish(e)
	case <-timer.C:
		list = true
	case <-rung:
		list = true
		gather := time.NewTimer(settleTime)
		defer gather.Stop()
		select {
		case <-ctx.Done():
		case <-gather.C:
		}
	}
	l.drain()
	return list
}

func (l *loop) drain() {
	for {
		select {
		case e := <-l.ends:
			l.finish(e)
		default:
			return
		}
	}
}

// pause is the time until the next object is due, at most poll.
func (l *loop) pause() time.Duration {
	pause, now := poll, l.cfg.Now()
	for k, at := range l.again {
		if at.After(now) {
			pause = min(pause, at.Sub(now))
		} else {
			delete(l.again, k)
		}
	}
	return pause
}

func (l *loop) finish(e end) {
	delete(l.inFlight, e.key)
	if e.hold {
		l.held[e.key] = e.next
	}
	if !e.next.IsZero() && len(l.again) < maxAgain {
		l.again[e.key] = e.next
	}
}

// dispatch starts fetches of due objects while there is room.
func (l *loop) dispatch(ctx context.Context) {
	if len(l.inFlight) >= l.cfg.InFlight {
		return
	}
	now := l.cfg.Now()
	for k, until := range l.held {
		if !now.Before(until) {
			delete(l.held, k)
		}
	}
	// Those in flight and held are still pending in the store, and must not hide the others.
	due, err := l.cfg.Store.Due(ctx, now, 2*l.cfg.InFlight+len(l.held))
	if err != nil {
		l.cfg.warn(ctx, "read due objects", 0, err)
		return
	}
	for _, o := range due {
		if len(l.inFlight) >= l.cfg.InFlight {
			return
		}
		k := key{o.Capture, o.Name}
		_, busy := l.inFlight[k]
		if _, held := l.held[k]; busy || held {
			continue
		}
		l.inFlight[k] = struct{}{}
		l.wg.Go(func() { l.ends <- l.resolve(ctx, o) })
	}
}

// resolve fetches one object and settles it.
func (r *Resolver) resolve(ctx context.Context, o webhook.Object) end {
	k := key{o.Capture, o.Name}
	o, ok := r.fetch(ctx, o)
	if !ok {
		return end{key: k}
	}
	write, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrites)
	defer cancel()
	if ctx.Err() == nil {
		write = ctx
	}
	err := r.cfg.Store.Settle(write, o)
	switch {
	case err == nil:
		r.cfg.Log.LogAttrs(write, slog.LevelDebug, "object settled", slog.Int64("capture", int64(o.Capture)),
			slog.String("object", o.Name), slog.String("state", string(o.State)), slog.String("code", o.Code))
		if o.State == webhook.Pending {
			return end{key: k, next: o.NextTry}
		}
		return end{key: k}
	case gone(err):
		return end{key: k}
	}
	r.cfg.warn(write, "settle object", o.Capture, err)
	return end{key: k, next: r.cfg.Now().Add(holdTime), hold: true}
}

// warn logs what the store did not do; it is tried again.
func (c *Config) warn(ctx context.Context, op string, capture webhook.Seq, err error) {
	if ctx.Err() != nil {
		return
	}
	c.Log.LogAttrs(ctx, slog.LevelWarn, "resolver cannot use the store", slog.String("op", op),
		slog.Int64("capture", int64(capture)), slog.String("error", err.Error()))
}
