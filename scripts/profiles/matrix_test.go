package profiles_test

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/fixtures"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/result"
	"github.com/hookrange/hookrange/scripts/trigger"
)

// matrixScale makes the 5 s of the policy 1.5 s: still far above what a loaded machine is late by.
const matrixScale = 0.3

// killed is a broken sender, the profile that it claims to keep, and the checks CASE:KIND that must find it; cases are
// patterns. Without a variant it is the reference sender, which nothing finds.
type killed struct {
	profile, policy, variant string
	checks                   []string
}

func matrix() []killed {
	const rules, python, js, engine, github = "langsmith-rules", "agent-server-python", "agent-server-js", "langsmith-engine", "github"
	hangs := []string{"TIMEOUT-1:hangup", "TIMEOUT-3-*:attempts"}
	return []killed{
		{rules, rules, "", nil},
		{rules, rules, "retries-4xx", []string{"4XX-1-*:attempts", "BODY-6:attempts"}},
		{rules, rules, "retries-timeouts", []string{"TIMEOUT-2:attempts", "TIMEOUT-3-*:attempts"}},
		{rules, rules, "no-retry", []string{"5XX-1-*:attempts", "5XX-6:attempts", "BODY-5-*:attempts"}},
		{rules, rules, "one-retry-more", []string{"5XX-2-*:attempts"}},
		{rules, rules, "no-retry-limit", []string{"5XX-2-*:attempts"}},
		{rules, rules, "duplicate-after-2xx", []string{
			"OK-1-*:attempts", "5XX-5:attempts", "TIMEOUT-4:attempts", "BODY-1-*:attempts", "BODY-2:attempts", "BODY-3:attempts", "BODY-4:attempts", "BODY-7:attempts",
		}},
		{rules, rules, "stops-on-body-text", []string{"BODY-5-ok:attempts"}},
		{rules, rules, "retries-on-body-text", []string{"BODY-1-error:attempts", "BODY-6:attempts"}},
		{rules, rules, "linear-gaps", []string{"5XX-3:spacing"}},
		{rules, rules, "no-backoff", []string{"5XX-3:spacing"}},
		{rules, rules, "timeout-8s", hangs},
		{rules, rules, "never-times-out", hangs},
		{rules, rules, "gives-up-early", []string{"TIMEOUT-1:hangup", "TIMEOUT-4:answered", "5XX-6:answered", "5XX-6:attempts"}},
		{rules, rules, "silent", nil},
		{rules, rules, "new-body-each-try", []string{"5XX-4:same-payload"}},
		{rules, rules, "drops-the-secret", []string{"SECRET-1:secret"}},
		{rules, rules, "drops-headers", []string{"HEADERS-1:header"}},
		{rules, rules, "wrong-schema", []string{"PAYLOAD-1:schema"}},
		{rules, rules, "cuts-presigned-urls", []string{"S3-2:runs.?.inputs*", "S3-2:runs.?.outputs*"}},
		{rules, rules, "connect-retries-5", []string{"CONNECT-1:connections", "CONNECT-2-*:connections", "CONNECT-3:connections"}},
		{rules, rules, "no-connect-retries", []string{"CONNECT-1:connections", "CONNECT-2-*:connections"}},
		{rules, rules, "get-instead-of-post", []string{"METHOD-1:method"}},
		// What the LangSmith page does not say, other profiles do.
		{"cloudevents-webhook", rules, "", nil},
		{"cloudevents-webhook", rules, "follows-redirects", []string{"REDIRECT-1-*:deliveries"}},
		{"standard-webhooks", engine, "", nil},
		{"standard-webhooks", engine, "new-id-each-try", []string{"RETRY-2:expr"}},
		{engine, engine, "", nil},
		{engine, engine, "one-retry-more", []string{"RETRY-1-*:attempts"}},
		{engine, engine, "linear-gaps", []string{"BACKOFF-1:spacing"}},
		{engine, engine, "wrong-signature", []string{"SIGNATURE-1:secret"}},
		{engine, engine, "retries-on-body-text", []string{"BODY-1-error:attempts"}},
		{github, github, "", nil},
		{github, github, "wrong-signature", []string{"SIGNATURE-1:secret"}},
		{github, github, "retries-5xx", []string{"ONCE-1-50*:attempts"}},
		{github, github, "retries-4xx", []string{"ONCE-1-4*:attempts"}},
		{github, github, "never-times-out", []string{"TIMEOUT-1:hangup"}},
		{python, python, "", nil},
		{python, python, "no-retry-429", []string{"RETRY-1-429:attempts"}},
		{python, python, "no-retry-timeouts", []string{"TIMEOUT-1:attempts"}},
		{python, python, "plain-content-type", []string{"REQUEST-1:header"}},
		{js, js, "", nil},
		{js, js, "retries-5xx", []string{"ONCE-1-50*:attempts", "ONCE-3:attempts"}},
		{js, js, "no-redirects", []string{"REDIRECT-1-*:attempts", "REDIRECT-2-*:attempts"}},
	}
}

// TestKillMatrix runs the reference sender and senders that each break one rule through the profiles. Each broken one
// fails exactly the checks of its rule.
func TestKillMatrix(t *testing.T) {
	t.Parallel()
	house := openHouse(t)
	t.Run("senders", func(t *testing.T) {
		for _, k := range matrix() {
			t.Run(path.Join(k.profile, k.policy, k.variant), func(t *testing.T) {
				t.Parallel()
				sending, err := trigger.Named(t.Context(), strings.TrimSuffix("builtin:"+k.policy+"/"+k.variant, "/"), "test")
				if err != nil {
					t.Fatal(err)
				}
				run := runProfile(t, house, k.profile, sending, "")
				// What the machine was too late for is run again by itself, and several times: not what came out wrong.
				for range 5 {
					for _, i := range k.late(run) {
						run.Cases[i] = runProfile(t, house, k.profile, sending, literal(run.Cases[i].ID)).Cases[0]
					}
				}
				run.Verdict = scripts.Verdict(run.Cases)
				k.judge(t, run)
			})
		}
	})
}

// runProfile runs the cases that a pattern selects, all when it is empty.
func runProfile(t *testing.T, house house, profile string, sending trigger.Sender, pattern string) result.Run {
	t.Helper()
	script, err := scripts.Profile(profile)
	if err != nil {
		t.Fatal(err)
	}
	run, err := scripts.Run(t.Context(), scripts.Config{
		Scripts: []*scripts.Script{script}, Range: house, Sender: sending, Schema: fixtures.Schema,
		Case: pattern, Jobs: 32, Scale: matrixScale, Again: 6, Missing: house.Missing(), Objects: house.objects, Fetcher: house,
	})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// late returns the cases in which a check that should find something, or any of the reference sender's, could not be
// made: the machine was too late for it, again and again.
func (k *killed) late(run result.Run) []int {
	var out []int
	for i, c := range run.Cases {
		if slices.ContainsFunc(c.Checks, func(check result.Check) bool {
			return check.Verdict == result.Inconclusive && !strings.HasPrefix(check.Text, "needs ") && (k.variant == "" ||
				slices.ContainsFunc(k.checks, func(pattern string) bool {
					ok, _ := path.Match(pattern, c.ID+":"+kindWord(check.Text))
					return ok
				}))
		}) {
			out = append(out, i)
		}
	}
	return out
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
				if k.variant == "" && !strings.HasPrefix(check.Text, "needs ") {
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
	if k.variant == "silent" && run.Verdict != result.Inconclusive {
		t.Errorf("the verdict on silence is %s", run.Verdict)
	}
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
