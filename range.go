package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hookrange/hookrange/receiver"
	"github.com/hookrange/hookrange/receiver/live"
	"github.com/hookrange/hookrange/receiver/plan"
	"github.com/hookrange/hookrange/receiver/secret"
	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
)

// provingRange lends endpoints to conformance cases: each has a receiver on a port of its own, all share a store, and
// nothing of it is left after close.
type provingRange struct {
	// dir is the temporary folder of a store of the range's own; empty when it is the server's.
	dir   string
	store *store.Store
	bell  *live.Bell
	log   *slog.Logger
	// prefix begins the names of the endpoints. In a server's store they are kept until close, so that their captures
	// can be looked at while the run goes on.
	prefix string
	// ends stops the pump and the receivers; all of them are waited for.
	life context.Context //nolint:containedctx // the range's own life, which the cases' contexts must not end
	ends context.CancelFunc
	all  sync.WaitGroup

	mu    sync.Mutex
	count int
	lent  map[string]*lentEndpoint
}

// openRange makes the store and begins to pass news on. The caller closes it.
func openRange(ctx context.Context, log *slog.Logger) (*provingRange, error) {
	dir, err := os.MkdirTemp("", "hookrange-test-")
	if err != nil {
		return nil, fmt.Errorf("range: %w", err)
	}
	r := &provingRange{dir: dir, bell: live.New(), log: log, lent: map[string]*lentEndpoint{}}
	if r.store, err = store.Open(ctx, store.Config{Dir: dir, Bell: r.bell, Log: log}); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	r.open(ctx, 0)
	return r, nil
}

// shareRange lends endpoints of a server's own store, whose names begin with a prefix. The caller closes it.
func shareRange(ctx context.Context, h *house, prefix string) *provingRange {
	r := &provingRange{store: h.store, bell: h.bell, log: h.log, prefix: prefix, lent: map[string]*lentEndpoint{}}
	r.open(ctx, h.store.Last())
	return r
}

// open begins to pass news on.
func (r *provingRange) open(ctx context.Context, after webhook.Seq) {
	r.life, r.ends = context.WithCancel(context.WithoutCancel(ctx))
	r.all.Go(func() { r.pump(r.life, after) })
}

// close ends everything that was lent and deletes it.
func (r *provingRange) close() error {
	r.stop()
	if r.dir == "" {
		return deleteEndpoints(r.life, r.store, r.prefix, "")
	}
	return errors.Join(r.store.Close(), os.RemoveAll(r.dir))
}

// stop ends everything that was lent and leaves the store as it is.
func (r *provingRange) stop() {
	r.ends()
	r.all.Wait()
}

// deleteEndpoints deletes those whose names have a prefix, but one.
func deleteEndpoints(ctx context.Context, db *store.Store, prefix, but string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	var failures []error
	for _, ep := range db.Endpoints() {
		if strings.HasPrefix(ep.Name, prefix) && ep.Name != but {
			failures = append(failures, db.DeleteEndpoint(ctx, ep.Name))
		}
	}
	return errors.Join(failures...)
}

// pump tells each lent endpoint what is new about it, so that a case is not woken for another's captures.
func (r *provingRange) pump(ctx context.Context, after webhook.Seq) {
	for {
		if _, err := r.bell.Wait(ctx, after); err != nil {
			return
		}
		facts, err := r.store.Facts(ctx, after, 1000)
		if err != nil {
			if ctx.Err() == nil {
				r.log.ErrorContext(ctx, "facts cannot be read", slog.Any("error", err))
			}
			return
		}
		r.mu.Lock()
		for i := range facts {
			after = max(after, facts[i].Seq)
			if lent := r.lent[facts[i].Endpoint]; lent != nil {
				lent.bell.Ring(facts[i].Seq)
			}
		}
		r.mu.Unlock()
		if len(facts) == 0 {
			// Seqs may have gaps: the newest that was rung need not be a fact any more.
			after = max(after, r.bell.Last())
		}
	}
}

// listenFor opens the listener of one endpoint. Faults before HTTP, TLS and HTTP/2 belong here.
func listenFor(ctx context.Context, spec scripts.Spec) (net.Listener, error) {
	program, err := plan.Parse(spec.Respond)
	if err != nil {
		return nil, err
	}
	if program.NeedsListener() || spec.TLS || spec.H2 {
		return nil, fmt.Errorf("%w: this version has no listener for faults before HTTP, TLS or HTTP/2", webhook.ErrUnavailable)
	}
	return (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
}

// missingNeeds says what cases cannot have here, and why.
func missingNeeds() map[string]string {
	why := "this version has no listener of an endpoint's own for it"
	return map[string]string{"connection-faults": why, "tls": why, "h2": why, "cap-net-raw": why}
}

// Lend opens an endpoint on a port of its own.
//
//nolint:contextcheck // an endpoint outlives the call that lends it
func (r *provingRange) Lend(ctx context.Context, spec scripts.Spec) (scripts.Endpoint, error) {
	value, err := secret.NewSecret()
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.count++
	name := fmt.Sprintf("%.40s-%d", spec.Name, r.count)
	if r.prefix != "" {
		name = fmt.Sprintf("%s%d", r.prefix, r.count)
	}
	r.mu.Unlock()
	endpoint := webhook.Endpoint{
		Name: name, Respond: spec.Respond, Fetch: webhook.FetchPolicy{Off: true},
		Secret: webhook.SecretPolicy{Scheme: spec.Scheme, Param: spec.Param, Secrets: []string{value}},
	}
	if spec.Scheme == webhook.SchemeNone {
		endpoint.Secret.Secrets = nil
	}
	if err = errors.Join(secret.Check(endpoint.Secret), receiver.CheckRespond(spec.Respond)); err != nil {
		return nil, err
	}
	listener, err := listenFor(ctx, spec)
	if err != nil {
		return nil, err
	}
	saved, err := r.store.SaveEndpoint(ctx, endpoint, true)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	lent := &lentEndpoint{house: r, endpoint: saved, base: reachable(listener.Addr()), secret: value, bell: live.New()}
	serving, stop := context.WithCancel(r.life)
	ended := make(chan error, 1)
	lent.stop = sync.OnceValue(func() error {
		stop()
		return <-ended
	})
	server := receiver.New(receiver.Config{Store: r.store, Log: r.log})
	r.all.Go(func() { ended <- server.Run(serving, listener) })
	r.mu.Lock()
	r.lent[name] = lent
	r.mu.Unlock()
	return lent, nil
}

// lentEndpoint is one lent endpoint.
type lentEndpoint struct {
	house    *provingRange
	endpoint *webhook.Endpoint
	base     string
	secret   string
	bell     *live.Bell
	// stop ends the receiver and waits for it.
	stop func() error
}

// URL returns the hook URL; those after the first have a path below it.
func (l *lentEndpoint) URL(n int) string {
	hook := secret.HookURL(l.base, l.endpoint, false)
	if n <= 1 {
		return hook
	}
	path, query, found := strings.Cut(hook, "?")
	path += fmt.Sprintf("/%d", n)
	if found {
		path += "?" + query
	}
	return path
}

// Secret returns what the sender signs with.
func (l *lentEndpoint) Secret() string { return l.secret }

// Mask hides the endpoint's secret.
func (l *lentEndpoint) Mask() scripts.Mask { return secret.NewMask(l.endpoint) }

// Captures returns all captures so far, oldest first.
func (l *lentEndpoint) Captures(ctx context.Context, bodies bool) ([]webhook.Capture, error) {
	var all []webhook.Capture
	for {
		query := webhook.Query{Endpoint: l.endpoint.Name, Limit: 1000, Ascending: true, WithBody: bodies}
		if len(all) > 0 {
			query.After = all[len(all)-1].Seq
		}
		part, err := l.house.store.Captures(ctx, query)
		if err != nil || len(part) == 0 {
			slices.SortStableFunc(all, func(a, b webhook.Capture) int {
				return cmp.Or(a.ReceivedAt.Compare(b.ReceivedAt), cmp.Compare(a.Seq, b.Seq))
			})
			return all, err
		}
		all = append(all, part...)
	}
}

// Connections says that those without a request are not counted.
func (*lentEndpoint) Connections(context.Context) ([]webhook.Connection, error) {
	return nil, fmt.Errorf("%w: connections without a request are not counted here", webhook.ErrUnavailable)
}

// Wait blocks until something new was seen.
func (l *lentEndpoint) Wait(ctx context.Context, after webhook.Seq) (webhook.Seq, error) {
	return l.bell.Wait(ctx, after)
}

// Replan changes the answers.
func (l *lentEndpoint) Replan(ctx context.Context, respond string) error {
	if err := receiver.CheckRespond(respond); err != nil {
		return err
	}
	changed := *l.endpoint
	changed.Respond = respond
	_, err := l.house.store.SaveEndpoint(ctx, changed, false)
	return err
}

// Return closes the port and, in a store of the range's own, deletes the endpoint with its captures.
func (l *lentEndpoint) Return(ctx context.Context) error {
	l.house.mu.Lock()
	_, there := l.house.lent[l.endpoint.Name]
	delete(l.house.lent, l.endpoint.Name)
	l.house.mu.Unlock()
	if !there {
		return nil
	}
	if l.house.dir == "" {
		return l.stop()
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return errors.Join(l.stop(), l.house.store.DeleteEndpoint(ctx, l.endpoint.Name))
}
