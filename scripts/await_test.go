package scripts_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/result"
)

// person is a sender that somebody makes send after a long while.
type person struct {
	*played
	late time.Duration
}

func (p person) Await(ctx context.Context, in scripts.TriggerInput) error {
	if !pause(ctx, p.late) {
		return ctx.Err()
	}
	go func() { _ = p.Trigger(ctx, in) }()
	return nil
}

// TestAwait: the waits of a case begin when somebody has made the sender send, not before.
func TestAwait(t *testing.T) {
	t.Parallel()
	p := &played{tries: []try{{status: 503}, {gap: time.Second}}}
	run := play(t, "profile p\ncase A t level=must\nendpoint main 503 200\ntrigger main\nwait main attempts=2 quiet=2s timeout=9s\nexpect main attempts == 2\n",
		p, func(c *scripts.Config) { c.Sender = person{p, 5 * time.Hour} })
	c := run.Cases[0]
	if run.Verdict != result.Pass {
		t.Errorf("verdict %s: %+v", run.Verdict, c.Checks)
	}
	// The first gap and the quiet time, which is three times the last gap: nothing of the five hours.
	if took := c.Ended.Sub(c.Started); took != 4*time.Second {
		t.Errorf("the case took %s", took)
	}
}

// TestUnmet: what cannot be judged can be said before a run.
func TestUnmet(t *testing.T) {
	t.Parallel()
	s, err := scripts.Profile("langsmith-rules")
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Unmet(nil, map[string]string{"cap-net-raw": "not here", "direct": "not here", "custom-headers": "not told"})
	want := map[string]string{
		"CONNECT-1": "cap-net-raw, direct: not here", "CONNECT-3": "cap-net-raw, direct: not here", "HEADERS-1": "custom-headers: not told",
		"5XX-6": "answered only: not here", "TIMEOUT-4": "answered only: not here",
	}
	for _, id := range []string{
		"CONNECT-2-tls-alert", "CONNECT-2-tls-reset", "CONNECT-4-close@accept", "CONNECT-4-reset@accept", "TIMEOUT-1", "BODY-3", "BODY-4",
		"BROKEN-1-close@request", "BROKEN-1-reset@request", "BROKEN-1-reset@body", "BROKEN-1-garbage", "DRIP-1-drip", "DRIP-1-trickle-head",
	} {
		want[id] = "direct: not here"
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("unmet, %v (-want +got):\n%s", err, diff)
	}
}
