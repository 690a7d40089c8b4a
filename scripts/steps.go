package scripts

import (
	"context"
	"time"

	"github.com/hookrange/hookrange/scripts/result"
)

type endpointStep struct {
	line int
	spec Spec
}

func (s endpointStep) run(ctx context.Context, c *caseRun) {
	spec := s.spec
	spec.Case = c.about.ID
	respond, err := c.answers(spec.Respond)
	if err == nil {
		spec.Respond = respond
		var lent Endpoint
		if lent, err = c.config.Range.Lend(ctx, spec); err == nil {
			c.open(spec, lent)
			return
		}
	}
	c.broken(s.line, "endpoint "+spec.Name, err)
}

type replanStep struct {
	line int
	spec Spec
}

func (s replanStep) run(ctx context.Context, c *caseRun) {
	at := c.endpoints[s.spec.Name]
	respond, err := c.answers(s.spec.Respond)
	if err == nil {
		err = at.Replan(ctx, respond)
	}
	if err != nil {
		c.broken(s.line, "replan "+s.spec.Name, err)
		return
	}
	at.spec.Respond += "; then " + respond
}

// stagger is between the triggers of one command, so that a moment in which the machine is late does not fall upon the
// same place in each of the deliveries.
const stagger = 330 * time.Millisecond

type triggerStep struct {
	line, times                        int
	endpoint, operation, input, manual string
}

func (s triggerStep) run(ctx context.Context, c *caseRun) {
	at := c.endpoints[s.endpoint]
	for i := range s.times {
		at.triggers++
		c.trigger(ctx, at, s, scaled(time.Duration(i)*stagger, c.config.Scale))
	}
}

type waitStep struct {
	line           int
	endpoint       string
	attempts       int
	quiet, timeout time.Duration
	// enough is true when the wait ends with the last of the attempts.
	enough bool
}

func (s waitStep) run(ctx context.Context, c *caseRun) {
	at := c.endpoints[s.endpoint]
	s.quiet, s.timeout = scaled(s.quiet, c.config.Scale), scaled(s.timeout, c.config.Scale)
	if err := at.watch(ctx, s); err != nil {
		c.broken(s.line, "wait "+s.endpoint, err)
		return
	}
	if err := at.collect(ctx, c); err != nil {
		c.broken(s.line, "wait "+s.endpoint, err)
		return
	}
	if why := c.lacking(); why != "" && len(at.evidence.deliveries) == 0 {
		c.add(result.Check{Text: "trigger " + s.endpoint, Line: s.line, Verdict: result.Skip, Reason: at.Mask().String(why)})
		c.stop = true
	}
	c.straight(s.line, at)
}

type noteStep struct {
	line int
	text string
}

func (s noteStep) run(_ context.Context, c *caseRun) {
	c.add(result.Check{Text: "note", Line: s.line, Verdict: result.Info, Actual: s.text})
}

// stopStep ends the case: skip as one that does not apply, stop with what was found so far.
type stopStep struct {
	line  int
	skips bool
	why   string
}

func (s stopStep) run(_ context.Context, c *caseRun) {
	check := result.Check{Text: "stop", Line: s.line, Verdict: result.Info, Actual: s.why}
	if s.skips {
		check = result.Check{Text: "skip", Line: s.line, Verdict: result.Skip, Reason: s.why}
	}
	c.add(check)
	c.stop = true
}

// checkStep is expect and require.
type checkStep struct {
	line                 int
	text, endpoint, kind string
	level                result.Level
	stop                 bool
	check                check
}

func (s *checkStep) run(_ context.Context, c *caseRun) {
	at := c.endpoints[s.endpoint]
	shown := result.Check{Text: at.Mask().String(s.text), Line: s.line}
	f := c.judge(s, at)
	shown.Verdict, shown.Captures = levelled(f.verdict, s.level), f.captures
	shown.Connections = tries(f.connections, at.Mask())
	if f.silent {
		shown.Verdict = f.verdict
	}
	shown.Expected, shown.Actual, shown.Reason = f.expected, at.Mask().String(f.actual), at.Mask().String(f.reason)
	c.lagged = c.lagged || f.lagged
	c.add(shown)
	if s.stop && f.verdict != result.Pass {
		c.stop = true
	}
}

// levelled is what a finding means where the policy demands it this strongly.
func levelled(v result.Verdict, level result.Level) result.Verdict {
	switch {
	case level == result.Unstated && v != result.Error && v != result.Skip:
		return result.Info
	case level == result.Should && v == result.Fail:
		return result.Warning
	default:
		return v
	}
}
