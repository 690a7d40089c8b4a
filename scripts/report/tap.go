package report

import (
	"encoding/json"
	"io"
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/result"
)

// TAP writes the Test Anything Protocol, version 14: a test point for each case of each run. What was skipped has a SKIP
// directive, a known failure a TODO directive. What was not measured or has not ended is not ok, for harnesses count a
// SKIP as a success; its verdict is in the YAML block that all but a pass have.
func TAP(w io.Writer, runs []result.Run, o Options) error {
	p := &printer{w: w}
	total := 0
	for _, run := range runs {
		total += len(run.Cases)
	}
	p.linef("TAP version 14")
	p.linef("1..%d", total)
	n := 0
	for _, run := range runs {
		p.linef("# %s", title(run))
		for _, c := range run.Cases {
			n++
			tapCase(p, n, c, o)
		}
	}
	return p.err
}

func tapCase(p *printer, n int, c result.Case, o Options) {
	verdict, directive := "ok", ""
	switch endOf(c, o) {
	case failed, errored, unmeasured, unended:
		verdict = "not ok"
	case known:
		verdict, directive = "not ok", " # TODO known failure: "+tapText(gist(c))
	case skipped:
		directive = " # SKIP " + tapText(word(c)+": "+gist(c))
	case warned, passed:
	}
	p.linef("%s %d - %s%s", verdict, n, tapText(short(c.ID)+" "+short(c.Title)), directive)
	if c.Verdict == result.Pass && directive == "" {
		return
	}
	p.linef("  ---")
	p.linef("  verdict: %s", quoted(word(c)))
	p.linef("  duration_ms: %d", took(c.Started, c.Ended).Milliseconds())
	p.linef("  at: %s", quoted(place(c, 0)))
	p.linef("  requirement: %s", quoted(short(c.Requirement.Quote)))
	p.linef("  source: %s", quoted(short(c.Requirement.Source)))
	if checks := telling(c); len(checks) > 0 {
		p.linef("  checks:")
		for _, k := range checks {
			tapCheck(p, c, k)
		}
	}
	p.linef("  ...")
}

func tapCheck(p *printer, c result.Case, k result.Check) {
	captures := k.Captures
	if captures == nil {
		captures = []webhook.Seq{}
	}
	p.linef("    - text: %s", quoted(short(k.Text)))
	p.linef("      expected: %s", quoted(short(k.Expected)))
	p.linef("      actual: %s", quoted(short(k.Actual)))
	p.linef("      reason: %s", quoted(short(k.Reason)))
	p.linef("      captures: %s", quoted(captures))
	if len(k.Connections) > 0 {
		p.linef("      connections: %s", quoted(tries(c, k.Connections)))
	}
}

// tapText escapes what begins a directive.
func tapText(s string) string {
	return strings.NewReplacer(`\`, `\\`, `#`, `\#`).Replace(s)
}

// quoted writes a value as JSON, which is YAML as well.
func quoted(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return `""`
	}
	return string(raw)
}
