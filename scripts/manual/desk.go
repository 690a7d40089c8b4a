// Package manual goes through a script whose sender a person triggers, at one URL: each delivery that arrives
// exercises the next case.
package manual

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/result"
)

// Main is the name of the endpoint that all cases use.
const Main = "main"

// House keeps endpoints.
type House interface {
	// Keep returns the endpoint of a name, whose URL stays what it was, with the answers of a case. Its Return makes it
	// answer 200.
	Keep(ctx context.Context, spec scripts.Spec) (Endpoint, error)
}

// Endpoint is one that is kept.
type Endpoint interface {
	scripts.Endpoint
	// Name is the endpoint's where it is kept.
	Name() string
}

// Task is what a person has to do.
type Task struct {
	// Case is the one that the next delivery exercises; empty while none waits for one.
	Case  string `json:"case"`
	Title string `json:"title"`
	// Waiting is true while the delivery is to be made, false while the case's attempts are watched. Delivery says which
	// of the case's deliveries it is, from 1.
	Waiting  bool `json:"waiting"`
	Delivery int  `json:"delivery"`
	// Header is to be sent beside the sender's own, as names and values.
	Header [][2]string `json:"header"`
	// Ignored counts attempts that no case counts: of messages that an earlier case had, or without the secret.
	Ignored int `json:"ignored"`
}

// Desk is the range and the sender of a manual run: it lends the same endpoint to one case after the other and says what a
// person has to do.
type Desk struct {
	house House
	// changed is called after each change of what the person has to do.
	changed func()

	mu    sync.Mutex
	task  Task
	lends map[string]*endpoint
}

// NewDesk returns a desk with nothing to do yet.
func NewDesk(house House, changed func()) *Desk {
	return &Desk{house: house, changed: changed, task: Task{Header: [][2]string{}}, lends: map[string]*endpoint{}}
}

// Needs says what cases cannot have at one URL that begins with base, and why.
func Needs(base string) map[string]string {
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

// Unmeasured says of each of the cases that a manual run cannot judge why.
func Unmeasured(s *scripts.Script, vars map[string]string, cases []result.Case, base string) (map[string]string, error) {
	all, err := s.Unmet(vars, Needs(base))
	maps.DeleteFunc(all, func(id, _ string) bool {
		return !slices.ContainsFunc(cases, func(c result.Case) bool { return c.ID == id })
	})
	return all, err
}

// Notes are what is known of a manual run before it begins.
func Notes(unmeasured map[string]string) []string {
	if len(unmeasured) == 0 {
		return nil
	}
	return []string{"Not judged with a sender that a person triggers: " + strings.Join(slices.Sorted(maps.Keys(unmeasured)), ", ")}
}

// Spec is what the endpoint of a manual run is before its first case and between two.
func Spec(s *scripts.Script, vars map[string]string) scripts.Spec {
	spec, _ := s.Endpoint(Main, vars)
	return scripts.Spec{Name: Main, Respond: "200", Scheme: cmp.Or(spec.Scheme, webhook.SchemeQuery), Param: spec.Param}
}

// Task returns what the person has to do.
func (d *Desk) Task() Task {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.task
}

func (d *Desk) tell(change func(*Task)) {
	d.mu.Lock()
	change(&d.task)
	d.mu.Unlock()
	d.changed()
}

// Lend gives the run's endpoint the answers of a case.
func (d *Desk) Lend(ctx context.Context, spec scripts.Spec) (scripts.Endpoint, error) {
	kept, err := d.house.Keep(ctx, spec)
	if err != nil {
		return nil, err
	}
	e := &endpoint{Endpoint: kept, old: map[string]bool{}}
	before, err := kept.Captures(ctx, false)
	if err != nil {
		return nil, err
	}
	for i := range before {
		e.since = max(e.since, before[i].Seq)
		e.old[before[i].Delivery] = true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lends[e.URL(1)] = e
	return e, nil
}

// Trigger is never called: see Await.
func (*Desk) Trigger(context.Context, scripts.TriggerInput) error { return nil }

// Await says what to do and blocks until the delivery has come.
func (d *Desk) Await(ctx context.Context, in scripts.TriggerInput) error {
	d.mu.Lock()
	e := d.lends[in.URL]
	d.mu.Unlock()
	if e == nil {
		return fmt.Errorf("%w: case %s: its endpoint is not lent", webhook.ErrNotFound, in.Case)
	}
	header := [][2]string{}
	for _, f := range in.Header {
		header = append(header, [2]string{f.Name, f.Value})
	}
	d.tell(func(t *Task) {
		*t = Task{Case: in.Case, Title: in.Title, Delivery: in.N, Waiting: true, Header: header}
	})
	defer d.tell(func(t *Task) { t.Waiting = false })
	var after webhook.Seq
	for {
		came, ignored, err := e.came(ctx)
		if err != nil || came >= in.N {
			return err
		}
		if ignored != d.Task().Ignored {
			d.tell(func(t *Task) { t.Ignored = ignored })
		}
		if after, err = e.Wait(ctx, after); err != nil {
			return err
		}
	}
}

// endpoint is the run's endpoint as one case sees it.
type endpoint struct {
	Endpoint
	// since is the newest capture before the case, old are the deliveries that were there before it.
	since webhook.Seq
	old   map[string]bool
}

// URL is the same for every trigger.
func (e *endpoint) URL(int) string { return e.Endpoint.URL(1) }

// Delivery is what the store recognises, for there is but one path.
func (*endpoint) Delivery(c *webhook.Capture) string { return c.Delivery }

// Captures returns those of the case: not what came before it, not the late attempts of messages that an earlier case
// had, and nothing without the secret before the first with it: anybody can send to a public URL.
func (e *endpoint) Captures(ctx context.Context, bodies bool) ([]webhook.Capture, error) {
	all, err := e.Endpoint.Captures(ctx, bodies)
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
func (e *endpoint) came(ctx context.Context) (messages, ignored int, err error) {
	all, err := e.Endpoint.Captures(ctx, false)
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

// Run runs the cases that have not ended one after the other and tells of each change. It returns when all have
// ended, or ctx has; a case that was under way then is as it was before.
func Run(ctx context.Context, config scripts.Config, cases []result.Case, tell func(result.Case)) error {
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
