package profiles_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/fixtures/sender"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/result"
	"github.com/hookrange/hookrange/scripts/trigger"
)

// replayed sends the recorded webhook that an operation made of an Agent Server, with one thing changed.
type replayed struct {
	kind   string
	breaks func(run map[string]any) (again bool)
	// tokenless leaves the query off.
	tokenless bool
}

// recording is the fixture of what an operation reports of an input.
func (r replayed) recording(in scripts.TriggerInput) (string, error) {
	name := strings.Replace(in.Operation, "-run-stateless", "-stateless", 1)
	var input struct {
		Mode string `json:"mode"`
	}
	if len(in.Input) > 0 {
		if err := json.Unmarshal(in.Input, &input); err != nil {
			return "", err
		}
	}
	switch {
	case r.kind == "js" && strings.HasSuffix(name, "-cron"):
		return "", fmt.Errorf("%w: 500 Not implemented", scripts.ErrNoOperation)
	case name == "":
		name = "create-run"
	case name == "resume-run":
		name = "resume"
	case name == "cancel-run":
		name = "cancel-interrupt"
	case name == "rollback-run":
		name = "cancel-rollback"
	case input.Mode == "error" && strings.HasSuffix(name, "-stateless"):
		name = "error-stateless"
	case input.Mode == "error", input.Mode == "interrupt":
		name = input.Mode
	default:
	}
	return "agent-server-" + r.kind + "-" + name, nil
}

func (r replayed) Trigger(ctx context.Context, in scripts.TriggerInput) error {
	name, err := r.recording(in)
	if err != nil {
		return err
	}
	in.Payload = name
	vector, err := trigger.Payload(in, "test")
	if err != nil {
		return err
	}
	var run map[string]any
	if err = json.Unmarshal(vector.Body, &run); err != nil {
		return err
	}
	policy, err := sender.PolicyNamed("agent-server-" + r.kind)
	if err != nil {
		return err
	}
	url := in.URL
	if r.tokenless {
		url, _, _ = strings.Cut(url, "?")
	}
	again := r.breaks(run)
	for range 2 {
		body, err := json.Marshal(run)
		if err != nil {
			return err
		}
		sender.Send(ctx, sender.Delivery{URL: url, Header: vector.Fields(), Body: body}, policy.Scaled(in.Scale), nil)
		if !again {
			return nil
		}
		run["run_id"] = "00000000-0000-7000-8000-000000000000"
	}
	return nil
}

// TestAgentMatrix judges recorded webhooks by the profiles of both servers: as they were recorded nothing fails, and what
// is changed in them is found by the checks CASE:KIND that are about it.
func TestAgentMatrix(t *testing.T) {
	t.Parallel()
	house := openHouse(t)
	keep := func(map[string]any) bool { return false }
	t.Run("servers", func(t *testing.T) {
		for name, test := range map[string]struct {
			sender replayed
			checks []string
		}{
			"as recorded": {replayed{breaks: keep}, nil},
			"no token":    {replayed{breaks: keep, tokenless: true}, []string{"OPERATION-1-*:secret"}},
			"always success": {
				replayed{breaks: func(run map[string]any) bool { run["status"] = "success"; return false }},
				[]string{"ERROR-1-*:json", "CANCEL-*:json"},
			},
			"never success": {
				replayed{breaks: func(run map[string]any) bool { run["status"] = "error"; return false }},
				[]string{"VALUES-*:json", "INTERRUPT-1:json", "RESUME-1:json", "CANCEL-*:json"},
			},
			"no state": {
				replayed{breaks: func(run map[string]any) bool { delete(run, "values"); return false }},
				[]string{"VALUES-*:expr"},
			},
			"error is a number": {
				replayed{breaks: func(run map[string]any) bool { run["error"] = 42; return false }},
				[]string{"ERROR-1-*:expr", "VALUES-1-*:expr"},
			},
			"reported twice": {
				replayed{breaks: func(map[string]any) bool { return true }},
				[]string{"OPERATION-1-*:deliveries", "OPERATION-1-*:attempts", "ERROR-1-*:deliveries", "INTERRUPT-1:deliveries", "RESUME-1:deliveries", "CANCEL-*:deliveries"},
			},
		} {
			for _, kind := range []string{"js", "python"} {
				sender := test.sender
				sender.kind = kind
				t.Run(kind+" "+name, func(t *testing.T) {
					t.Parallel()
					judgeReplay(t, house, sender, test.checks)
				})
			}
		}
	})
}

// judgeReplay compares the checks that found something, among those about what is sent, with those that should have. A
// pattern need not fit every case of a server, for what one server does otherwise is right for the other, but one.
func judgeReplay(t *testing.T, house house, replay replayed, checks []string) {
	t.Helper()
	script, err := scripts.Profile("agent-server-" + replay.kind)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, cases := range []string{"OPERATION*", "VALUES*", "ERROR*", "INTERRUPT*", "RESUME*", "CANCEL*"} {
		run, err := scripts.Run(t.Context(), scripts.Config{
			Scripts: []*scripts.Script{script}, Range: house, Sender: replay, Jobs: 16, Scale: 0.2, Again: 6, Case: cases, Missing: house.Missing(),
			Vars: map[string]string{"run": `{"mode":"ok"}`, "error": `{"mode":"error"}`, "interrupt": `{"mode":"interrupt"}`, "slow": `{"mode":"slow"}`},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range run.Cases {
			for _, check := range c.Checks {
				if check.Verdict == result.Fail || check.Verdict == result.Error {
					found[c.ID+":"+kindWord(check.Text)] = true
				}
			}
		}
	}
	var extra, missed []string
	for name := range found {
		if !slices.ContainsFunc(checks, func(pattern string) bool { ok, _ := path.Match(pattern, name); return ok }) {
			extra = append(extra, name)
		}
	}
	for _, pattern := range checks {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(found)), func(name string) bool { ok, _ := path.Match(pattern, name); return ok }) {
			missed = append(missed, pattern)
		}
	}
	if diff := cmp.Diff([2][]string{}, [2][]string{extra, missed}); diff != "" {
		t.Errorf("checks that found too much, and that found nothing:\n%s", diff)
	}
}
