// Package proving lends endpoints of a receiver to conformance cases.
package proving

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hookrange/hookrange/receiver"
	"github.com/hookrange/hookrange/receiver/gate"
	"github.com/hookrange/hookrange/receiver/live"
	"github.com/hookrange/hookrange/receiver/plan"
	"github.com/hookrange/hookrange/receiver/secret"
	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// Range lends endpoints to conformance cases: each has a listener of its own, where the machine allows that, all share a
// store and a receiver.
type Range struct {
	// dir is the folder of a store of the range's own; empty when store and receiver are a server's. kept is true when it
	// outlives the range.
	dir   string
	kept  bool
	store *store.Store
	bell  *live.Bell
	log   *slog.Logger
	edge  *receiver.Server
	// base is the shared port, for endpoints that can have no listener; cramped says why, or is nil.
	base    string
	cramped error
	// address is the shared port's; empty when it is a server's.
	address string
	// authority is what a sender must trust to reach an endpoint over TLS, in PEM.
	authority []byte
	// prefix begins the names of the endpoints. In a server's store they are kept until Close, so that their captures
	// can be looked at while the run goes on.
	prefix string
	// ends stops the pump and the range's own receiver; both are waited for.
	ends context.CancelFunc
	all  sync.WaitGroup
	// served is the receiver's end.
	served error

	mu    sync.Mutex
	count int
	lent  map[string]*Endpoint
}

// Config is what a range of its own needs.
type Config struct {
	// Log is required.
	Log *slog.Logger
	// Listener is the shared port. Defaults to a free one of this machine's. The range closes it.
	Listener net.Listener
	// Base is how the shared port's URLs begin for senders. Defaults to the listener's address.
	Base string
	// Dir is the folder of the store, which is kept. Defaults to a temporary one.
	Dir string
	// Prefix begins the names of all endpoints.
	Prefix string
}

// Server is a server's own store and receiver.
type Server struct {
	Store *store.Store
	Bell  *live.Bell
	Edge  *receiver.Server
	// Base begins the hook URLs of endpoints without a listener.
	Base string
	Log  *slog.Logger
}

// Open makes a store and a receiver and begins to serve. The caller closes the range, which leaves nothing behind.
func Open(ctx context.Context, config Config) (*Range, error) {
	r := &Range{dir: config.Dir, kept: config.Dir != "", bell: live.New(), log: config.Log, prefix: config.Prefix, lent: map[string]*Endpoint{}}
	var err error
	if config.Listener == nil {
		if config.Listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
			return nil, fmt.Errorf("range: %w", err)
		}
	}
	r.address = config.Listener.Addr().String()
	if r.base = strings.TrimSuffix(config.Base, "/"); r.base == "" {
		r.base = "http://" + r.address
	}
	if !r.kept {
		if r.dir, err = os.MkdirTemp("", "hookrange-test-"); err != nil {
			return nil, errors.Join(fmt.Errorf("range: %w", err), config.Listener.Close())
		}
	}
	if r.store, err = store.Open(ctx, store.Config{Dir: r.dir, Bell: r.bell, Log: r.log}); err != nil {
		return nil, errors.Join(err, config.Listener.Close(), r.remove())
	}
	edge := receiver.Config{Store: r.store, Log: r.log}
	if (gate.Ports{}).WithDefaults().Check() == nil {
		edge.Listeners = &receiver.Listeners{}
	}
	r.edge = receiver.New(edge)
	life := r.open(ctx, r.store.Last())
	if r.cramped == nil {
		err = os.WriteFile(r.authorityFile(), r.authority, 0o600)
	}
	r.all.Go(func() { r.served = r.edge.Run(life, config.Listener) })
	if err != nil {
		return nil, errors.Join(err, r.Close(ctx))
	}
	return r, nil
}

// Share lends endpoints of a server, whose names begin with a prefix. The caller closes the range, which deletes them, or
// stops it.
func Share(ctx context.Context, server Server, prefix string) *Range {
	r := &Range{
		store: server.Store, bell: server.Bell, log: server.Log, edge: server.Edge, base: server.Base, prefix: prefix, lent: map[string]*Endpoint{},
	}
	r.open(ctx, server.Store.Last())
	return r
}

// open begins to pass news on.
func (r *Range) open(ctx context.Context, after webhook.Seq) context.Context {
	if r.cramped = r.edge.CheckListener(&webhook.Endpoint{Listener: &webhook.ListenerPolicy{}}); r.cramped == nil {
		r.authority, r.cramped = r.edge.AuthorityPEM()
	}
	life, ends := context.WithCancel(context.WithoutCancel(ctx))
	r.ends = ends
	r.all.Go(func() { r.pump(life, after) })
	return life
}

// Base is how the URLs of endpoints without a listener begin.
func (r *Range) Base() string { return r.base }

// Address is the shared port's, or empty when that is a server's.
func (r *Range) Address() string { return r.address }

// Authority returns what signs the endpoints' certificates, in PEM, and the file that has it, where there is one; both
// are empty where no endpoint can have a listener.
func (r *Range) Authority() (pem []byte, file string) {
	if r.cramped != nil {
		return nil, ""
	}
	if r.dir != "" {
		file = r.authorityFile()
	}
	return r.authority, file
}

func (r *Range) authorityFile() string { return filepath.Join(r.dir, "authority.pem") }

// Close ends everything that was lent and deletes it, but the folder that Config named.
func (r *Range) Close(ctx context.Context) error {
	r.Stop()
	if r.dir == "" {
		return Clear(ctx, r.store, r.prefix, "")
	}
	return errors.Join(r.served, r.store.Close(), r.remove())
}

func (r *Range) remove() error {
	if r.kept {
		return nil
	}
	return os.RemoveAll(r.dir)
}

// Stop ends what the range does and leaves the endpoints and the store as they are.
func (r *Range) Stop() {
	r.ends()
	r.all.Wait()
}

// Clear deletes the endpoints whose names begin with a prefix, but one.
func Clear(ctx context.Context, db *store.Store, prefix, but string) error {
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
func (r *Range) pump(ctx context.Context, after webhook.Seq) {
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

// Missing says for each need of a case that cannot be met here why.
func (r *Range) Missing() map[string]string {
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

// Spec is an endpoint that a case asks for.
type Spec struct {
	// Case is the case's id, Name the endpoint's name within it.
	Case, Name string
	// Respond is a plan text.
	Respond string
	// Scheme is never empty; Param is empty for the scheme's default.
	Scheme webhook.Scheme
	Param  string
	// Secret is what the endpoint's is to be; empty for a random one.
	Secret string
	// TLS and H2 say what the listener must speak.
	TLS, H2 bool
}

// Lend opens an endpoint.
func (r *Range) Lend(ctx context.Context, spec Spec) (*Endpoint, error) {
	r.mu.Lock()
	r.count++
	name := fmt.Sprintf("%.40s-%d", spec.Name, r.count)
	if r.prefix != "" {
		name = fmt.Sprintf("%s%d", r.prefix, r.count)
	}
	r.mu.Unlock()
	value, err := spec.Secret, error(nil)
	if value == "" {
		value, err = secret.NewSecret()
	}
	if err != nil {
		return nil, err
	}
	endpoint := endpointOf(name, spec, value)
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
	lent := &Endpoint{house: r, endpoint: saved, base: r.base, secret: value, bell: live.New()}
	if r.cramped == nil {
		own, ok := r.edge.Address(name)
		if !ok {
			return nil, errors.Join(fmt.Errorf("%w: no free port for endpoint %s", webhook.ErrUnavailable, name), r.store.DeleteEndpoint(ctx, name))
		}
		lent.base = own
	}
	r.put(lent)
	return lent, nil
}

// Keep lends the endpoint of a name below the range's prefix, without a listener of its own, again and again: it is made
// the first time and changed after that, and its secret, and so its URL, stays what it was.
func (r *Range) Keep(ctx context.Context, spec Spec) (*Endpoint, error) {
	name := fmt.Sprintf("%s%.20s", r.prefix, spec.Name)
	held, err := r.store.Endpoint(name)
	if err != nil && !errors.Is(err, webhook.ErrNotFound) {
		return nil, err
	}
	var value string
	if held != nil && len(held.Secret.Secrets) > 0 {
		value = held.Secret.Secrets[0]
	} else if value, err = secret.NewSecret(); err != nil {
		return nil, err
	}
	program, err := plan.Parse(spec.Respond)
	if err != nil {
		return nil, err
	}
	if program.NeedsListener() || spec.TLS || spec.H2 {
		return nil, fmt.Errorf("%w: endpoint %s has no listener of its own for faults before HTTP, TLS or HTTP/2", webhook.ErrUnavailable, name)
	}
	endpoint := endpointOf(name, spec, value)
	// A case without a secret must not lose it for the next one.
	endpoint.Secret.Secrets = []string{value}
	if err = secret.Check(endpoint.Secret); err != nil {
		return nil, err
	}
	saved, err := r.store.SaveEndpoint(ctx, endpoint, held == nil)
	if err != nil {
		return nil, err
	}
	lent := &Endpoint{house: r, endpoint: saved, base: r.base, secret: value, bell: live.New(), kept: true}
	r.put(lent)
	return lent, nil
}

func (r *Range) put(lent *Endpoint) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lent[lent.Name()] = lent
}

func endpointOf(name string, spec Spec, value string) webhook.Endpoint {
	policy := webhook.SecretPolicy{Scheme: spec.Scheme, Param: spec.Param}
	if spec.Scheme != webhook.SchemeNone {
		policy.Secrets = []string{value}
	}
	return webhook.Endpoint{Name: name, Respond: spec.Respond, Fetch: webhook.FetchPolicy{Off: true}, Secret: policy}
}
