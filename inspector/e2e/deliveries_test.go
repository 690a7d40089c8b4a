package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// testDeliveries folds and unfolds the attempts of one delivery, and looks at its waterfall and its differences.
func testDeliveries(r *rig) {
	t := r.t
	s := r.serve()
	s.call(http.MethodPatch, "/endpoints/default", map[string]string{"respond": "503x2 200"}, nil)
	rule := fresh(t, "langsmith-rule-feedback-run")
	for _, status := range []int{503, 503, 200, 200} {
		s.post(status, s.hook(""), "application/json", rule)
	}
	s.post(http.StatusServiceUnavailable, s.hook("/alone"), "application/json", `{"alone":true}`)
	kept := s.captures()
	p := r.open(s)
	p.shows([]listed{kept[0], kept[1]})
	p.until("the head says what its delivery is", `() => {
		const head = document.querySelectorAll('[role=option]')[1].innerText;
		return head.includes('4 attempts') && head.includes('after a 2xx');
	}`)

	// The keys, and then the pointer.
	p.keys("jj")
	p.until("the head is under the cursor", `(seq) => document.getElementById('capture-' + seq)?.ariaSelected === 'true'`, kept[1].Seq)
	p.keys("\u0303")
	p.shows(kept)
	p.keys("j\u0302")
	p.shows([]listed{kept[0], kept[1]})
	p.until("the cursor stays with the delivery", `(seq) => document.getElementById('capture-' + seq)?.ariaSelected === 'true'`, kept[1].Seq)
	eval[bool](p, `() => { document.querySelector('[role=option] .fold').click(); return true; }`)
	p.shows(kept)
	p.press("button", "Group attempts of a delivery")
	p.until("each attempt has a line of its own", `() => [4, 3, 2, 1].every((n, i) =>
		document.querySelectorAll('[role=option]')[i + 1].innerText.includes('attempt ' + n + '/4'))`)
	p.press("button", "Group attempts of a delivery")

	// A link to an earlier attempt shows it in the list, too.
	p.navigate(fmt.Sprintf("/e/default/%d", kept[4].Seq))
	p.shows(kept)
	p.press("tab", "Delivery…")
	p.until("the waterfall is drawn", `() => document.querySelectorAll('figure ol > li').length === 4`)
	p.until("the policy is known by the payload", `() => document.querySelector('article select').value === 'langsmith-rules' &&
		document.querySelector('article').innerText.includes('not in the policy')`)
	text := eval[string](p, `() => document.querySelector('article').innerText`)
	for _, said := range []string{"same bytes", "after a 2xx", "Attempt 3 had been answered 200", "Gaps before retries", "exponential backoff"} {
		if !strings.Contains(text, said) {
			t.Errorf("the delivery does not say %q:\n%s", said, text)
		}
	}
	p.until("the choice of another policy", `() => {
		const select = document.querySelector('article select');
		select.value = 'agent-server-python';
		select.dispatchEvent(new Event('change', { bubbles: true }));
		return true;
	}`)
	p.until("the gaps are held against it", `() => document.querySelector('article').innerText.includes('too early')`)
	p.press("link", "Attempt 2")
	p.until("the attempt is opened", `(seq) => location.pathname === '/e/default/' + seq`, kept[3].Seq)
}

// testDifferences compares captures by their structure and line by line.
func testDifferences(r *rig) {
	t := r.t
	s := r.serve()
	s.post(http.StatusOK, s.hook("/one"), "application/json", `{"id":7,"list":[{"n":1},{"n":2}],"gone":"<img src=x onerror=__pwned()>"}`)
	s.post(http.StatusOK, s.hook("/two"), "application/json", `{"list":[{"n":1},{"n":3}],"id":7,"came":true}`)
	s.post(http.StatusOK, s.hook("/text"), "text/plain", "one\ntwo\nthree\n")
	kept := s.captures()
	p := r.open(s)
	p.opens(kept[1].Seq)
	p.keys("x")
	p.until("the capture before is compared", `(a, b) => location.pathname === '/e/default/' + b + '/diff/' + a &&
		document.querySelector('article').innerText.includes('3 differences, 2 equal values')`, kept[2].Seq, kept[1].Seq)
	paths := eval[[]string](p, `() => [...document.querySelectorAll('article .path')].map((e) => e.innerText)`)
	if want := []string{"list[1].n", "gone", "came"}; !slices.Equal(paths, want) {
		t.Errorf("the differences are at %q, want %q", paths, want)
	}
	p.until("header lines that differ", `() => [...document.querySelectorAll('article .lines .added')].some((e) => e.innerText.includes('Content-Length'))`)
	eval[bool](p, `(seq) => { const field = document.querySelector('article input[type=number]'); field.focus(); field.select(); return true; }`, kept[0].Seq)
	p.keys(fmt.Sprintf("%d\r", kept[0].Seq))
	p.until("another capture is compared", `(a) => location.pathname.endsWith('/diff/' + a) &&
		[...document.querySelectorAll('article .lines .removed')].some((e) => e.innerText.includes('three'))`, kept[0].Seq)
	p.press("link", "Close")
	p.until("the capture is back", `() => !location.pathname.includes('diff') && document.querySelector('[role=tabpanel]') !== null`)
	p.navigate(fmt.Sprintf("/e/default/%d/diff/999999", kept[0].Seq))
	p.until("a capture that is gone is said so", `() => document.querySelector('article [role=alert]')?.innerText.includes('not found')`)
}
