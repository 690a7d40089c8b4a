package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

func testPlanMenu(r *rig) {
	t := r.t
	s := r.serve()
	s.post(http.StatusOK, s.hook(""), "application/json", `{"first":true}`)
	p, other := r.open(s), r.open(s)
	p.shows(s.captures())
	p.until("the plan is in sight", `() => document.querySelector('[aria-controls=plan-form]')?.innerText.includes('200')`)

	p.keys("p")
	p.press("textbox", "Plan")
	p.fill("Plan", "nonsense")
	p.press("button", "Change the answers")
	p.until("what the server says is shown", `() => document.querySelector('#plan-form [role=alert]')?.innerText.includes('nonsense')`)
	s.post(http.StatusOK, s.hook(""), "application/json", `{"still":200}`)

	p.press("button", "503x2 200")
	p.press("button", "Change the answers")
	p.until("the new plan is in sight", `() => document.querySelector('[aria-controls=plan-form]').innerText.includes('503x2 200') &&
		document.querySelector('#plan-form') === null`)
	for _, status := range []int{503, 503, 200} {
		s.post(status, s.hook(""), "application/json", `{"delivery":"retried"}`)
	}
	want := s.captures()
	for _, p := range []*tab{p, other} {
		p.shows([]listed{want[0], want[3], want[4]})
		p.until("the delivery says how many attempts it had", `() => document.querySelector('[role=option]').innerText.includes('3 attempts')`)
		p.until("the plan that holds is in sight", `() => document.querySelector('[aria-controls=plan-form]').innerText.includes('503x2 200')`)
	}

	// The settings count what is there now, and follow.
	p.press("link", "Settings")
	p.sees(fmt.Sprintf("Delete all captures (%d)", len(want)))
	s.post(http.StatusServiceUnavailable, s.hook(""), "application/json", `{"one":"more"}`)
	p.sees(fmt.Sprintf("Delete all captures (%d)", len(want)+1))
	bounds := eval[[]string](p, `() => [...document.querySelectorAll('[aria-label="MiB, accepted"], [aria-label="Captures, rejected"]')]
		.map((e) => e.value + '|' + e.placeholder)`)
	if !slices.Equal(bounds, []string{"|1 024", "|1 000"}) {
		t.Errorf("unset bounds are shown as %q", bounds)
	}
}

// blockedRule returns a rule's payload of one run, whose inputs and outputs may not be fetched.
func blockedRule(t *testing.T) string {
	t.Helper()
	var rule map[string]any
	if err := json.Unmarshal([]byte(fresh(t, "langsmith-rule-costs")), &rule); err != nil {
		t.Fatal(err)
	}
	at := func(url string) map[string]any { return map[string]any{"ROOT": map[string]any{"presigned_url": url}} }
	run, ok := rule["runs"].([]any)[0].(map[string]any)
	if !ok {
		t.Fatal("the fixture has no run")
	}
	run["inputs"], run["outputs"] = nil, nil
	run["inputs_s3_urls"] = at("http://127.0.0.1:9/b/k?X-Amz-Signature=abc")
	run["outputs_s3_urls"] = at("https://store.example.com/b/k?X-Amz-Signature=abc")
	rule["runs"] = []any{run}
	body, err := json.Marshal(rule)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func testBlockedObjects(r *rig) {
	s := r.serve()
	s.post(http.StatusOK, s.hook(""), "application/json", blockedRule(r.t))
	p := r.open(s)
	kept := s.captures()
	p.shows(kept)
	p.opens(kept[0].Seq)
	p.sees("2 objects, all blocked")
	p.sees("add 127.0.0.1:9 to the private stores (fetch.private)")
	p.sees("add store.example.com to the accepted hosts (fetch.hosts)")
	p.until("a way to the settings", `() => {
		document.querySelector('article a[href$="/settings"]')?.click();
		return document.body.innerText.includes('Settings of default');
	}`)
}

// testFlood scrolls while captures come in as fast as they can be sent: what is read stays where it is, and the
// list has every one in the end.
func testFlood(r *rig) {
	const senders, each = 8, 100
	t := r.t
	s := r.serve()
	for n := range 40 {
		s.post(http.StatusOK, s.hook(""), "application/json", fmt.Sprintf(`{"before":%d}`, n))
	}
	p := r.open(s)
	p.counts(40)
	p.until("the page is live", isLive)
	before := p.seqs()
	p.until("the list is held", `() => {
		const list = document.querySelector('[role=listbox]');
		list.scrollTop = 5 * 54;
		return document.querySelector('[aria-pressed=false].follow') !== null;
	}`)
	var wg sync.WaitGroup
	for n := range senders {
		wg.Go(func() {
			for i := range each {
				if status, err := send(s.hook(""), "application/json", fmt.Sprintf(`{"flood":%d,"n":%d}`, n, i)); err != nil || status != http.StatusOK {
					t.Errorf("send: %d, %v", status, err)
				}
			}
		})
	}
	p.until("new ones are counted", `() => /\d new/.test(document.querySelector('.filters').innerText)`)
	wg.Wait()
	p.until("all are counted", `(n) => document.querySelector('.filters').innerText.includes(n + ' new')`, senders*each)
	if got := p.seqs(); !slices.Contains(got, before[5]) || slices.Max(got) > before[0] {
		t.Errorf("what was read has moved: the list shows %v, and was at %d", got, before[5])
	}
	p.press("button", fmt.Sprintf("%d new", senders*each))
	p.until("the list has all", `(n) => Math.round(document.querySelector('[role=listbox] > div').clientHeight / 54) === n`, 40+senders*each)
	p.until("the newest is on top", `(seq) => document.querySelector('[role=option]').id === 'capture-' + seq`, s.captures()[0].Seq)
}

// counts waits until the list has that many captures, seen or not.
func (p *tab) counts(n int) {
	p.t.Helper()
	p.until(fmt.Sprintf("%d captures", n), `(n) => Math.round(document.querySelector('[role=listbox] > div')?.clientHeight / 54) === n`, n)
}

func testKilled(r *rig) {
	s := r.serve()
	tabs := []*tab{r.open(s), r.open(s)}
	for _, p := range tabs {
		p.until("the page is live", isLive)
	}
	s.post(http.StatusOK, s.hook(""), "application/json", `{"before":true}`)
	for _, p := range tabs {
		p.shows(s.captures())
	}
	s.kill()
	for _, p := range tabs {
		p.until("the loss is told", `() => ['waiting', 'connecting', 'offline'].includes(document.querySelector('[data-state]').dataset.state)`)
	}
	s.restart()
	s.post(http.StatusOK, s.hook(""), "application/json", `{"after":true}`)
	want := s.captures()
	if len(want) != 2 {
		r.t.Fatalf("after the kill there are %d captures, want 2", len(want))
	}
	for _, p := range tabs {
		p.until("the page is live again", isLive)
		p.shows(want)
	}
}

func testLargeBodies(r *rig) {
	s := r.serve()
	const size = 10<<20 - 100
	s.post(http.StatusOK, s.hook(""), "application/json", `{"text":"`+strings.Repeat("x", size)+`"}`)
	s.post(http.StatusOK, s.hook(""), "text/plain", strings.Repeat("plain ", size/6))
	s.post(http.StatusRequestEntityTooLarge, s.hook(""), "application/json", `{"text":"`+strings.Repeat("x", 10<<20)+`"}`)
	p := r.open(s)
	kept := s.captures()
	p.shows(kept)
	p.until("what did not fit says so", `() => document.querySelector('[role=option]').innerText.includes('Too large · JSON, the first 10.5 MB')`)

	// However large it is, a press shows a part that can be laid out.
	quick := func(what, function string) {
		r.t.Helper()
		p.until(what, function)
		p.until("the page moves on", `async () => {
			const began = performance.now();
			await new Promise((next) => requestAnimationFrame(next));
			return performance.now() - began < 5000;
		}`)
		if got := eval[int](p, `() => document.querySelector('article .panel').innerText.length`); got > 2_000_000 {
			r.t.Errorf("%s: %d characters at once", what, got)
		}
	}
	const pressing = `(() => { const b = [...document.querySelectorAll('article button')].find((b) => b.innerText.startsWith(word)); b?.click(); return !!b; })()`
	press := func(word string) string {
		return `() => { const word = ` + script(`(w) => w`, word) + `; return ` + pressing + `; }`
	}
	p.opens(kept[2].Seq)
	quick("the rest is loaded", press("Load all of it"))
	quick("more of the string is shown", press("… "))
	p.opens(kept[1].Seq)
	quick("more of the text is shown", press("Show more"))
	p.opens(kept[0].Seq)
	p.press("tab", "Request")
	p.press("tab", "Hex")
	quick("more in hexadecimal", press("Load more"))
}

func testDeletedEndpoint(r *rig) {
	s := r.serve()
	s.post(http.StatusOK, s.hook(""), "application/json", `{"here":true}`)
	list, detail, settings := r.open(s), r.open(s), r.open(s)
	kept := s.captures()
	list.shows(kept)
	detail.opens(kept[0].Seq)
	settings.press("link", "Settings")
	settings.sees("Settings of default")
	for _, p := range []*tab{list, detail, settings} {
		p.until("the page is live", isLive)
	}
	s.call(http.MethodDelete, "/endpoints/default", nil, nil)
	for _, p := range []*tab{list, detail, settings} {
		p.sees("There is no endpoint “default”")
	}
	list.press("button", "To the first endpoint")
	list.sees("No endpoint yet")
}
