package scripts

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hookrange/hookrange/receiver/lag"
	"github.com/hookrange/hookrange/scripts/result"
)

// maxSaid bounds what is kept of a sender's own words.
const maxSaid = 8 << 10

// caseRun is one case under way.
type caseRun struct {
	config *Config
	*scenario
	about result.Case
	// order has the endpoints as they were opened.
	endpoints map[string]*lentEndpoint
	order     []*lentEndpoint
	// vars are the scenario's, with what was set since; urls those of presign by name.
	vars  map[string]string
	urls  map[string]string
	clock *lag.Watch
	// lagged is true when a check could not tell because the machine was late, stop when no further step is to run.
	lagged, stop bool

	triggers sync.WaitGroup
	endAll   context.CancelFunc
	said     transcript
	mu       sync.Mutex
	failures []string
	// lacks is what the sender answered when it was asked for an operation that it does not have.
	lacks string
}

// transcript keeps the beginning of what a sender says.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write keeps what fits.
func (s *transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p[:min(len(p), maxSaid-s.text.Len())])
	return len(p), nil
}

func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// runCase runs a case once and leaves nothing behind.
func runCase(ctx context.Context, config *Config, sc *scenario, birds *lag.Canary) (result.Case, bool) {
	c := &caseRun{
		config: config, scenario: sc, about: sc.about, endpoints: map[string]*lentEndpoint{}, vars: sc.vars, urls: map[string]string{},
	}
	c.about.State, c.about.Started = "running", time.Now().UTC()
	c.about.Expected = scaled(c.about.Expected, config.Scale)
	c.clock = birds.Watch()
	defer c.clock.End()
	if c.met() {
		c.steps(ctx)
	}
	c.about.Lag = c.clock.Worst()
	c.about.Ended, c.about.State = time.Now().UTC(), "ended"
	c.about.Verdict = verdictOf(c.about.Checks)
	return c.about, c.lagged
}

// verdictOf is the worst of the checks'. Without one that says anything, nothing was measured.
func verdictOf(checks []result.Check) result.Verdict {
	var worst result.Verdict
	for _, c := range checks {
		worst = result.Worst(worst, c.Verdict)
	}
	if worst == "" {
		return result.Inconclusive
	}
	return worst
}

// met notes the needs that cannot be met here.
func (c *caseRun) met() bool {
	for _, name := range c.needs {
		if variable, isVar := strings.CutPrefix(name, "var:"); isVar {
			if c.vars[variable] == "" {
				c.add(result.Check{
					Text: "needs " + name, Line: c.about.Line, Verdict: result.Skip,
					Reason: fmt.Sprintf("nothing is known of %s; give it with --set %s=VALUE", variable, variable),
				})
				return false
			}
			continue
		}
		why, missing := c.config.Missing[name]
		if !missing {
			continue
		}
		verdict := result.Inconclusive
		// What nobody would judge is not missed.
		if n, _ := needOf(name); n.skips || c.about.Requirement.Level == result.Unstated {
			verdict = result.Skip
		}
		c.add(result.Check{Text: "needs " + name, Line: c.about.Line, Verdict: verdict, Reason: why})
		return false
	}
	return true
}

// steps runs all steps, then ends the sender and gives the endpoints back.
func (c *caseRun) steps(ctx context.Context) {
	ctx, c.endAll = context.WithCancel(ctx)
	defer c.endAll()
	for _, s := range c.scenario.steps {
		if c.stop {
			break
		}
		if ctx.Err() != nil {
			c.add(result.Check{Text: "cancelled", Line: c.about.Line, Verdict: result.Inconclusive, Reason: "the run was cancelled"})
			break
		}
		s.run(ctx, c)
	}
	c.endAll()
	c.triggers.Wait()
	c.about.Trigger = c.said.String()
	giveBack := context.WithoutCancel(ctx)
	for _, at := range c.order {
		c.about.Trigger = at.Mask().String(c.about.Trigger)
		c.about.Endpoints = append(c.about.Endpoints, at.evidence.shown(at.spec, at.Mask()))
		if err := at.Return(giveBack); err != nil {
			c.broken(c.about.Line, "give "+at.spec.Name+" back", err)
		}
	}
}

func (c *caseRun) add(check result.Check) { c.about.Checks = append(c.about.Checks, check) }

// broken notes that our own side failed; without it the case cannot go on.
func (c *caseRun) broken(line int, what string, err error) {
	c.stop = true
	check := result.Check{Text: what, Line: line, Verdict: result.Error, Reason: err.Error()}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		check.Verdict, check.Reason = result.Inconclusive, "the run was cancelled"
	}
	c.add(check)
}

func (c *caseRun) open(spec Spec, lent Endpoint) {
	at := &lentEndpoint{Endpoint: lent, spec: spec, ended: make(chan struct{}, 1000)}
	c.endpoints[spec.Name] = at
	c.order = append(c.order, at)
}

// answers makes a plan text ready: times scaled, {NAME} replaced by the URL of that endpoint.
func (c *caseRun) answers(text string) (string, error) {
	for name, at := range c.endpoints {
		text = strings.ReplaceAll(text, "{"+name+"}", at.URL(1))
	}
	return scalePlan(text, c.config.Scale)
}

// trigger makes the sender send after a delay. It waits for that only when somebody else must do it.
func (c *caseRun) trigger(ctx context.Context, at *lentEndpoint, s triggerStep, delay time.Duration) {
	in := TriggerInput{
		Case: c.about.ID, Title: c.about.Title, URL: at.URL(at.triggers), Secret: at.Secret(), Scheme: at.spec.Scheme, Payload: c.payload,
		Body: c.message(), Header: slices.Clone(c.header), N: at.triggers, Scale: c.config.Scale, Log: &c.said,
		Operation: s.operation, Input: []byte(s.input), Manual: s.manual,
	}
	start, waits := c.config.Sender.Trigger, false
	if awaiter, ok := c.config.Sender.(Awaiter); ok {
		start, waits = awaiter.Await, true
	}
	begin := func() {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return
		}
		c.spawn(at, in.URL)
		err := start(ctx, in)
		if err != nil && ctx.Err() == nil {
			c.mu.Lock()
			c.failures = append(c.failures, fmt.Sprintf("line %d: %s", s.line, at.Mask().String(err.Error())))
			if errors.Is(err, ErrNoOperation) {
				c.lacks = err.Error()
			}
			c.mu.Unlock()
		}
		select {
		case at.ended <- struct{}{}:
		case <-ctx.Done():
		}
	}
	if waits {
		begin()
		// Somebody's time is none of the sender's.
		c.about.Started = time.Now().UTC()
		return
	}
	c.triggers.Go(begin)
}

// spawn notes when a trigger begins whose sender is a program of its own.
func (c *caseRun) spawn(at *lentEndpoint, to string) {
	spawner, ok := c.config.Sender.(Spawner)
	if !ok || !spawner.Spawns() {
		return
	}
	parsed, err := url.Parse(to)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.spawned == nil {
		at.spawned = map[string]time.Time{}
	}
	at.spawned[parsed.EscapedPath()] = time.Now()
}

// silent says why nothing came, as far as that is known.
func (c *caseRun) silent(at *lentEndpoint) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	reason := "no delivery came"
	if len(c.failures) > 0 {
		return reason + ": " + strings.Join(c.failures, "; ")
	}
	if known, ok := c.config.Sender.(Explainer); ok {
		reason += ": " + known.Silence()
	} else if at.evidence.atWork {
		reason += ", and the sender's command had not ended when the wait's timeout came"
	}
	return reason
}

// unheard is what a check finds of an endpoint where nothing came. A program on a machine that is very late may have
// given up before it could connect.
func (c *caseRun) unheard(at *lentEndpoint) finding {
	f := finding{verdict: result.Inconclusive, silent: true, reason: c.silent(at)}
	if e := &at.evidence; e.starved() {
		f.lagged = true
		f.reason += "; " + e.busy() + "it may have kept the sender's program from sending"
	}
	return f
}

// lacking is what the sender answered when it has no such operation.
func (c *caseRun) lacking() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lacks
}

// judge lets a check look at an endpoint's evidence, when there is any that it can be about.
func (c *caseRun) judge(s *checkStep, at *lentEndpoint) finding {
	e := &at.evidence
	kind, _ := kindOf(s.kind)
	all := e.all()
	e.lag, e.clock, e.vars = max(c.clock.Worst(), lateness(all)), c.clock, c.vars
	c.mu.Lock()
	e.spawned = maps.Clone(at.spawned)
	c.mu.Unlock()
	switch {
	case s.kind == "connections", at.triggers == 0 && kind.counts && len(all) == 0:
		// An endpoint that the sender was never told of proves something by its silence, once others were heard.
		if at.triggers == 0 && !c.heard() || at.triggers > 0 && e.uncounted == "" && len(all)+len(e.connections) == 0 {
			return c.unheard(at)
		}
	case len(all) == 0:
		return c.unheard(at)
	case kind.proof:
	case len(e.rejected()) > 0:
		bad := e.rejected()
		return finding{
			verdict: result.Inconclusive, captures: seqs(bad),
			reason: fmt.Sprintf("attempt %d was refused (%s), so it did not get the planned answer", bad[0].n, bad[0].Reason),
		}
	}
	if kind.wire {
		if why, captures := c.between(at); why != "" {
			return finding{verdict: result.Inconclusive, reason: why, captures: captures}
		}
	}
	f := s.check.judge(e)
	if f.verdict == result.Fail && (kind.timed || f.few && !at.brief(e)) && e.starved() {
		f.verdict, f.lagged = result.Inconclusive, true
		f.reason = e.busy() + "it may have kept the sender's program from acting in time"
	}
	if f.verdict == result.Fail && f.given && e.starved() {
		f.verdict, f.lagged = result.Inconclusive, true
		f.reason = e.busy() + "the sender's program may not have seen its answer before its own timeout"
	}
	switch {
	case s.kind == "answered" && f.lagged:
		at.unanswered = f.reason
	case kind.counts && at.unanswered != "" && f.verdict != result.Inconclusive:
		f.verdict, f.lagged, f.reason = result.Inconclusive, true, "the sender may not have waited for the planned answer: "+at.unanswered
	}
	return f
}

// heard tells whether any endpoint of the case got something.
func (c *caseRun) heard() bool {
	return slices.ContainsFunc(c.order, func(at *lentEndpoint) bool { return len(at.evidence.deliveries) > 0 })
}
