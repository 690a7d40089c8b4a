package scripts_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/result"
)

// dicing is a sender whose waits are others in each delivery.
type dicing struct {
	*played
	// waits are before the second and the third attempt, delivery by delivery.
	waits [][2]time.Duration
}

func (d dicing) Trigger(ctx context.Context, in scripts.TriggerInput) error {
	w := d.waits[in.N-1]
	for i, t := range []try{{}, {gap: w[0]}, {gap: w[1]}} {
		if !pause(ctx, t.gap) {
			return nil
		}
		d.open["main"].receive(ctx, t, i, in)
	}
	return nil
}

// TestJitter: waits that are drawn show nothing when three of them happen not to grow; when they do, or by another factor,
// the report says that this was by chance.
func TestJitter(t *testing.T) {
	t.Parallel()
	ms := func(first, second int) [2]time.Duration {
		return [2]time.Duration{time.Duration(first) * time.Millisecond, time.Duration(second) * time.Millisecond}
	}
	for name, test := range map[string]struct {
		form  string
		waits [][2]time.Duration
		want  result.Verdict
	}{
		"drawn, and shrinking here":   {"exponential", [][2]time.Duration{ms(900, 300), ms(400, 1700), ms(700, 650)}, result.Inconclusive},
		"drawn, and growing here":     {"growing", [][2]time.Duration{ms(500, 1500), ms(400, 1700), ms(700, 650)}, result.Pass},
		"drawn, by another factor":    {"exponential", [][2]time.Duration{ms(100, 1500), ms(400, 1700), ms(200, 650)}, result.Warning},
		"drawn, from 1 s at least":    {"exponential", [][2]time.Duration{ms(1010, 1130), ms(1000, 1220), ms(1000, 1040)}, result.Inconclusive},
		"doubled in all deliveries":   {"exponential", [][2]time.Duration{ms(500, 1000), ms(505, 1010), ms(500, 1005)}, result.Pass},
		"the same in all deliveries":  {"exponential", [][2]time.Duration{ms(900, 900), ms(910, 905), ms(950, 930)}, result.Fail},
		"none, but for some noise":    {"exponential", [][2]time.Duration{ms(1, 3), ms(8, 2), ms(4, 9)}, result.Fail},
		"drawn, and should be steady": {"constant", [][2]time.Duration{ms(900, 300), ms(400, 1700), ms(700, 350)}, result.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &played{}
			script := "profile p\ncase A t level=must\nendpoint main 200\ntrigger main times=3\nwait main quiet=3s\nexpect main spacing " + test.form + "\n"
			c := play(t, script, p, func(c *scripts.Config) { c.Sender = dicing{p, test.waits} }).Cases[0]
			if diff := cmp.Diff([]string{"spacing " + string(test.want)}, verdicts(c)); diff != "" {
				t.Errorf("(-want +got)\n%s\n%+v", diff, c.Checks)
			}
			chance := strings.HasPrefix(name, "drawn") && (test.want == result.Pass || test.want == result.Warning)
			if text := c.Checks[0].Actual; strings.Contains(text, "by chance (jitter): another run may be judged otherwise") != chance {
				t.Errorf("of chance it says: %s", text)
			}
		})
	}
}
