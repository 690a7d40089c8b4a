package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/chromedp/chromedp/kb"
)

const isSelected = `(seq) => document.getElementById('capture-' + seq)?.ariaSelected === 'true'`

// testNotes pins and notes in one browser, and sees it in another.
func testNotes(r *rig) {
	t := r.t
	s := r.serve()
	for i := range 3 {
		s.post(http.StatusOK, s.hook(""), "application/json", fmt.Sprintf(`{"n":%d}`, i))
	}
	kept := s.captures()
	p, other := r.open(s), r.open(s)
	other.until("the other page is live", isLive)
	p.opens(kept[1].Seq)
	p.keys("m")
	p.press("button", "Note")
	p.until("the field has the focus", `() => document.activeElement?.tagName === 'TEXTAREA'`)
	p.keys("ask <img src=x onerror=__pwned()> about it")
	p.press("button", "Save the note")
	p.until("the note is shown", `() => document.querySelector('article .note .text')?.innerText === 'ask <img src=x onerror=__pwned()> about it'`)
	other.until("the other browser has them", `(seq) => {
		const text = document.getElementById('capture-' + seq)?.innerText ?? '';
		return text.includes('pinned') && text.includes('with a note');
	}`, kept[1].Seq)

	// Only what is pinned, with the query in the address, and as a filter with a name.
	other.keys("v")
	other.press("button", "Pinned only")
	other.shows(kept[1:2])
	other.fill("Save this filter as", "mine")
	other.press("button", "Save")
	other.until("it is listed", `() => [...document.querySelectorAll('.menu li')].some((e) => e.innerText.includes('mine'))`)
	if got := eval[string](other, `() => location.search`); got != "?q=pinned%3Atrue" {
		t.Errorf("the address has %q", got)
	}
	other.press("button", "Show all")
	other.shows(kept)
	other.navigate("/e/default")
	other.shows(kept)
	other.press("button", "Pins, saved filters and times")
	other.press("button", "mine…")
	other.shows(kept[1:2])
	other.navigate("/e/default?q=note:ask")
	other.shows(kept[1:2])
	p.press("button", "Pinned")
	p.until("it is not pinned", `() => document.querySelector('article .note button').ariaPressed === 'false'`)
	other.until("nor is it there", `() => !document.querySelector('[role=option]').innerText.includes('pinned')`)
}

// testUnread tells what was looked at from what was not.
func testUnread(r *rig) {
	s := r.serve()
	s.post(http.StatusOK, s.hook(""), "application/json", `{"n":1}`)
	p := r.open(s)
	p.shows(s.captures())
	p.until("the page is live", isLive)
	s.post(http.StatusOK, s.hook(""), "application/json", `{"n":2}`)
	s.post(http.StatusOK, s.hook(""), "application/json", `{"n":3}`)
	kept := s.captures()
	p.shows(kept)
	unread := func(what string, want ...int64) {
		p.t.Helper()
		p.until(what, `(want) => [...document.querySelectorAll('[role=option].unread')].map((e) => Number(e.id.split('-')[1])).sort().join() === want.sort().join()`,
			append([]int64{}, want...))
	}
	unread("what was there at first is read", kept[0].Seq, kept[1].Seq)
	p.opens(kept[1].Seq)
	unread("what is opened is read", kept[0].Seq)
	p.keys("u")
	unread("and not read when somebody says so", kept[0].Seq, kept[1].Seq)
	p.navigate("/e/default")
	unread("also after the page was left", kept[0].Seq, kept[1].Seq)
	p.keys("v")
	p.press("button", "Mark all as read")
	unread("all are read")
}

// testLatest opens each new capture by itself until somebody reads one.
func testLatest(r *rig) {
	s := r.serve()
	s.post(http.StatusOK, s.hook(""), "application/json", `{"n":1}`)
	p := r.open(s)
	p.shows(s.captures())
	p.until("the page is live", isLive)
	p.navigate("/e/default/latest")
	newest := func(what string) {
		p.t.Helper()
		p.until(what, `(seq) => document.querySelector('article')?.ariaLabel === 'Capture ' + seq`, s.captures()[0].Seq)
	}
	newest("the newest is opened")
	p.until("the page is live", isLive)
	s.post(http.StatusOK, s.hook(""), "application/json", `{"n":2}`)
	newest("the next one, too")
	read := s.captures()[0].Seq
	eval[bool](p, `() => document.querySelector('article').dispatchEvent(new WheelEvent('wheel', { bubbles: true }))`)
	p.until("a hand that moves stays with it", `(seq) => location.pathname === '/e/default/' + seq`, read)
	s.post(http.StatusOK, s.hook(""), "application/json", `{"n":3}`)
	p.until("what comes is listed", `(seq) => document.querySelectorAll('[role=option]').length === 3 || document.body.innerText.includes('1 new')`)
	p.until("and not opened", `(seq) => document.querySelector('article')?.ariaLabel === 'Capture ' + seq`, read)
	p.keys("a")
	newest("it goes on when asked to")
	p.keys(kb.Escape)
	p.until("the list is back", `() => location.pathname === '/e/default' && document.querySelector('article') === null`)
}

// testJump goes to a time in the past and back up from it.
func testJump(r *rig) {
	t := r.t
	s := r.serve()
	for i := range 4 {
		s.post(http.StatusOK, s.hook(""), "application/json", fmt.Sprintf(`{"early":%d}`, i))
	}
	var page struct {
		Captures []struct {
			ReceivedAt time.Time `json:"received_at"`
		} `json:"captures"`
	}
	s.call(http.MethodGet, "/endpoints/default/captures?limit=1", nil, &page)
	at := page.Captures[0].ReceivedAt
	early := s.captures()
	for i := range 4 {
		s.post(http.StatusOK, s.hook(""), "application/json", fmt.Sprintf(`{"late":%d}`, i))
	}
	kept := s.captures()
	p := r.open(s)
	p.shows(kept)
	p.navigate("/e/default?at=" + url.QueryEscape(at.Format(time.RFC3339Nano)))
	p.shows(early)
	p.sees("To the newest")
	p.press("button", "Newer than…")
	p.shows(kept)
	p.press("button", "To the newest")
	p.until("the list follows again", `() => !location.search.includes('at=') && !document.body.innerText.includes('To the newest')`)

	p.keys("v")
	p.until("the form is there", `(at) => {
		const field = document.querySelector('.menu input[type=datetime-local]');
		if (!field) return false;
		field.value = at;
		field.dispatchEvent(new Event('input', { bubbles: true }));
		return field.value !== '';
	}`, at.Local().Add(time.Hour).Format("2006-01-02T15:04:05"))
	p.press("button", "Go")
	p.until("an hour on everything is there", `() => location.search.includes('at=') && document.querySelectorAll('[role=option]').length === 8`)
	if got := eval[string](p, `() => new URLSearchParams(location.search).get('at')`); !strings.HasSuffix(got, "Z") {
		t.Errorf("the address has the time %q", got)
	}
}

// testComfort tries times, the title's count and the help.
func testComfort(r *rig) {
	s := r.serve()
	s.post(http.StatusOK, s.hook(""), "application/json", `{"n":1}`)
	p := r.open(s)
	p.shows(s.captures())
	p.until("the page is live", isLive)
	p.keys("t")
	p.until("relative times", `() => /just now|ago/.test(document.querySelector('[role=option] time').innerText)`)
	p.keys("t")
	p.until("exact times", `() => /^\d\d:\d\d:\d\d\.\d{3}$/.test(document.querySelector('[role=option] time').innerText)`)
	p.keys("?")
	p.press("radio", "UTC")
	p.until("UTC, marked as such", `() => /^\d\d:\d\d:\d\d\.\d{3}Z$/.test(document.querySelector('[role=option] time').innerText)`)
	p.sees("write a note")
	p.keys(kb.Escape)
	eval[bool](p, `() => { Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => 'hidden' }); return true; }`)
	s.post(http.StatusOK, s.hook(""), "application/json", `{"n":2}`)
	s.post(http.StatusOK, s.hook(""), "application/json", `{"n":3}`)
	p.until("the title counts", `() => document.title === '(2) default · Hookrange'`)
	eval[bool](p, `() => { delete document.visibilityState; document.dispatchEvent(new Event('visibilitychange')); return true; }`)
	p.until("until somebody looks", `() => document.title === 'default · Hookrange'`)
	p.navigate("/e/default")
	p.until("choices outlive the page", `() => document.querySelector('[role=option] time')?.innerText.endsWith('Z')`)
	p.keys("j")
	p.until("the first is under the cursor", isSelected, s.captures()[0].Seq)
}

// testTold tries what tells of new captures: a sound and a notification, each only once somebody has asked for it.
func testTold(r *rig) {
	s := r.serve()
	s.post(http.StatusOK, s.hook(""), "application/json", `{"n":1}`)
	p := r.open(s)
	p.shows(s.captures())
	p.until("the page is live", isLive)
	eval[bool](p, `() => {
		window.rung = 0; window.told = []; window.asked = 0;
		const start = OscillatorNode.prototype.start;
		OscillatorNode.prototype.start = function (at) { window.rung++; return start.call(this, at); };
		window.Notification = class { static permission = 'default';
			static async requestPermission() { window.asked++; return (this.permission = 'granted'); }
			constructor(title, options) { window.told.push(title + ': ' + options.body); } };
		return true;
	}`)
	arrives := func(body string) {
		s.post(http.StatusOK, s.hook(""), "application/json", body)
		p.shows(s.captures())
	}
	arrives(`{"n":2}`)
	if n := eval[int](p, `() => window.rung + window.asked + window.told.length`); n != 0 {
		r.t.Errorf("nobody asked for it, and %d sounds or questions came", n)
	}
	p.keys("s")
	p.until("a sample of the sound", `() => window.rung === 1`)
	arrives(`{"n":3}`)
	p.until("a sound with a capture", `() => window.rung === 2`)
	p.keys("?")
	p.until("the sheet says that it is on", `() => [...document.querySelectorAll('dialog[open] label')]
		.find((l) => l.innerText.includes('short sound'))?.querySelector('input').checked === true`)
	p.press("checkbox", "Notify of new captures then…")
	p.until("the browser is asked on the click", `() => window.asked === 1`)
	p.keys(kb.Escape)
	eval[bool](p, `() => { Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => 'hidden' }); return true; }`)
	s.post(http.StatusOK, s.hook(""), "application/json", `{"n":4}`)
	s.post(http.StatusOK, s.hook(""), "application/json", `{"n":5}`)
	p.until("one notification of both", `() => window.told.join() === 'default: 2 new captures'`)
	p.navigate("/e/default")
	p.keys("?")
	p.until("choices are kept", `() => [...document.querySelectorAll('dialog[open] label')]
		.find((l) => l.innerText.includes('short sound'))?.querySelector('input').checked === true`)
}
