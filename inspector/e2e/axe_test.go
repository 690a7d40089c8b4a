package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// violation is what axe-core found.
type violation struct {
	ID, Impact, Help string
	Nodes            []string
}

// axe returns the source of axe-core. Where the browser is required, so is it.
func axe(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("..", "ui", "node_modules", "axe-core", "axe.min.js"))
	switch {
	case err == nil:
	case os.Getenv("HOOKRANGE_BROWSER") == "required":
		t.Fatalf("axe-core is needed: run npm ci in inspector/ui: %v", err)
	default:
		t.Skipf("axe-core is not installed, so nothing is checked: %v", err)
	}
	return string(source)
}

// audit returns the accessibility violations of what the tab shows.
func audit(p *tab, source string) []violation {
	p.t.Helper()
	eval[bool](p, `() => { if (typeof axe === 'undefined') {`+source+`} return true; }`)
	return eval[[]violation](p, `async () => {
		// A colour on its way to another is neither.
		for (const a of document.getAnimations()) if (a.effect.getComputedTiming().iterations !== Infinity) a.finish();
		return (await axe.run(document)).violations.map((v) => ({ ID: v.id, Impact: v.impact, Help: v.help,
			Nodes: v.nodes.slice(0, 5).map((n) => n.target.join(' ') + ' ' + n.html.slice(0, 160) + ' ' + (n.any[0]?.message ?? '')) }));
	}`)
}

// accessible looks for violations, and for a page that is wider than its window, in both themes and two widths. Show brings
// up what is looked at, each time, and may keep a picture of it under that name.
func accessible(p *tab, source, where string, height int64, show func(picture string)) {
	p.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 320} {
			p.colours(scheme)
			p.size(width, height)
			show(fmt.Sprintf("%s-%d-%s", where, width, scheme))
			for _, v := range audit(p, source) {
				p.t.Errorf("%s, %s, %d px wide: %s (%s): %s: %q", where, scheme, width, v.ID, v.Impact, v.Help, v.Nodes)
			}
			if got := eval[int64](p, `() => document.documentElement.scrollWidth`); got > width {
				p.t.Errorf("%s, %s, %d px wide: the page is %d px wide", where, scheme, width, got)
			}
		}
	}
}

func testAccessibility(r *rig) {
	t := r.t
	source := axe(t)
	s := r.serve()
	p := r.tab(s.ready.Inspector)
	looks := func(where string, screen func()) {
		t.Helper()
		accessible(p, source, where, 900, func(string) { screen() })
	}
	p.navigate("/")
	looks("token", func() { p.sees("This inspector needs its token") })
	p.navigate("/#token=" + s.ready.Token)
	eval[bool](p, `() => { location.reload(); return true; }`)
	looks("first screen", func() { p.sees("Waiting for the first webhook") })
	s.post(http.StatusUnauthorized, s.ready.Receiver+"/hooks/default?secret=wrong", "application/json", `{}`)
	s.post(http.StatusOK, s.hook(""), "text/plain", fresh(t, "agent-server-python-create-run"))
	s.post(http.StatusOK, s.hook(""), "application/json", fresh(t, "langsmith-rule-feedback-run"))
	s.post(http.StatusOK, s.hook(""), "application/json", blockedRule(t))
	kept := s.captures()
	looks("list", func() { p.shows(kept) })
	for _, c := range kept {
		for _, part := range []string{"Payload", "Request", "Answer", "Delivery"} {
			p.navigate(fmt.Sprintf("/e/default/%d", c.Seq))
			p.press("tab", part+"…")
			looks("list and "+part, func() {
				p.until("the part is shown whole", `() => {
					document.querySelectorAll('article tbody button[aria-expanded=false]').forEach((b) => b.click());
					return document.querySelector('article [role=tabpanel]')?.innerText.includes('Loading') === false;
				}`)
			})
		}
	}
	first := kept[0].Seq
	broken := s.deliver([]byte("{\n  \"a\" 1\n}"), "Content-Type", "application/json")
	s.call(http.MethodPatch, fmt.Sprintf("/endpoints/default/captures/%d/note", broken), map[string]any{"pinned": true, "text": "look"}, nil)
	kept = s.captures()
	p.navigate(fmt.Sprintf("/e/default/%d", broken))
	p.press("tab", "Payload…")
	looks("broken JSON, with a note", func() { p.sees("Line 2, column 7") })
	p.keys("n")
	looks("a note being written", func() { p.sees("Save the note") })
	p.navigate(fmt.Sprintf("/e/default/%d/diff/%d", broken, first))
	looks("differences", func() { p.sees("Header lines, in wire order") })
	p.navigate("/e/default?q=pinned:true")
	p.keys("v")
	looks("the menu of pins and filters", func() { p.sees("Jump to a time") })
	p.navigate("/e/default?q=nothing-has-this-word")
	looks("nothing found", func() { p.sees("No capture matches.") })
	p.navigate("/e/default")
	p.shows(kept)
	p.keys("p")
	looks("the plan", func() { p.sees("Change the answers") })
	p.navigate("/e/default")
	p.shows(kept)
	p.press("button", "Connect a sender")
	looks("ways to send", func() { p.sees("PowerShell") })
	p.navigate("/e/default")
	p.shows(kept)
	p.keys("e")
	looks("take out", func() { p.sees("Take captures out") })
	p.navigate(fmt.Sprintf("/e/default/%d", kept[0].Seq))
	p.sees("Payload")
	s.replayed(kept[0].Seq)
	p.press("tab", "Answer…")
	looks("sent on", func() { p.sees("not delivered") })
	p.keys("r")
	p.press("DisclosureTriangle", "Edit the request")
	looks("send on", func() { p.sees("Header fields") })
	p.navigate("/e/default/settings")
	looks("settings", func() {
		p.sees("Settings of default")
		p.until("the forwards are loaded", `() => document.querySelector('.add') !== null`)
	})
	p.press("button", "Add a target")
	looks("settings of a forward", func() { p.sees("That match a search") })
	p.navigate("/e/default/connections")
	looks("no connections", func() { p.sees("on the shared port only") })
	s.failures("default")
	p.navigate("/e/default/connections")
	looks("connections", func() {
		p.until("the rows are open", `() => {
			document.querySelectorAll('main details').forEach((d) => { d.open = true; });
			return document.querySelectorAll('main li dl').length === 3;
		}`)
	})
	p.navigate("/e/default")
	looks("list with connections", func() { p.shows(kept) })
	p.navigate("/e/default/settings")
	looks("settings of a listener", func() { p.sees("--cacert hookrange-ca.pem") })
	p.navigate("/e/nowhere")
	looks("missing endpoint", func() { p.sees("There is no endpoint") })
	p.navigate("/e/default/settings")
	p.sees("Settings of default")
	p.keys("?")
	looks("help", func() { p.sees("Choices of this browser") })

	// A fault that is known to be there is found.
	eval[bool](p, `() => { document.querySelector('dialog[open] dl').append(document.createElement('img')); return true; }`)
	if len(audit(p, source)) == 0 {
		t.Error("an image without a text is no violation, so nothing is proven")
	}
}
