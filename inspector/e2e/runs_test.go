package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// brokenRules are kept by no sender: one case fails, one passes, one warns.
const brokenRules = `profile own 'A made-up policy'
case WRONG-1 'it never tries again after a 503' level=must spec=https://example.com/policy date=2026-11-22
quote 'A failed <b>delivery</b> is never tried again.'
endpoint main 503 503 200
trigger main
wait main attempts=3 quiet=2s
expect main attempts == 1
case HANG-1 'it hangs up' level=must
endpoint main hang/for=12s 200
trigger main
wait main attempts=1 quiet=3s timeout=60s
expect main hangup after=5s early=60% late=100%
case ODD-1 'it should not try again' level=should
endpoint main 503 200
trigger main
wait main attempts=2 quiet=2s
expect main attempts == 1
`

// started starts a run over the interface and returns its id.
func (s *server) started(in map[string]any) string {
	s.t.Helper()
	var out struct {
		ID string `json:"id"`
	}
	s.call(http.MethodPost, "/tests", in, &out)
	return out.ID
}

// verdicts returns the verdicts of a run's cases.
func (s *server) verdicts(id string) map[string]string {
	s.t.Helper()
	var out struct {
		Run struct {
			Cases []struct {
				ID      string `json:"id"`
				Verdict string `json:"verdict"`
			} `json:"cases"`
		} `json:"run"`
	}
	s.call(http.MethodGet, "/tests/"+id, nil, &out)
	got := map[string]string{}
	for _, c := range out.Run.Cases {
		got[c.ID] = c.Verdict
	}
	return got
}

// isOver tells whether the run on the screen is over.
const isOver = `() => [...document.querySelectorAll('button')].some((b) => b.innerText === 'Run again')`

// testConformanceRun starts a run in the page, follows it, looks at a case, compares it with another, and deletes it.
func testConformanceRun(r *rig) {
	t := r.t
	s := r.serve()
	p := r.open(s)
	p.until("the page is there", isLive)
	p.press("link", "Tests")
	p.sees("No run yet")
	p.press("DisclosureTriangle", "More")
	p.fill("Only cases like", "OK-1-20[01]")
	p.press("spinbutton", "All times, multiplied by")
	p.keys("2.5")
	p.fill("Variable feedback_key", "quality")
	p.press("button", "Start the run")
	p.sees("OK-1-201")
	p.until("the run goes on", `() => document.querySelectorAll('ul[aria-label=Cases] .running').length === 2`)
	var started struct {
		Input map[string]any `json:"input"`
	}
	s.call(http.MethodGet, eval[string](p, `() => location.pathname`), nil, &started)
	want := map[string]any{
		"profile": "langsmith-rules", "sender": "builtin:langsmith-rules", "cases": "OK-1-20[01]", "scale": 2.5, "set": map[string]any{"feedback_key": "quality"},
	}
	if diff := cmp.Diff(want, started.Input); diff != "" {
		t.Errorf("the run was given (-want +got):\n%s", diff)
	}
	p.press("button", "Cancel the run")
	p.until("the run was cancelled", isOver)
	p.sees("cancelled")

	own := map[string]any{"script": brokenRules, "sender": "builtin:langsmith-rules", "scale": 0.4}
	first := s.started(own)
	p.navigate("/tests/" + first)
	p.until("the run is over", isOver)
	p.press("button", "fail 1")
	p.until("only the failed case is listed", `() => document.querySelectorAll('ul[aria-label=Cases] li').length === 1`)
	p.press("link", "fail WRONG-1…")
	p.until("the case says what was expected, what came, and where it is written", `() => {
		const text = document.querySelector('article')?.innerText ?? '';
		return ['A failed <b>delivery</b> is never tried again.', 'https://example.com/policy', 'attempts == 1', 'line 7',
			'attempt 1: 503', 'attempt 3: 200'].every((part) => text.includes(part));
	}`)
	p.until("the waits and attempts are drawn", `() => document.querySelectorAll('article figure .lane .gap').length === 2
		&& document.querySelectorAll('article figure .lane .bar').length === 3`)
	p.keys("\x1b")
	p.until("the case is closed", `() => document.querySelector('article') === null && location.pathname.split('/').length === 3`)
	p.press("button", "All 3")
	p.keys("jj")
	p.until("keys go through the cases", `() => location.pathname.endsWith('/HANG-1')`)
	p.sees("sender hung up")
	p.until("a hang-up is drawn", `() => document.querySelectorAll('article figure .lane .hung').length === 1`)

	other := s.started(map[string]any{"script": brokenRules, "sender": "builtin:agent-server-python", "scale": 0.4})
	p.navigate("/tests/" + other)
	p.until("the other run is over", isOver)
	eval[bool](p, `(id) => { const pick = [...document.querySelectorAll('select')].find((e) => e.textContent.includes('Compare with'));
		pick.value = id; return pick.dispatchEvent(new Event('change', { bubbles: true })); }`, first)
	p.sees("What changed between two runs")
	both := s.bytesOf("/tests/" + first + "/report?format=json&with=" + other)
	if n := strings.Count(string(both), `"profile": "own"`); n != 2 {
		t.Errorf("a report of two runs has %d", n)
	}
	// A busy machine leaves cases unmeasured that others are not: what differs is asked of the server.
	before, after := s.verdicts(first), s.verdicts(other)
	var changed []string
	for id, verdict := range after {
		if before[id] != verdict {
			changed = append(changed, id)
		}
	}
	slices.Sort(changed)
	if len(changed) == 0 {
		t.Error("no case has another verdict, so nothing is proven")
	}
	p.until("the changed cases are named, the others not", `(ids) => [...document.querySelectorAll('tbody th .mono')]
		.map((e) => e.innerText).sort().join() === ids.join()`, changed)

	p.navigate("/tests/" + first)
	p.press("button", "Run again")
	p.until("it is another run", `(id) => location.pathname !== '/tests/' + id`, first)
	p.until("it is over", isOver)
	p.press("button", "Delete")
	p.press("button", "Really delete?")
	p.until("back in the list", `() => location.pathname === '/tests' && document.querySelectorAll('ul[aria-label=Runs] li').length === 3`)
	if text := p.text(); !strings.Contains(text, "1 fail") || !strings.Contains(text, "1 warning") {
		t.Errorf("the list does not count the verdicts:\n%s", text)
	}
}

// testManualChecklist goes through a manual run as a person does, over a restart of the server.
func testManualChecklist(r *rig) {
	s := r.serve()
	p := r.open(s)
	p.until("the page is there", isLive)
	script := "profile hand\n"
	for i, name := range []string{"A", "B"} {
		script += fmt.Sprintf("case %s 'case %s' level=must\nendpoint main 20%d\ntrigger main\nwait main attempts=1 timeout=30s\nexpect main secret\n", name, name, i+1)
	}
	script += "case WIRE 'the wire' level=must\nneeds connection-faults\nendpoint main 200\ntrigger main\nwait main\nexpect main attempts == 1\n"
	var made struct {
		ID     string `json:"id"`
		Manual struct {
			URL string `json:"url"`
		} `json:"manual"`
	}
	s.call(http.MethodPost, "/tests", map[string]any{"script": script, "sender": "manual"}, &made)
	p.navigate("/tests/" + made.ID)
	p.sees("It exercises A: case A.")
	p.sees("Not judged with a sender that a person triggers: WIRE")
	p.until("the secret is hidden", `() => document.querySelector('.url code').innerText.endsWith('?secret=•••')`)
	p.press("button", "Secrets masked Reveal secrets")
	p.until("the secret is shown", `(url) => document.querySelector('.url code').innerText === url`, made.Manual.URL)
	s.post(http.StatusCreated, made.Manual.URL, "application/json", `{"n":1}`)
	p.sees("It exercises B: case B.")
	p.press("link", "pass A…")
	p.press("DisclosureTriangle", "attempt 1…")
	p.until("the capture can be looked at", `() => [...document.querySelectorAll('article a')].some((a) => /^\/e\/test-\w+-main\/\d+$/.test(a.getAttribute('href')))`)
	p.keys("\x1b")
	p.press("button", "Pause")
	p.sees("Deliveries are answered 200 and count for no case")
	s.stop()
	s.restart()
	p.press("button", "Resume")
	p.sees("It exercises B: case B.")
	s.post(http.StatusAccepted, made.Manual.URL, "application/json", `{"n":2}`)
	p.until("the run is over", isOver)
	p.until("the list says so", `() => [...document.querySelectorAll('ul[aria-label=Cases] li')]
		.map((e) => e.querySelector('.verdict').innerText.trim().split('\n')[0]).join() === 'pass,pass,inconclusive'`)
}

// testRunsAccessibility looks for accessibility violations on each screen of the conformance runs.
func testRunsAccessibility(r *rig) {
	t := r.t
	source := axe(t)
	s := r.serve()
	first := s.started(map[string]any{"script": brokenRules, "sender": "builtin:langsmith-rules", "scale": 0.4})
	second := s.started(map[string]any{"script": brokenRules, "sender": "builtin:agent-server-python", "scale": 0.4})
	manual := s.started(map[string]any{"profile": "langsmith-rules", "sender": "manual"})
	p := r.open(s)
	p.until("the page is there", isLive)
	for _, screen := range []struct{ where, path, sees string }{
		{"list", "/tests", "Start a run"},
		{"run", "/tests/" + first, "Run again"},
		{"failed case", "/tests/" + first + "/WRONG-1", "never tried again"},
		{"case with a hang-up", "/tests/" + first + "/HANG-1", "sender hung up"},
		{"comparison", "/tests/" + second + "?with=" + first, "HANG-1"},
		{"manual run", "/tests/" + manual, "Make the sender send once"},
		{"no such run", "/tests/none", "There is no such run"},
	} {
		accessible(p, source, screen.where, 900, func(string) {
			p.navigate(screen.path)
			p.sees(screen.sees)
			eval[bool](p, openAll)
		})
	}
}

// openAll opens all that is folded.
const openAll = `() => { for (const d of document.querySelectorAll('details')) d.open = true; return true; }`

// report opens the HTML report of a run as a file, as somebody who got it by mail does.
func (r *rig) report(s *server, id string) *tab {
	r.t.Helper()
	file := filepath.Join(r.t.TempDir(), "report.html")
	if err := os.WriteFile(file, s.bytesOf("/tests/"+id+"/report?format=html"), 0o600); err != nil {
		r.t.Fatal(err)
	}
	p := r.tab("file://")
	p.navigate(file)
	return p
}

// testReport looks at a report that is a file: it asks for nothing, shows the waterfall and the wire log of each case, and
// no secret, and has no accessibility violations.
func testReport(r *rig) {
	t := r.t
	source := axe(t)
	s := r.serve()
	id := s.started(map[string]any{"script": brokenRules, "sender": "builtin:langsmith-rules", "scale": 0.4})
	watch := r.open(s)
	watch.navigate("/tests/" + id)
	watch.until("the run is over", isOver)
	p := r.report(s, id)
	p.sees("A failed <b>delivery</b> is never tried again.")
	p.until("the failed case is open, its proof is drawn, and the cell of the matrix leads to it", `() => {
		const failed = document.querySelector('details.case[open]');
		const link = [...document.querySelectorAll('.matrix td a')].find((a) => a.innerText === 'fail');
		return failed?.querySelectorAll('svg rect').length === 3 && failed.querySelectorAll('details.attempt').length === 3
			&& document.querySelector(link.getAttribute('href'))?.closest('details') === failed;
	}`)
	eval[bool](p, openAll)
	p.until("secrets are masked", `() => {
		const text = document.body.textContent;
		return text.includes('secret=•••') && !/secret=[0-9a-f]/.test(text);
	}`)
	accessible(p, source, "report", 900, func(string) {})
}
