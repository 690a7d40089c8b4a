package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hookrange/hookrange/receiver"
	"github.com/hookrange/hookrange/receiver/gate"
	"github.com/hookrange/hookrange/receiver/live"
	"github.com/hookrange/hookrange/receiver/secret"
	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
)

// provingRange lends endpoints to conformance cases: each has a listener of its own, where the machine allows that, all
// share a store and a receiver, and nothing of it is left after close.
type provingRange struct {
	// dir is the temporary folder of a store of the range's own; empty when store and receiver are the server's.
	dir   string
	store *store.Store
	bell  *live.Bell
	log   *slog.Logger
	edge  *receiver.Server
	// base is the shared port, for endpoints that can have no listener; cramped says why, or is nil.
	base    string
	cramped error
	// authority is what a sender must trust to reach an endpoint over TLS, in PEM.
	authority []byte
	// prefix begins the names of the endpoints. In a server's store they are kept until close, so that their captures
	// can be looked at while the run goes on.
	prefix string
	// ends stops the pump and the range's own receiver; both are waited for.
	ends context.CancelFunc
	all  sync.WaitGroup
	// served is the receiver's end.
	served error
	// objects are what the payloads of cases name by presigned URLs.
	objects testObjects

	mu    sync.Mutex
	count int
	lent  map[string]*lentEndpoint
}

// openRange makes the store and the receiver, and begins to pass news on. The caller closes it.
func openRange(ctx context.Context, log *slog.Logger) (*provingRange, error) {
	dir, err := os.MkdirTemp("", "hookrange-test-")
	if err != nil {
		return nil, fmt.Errorf("range: %w", err)
	}
	r := &provingRange{dir: dir, bell: live.New(), log: log, lent: map[string]*lentEndpoint{}}
	if r.store, err = store.Open(ctx, store.Config{Dir: dir, Bell: r.bell, Log: log}); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	shared, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, r.store.Close(), os.RemoveAll(dir))
	}
	config := receiver.Config{Store: r.store, Log: log}
	if (gate.Ports{}).WithDefaults().Check() == nil {
		config.Listeners = &receiver.Listeners{}
	}
	r.edge, r.base = receiver.New(config), reachable(shared.Addr())
	life := r.open(ctx, 0)
	if r.cramped == nil {
		err = os.WriteFile(r.authorityFile(), r.authority, 0o600)
	}
	r.all.Go(func() { r.served = r.edge.Run(life, shared) })
	if err != nil {
		return nil, errors.Join(err, r.close(ctx))
	}
	return r, nil
}

// shareRange lends endpoints of a server's own store, whose names begin with a prefix. The caller closes it.
func shareRange(ctx context.Context, h *house, prefix string) *provingRange {
	r := &provingRange{store: h.store, bell: h.bell, log: h.log, edge: h.edge, base: h.base, prefix: prefix, lent: map[string]*lentEndpoint{}}
	r.open(ctx, h.store.Last())
	return r
}

// open begins to pass news on.
func (r *provingRange) open(ctx context.Context, after webhook.Seq) context.Context {
	if r.cramped = r.edge.CheckListener(&webhook.ListenerPolicy{}); r.cramped == nil {
		r.authority, r.cramped = r.edge.AuthorityPEM()
	}
	life, ends := context.WithCancel(context.WithoutCancel(ctx))
	r.ends = ends
	r.all.Go(func() { r.pump(life, after) })
	return life
}

func (r *provingRange) authorityFile() string { return filepath.Join(r.dir, "authority.pem") }

// close ends everything that was lent and deletes it.
func (r *provingRange) close(ctx context.Context) error {
	r.stop()
	kept := r.objects.close()
	if r.dir == "" {
		return errors.Join(kept, deleteEndpoints(ctx, r.store, r.prefix, ""))
	}
	return errors.Join(kept, r.served, r.store.Close(), os.RemoveAll(r.dir))
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

// missing says what cases cannot have here, and why.
func (r *provingRange) missing() map[string]string {
	missing := map[string]string{}
	if r.cramped != nil {
		for _, need := range []string{"connection-faults", "tls", "h2", "cap-net-raw"} {
			missing[need] = "no endpoint can have a listener of its own here: " + r.cramped.Error()
		}
		return missing
	}
	if ok, why := r.edge.Countable(); !ok {
		missing["cap-net-raw"] = why
	}
	return missing
}

// Lend opens an endpoint.
func (r *provingRange) Lend(ctx context.Context, spec scripts.Spec) (scripts.Endpoint, error) {
	value, err := spec.Secret, error(nil)
	if value == "" {
		value, err = secret.NewSecret()
	}
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
	if r.cramped == nil {
		endpoint.Listener = &webhook.ListenerPolicy{TLS: spec.TLS || spec.H2, H2: spec.H2}
	}
	if err = errors.Join(secret.Check(endpoint.Secret), r.edge.CheckRespond(spec.Respond)); err != nil {
		return nil, err
	}
	saved, err := r.store.SaveEndpoint(ctx, endpoint, true)
	if err != nil {
		return nil, err
	}
	lent := &lentEndpoint{house: r, endpoint: saved, base: r.base, secret: value, bell: live.New()}
	if r.cramped == nil {
		own, ok := r.edge.Address(name)
		if !ok {
			return nil, errors.Join(fmt.Errorf("%w: no free port for endpoint %s", webhook.ErrUnavailable, name), r.store.DeleteEndpoint(ctx, name))
		}
		lent.base = own
	}
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

// Settle goes through the store's one writer, which has written by then what came before.
func (l *lentEndpoint) Settle(ctx context.Context) error {
	_, err := l.house.store.SaveEndpoint(ctx, *l.endpoint, false)
	return err
}

// Connections returns those that brought no request: the ended ones, and those that are open and have brought none yet.
func (l *lentEndpoint) Connections(ctx context.Context) ([]webhook.Connection, error) {
	switch {
	case l.house.cramped != nil:
		return nil, fmt.Errorf("%w: %w", webhook.ErrUnavailable, l.house.cramped)
	case l.endpoint.Listener == nil:
		return nil, fmt.Errorf("%w: the endpoint has no listener of its own, so connections without a request are not counted", webhook.ErrUnavailable)
	}
	var all []webhook.Connection
	for after := webhook.Seq(0); ; {
		part, err := l.house.store.Connections(ctx, l.endpoint.Name, after, 1000)
		if err != nil {
			return nil, err
		}
		if len(part) == 0 {
			break
		}
		after = part[len(part)-1].Seq
		all = append(all, part...)
	}
	all = append(all, l.house.edge.Open(l.endpoint.Name)...)
	slices.SortStableFunc(all, func(a, b webhook.Connection) int { return a.At.Compare(b.At) })
	// A try that was dropped first and accepted when the sender's system repeated it is one try.
	seen := map[netip.AddrPort]bool{}
	for i := range all {
		seen[all[i].Peer] = seen[all[i].Peer] || all[i].Requests > 0
	}
	return slices.DeleteFunc(all, func(c webhook.Connection) bool {
		done := seen[c.Peer]
		seen[c.Peer] = true
		return done
	}), nil
}

// Wait blocks until something new was seen.
func (l *lentEndpoint) Wait(ctx context.Context, after webhook.Seq) (webhook.Seq, error) {
	return l.bell.Wait(ctx, after)
}

// Replan changes the answers.
func (l *lentEndpoint) Replan(ctx context.Context, respond string) error {
	if err := l.house.edge.CheckRespond(respond); err != nil {
		return err
	}
	changed := *l.endpoint
	changed.Respond = respond
	saved, err := l.house.store.SaveEndpoint(ctx, changed, false)
	if err == nil {
		l.endpoint = saved
	}
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
		kept := *l.endpoint
		kept.Respond, kept.Listener = "", nil
		_, err := l.house.store.SaveEndpoint(ctx, kept, false)
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return l.house.store.DeleteEndpoint(ctx, l.endpoint.Name)
}
