package scripts_test

import (
	"context"
	"testing"

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
