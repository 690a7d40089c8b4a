package main

import (
	"log/slog"
	"maps"
	"math"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/fixtures"
	"github.com/hookrange/hookrange/fixtures/sender"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/result"
)

// matrixScale makes the 5 s of the policy 1.5 s: still far above what a loaded machine is late by.
const matrixScale = 0.3

// killed is a broken sender, and the checks CASE:KIND that must find it; cases are patterns.
type killed struct {
	name   string
	breaks func(*sender.Policy)
	checks []string
}

func matrix() []killed {
	fiveXX := func(status int) bool { return status >= 500 && status <= 599 }
	return []killed{
		{"reference", func(*sender.Policy) {}, nil},
		{"retries-4xx", func(p *sender.Policy) {
			p.RetryStatus = func(status int) bool { return status >= 400 }
		}, []string{"4XX-1-*:attempts", "BODY-6:attempts"}},
		{"linear-gaps", func(p *sender.Policy) { p.Backoff.Factor = 1 }, []string{"5XX-3:spacing"}},
		{"no-backoff", func(p *sender.Policy) { p.Backoff = sender.Backoff{} }, []string{"5XX-3:spacing"}},
		{"no-retry", func(p *sender.Policy) { p.Retries = 0 }, []string{"5XX-1-*:attempts", "5XX-6:attempts", "BODY-5-*:attempts"}},
		{"one-retry-more", func(p *sender.Policy) { p.Retries++ }, []string{"5XX-2-*:attempts"}},
		{"no-retry-limit", func(p *sender.Policy) { p.Retries = math.MaxInt }, []string{"5XX-2-*:attempts"}},
		{"retries-timeouts", func(p *sender.Policy) { p.RetryTimeout = true }, []string{"TIMEOUT-2:attempts", "TIMEOUT-3-*:attempts"}},
		{"timeout-8s", func(p *sender.Policy) { p.Timeout = 8 * time.Second }, []string{"TIMEOUT-1:hangup", "TIMEOUT-3-*:attempts"}},
		{"never-times-out", func(p *sender.Policy) { p.Timeout = 0 }, []string{"TIMEOUT-1:hangup", "TIMEOUT-3-*:attempts"}},
		{"gives-up-early", func(p *sender.Policy) {
			p.Timeout = 3 * time.Second
		}, []string{"TIMEOUT-1:hangup", "TIMEOUT-4:answered", "5XX-6:answered", "5XX-6:attempts"}},
		{"duplicate-after-2xx", func(p *sender.Policy) {
			p.RetryStatus = func(status int) bool { return status <= 299 || fiveXX(status) }
		}, []string{"OK-1-*:attempts", "5XX-5:attempts", "TIMEOUT-4:attempts", "BODY-1-*:attempts", "BODY-2:attempts", "BODY-3:attempts", "BODY-4:attempts"}},
	}
}

// TestKillMatrix runs the reference sender and senders that each break one rule through langsmith-rules. Each broken one
// fails exactly the checks of its rule.
func TestKillMatrix(t *testing.T) {
	t.Parallel()
	house, err := openRange(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := house.close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("senders", func(t *testing.T) {
		for _, k := range matrix() {
			t.Run(k.name, func(t *testing.T) {
				t.Parallel()
				policy, err := sender.PolicyNamed("langsmith-rules")
				if err != nil {
					t.Fatal(err)
				}
				k.breaks(&policy)
				run := runProfile(t, house, "langsmith-rules", policy)
				k.judge(t, run)
			})
		}
	})
	if left := house.store.Endpoints(); len(left) > 0 {
		t.Errorf("%d endpoints were left behind", len(left))
	}
}

func runProfile(t *testing.T, house *provingRange, profile string, policy sender.Policy) result.Run {
	t.Helper()
	script, err := scripts.Profile(profile)
	if err != nil {
		t.Fatal(err)
	}
	run, err := scripts.Run(t.Context(), scripts.Config{
		Scripts: []*scripts.Script{script}, Range: house, Sender: builtinSender{policy}, Schema: fixtures.Schema,
		Jobs: 16, Scale: matrixScale, Again: 6, Missing: missingNeeds(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// judge compares the checks that found something with those that should have.
func (k *killed) judge(t *testing.T, run result.Run) {
	t.Helper()
	found, wanted := map[string]string{}, map[string]string{}
	unmatched := map[string]bool{}
	for _, pattern := range k.checks {
		unmatched[pattern] = true
	}
	for _, c := range run.Cases {
		for _, check := range c.Checks {
			name := c.ID + ":" + kindWord(check.Text)
			switch check.Verdict {
			case result.Fail, result.Warning, result.Error:
				found[name] += check.Text + " (" + string(check.Verdict) + ": " + check.Actual + check.Reason + ") "
			case result.Inconclusive:
				// A broken sender may keep other checks from being made; nothing keeps the reference from them.
				if k.name == "reference" && !strings.HasPrefix(check.Text, "needs ") {
					t.Errorf("%s: %s: %s: %s", c.ID, check.Text, check.Actual, check.Reason)
				}
			default:
			}
			for _, pattern := range k.checks {
				if ok, err := path.Match(pattern, name); err != nil {
					t.Fatal(err)
				} else if ok {
					wanted[name] = ""
					delete(unmatched, pattern)
				}
			}
		}
	}
	for name := range unmatched {
		t.Errorf("no check is named %s", name)
	}
	var lag time.Duration
	for _, c := range run.Cases {
		lag = max(lag, c.Lag)
	}
	t.Logf("the machine was up to %s late", lag)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(wanted)), slices.Sorted(maps.Keys(found))); diff != "" {
		t.Errorf("checks that find it (-want +got):\n%s", diff)
		for name, text := range found {
			if _, ok := wanted[name]; !ok {
				t.Logf("%s: %s", name, text)
			}
		}
	}
}

// kindWord is the kind of check in a line "expect NAME KIND ...".
func kindWord(text string) string {
	words := strings.Fields(text)
	if len(words) < 3 {
		return text
	}
	return words[2]
}
