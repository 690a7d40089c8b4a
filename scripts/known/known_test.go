package known_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/known"
	"github.com/hookrange/hookrange/scripts/result"
)

func parse(t *testing.T, raw string) known.List {
	t.Helper()
	list, err := known.Parse("known.yaml", []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// caseOf makes a case of checks "a", "b" ... with these verdicts.
func caseOf(id string, verdicts ...result.Verdict) result.Case {
	c := result.Case{ID: id, State: "ended", Verdict: result.Worst(verdicts...)}
	for i, v := range verdicts {
		c.Checks = append(c.Checks, result.Check{Text: "expect  main " + string(rune('a'+i)), Verdict: v, Reason: "odd"})
	}
	return c
}

const (
	pass, warn, fail = result.Pass, result.Warning, result.Fail
	lost, broken     = result.Inconclusive, result.Error
)

func TestApply(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		list    string
		scope   known.Scope
		cases   []result.Case
		known   []bool
		verdict result.Verdict
		stale   []string
	}{
		"no list": {cases: []result.Case{caseOf("A", fail)}, known: []bool{false}, verdict: fail},
		"a whole case": {
			list: "A: why", cases: []result.Case{caseOf("A", fail, pass, fail), caseOf("B", pass)}, known: []bool{true, false}, verdict: result.Skip,
		},
		"another case fails": {
			list: "A: why", cases: []result.Case{caseOf("A", fail), caseOf("B", fail)}, known: []bool{true, false}, verdict: fail,
		},
		"one check": {list: `"A:expect main a": why`, cases: []result.Case{caseOf("A", fail, pass)}, known: []bool{true}, verdict: result.Skip},
		"a warning beside it": {
			list: `"A:expect main a": why`, cases: []result.Case{caseOf("A", fail, warn)}, known: []bool{true}, verdict: result.Skip,
		},
		"another check fails": {
			list: `"A: expect main   a": why`, cases: []result.Case{caseOf("A", fail, fail)}, known: []bool{false}, verdict: fail,
		},
		"all checks": {
			list:  "\"A:expect main a\": why\n\"A:expect main b\": why",
			cases: []result.Case{caseOf("A", fail, fail)}, known: []bool{true}, verdict: result.Skip,
		},
		"a case that passes": {
			list: "A: why", cases: []result.Case{caseOf("A", pass)}, known: []bool{false}, verdict: pass,
			stale: []string{`"A" is listed as failing and did not fail`},
		},
		"a check that passes": {
			list: "A: why\n\"A:expect main b\": why", cases: []result.Case{caseOf("A", fail, pass)}, known: []bool{true}, verdict: result.Skip,
			stale: []string{`"A:expect main b" is listed as failing and did not fail`},
		},
		"a case that is not there": {
			list: "X: why", cases: []result.Case{caseOf("A", pass)}, known: []bool{false}, verdict: pass,
			stale: []string{`"X" is listed as failing and is no case or check that was run`},
		},
		"a check that is not there": {
			list: `"A:expect main x": why`, cases: []result.Case{caseOf("A", fail)}, known: []bool{false}, verdict: fail,
			stale: []string{`"A:expect main x" is listed as failing and is no case or check that was run`},
		},
		"a case that was left out": {
			list: "X: why", scope: known.Scope{Partial: true}, cases: []result.Case{caseOf("A", pass)}, known: []bool{false}, verdict: pass,
		},
		"a warning passes": {
			list: "A: why", cases: []result.Case{caseOf("A", warn)}, known: []bool{false}, verdict: warn,
			stale: []string{`"A" is listed as failing and did not fail`},
		},
		"a warning is strict": {
			list: "A: why", scope: known.Scope{Strict: true}, cases: []result.Case{caseOf("A", warn)}, known: []bool{true}, verdict: result.Skip,
		},
		"not measured": {list: "A: why", cases: []result.Case{caseOf("A", lost)}, known: []bool{false}, verdict: lost},
		"fails, and the script too": {
			list: "\"A:expect main a\": why", cases: []result.Case{caseOf("A", fail, broken)}, known: []bool{false}, verdict: broken,
		},
		"not ended": {list: "A: why", cases: []result.Case{{ID: "A", State: "running"}}, known: []bool{false}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := &result.Run{Cases: c.cases}
			for _, k := range c.cases {
				run.Verdict = result.Worst(run.Verdict, k.Verdict)
			}
			stale := parse(t, c.list).Apply(c.scope, run)
			if diff := cmp.Diff(c.stale, stale); diff != "" {
				t.Errorf("stale (-want +got):\n%s", diff)
			}
			got := make([]bool, len(run.Cases))
			for i, k := range run.Cases {
				got[i] = k.Known
			}
			if diff := cmp.Diff(c.known, got); diff != "" || run.Verdict != c.verdict {
				t.Errorf("verdict %q, known (-want +got):\n%s", run.Verdict, diff)
			}
		})
	}
}

// TestApplyToSeveral: an entry is stale only if no run failed by it.
func TestApplyToSeveral(t *testing.T) {
	t.Parallel()
	good, bad := &result.Run{Cases: []result.Case{caseOf("A", pass)}}, &result.Run{Verdict: fail, Cases: []result.Case{caseOf("A", fail)}}
	list := parse(t, "A: its issue 12")
	if stale := list.Apply(known.Scope{}, good, bad); stale != nil || good.Cases[0].Known || !bad.Cases[0].Known {
		t.Errorf("stale %q, %+v, %+v", stale, good.Cases, bad.Cases)
	}
	want := "known failure: its issue 12; odd"
	if got := bad.Cases[0].Checks[0].Reason; got != want {
		t.Errorf("reason %q", got)
	}
	if got := good.Cases[0].Checks[0].Reason; got != "odd" {
		t.Errorf("reason of what did not fail %q", got)
	}
	if good.Verdict != "" || bad.Verdict != result.Skip {
		t.Errorf("verdicts %q and %q", good.Verdict, bad.Verdict)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ raw, want string }{
		"no YAML":        {"A: [", "line 1"},
		"a list":         {"- A\n- B", "known.yaml"},
		"a text":         {"A", "known.yaml"},
		"no reason":      {"A:", `"A" has no reason`},
		"an empty one":   {"A: '  '", `"A" has no reason`},
		"a number":       {"A: 7", `"A" has no reason`},
		"a number's key": {"7: why", `"7" is neither CASE nor`},
		"no case":        {"':expect main a': why", `is neither CASE nor`},
		"no check":       {"'A:': why", `is neither CASE nor`},
		"twice":          {"A: why\nA: why", "A"},
		"twice, apart":   {"'A:b c': why\n'A: b  c': why", "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := known.Parse("known.yaml", []byte(c.raw))
			if !errors.Is(err, webhook.ErrInvalid) || !strings.Contains(err.Error(), c.want) ||
				!strings.Contains(err.Error(), "known.yaml") || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestParseEmpty(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "# nothing yet\n", "{}"} {
		if stale := parse(t, raw).Apply(known.Scope{}); stale != nil {
			t.Errorf("%q: %q", raw, stale)
		}
	}
}
