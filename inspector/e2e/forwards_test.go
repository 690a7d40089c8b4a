package e2e_test

import "net/http"

// testForwards: a target is added on the settings screen, what comes goes there, and both screens say so.
func testForwards(r *rig) {
	to := newHandler()
	r.t.Cleanup(to.Close)
	s := r.serve("--replay-private", to.authority())
	p := r.open(s)
	p.sees("Waiting for the first webhook")
	p.navigate("/e/default/settings")
	p.press("button", "Add a target")
	p.until("the new target has the focus", `() => document.activeElement?.placeholder === 'https://example.com/hook'`)
	p.keys("http://127.0.0.1:9/in")
	p.press("button", "Save")
	p.sees("start it with --replay-private")
	p.fill("To", to.URL+"/in?key=of-the-target")
	p.press("button", "Save")
	p.sees("Saved.")
	p.until("the query is masked", `() => [...document.querySelectorAll('input')].some((e) => e.value.endsWith('/in?•••'))`)
	s.post(http.StatusOK, s.hook(""), "application/json", `{"n":1}`)
	p.sees("1 delivered")
	if got := to.all(); len(got) != 1 || got[0].Target != "/in?key=of-the-target" || got[0].Body != `{"n":1}` {
		r.t.Errorf("the target got %+v", got)
	}
	p.keys("\x1b")
	p.opens(s.captures()[0].Seq)
	p.press("tab", "Answer…")
	p.sees("by the endpoint’s forward")
}
