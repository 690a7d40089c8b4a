package scripts_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookrange/hookrange/receiver/live"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/result"
)

// try is what a played sender does once: it waits, sends, and the attempt ends.
type try struct {
	gap time.Duration
	// lasts is until the answer ended, or until the hang-up when hung is true.
	lasts time.Duration
	// unsure is by how much later the answer may have ended.
	unsure  time.Duration
	hung    bool
	status  int
	fault   webhook.Fault
	method  string
	header  string
	body    string
	reason  webhook.Reason
	message string
	// to is the name of the endpoint; empty is where the trigger pointed.
	to string
	// nothing is true for a wait without a request.
	nothing bool
	// connection is true for one that brings no request.
	connection bool
	// unseen is true for a request that has arrived, but waits for the disk until someone asks.
	unseen bool
}

// played is a Range and a Sender in one: the sender's tries go straight into the endpoints, in virtual time.
type played struct {
	tries []try
	// fails is what a trigger returns.
	fails error
	// base, unless empty, is what URLs begin with, peer where requests come from.
	base string
	peer netip.AddrPort

	mu     sync.Mutex
	seq    webhook.Seq
	open   map[string]*playedEndpoint
	lent   []scripts.Spec
	inputs []scripts.TriggerInput
	left   int
}

func (p *played) Lend(_ context.Context, spec scripts.Spec) (scripts.Endpoint, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := &playedEndpoint{house: p, spec: spec, bell: live.New()}
	p.open[spec.Name] = e
	p.lent = append(p.lent, spec)
	p.left++
	return e, nil
}

func (p *played) Trigger(ctx context.Context, in scripts.TriggerInput) error {
	p.mu.Lock()
	p.inputs = append(p.inputs, in)
	p.mu.Unlock()
	fmt.Fprintf(in.Log, "sending to %s\n", in.URL)
	for i, t := range p.tries {
		if !pause(ctx, t.gap) {
			return nil
		}
		if t.nothing {
			continue
		}
		_, name, _ := strings.Cut(in.URL, "/hooks/")
		name, _, _ = strings.Cut(name, "?")
		name, _, _ = strings.Cut(name, "/")
		if t.to != "" {
			name = t.to
		}
		p.open[name].receive(ctx, t, i, in)
	}
	return p.fails
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

type playedEndpoint struct {
	house    *played
	spec     scripts.Spec
	bell     *live.Bell
	captures []webhook.Capture
	// unseen have arrived and are not on disk yet.
	unseen      []webhook.Capture
	connections []webhook.Connection
	// late, unless 0, is by how much later than planned answers begin.
	late time.Duration
}

func (e *playedEndpoint) receive(ctx context.Context, t try, i int, in scripts.TriggerInput) {
	body, method, message := t.body, t.method, t.message
	if body == "" {
		body = `{"id":1}`
	}
	if method == "" {
		method = "POST"
	}
	if message == "" {
		message = fmt.Sprint("message ", in.N)
	}
	target := strings.TrimPrefix(in.URL, cmp.Or(e.house.base, "http://range.test"))
	c := webhook.Capture{
		ReceivedAt: time.Now(), Class: webhook.Accepted, Delivery: message, DeliveryBy: "body", Attempt: i + 1,
		Request: webhook.Request{
			Peer: e.house.peer, Method: method, Target: target, Proto: "HTTP/1.1", Body: []byte(body), BodySize: int64(len(body)), BodySHA256: sha256.Sum256([]byte(body)),
			Head: []byte(method + " " + target + " HTTP/1.1\r\nHost: range.test\r\n" + t.header + "\r\n"),
		},
	}
	if t.reason != "" {
		c.Class, c.Reason = webhook.Rejected, t.reason
	}
	if t.connection {
		e.house.mu.Lock()
		e.house.seq++
		e.connections = append(e.connections, webhook.Connection{Seq: e.house.seq, At: time.Now(), Reached: webhook.ConnRefused})
		e.house.mu.Unlock()
		e.bell.Ring(e.house.seq)
		return
	}
	if t.unseen {
		c.Seq, c.Outcome = 1<<40, &webhook.Outcome{Status: 200, Done: new(time.Duration)}
		e.house.mu.Lock()
		e.unseen = append(e.unseen, c)
		e.house.mu.Unlock()
		return
	}
	place := e.put(c)
	pause(ctx, t.lasts)
	o := &webhook.Outcome{Status: t.status, Fault: t.fault, Done: &t.lasts, FirstByte: &t.lasts, Unsure: t.unsure}
	if t.hung {
		o.HungUp, o.FirstByte, o.Status = &t.lasts, nil, 0
	}
	if o.Status == 0 && !t.hung && t.fault == "" {
		o.Status = 200
	}
	e.house.mu.Lock()
	defer e.house.mu.Unlock()
	e.captures[place].Outcome = o
	e.captures[place].Plan.Fault = t.fault
	if e.late > 0 && o.FirstByte != nil {
		e.captures[place].Plan.After = *o.FirstByte - e.late
	}
	e.house.seq++
	e.bell.Ring(e.house.seq)
}

func (e *playedEndpoint) put(c webhook.Capture) int {
	e.house.mu.Lock()
	defer e.house.mu.Unlock()
	e.house.seq++
	c.Seq = e.house.seq
	c.Plan.After = time.Hour
	if c.Class == webhook.Accepted {
		c.Plan.Text = e.spec.Respond
	}
	e.captures = append(e.captures, c)
	e.bell.Ring(e.house.seq)
	return len(e.captures) - 1
}

func (e *playedEndpoint) URL(n int) string {
	path := "/hooks/" + e.spec.Name
	if n > 1 {
		path += fmt.Sprint("/", n)
	}
	return cmp.Or(e.house.base, "http://range.test") + path + "?secret=s3cret-of-the-case"
}

func (*playedEndpoint) Secret() string { return "s3cret-of-the-case" }

func (*playedEndpoint) Mask() scripts.Mask { return hidden{} }

func (e *playedEndpoint) Captures(context.Context, bool) ([]webhook.Capture, error) {
	e.house.mu.Lock()
	defer e.house.mu.Unlock()
	return slices.Clone(e.captures), nil
}

// Settle lets what was late appear: see try.unseen.
func (e *playedEndpoint) Settle(context.Context) error {
	e.house.mu.Lock()
	defer e.house.mu.Unlock()
	e.captures = append(e.captures, e.unseen...)
	e.unseen = nil
	return nil
}

func (e *playedEndpoint) Connections(context.Context) ([]webhook.Connection, error) {
	e.house.mu.Lock()
	defer e.house.mu.Unlock()
	return slices.Clone(e.connections), nil
}

func (e *playedEndpoint) Wait(ctx context.Context, after webhook.Seq) (webhook.Seq, error) {
	return e.bell.Wait(ctx, after)
}

func (e *playedEndpoint) Replan(_ context.Context, respond string) error {
	e.spec.Respond = respond
	return nil
}

func (e *playedEndpoint) Return(context.Context) error {
	e.house.mu.Lock()
	defer e.house.mu.Unlock()
	e.house.left--
	return nil
}

type hidden struct{}

func (hidden) String(s string) string {
	return strings.ReplaceAll(s, "s3cret-of-the-case", "•••")
}
func (h hidden) Target(s string) string         { return h.String(s) }
func (h hidden) Field(_, value string) string   { return h.String(value) }
func (p *played) config(config *scripts.Config) { config.Range, config.Sender = p, p }

// play runs a script against a played sender in virtual time.
func play(t *testing.T, script string, p *played, change func(*scripts.Config)) result.Run {
	t.Helper()
	parsed, err := scripts.Parse("test.txtar", []byte(script))
	if err != nil {
		t.Fatal(err)
	}
	return playScript(t, parsed, p, change)
}

func playScript(t *testing.T, parsed *scripts.Script, p *played, change func(*scripts.Config)) result.Run {
	t.Helper()
	var run result.Run
	synctest.Test(t, func(t *testing.T) {
		p.open = map[string]*playedEndpoint{}
		config := scripts.Config{Scripts: []*scripts.Script{parsed}}
		p.config(&config)
		if change != nil {
			change(&config)
		}
		var err error
		if run, err = scripts.Run(t.Context(), config); err != nil {
			t.Fatal(err)
		}
	})
	if p.left != 0 {
		t.Errorf("%d endpoints were not given back", p.left)
	}
	return run
}

// verdicts are a case's checks as KIND VERDICT.
func verdicts(c result.Case) []string {
	var out []string
	for _, check := range c.Checks {
		words := strings.Fields(check.Text)
		out = append(out, words[min(2, len(words)-1)]+" "+string(check.Verdict))
	}
	return out
}

var errPlayed = errors.New("the played sender cannot be started")
