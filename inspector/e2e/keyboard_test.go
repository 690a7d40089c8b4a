package e2e_test

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// focus is what has the keyboard's focus, and whether it can be seen there.
type focus struct {
	Tag, Name, Text string
	Lost, Ring      bool
}

func (p *tab) focus() focus {
	p.t.Helper()
	return eval[focus](p, `() => {
		const e = document.activeElement, lost = !e || e === document.body;
		if (lost) return { Tag: '', Name: '', Text: '', Lost: true, Ring: false };
		const style = getComputedStyle(e), box = e.getBoundingClientRect();
		const ringed = e.matches(':focus-visible') && (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== 'none');
		return { Tag: e.tagName, Name: e.getAttribute('aria-label') ?? e.labels?.[0]?.innerText ?? '', Text: e.innerText ?? '', Lost: false,
			Ring: ringed && box.width > 0 && box.bottom > 0 && box.top < innerHeight };
	}`)
}

// keeps waits until the focus is somewhere, where it can be seen.
func (p *tab) keeps(where string) {
	p.t.Helper()
	p.eventually("the focus can be seen "+where, func() error {
		if f := p.focus(); f.Lost || !f.Ring {
			return fmt.Errorf("it is %+v", f)
		}
		return nil
	})
}

// tabs presses Tab until what has the focus is named so, and checks on the way that it can always be seen.
func (p *tab) tabs(name string) {
	p.t.Helper()
	var seen []string
	for range 80 {
		p.keys(kb.Tab)
		f := p.focus()
		if !f.Lost && !f.Ring {
			p.t.Errorf("on the way to %q the focus cannot be seen: %+v", name, f)
		}
		if strings.HasPrefix(strings.TrimSpace(f.Name), name) || strings.TrimSpace(f.Text) == name {
			return
		}
		seen = append(seen, f.Tag+" "+f.Name+" "+f.Text)
	}
	p.t.Fatalf("Tab does not lead to %q, but to %q", name, seen)
}

// testKeyboardOnly goes all the way with keys: no event of a mouse or a finger happens, and the focus is never lost.
func testKeyboardOnly(r *rig) {
	to := newHandler()
	r.t.Cleanup(to.Close)
	s := r.serve("--replay-private", to.authority())
	p := r.open(s)
	p.sees("Waiting for the first webhook")
	p.until("the page is live", isLive)
	eval[bool](p, `() => { window.pointed = 0;
		for (const name of ['pointerdown', 'mousedown', 'touchstart', 'wheel']) addEventListener(name, () => window.pointed++, true);
		return true; }`)
	p.tabs("Copy URL")
	p.keys(kb.Enter)
	p.sees("Copied")
	p.keeps("after copying")

	// The first webhook takes the first screen away.
	for n := range 3 {
		s.post(http.StatusOK, s.hook(fmt.Sprintf("/%d", n)), "application/json", fmt.Sprintf(`{"n":%d,"word":"apple%d"}`, n, n))
	}
	kept := s.captures()
	p.shows(kept)
	p.keeps("once the list is there")
	p.keys("j")
	p.until("the newest is selected", isSelected, kept[0].Seq)
	p.keys(kb.Enter)
	p.until("it is open", `(seq) => document.querySelector('article')?.getAttribute('aria-label') === 'Capture ' + seq`, kept[0].Seq)
	p.keeps("beside the capture")
	for n, name := range []string{"Payload", "Request", "Answer", "Delivery"} {
		p.keys(fmt.Sprint(n + 1))
		p.until(name+" is shown", `(name) => document.querySelector('article [role=tab][aria-selected=true]')?.innerText.startsWith(name)`, name)
	}
	p.tabs("Delivery")
	p.keys(kb.Home)
	p.until("the tabs have arrow keys", `() => document.querySelector('article [role=tab][aria-selected=true]')?.innerText.startsWith('Payload')`)
	p.keeps("on the tabs")

	// Searched, pinned, compared.
	p.keys(kb.Escape)
	p.keeps("back in the list")
	p.keys("/")
	p.until("the search has the focus", `() => document.activeElement?.type === 'search'`)
	// The browser is sent the key as a text too, whatever the page made of it.
	eval[chromedp.Void](p, `() => document.activeElement.select()`)
	p.keys("apple1")
	p.shows(kept[1:2])
	p.keys(kb.Escape)
	p.shows(kept)
	p.keeps("after the search")
	p.keys("j" + kb.Enter)
	p.until("a capture is open", `() => document.querySelector('article [role=tabpanel]') !== null`)
	p.keys("m")
	p.until("it is pinned", `() => document.querySelector('article [aria-pressed=true]') !== null`)
	p.keeps("after the pin")
	p.keys("x")
	p.sees("Header lines, in wire order")
	p.keeps("beside the differences")
	p.keys("x")
	p.until("the capture is back", `() => document.querySelector('article [role=tabpanel]') !== null`)
	p.keeps("after the differences")

	// Sent on.
	p.keys("r")
	p.until("the target has the focus", `() => document.activeElement?.type === 'url'`)
	eval[chromedp.Void](p, `() => document.activeElement.select()`)
	p.keys(to.URL + "/in" + kb.Enter)
	p.sees("Delivered.")
	p.keeps("in the dialog")
	p.keys(kb.Escape)
	p.until("the dialog is closed", `() => document.querySelector('dialog[open]') === null`)
	p.keeps("after the dialog")
	p.keys("?")
	p.sees("next capture (older)")
	p.keeps("in the help")
	p.keys(kb.Escape)
	p.until("the help is closed", `() => document.querySelector('dialog[open]') === null`)
	p.keeps("after the help")

	// The settings: the plan is changed and saved by its button, which goes away with that.
	p.keys("gs")
	p.sees("Settings of default")
	p.keeps("on the settings")
	p.until("find the plan", `() => document.querySelector('main form input:not([type=checkbox])') !== null`)
	p.tabs("Plan")
	eval[chromedp.Void](p, `() => document.activeElement.select()`)
	p.keys("503x2 200")
	p.tabs("Save")
	p.keys(kb.Enter)
	p.sees("Saved.")
	p.keeps("after saving")
	var ep struct {
		Respond string `json:"respond"`
	}
	if s.call(http.MethodGet, "/endpoints/default", nil, &ep); ep.Respond != "503x2 200" {
		r.t.Errorf("the plan is %q", ep.Respond)
	}

	// The tests, and back.
	p.keys("gt")
	p.sees("Start a run")
	p.keeps("on the tests")
	p.keys("gl")
	p.shows(kept)
	p.keeps("back with the captures")
	if n := eval[int](p, `() => window.pointed`); n != 0 {
		r.t.Errorf("%d events of a mouse", n)
	}
}
