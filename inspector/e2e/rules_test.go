package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/hookrange/hookrange/inspector/api"
)

// testRules makes a rule in the page, puts it first by keys, tries it, and sees which rule answered a webhook.
func testRules(r *rig) {
	t := r.t
	s := r.serve()
	s.post(http.StatusOK, s.hook(""), "application/json", `{"kind":"order.paid","id":"x7"}`)
	p := r.open(s)
	p.shows(s.captures())
	p.press("link", "Settings")
	p.sees("No rules: every request gets the answers above.")

	p.press("button", "Add a rule")
	p.until("the name has the focus", `() => document.activeElement?.matches('input.name')`)
	p.fill("Name", "all posts")
	p.fill("Answer with", "503x2 20O")
	p.press("button", "Save")
	p.until("the error stands at the field, which has the focus", `() => document.activeElement?.matches('textarea[aria-invalid=true]')
		&& document.querySelector('li .error')?.innerText.includes('20O')`)
	p.fill("Answer with", "503x2 200")
	p.press("button", "all posts…")

	p.press("button", "Add a rule")
	p.fill("Name", "paid orders")
	p.press("button", "Add a matcher")
	p.fill("Matcher 2, name", "kind")
	p.fill("Matcher 2, value", "order.paid")
	p.fill("Answer with", `418/template=on/json={"got":"{{.Body.id}}"}`)

	p.press("button", "Try")
	p.sees("Rule “all posts” answers")
	p.sees("matches too, but comes later")
	p.until("the fold has the focus", `() => { document.querySelectorAll('ol .fold')[1].focus(); return document.activeElement.matches('.fold'); }`)
	eval[bool](p, `() => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowUp', altKey: true, bubbles: true }))`)
	p.until("the move is told, and the focus goes along", `() => [...document.querySelectorAll('[role=status]')].some((e) => e.textContent === 'paid orders is now 1 of 2.')
		&& document.activeElement.innerText.includes('paid orders')`)
	p.sees("of before the change")
	p.press("button", "Try")
	p.sees("Rule “paid orders” answers")
	p.sees(`{"got":"x7"}`)
	p.press("button", "Save")
	p.sees("Saved. It holds from the next webhook on.")

	s.post(http.StatusTeapot, s.hook(""), "application/json", `{"kind":"order.paid","id":"x8"}`)
	s.post(http.StatusServiceUnavailable, s.hook(""), "application/json", `{"kind":"other"}`)
	all := s.captures()
	p.navigate(fmt.Sprintf("/e/default/%d", all[1].Seq))
	p.sees("rule paid orders")
	p.press("tab", "Answer…")
	p.sees(`{"got":"x8"}`)
	var kept api.Endpoint
	s.call(http.MethodGet, "/endpoints/default", nil, &kept)
	if len(kept.Rules) != 2 || kept.Rules[0].Name != "paid orders" || len(kept.Rules[0].Match) != 2 {
		t.Errorf("stored %+v", kept.Rules)
	}
	testRulesOfOthers(p, s)
	testRulesLook(p)
}

// testRulesOfOthers takes rules from a preset and a document.
func testRulesOfOthers(p *tab, s *server) {
	p.navigate("/e/default/settings")
	p.until("the presets are there", `() => document.querySelectorAll('select[aria-label="Add a preset"] option').length > 5`)
	eval[bool](p, `() => { const s = document.querySelector('select[aria-label="Add a preset"]'); s.value = 'rate-limited'; return s.dispatchEvent(new Event('change', { bubbles: true })); }`)
	p.sees("rate limited")
	p.press("button", "Import")
	p.fill("Or its text", "openapi: 3.1.0\npaths:\n  /pets/{id}:\n    get: {responses: {'200': {description: ok}, '404': {description: none}}}\n")
	p.press("button", "Read it")
	p.sees("2 rules")
	p.press("button", "Put them in the list")
	p.sees("GET /pets/{id} (404)")
	eval[bool](p, `() => {
		const cards = [...document.querySelectorAll('ol[aria-label=Rules] > li')];
		const drag = (what, on, clientY) => on.dispatchEvent(new DragEvent(what, { bubbles: true, cancelable: true, clientY, dataTransfer: new DataTransfer() }));
		const box = cards[0].getBoundingClientRect();
		drag('dragstart', cards[2].querySelector('.grip'), 0);
		drag('dragover', cards[0], box.bottom - 1); // not past its middle yet
		drag('dragover', cards[1], cards[1].getBoundingClientRect().top + 1);
		return drag('dragend', cards[2].querySelector('.grip'), 0) || true;
	}`)
	p.until("it was dragged up by one", `() => [...document.querySelectorAll('[role=status]')].some((e) => e.textContent === 'all posts is now 2 of 5.')`)
	p.press("button", "Save")
	p.sees("Saved. It holds from the next webhook on.")
	var kept api.Endpoint
	s.call(http.MethodGet, "/endpoints/default", nil, &kept)
	var names []string
	for _, rule := range kept.Rules {
		names = append(names, fmt.Sprint(rule.Name, rule.Off))
	}
	if got, want := strings.Join(names, ", "), "rate limitedfalse, all postsfalse, paid ordersfalse, GET /pets/{id} (404)true, GET /pets/{id}false"; got != want {
		p.t.Errorf("stored %s, want %s", got, want)
	}
}

// testRulesLook checks the open editor for accessibility and width, and keeps pictures where they are asked for.
func testRulesLook(p *tab) {
	source := axe(p.t)
	p.navigate("/e/default/settings")
	p.press("button", "paid orders…")
	p.press("button", "Import")
	p.fill("Or its text", `openapi: 3.1.0
paths:
  /orders/{id}:
    parameters: [{name: id, in: path, required: true, example: 7}]
    post:
      requestBody: {content: {application/json: {examples: {paid: {value: {event: order.paid}}, sent: {value: {event: order.sent}}}}}}
      responses: {'201': {description: ok}}
    put:
      requestBody: {content: {application/json: {schema: {properties: {note: {type: string}}}}}}
      responses: {'204': {description: ok}}
`)
	p.press("button", "Read it")
	p.sees("3 requests of the document")
	p.sees("made of the schema")
	p.press("button", "Try POST /orders/{id} (paid)")
	p.until("the dry run has the request", `() => document.activeElement.textContent.trim() === 'Try'
		&& [...document.querySelectorAll('[aria-labelledby=dry-run] .made input')].some((i) => i.value === '/orders/7')`)
	p.press("button", "Try")
	p.sees("What these rules would answer")
	p.until("there is a result", `() => document.querySelector('[aria-labelledby=dry-run] pre') !== null`)
	accessible(p, source, "rules", 1900, func(picture string) {
		eval[bool](p, `() => { document.querySelector('ol[aria-label=Rules]').scrollIntoView(); return true; }`)
		if to := os.Getenv("HOOKRANGE_SCREENSHOTS"); len(to) > 1 {
			save(p.t, to, picture, shot(p))
		}
	})
}
