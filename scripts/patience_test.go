package scripts_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/result"
)

// detached is a sender whose trigger comes back at once, as a server's does.
type detached struct{ *played }

func (d detached) Trigger(ctx context.Context, in scripts.TriggerInput) error {
	go func() { _ = d.played.Trigger(ctx, in) }() // ends with the case
	return nil
}

// TestPatience: a try that comes late is counted while the sender is at work, or its gaps have grown.
func TestPatience(t *testing.T) {
	t.Parallel()
	late := []try{{}, {gap: second}, {gap: 20 * second}}
	connections := []try{{connection: true}, {gap: 2 * second, connection: true}, {gap: 5 * second, connection: true}}
	for name, test := range map[string]struct {
		tries    []try
		detached bool
		expect   string
		want     result.Verdict
	}{
		"a sender at work":                   {late, false, "attempts <= 2", result.Fail},
		"one that has come back":             {late, true, "attempts <= 2", result.Pass},
		"connections of a sender at work":    {connections, false, "connections <= 2", result.Fail},
		"connections at gaps that grow":      {connections, true, "connections <= 2", result.Fail},
		"connections, none of them too many": {connections[:2], true, "connections <= 2", result.Pass},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &played{tries: test.tries}
			run := play(t, head+"expect main "+test.expect+"\n", p, func(c *scripts.Config) {
				if test.detached {
					c.Sender = detached{p}
				}
			})
			if got := run.Cases[0].Verdict; got != test.want {
				t.Errorf("got %s, want %s: %+v", got, test.want, run.Cases[0].Checks)
			}
		})
	}
}

// spawned is a sender whose program takes its time before it sends.
type spawned struct{ *played }

func (spawned) Spawns() bool { return true }

// TestProgramsThatAreSlowToStart has hang-ups that come too early after the arrival, and perhaps not after the start.
func TestProgramsThatAreSlowToStart(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		starts, hangsUp time.Duration
		want            []string
	}{
		"just started":             {20 * time.Millisecond, 3 * time.Second, []string{"answered fail", "attempts fail", "hangup fail"}},
		"slow to start":            {2 * time.Second, 3200 * time.Millisecond, []string{"answered inconclusive", "attempts inconclusive", "hangup inconclusive"}},
		"slow, and hangs up early": {2 * time.Second, time.Second, []string{"answered fail", "attempts fail", "hangup fail"}},
		"does other things first":  {20 * time.Second, 3 * time.Second, []string{"answered fail", "attempts fail", "hangup fail"}},
		"slow, and hangs up rightly": {
			2 * time.Second, 5 * time.Second, []string{"answered inconclusive", "attempts inconclusive", "hangup pass"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &played{tries: []try{{gap: test.starts, lasts: test.hangsUp, hung: true}}}
			script := head + "expect main answered limit=5s\nexpect main attempts >= 2\nexpect main hangup after=5s\n"
			run := play(t, script, p, func(c *scripts.Config) { c.Sender = spawned{p} })
			if diff := cmp.Diff(test.want, verdicts(run.Cases[0])); diff != "" {
				t.Errorf("(-want +got)\n%s\n%+v", diff, run.Cases[0].Checks)
			}
		})
	}
	t.Run("a sender that runs already", func(t *testing.T) {
		t.Parallel()
		p := &played{tries: []try{{gap: 2 * time.Second, lasts: 3200 * time.Millisecond, hung: true}}}
		run := play(t, head+"expect main hangup after=5s\n", p, nil)
		if diff := cmp.Diff([]string{"hangup fail"}, verdicts(run.Cases[0])); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

// TestStartsOfABusyMachine: a program that takes long to start may have begun its clock, unless it had the machine to itself.
func TestStartsOfABusyMachine(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ start, lag, want time.Duration }{
		"in time":                       {second, 0, second},
		"before its clock can be ahead": {-second, 0, 0},
		"other things first":            {20 * second, 5 * time.Millisecond, 0},
		"kept from starting":            {20 * second, 150 * time.Millisecond, 5 * second},
		"somewhat late":                 {second, 150 * time.Millisecond, second},
	} {
		if got := scripts.StartedAhead(test.start, 5*second, test.lag); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// late is a sender whose machine is late: its first attempt is answered so much later than planned.
type late struct {
	spawned
	by time.Duration
}

func (l late) Trigger(ctx context.Context, in scripts.TriggerInput) error {
	l.open["main"].late = l.by
	return l.spawned.Trigger(ctx, in)
}

// telling is a program that tells another one to send, and comes back at once.
type telling struct{ late }

func (l telling) Trigger(ctx context.Context, in scripts.TriggerInput) error {
	go func() { _ = l.late.Trigger(ctx, in) }() // ends with the case
	return nil
}

// TestSwamped: on a machine that is very late, when a program acts proves nothing; what it does still does.
func TestSwamped(t *testing.T) {
	t.Parallel()
	tries := []try{{lasts: second}, {gap: 1500 * time.Millisecond, lasts: second}, {gap: second, lasts: 9 * second, hung: true}}
	script := head + "expect main spacing growing\nexpect main gap 1 max=1s\nexpect main hangup after=5s attempt=3\n" +
		"expect main attempts >= 4\nexpect main attempts <= 2\n"
	for name, test := range map[string]struct {
		by   time.Duration
		want []string
	}{
		"calm": {time.Millisecond, []string{"spacing fail", "gap fail", "hangup fail", "attempts fail", "attempts fail"}},
		"swamped": {300 * time.Millisecond, []string{
			"spacing inconclusive", "gap inconclusive", "hangup inconclusive", "attempts inconclusive", "attempts fail",
		}},
		// A third of what the first gap is beyond its bound, and more.
		"somewhat late": {199 * time.Millisecond, []string{"spacing fail", "gap inconclusive", "hangup fail", "attempts fail", "attempts fail"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &played{tries: tries}
			run := play(t, script, p, func(c *scripts.Config) { c.Sender, c.Again = late{spawned{p}, test.by}, -1 })
			if diff := cmp.Diff(test.want, verdicts(run.Cases[0])); diff != "" {
				t.Errorf("(-want +got)\n%s\n%+v", diff, run.Cases[0].Checks)
			}
		})
	}
}

// TestSwampedTimeouts: on a machine that is very late, a program may give up a request that was answered in time, and try
// again for that alone. It takes as long as senders wait.
func TestSwampedTimeouts(t *testing.T) {
	t.Parallel()
	again := func(gaps ...time.Duration) []try {
		tries := []try{{lasts: second}}
		for _, gap := range gaps {
			tries = append(tries, try{gap: gap, lasts: second})
		}
		return tries
	}
	hung := []try{{lasts: 5 * second, hung: true, fault: webhook.Hang}, {gap: second, lasts: second}}
	for name, test := range map[string]struct {
		tries  []try
		by     time.Duration
		expect string
		want   string
	}{
		"gave up":                        {again(5 * second), 300 * time.Millisecond, "attempts == 1", "inconclusive"},
		"gave up, on a calm machine":     {again(5 * second), 100 * time.Millisecond, "attempts == 1", "fail"},
		"tried again at once":            {again(second), 300 * time.Millisecond, "attempts == 1", "fail"},
		"gave up once, tried again once": {again(5*second, second), 300 * time.Millisecond, "attempts == 1", "fail"},
		"gave up one of too many":        {again(second, second, 3*second), 300 * time.Millisecond, "attempts <= 3", "inconclusive"},
		"gave up before an answer":       {hung, 300 * time.Millisecond, "attempts == 1", "fail"},
		"gave up, and may":               {again(5 * second), 300 * time.Millisecond, "attempts <= 2", "pass"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &played{tries: test.tries}
			run := play(t, head+"expect main "+test.expect+"\n", p, func(c *scripts.Config) { c.Sender, c.Again = late{spawned{p}, test.by}, -1 })
			if diff := cmp.Diff([]string{"attempts " + test.want}, verdicts(run.Cases[0])); diff != "" {
				t.Errorf("(-want +got)\n%s\n%+v", diff, run.Cases[0].Checks)
			}
		})
	}
}

// TestSwampedBriefly: a program that has come back before any sender's time is over has done all that it would.
func TestSwampedBriefly(t *testing.T) {
	t.Parallel()
	brief, long := []try{{gap: second, lasts: second}}, []try{{gap: second, lasts: 2 * second}}
	for name, test := range map[string]struct {
		tries  []try
		apart  bool
		expect string
		want   string
	}{
		"back soon":                   {brief, false, "attempts >= 2", "fail"},
		"back when its time may be":   {long, false, "attempts >= 2", "inconclusive"},
		"only told another":           {brief, true, "attempts >= 2", "inconclusive"},
		"a connection, back soon":     {[]try{{lasts: second}, {connection: true}}, false, "connections >= 2", "fail"},
		"a connection, back too late": {[]try{{lasts: 3 * second}, {connection: true}}, false, "connections >= 2", "inconclusive"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &played{tries: test.tries}
			by := late{spawned{p}, 300 * time.Millisecond}
			run := play(t, head+"expect main "+test.expect+"\n", p, func(c *scripts.Config) {
				c.Sender, c.Again = by, -1
				if test.apart {
					c.Sender = telling{by}
				}
			})
			if diff := cmp.Diff(test.want, string(run.Cases[0].Verdict)); diff != "" {
				t.Errorf("(-want +got)\n%s\n%+v", diff, run.Cases[0].Checks)
			}
		})
	}
}

// TestSwampedSilence: that nothing came from a program on a machine that is very late is looked at again.
func TestSwampedSilence(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		late  time.Duration
		apart bool
		want  int
	}{
		"calm":                  {0, false, 1},
		"swamped":               {300 * time.Millisecond, false, 3},
		"one that is not on it": {300 * time.Millisecond, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &played{tries: []try{{gap: second, nothing: true}}}
			run := play(t, head+"expect main attempts == 1\n", p, func(c *scripts.Config) {
				if !test.apart {
					c.Sender = spawned{p}
				}
				// Every look at the clock is late.
				var ahead time.Duration
				scripts.Watched(c, func() time.Time {
					ahead += test.late
					return time.Now().Add(ahead)
				})
			})
			if got := run.Cases[0].Verdict; got != result.Inconclusive || len(p.inputs) != test.want {
				t.Errorf("%s after %d runs, want %d: %+v", got, len(p.inputs), test.want, run.Cases[0].Checks)
			}
		})
	}
}
