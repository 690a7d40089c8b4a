package e2e_test

import (
	"fmt"
	"os"
	"testing"
)

// TestRunPictures writes every screen of the conformance runs, and a report, where HOOKRANGE_SCREENSHOTS names a folder,
// in both themes and four widths, for somebody to look at.
func TestRunPictures(t *testing.T) {
	to := os.Getenv("HOOKRANGE_SCREENSHOTS")
	if to == "" || to == "1" {
		t.Skip("set HOOKRANGE_SCREENSHOTS to a folder for every screen of the conformance runs")
	}
	r := newRig(t)
	s := r.serve()
	p := r.open(s)
	p.until("the page is there", isLive)
	p.navigate("/tests")
	p.sees("No run yet")
	p.press("DisclosureTriangle", "More")
	each(p, to, "runs-none")
	rules := map[string]any{"profile": "langsmith-rules", "sender": "builtin:langsmith-rules/linear-gaps", "scale": 0.3, "cases": "[5COT]*"}
	whole := s.started(rules)
	p.navigate("/tests/" + whole)
	p.until("some cases have ended", `() => document.querySelectorAll('ul[aria-label=Cases] .pass').length > 5`)
	each(p, to, "run-going")
	own := map[string]any{"script": brokenRules, "sender": "builtin:langsmith-rules", "scale": 0.4}
	first := s.started(own)
	second := s.started(map[string]any{"script": brokenRules, "sender": "builtin:agent-server-python", "scale": 0.4})
	manual := s.started(map[string]any{"profile": "langsmith-rules", "sender": "manual"})
	for _, id := range []string{whole, first, second} {
		p.navigate("/tests/" + id)
		p.until("the run is over", isOver)
	}
	for name, screen := range map[string]struct{ path, sees string }{
		"runs":        {"/tests", "Start a run"},
		"run":         {"/tests/" + whole, "Run again"},
		"case":        {"/tests/" + whole + "/5XX-3", "Checks"},
		"case-fail":   {"/tests/" + first + "/WRONG-1", "never tried again"},
		"case-hangup": {"/tests/" + first + "/HANG-1", "sender hung up"},
		"compare":     {"/tests/" + second + "?with=" + first, "HANG-1"},
		"manual":      {"/tests/" + manual, "Make the sender send once"},
	} {
		p.navigate(screen.path)
		p.sees(screen.sees)
		each(p, to, "tests-"+name)
	}
	q := r.report(s, whole)
	each(q, to, "report")
	for name, place := range map[string]string{"legend": ".legend", "case": "details.case[open]"} {
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{1280, 320} {
				q.colours(scheme)
				q.size(width, 900)
				eval[bool](q, `(place) => { for (const d of document.querySelectorAll('.attempt')) d.open = true;
					document.querySelector(place).scrollIntoView(); return true; }`, place)
				save(t, to, fmt.Sprintf("report-%s-%d-%s", name, width, scheme), shot(q))
			}
		}
	}
}
