package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/live"
	"github.com/hookrange/hookrange/receiver/plan"
	"github.com/hookrange/hookrange/receiver/secret"
	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/result"
)

// manualSender is the name of the sender that a person triggers.
const manualSender = "manual"

// manualDesk is the range and the sender of a manual run: it lends the same endpoint to one case after the other, all
// at one URL, and says what a person has to do. The server's own receiver, or one for the whole run, serves it.
type manualDesk struct {
	*provingRange
	// name is the endpoint's, base what its URL begins with.
	name, base string
	// changed is called after each change of what the person has to do.
	changed func()

	state sync.Mutex
	about api.TestManual
	lends map[string]*manualEndpoint
}

// manualName is the endpoint of a manual run among those that begin with a prefix.
func manualName(prefix string) string { return prefix + "main" }

func newManualDesk(house *provingRange, base string, unmeasured map[string]string, changed func()) *manualDesk {
	d := &manualDesk{provingRange: house, name: manualName(house.prefix), base: base, changed: changed, lends: map[string]*manualEndpoint{}}
	d.about = api.TestManual{Endpoint: d.name, Header: []api.Pair{}, Unmeasured: unmeasured}
	return d
}

// manualNeeds says what cases cannot have at one URL, and why.
func manualNeeds(base string) map[string]string {
	why := "all cases of a manual run share one URL, so none has a listener of its own"
	out := map[string]string{
		"connection-faults": why, "tls": why, "h2": why, "cap-net-raw": why,
		"custom-headers": "the sender's settings would have to be changed for this case alone",
		"own-secret":     "a manual run has one URL for all cases",
		"objects":        "the sender's own payload names its own objects",
	}
	if u, err := url.Parse(base); err == nil && !ours(u.Hostname()) {
		out["direct"] = "the sender comes by " + u.Host + ", which is no address of this machine, perhaps through a tunnel or a proxy"
	}
	return out
}

// ours tells whether a host of a URL is this machine: who connects to it comes straight from the sender, as far as can be
// known before the first request.
func ours(host string) bool {
	if name, err := os.Hostname(); host == "localhost" || err == nil && strings.EqualFold(host, name) {
		return true
	}
	asked, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return asked.IsLoopback()
	}
	return asked.IsLoopback() || slices.ContainsFunc(own, func(a net.Addr) bool {
		prefix, err := netip.ParsePrefix(a.String())
		return err == nil && prefix.Addr() == asked.Unmap()
	})
}

// unmeasured says of each of the cases that a manual run cannot judge why.
func unmeasured(s *scripts.Script, vars map[string]string, cases []result.Case, base string) (map[string]string, error) {
	all, err := s.Unmet(vars, manualNeeds(base))
	maps.DeleteFunc(all, func(id, _ string) bool {
		return !slices.ContainsFunc(cases, func(c result.Case) bool { return c.ID == id })
	})
	return all, err
}

// notesOf are what is known of a manual run before it begins.
func notesOf(unmeasured map[string]string) []string {
	if len(unmeasured) == 0 {
		return nil
	}
	return []string{"Not judged with a sender that a person triggers: " + strings.Join(slices.Sorted(maps.Keys(unmeasured)), ", ")}
}

// manualSpec is what the endpoint of a manual run is before its first case and between two.
func manualSpec(s *scripts.Script, vars map[string]string) scripts.Spec {
	spec, _ := s.Endpoint("main", vars)
	return scripts.Spec{Name: "main", Respond: "200", Scheme: cmp.Or(spec.Scheme, webhook.SchemeQuery), Param: spec.Param}
}

// now returns what the person has to do.
func (d *manualDesk) now() api.TestManual {
	d.state.Lock()
	defer d.state.Unlock()
	return d.about
}

func (d *manualDesk) tell(change func(*api.TestManual)) {
	d.state.Lock()
	change(&d.about)
	d.state.Unlock()
	d.changed()
}

// Lend gives the run's endpoint the answers of a case.
func (d *manualDesk) Lend(ctx context.Context, spec scripts.Spec) (scripts.Endpoint, error) {
	program, err := plan.Parse(spec.Respond)
	if err != nil {
		return nil, err
	}
	if program.NeedsListener() || spec.TLS || spec.H2 {
		return nil, fmt.Errorf("%w: a manual run has no listener of its own for faults before HTTP, TLS or HTTP/2", webhook.ErrUnavailable)
	}
	name := d.name
	if spec.Name != "main" {
		name = fmt.Sprintf("%s%.20s", d.prefix, spec.Name)
	}
	saved, value, err := saveManual(ctx, d.store, name, spec)
	if err != nil {
		return nil, err
	}
	lent := &lentEndpoint{house: d.provingRange, endpoint: saved, base: d.base, secret: value, bell: live.New()}
	e := &manualEndpoint{lentEndpoint: lent, desk: d, old: map[string]bool{}}
	before, err := lent.Captures(ctx, false)
	if err != nil {
		return nil, err
	}
	for i := range before {
		e.since = max(e.since, before[i].Seq)
		e.old[before[i].Delivery] = true
	}
	d.mu.Lock()
	d.lent[name] = lent
	d.mu.Unlock()
	d.state.Lock()
	d.lends[e.URL(1)] = e
	d.state.Unlock()
	return e, nil
}

// saveManual makes or changes an endpoint. Its secret, and so its URL, stays what it was.
func saveManual(ctx context.Context, db *store.Store, name string, spec scripts.Spec) (*webhook.Endpoint, string, error) {
	held, err := db.Endpoint(name)
	if err != nil && !errors.Is(err, webhook.ErrNotFound) {
		return nil, "", err
	}
	var value string
	if held != nil && len(held.Secret.Secrets) > 0 {
		value = held.Secret.Secrets[0]
	} else if value, err = secret.NewSecret(); err != nil {
		return nil, "", err
	}
	endpoint := webhook.Endpoint{
		Name: name, Respond: spec.Respond, Fetch: webhook.FetchPolicy{Off: true},
		Secret: webhook.SecretPolicy{Scheme: spec.Scheme, Param: spec.Param, Secrets: []string{value}},
	}
	if spec.Scheme == webhook.SchemeNone {
		endpoint.Secret.Secrets = nil
	}
	_, err = plan.Parse(spec.Respond)
	if err = errors.Join(secret.Check(endpoint.Secret), err); err != nil {
		return nil, "", err
	}
	saved, err := db.SaveEndpoint(ctx, endpoint, held == nil)
	return saved, value, err
}

// Trigger is never called: see Await.
func (*manualDesk) Trigger(context.Context, scripts.TriggerInput) error { return nil }

// Await says what to do and blocks until the delivery has come.
func (d *manualDesk) Await(ctx context.Context, in scripts.TriggerInput) error {
	d.state.Lock()
	e := d.lends[in.URL]
	d.state.Unlock()
	if e == nil {
		return fmt.Errorf("%w: case %s: its endpoint is not lent", webhook.ErrNotFound, in.Case)
	}
	header := []api.Pair{}
	for _, f := range in.Header {
		header = append(header, api.Pair{f.Name, f.Value})
	}
	d.tell(func(m *api.TestManual) {
		m.Case, m.Title, m.Delivery, m.Waiting, m.Header, m.Ignored = in.Case, in.Title, in.N, true, header, 0
		if in.Manual != "" {
			m.Title += ": " + in.Manual
		}
	})
	defer d.tell(func(m *api.TestManual) { m.Waiting = false })
	var after webhook.Seq
	for {
		came, ignored, err := e.came(ctx)
		if err != nil || came >= in.N {
			return err
		}
		if ignored != d.now().Ignored {
			d.tell(func(m *api.TestManual) { m.Ignored = ignored })
		}
		if after, err = e.Wait(ctx, after); err != nil {
			return err
		}
	}
}

// manualEndpoint is the run's endpoint as one case sees it.
type manualEndpoint struct {
	*lentEndpoint
	desk *manualDesk
	// since is the newest capture before the case, old are the deliveries that were there before it.
	since webhook.Seq
	old   map[string]bool
}

// URL is the same for every trigger.
func (e *manualEndpoint) URL(int) string { return e.lentEndpoint.URL(1) }

// Delivery is what the store recognises, for there is but one path.
func (*manualEndpoint) Delivery(c *webhook.Capture) string { return c.Delivery }

// Captures returns those of the case: not what came before it, not the late attempts of messages that an earlier case
// had, and nothing without the secret before the first with it: anybody can send to a public URL.
func (e *manualEndpoint) Captures(ctx context.Context, bodies bool) ([]webhook.Capture, error) {
	all, err := e.lentEndpoint.Captures(ctx, bodies)
	var own []webhook.Capture
	for i := range all {
		c := &all[i]
		if c.Seq > e.since && !e.old[c.Delivery] && (len(own) > 0 || c.Class == webhook.Accepted) {
			own = append(own, *c)
		}
	}
	return own, err
}

// came counts the messages of the case so far, and the attempts since its beginning that are not its own.
func (e *manualEndpoint) came(ctx context.Context) (messages, ignored int, err error) {
	all, err := e.lentEndpoint.Captures(ctx, false)
	if err != nil {
		return 0, 0, err
	}
	ids := map[string]bool{}
	for i := range all {
		switch c := &all[i]; {
		case c.Seq <= e.since:
		case e.old[c.Delivery], c.Class != webhook.Accepted:
			ignored++
		default:
			ids[c.Delivery] = true
		}
	}
	return len(ids), ignored, nil
}

// Return makes the endpoint answer 200 to whatever comes until the next case.
func (e *manualEndpoint) Return(ctx context.Context) error {
	e.desk.mu.Lock()
	_, there := e.desk.lent[e.endpoint.Name]
	delete(e.desk.lent, e.endpoint.Name)
	e.desk.mu.Unlock()
	if !there {
		return nil
	}
	return e.Replan(ctx, "200")
}

// oneByOne runs the cases that have not ended one after the other and tells of each change. It returns when all have
// ended, or ctx has; a case that was under way then is as it was before.
func oneByOne(ctx context.Context, config scripts.Config, cases []result.Case, tell func(result.Case)) error {
	config.Jobs = 1
	// A person is asked again at most once because the machine was late.
	config.Again = 1
	for i := range cases {
		before := cases[i]
		if before.State == "ended" {
			continue
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // that ctx has ended is no failure
		}
		config.Case = literal(before.ID)
		config.Progress = func(now result.Case) {
			if ctx.Err() == nil {
				tell(now)
			}
		}
		if _, err := scripts.Run(ctx, config); err != nil {
			return err
		}
		if ctx.Err() != nil {
			before.State = "waiting"
			tell(before)
		}
	}
	return nil
}

// literal is a pattern that matches a case's id only.
func literal(id string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(id)
}
