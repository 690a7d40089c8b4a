package scripts_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/result"
)

// TestNeeds: what is missing is not measured or does not apply; it never passes.
func TestNeeds(t *testing.T) {
	t.Parallel()
	script := "profile p\nset key ''\ncase A t level=must\nneeds direct\nskip why\ncase B t level=must\nneeds custom-headers\nskip why\n" +
		"case C t level=must\nneeds var:key\nskip why\ncase D t level=must\nendpoint main refuse\ntrigger main\nwait main\nexpect main connections <= 3\n"
	missing := map[string]string{"direct": "a proxy is between", "custom-headers": "it cannot", "connection-faults": "no listener"}
	run := play(t, script, &played{}, func(c *scripts.Config) { c.Missing = missing })
	var got []string
	for _, c := range run.Cases {
		got = append(got, string(c.Verdict)+" "+c.Checks[0].Reason)
	}
	want := []string{
		"inconclusive a proxy is between", "skip it cannot", "skip nothing is known of key; give it with --set key=VALUE", "inconclusive no listener",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	run = play(t, script, &played{}, func(c *scripts.Config) { c.Missing, c.Case = missing, "C" })
	if run.Verdict != result.Inconclusive {
		t.Errorf("a run in which all was skipped: %s", run.Verdict)
	}
	run = play(t, script, &played{}, func(c *scripts.Config) { c.Case, c.Vars = "C", map[string]string{"key": "k"} })
	if got := run.Cases[0].Checks[0].Text; got != "skip" {
		t.Errorf("a variable that was given: %s", got)
	}
}

// TestSilence: no delivery is inconclusive, with what is known of the cause.
func TestSilence(t *testing.T) {
	t.Parallel()
	run := play(t, head+"expect main attempts <= 3\nexpect main secret\n", &played{fails: errPlayed}, nil)
	c := run.Cases[0]
	if run.Verdict != result.Inconclusive || !strings.Contains(c.Checks[0].Reason, errPlayed.Error()) || c.Checks[1].Verdict != result.Inconclusive {
		t.Errorf("verdict %s: %+v", run.Verdict, c.Checks)
	}
	if took := c.Ended.Sub(c.Started); took != 3*time.Second {
		t.Errorf("waited %s for a sender that had ended, want its quiet time", took)
	}
}

// TestWait: when a wait ends.
func TestWait(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		wait  string
		tries []try
		want  time.Duration
	}{
		"quiet":                              {"quiet=3s", []try{{}, {gap: second}}, 4 * second},
		"three times the last gap":           {"quiet=3s", []try{{}, {gap: 2 * second}}, 8 * second},
		"enough":                             {"attempts=2", []try{{}, {gap: second}, {gap: 5 * second}}, second},
		"enough and quiet":                   {"attempts=2 quiet=4s", []try{{}, {gap: second}}, 5 * second},
		"fewer than expected":                {"attempts=3 quiet=3s", []try{{}}, 3 * second},
		"more than expected":                 {"attempts=1 quiet=30s", []try{{}, {gap: second}}, second},
		"an open answer is no quiet":         {"quiet=3s", []try{{lasts: 20 * second}}, 23 * second},
		"timeout":                            {"quiet=30s timeout=5s", []try{{}, {gap: second}}, 5 * second},
		"a sender that ends without sending": {"quiet=3s timeout=50s", []try{{gap: 20 * second, nothing: true}}, 23 * second},
		"a sender that is still busy":        {"quiet=3s timeout=50s", []try{{gap: 20 * second}}, 23 * second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script := "profile p\ncase A t level=must\nendpoint main 200\ntrigger main\nwait main " + tt.wait + "\nexpect main secret\n"
			c := play(t, script, &played{tries: tt.tries}, nil).Cases[0]
			if got := c.Ended.Sub(c.Started); got != tt.want {
				t.Errorf("ended after %s, want %s", got, tt.want)
			}
		})
	}
}

// TestWaitForAll: one delivery with more attempts than expected ends no wait while another is under way.
func TestWaitForAll(t *testing.T) {
	t.Parallel()
	hangsUp := []try{{lasts: 5 * second, hung: true}, {gap: 10 * time.Millisecond, lasts: 20 * time.Millisecond, hung: true}}
	tests := map[string]struct {
		wait  string
		tries []try
		want  string
	}{
		"over":                      {"attempts=1 quiet=1s", hangsUp, "hangup pass"},
		"enough":                    {"attempts=1", hangsUp, "hangup pass"},
		"the watching ended before": {"attempts=1 quiet=1s timeout=5200ms", hangsUp, "hangup inconclusive"},
		"none of them had time":     {"attempts=1 quiet=1s timeout=4s", hangsUp, "hangup inconclusive"},
		"one of them had time":      {"attempts=1 quiet=1s timeout=5500ms", []try{{lasts: 9 * second}}, "hangup fail"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script := "profile p\ncase A t level=must\nendpoint main 200\ntrigger main times=2\nwait main " + tt.wait + "\nexpect main hangup after=5s\n"
			c := play(t, script, &played{tries: tt.tries}, nil).Cases[0]
			if diff := cmp.Diff([]string{tt.want}, verdicts(c)); diff != "" {
				t.Errorf("checks (-want +got):\n%s\n%+v", diff, c.Checks)
			}
		})
	}
}

// TestWatchedTooShort: a count needs its quiet time, and one that is too low a sender that has ended.
func TestWatchedTooShort(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		wait  string
		tries []try
		want  []string
	}{
		"cut off":       {"quiet=30s timeout=5s", []try{{}, {gap: second}}, []string{"inconclusive", "pass", "inconclusive"}},
		"still at work": {"quiet=3s timeout=20s", []try{{}, {gap: second}, {gap: time.Minute}}, []string{"pass", "pass", "inconclusive"}},
		"watched":       {"quiet=3s timeout=20s", []try{{}, {gap: second}}, []string{"pass", "pass", "fail"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script := "profile p\ncase A t level=must\nendpoint main 200\ntrigger main\nwait main " + tt.wait +
				"\nexpect main attempts <= 2\nexpect main attempts >= 2\nexpect main attempts >= 3\n"
			c := play(t, script, &played{tries: tt.tries}, nil).Cases[0]
			var want []string
			for _, verdict := range tt.want {
				want = append(want, "attempts "+verdict)
			}
			if diff := cmp.Diff(want, verdicts(c)); diff != "" {
				t.Errorf("checks (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCancel: what had not ended is not measured, and nothing is left behind.
func TestCancel(t *testing.T) {
	t.Parallel()
	parsed, err := scripts.Parse("f", []byte(head+"expect main attempts == 1\ncase B t level=must\nskip why\n"))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		p := &played{tries: []try{{lasts: time.Hour}}, open: map[string]*playedEndpoint{}}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		config := scripts.Config{Scripts: []*scripts.Script{parsed}, Jobs: 1}
		p.config(&config)
		run, err := scripts.Run(ctx, config)
		if err != nil {
			t.Fatal(err)
		}
		if run.Verdict != result.Inconclusive || run.Cases[0].Verdict != result.Inconclusive || run.Cases[1].State != "waiting" {
			t.Errorf("run %s: %+v", run.Verdict, run.Cases)
		}
		if p.left != 0 {
			t.Errorf("%d endpoints were not given back", p.left)
		}
	})
}

// TestProgress is told of each case as it begins and as it ends.
func TestProgress(t *testing.T) {
	t.Parallel()
	var told []string
	play(t, head+"expect main secret\ncase B t level=must\nskip why\n", &played{tries: []try{{}}}, func(c *scripts.Config) {
		c.Jobs = 1
		c.Progress = func(c result.Case) { told = append(told, c.ID+" "+c.State) }
	})
	if diff := cmp.Diff([]string{"A running", "A ended", "B running", "B ended"}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	parsed, err := scripts.Parse("f", []byte(head+"expect main schema nothing\n"))
	if err != nil {
		t.Fatal(err)
	}
	p := &played{}
	for name, config := range map[string]scripts.Config{
		"no sender":      {Scripts: []*scripts.Script{parsed}, Range: p},
		"no such case":   {Scripts: []*scripts.Script{parsed}, Range: p, Sender: p, Case: "X*"},
		"bad pattern":    {Scripts: []*scripts.Script{parsed}, Range: p, Sender: p, Case: "["},
		"no such schema": {Scripts: []*scripts.Script{parsed}, Range: p, Sender: p},
	} {
		if _, err := scripts.Run(t.Context(), config); err == nil || errors.Is(err, webhook.ErrUnavailable) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestStory: a count that does not hold says what happened, in words.
func TestStory(t *testing.T) {
	t.Parallel()
	many := []try{{}, {}, {}, {}, {}, {}, {}, {}}
	refused := []try{{connection: true}, {gap: second, connection: true}, {gap: 2 * second, connection: true}}
	tests := map[string]struct {
		expect         string
		tries          []try
		actual, reason string
	}{
		"too many": {
			"attempts == 1",
			[]try{{lasts: 5 * second, hung: true, fault: webhook.Hang}, {gap: second, lasts: 2 * second, status: 503}},
			"2", "attempt 1: hang, the sender hung up after 5s; attempt 2, 1s later: answered 503 after 2s",
		},
		"too few":      {"attempts >= 2", []try{{status: 503}}, "1, watched for 3s after the last event", "attempt 1: answered 503"},
		"as it should": {"attempts == 1", []try{{status: 503}}, "1, watched for 3s after the last event", ""},
		"a long story": {
			"attempts <= 3", many, "8", "attempt 1: answered 200; attempt 2, 0s later: answered 200; attempt 3, 0s later: answered 200; " +
				"attempt 4, 0s later: answered 200; attempt 5, 0s later: answered 200; attempt 6, 0s later: answered 200; and 2 more",
		},
		"gaps": {
			"spacing growing",
			[]try{{}, {gap: 2 * second}, {gap: second}},
			"gaps of each delivery: 2s, 1s. Each is 0.50 times the one before (median)", "the gaps do not grow",
		},
		"no gaps":       {"spacing growing", []try{{}}, "gaps of each delivery: none", "it takes two gaps to compare, so three attempts of a delivery"},
		"some attempts": {"secret", []try{{}, {reason: webhook.SecretMissing}, {reason: webhook.SecretWrong}}, "attempt 2: secret_missing; not in 2 of 3 attempts", ""},
		"at work":       {"secret", []try{{gap: time.Hour}}, "", "no delivery came, and the sender's command had not ended when the wait's timeout came"},
		"connections":   {"connections <= 2", refused, "3", "connection 1: refused; connection 2, 1s later: refused; connection 3, 2s later: refused"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check := play(t, head+"expect main "+tt.expect+"\n", &played{tries: tt.tries}, nil).Cases[0].Checks[0]
			if diff := cmp.Diff([]string{tt.actual, tt.reason}, []string{check.Actual, check.Reason}); diff != "" {
				t.Errorf("actual and reason (-want +got):\n%s", diff)
			}
		})
	}
}

// TestConnectionsProve: a check of connections lists them, as others list captures, whatever comes of it.
func TestConnectionsProve(t *testing.T) {
	t.Parallel()
	tries := []try{{connection: true}, {gap: second, connection: true}, {gap: 2 * second, connection: true}}
	for _, expect := range []string{"connections <= 2", "connections == 3"} {
		c := play(t, head+"expect main "+expect+"\n", &played{tries: tries}, nil).Cases[0]
		got := c.Checks[0].Connections
		if diff := cmp.Diff(c.Endpoints[0].Connections, got); diff != "" || len(got) != 3 {
			t.Errorf("%s: connections (-of the endpoint +of the check):\n%s", expect, diff)
			continue
		}
		if got[1].Seq != 2 || got[1].Note != "refused" || !got[1].At.After(got[0].At) {
			t.Errorf("%s: second connection: %+v", expect, got[1])
		}
	}
}
