package e2e_test

import (
	"net/http"
	"net/url"
	"os/exec"
	"strings"
)

// catchCopies has the page's clipboard kept where a test can look at it: a browser without a window has none.
func (p *tab) catchCopies() {
	p.t.Helper()
	eval[bool](p, `() => {
		navigator.clipboard.writeText = async (text) => { window.copied = text; };
		navigator.clipboard.write = async ([item]) => { window.copied = await (await item.getType('text/plain')).text(); };
		return true;
	}`)
}

// copied presses a button and returns what it copies.
func (p *tab) copied(button string) string {
	p.t.Helper()
	eval[bool](p, `() => { window.copied = ''; return true; }`)
	p.press("button", button)
	p.until(button+" copies something", `() => window.copied !== ''`)
	return eval[string](p, `() => window.copied`)
}

// copies presses a button that must copy a text.
func (p *tab) copies(button, want string) {
	p.t.Helper()
	if got := p.copied(button); got != want {
		p.t.Errorf("%q copies %q, want %q", button, got, want)
	}
}

// testCopiedSenders copies each way to send: it has the real secret where the page shows a mask, and one that is run as it
// was copied delivers.
func testCopiedSenders(r *rig) {
	t := r.t
	const secret = `it's "50%" $(id) & more`
	s := r.serve()
	s.post(http.StatusOK, s.hook(""), "application/json", `{}`)
	s.call(http.MethodPatch, "/endpoints/default", map[string]any{"secret": secret}, nil)
	var e struct{ URL string }
	s.call(http.MethodGet, "/endpoints/default?reveal=true", nil, &e)
	p := r.open(s)
	p.shows(s.captures())
	p.catchCopies()
	p.press("button", "Connect a sender")
	copied := map[string]string{}
	for _, name := range eval[[]string](p, `() => [...document.querySelectorAll('dialog[open] [role=tab]')].map((e) => e.innerText)`) {
		p.press("tab", name)
		p.until(name+" is shown", `(name) => document.querySelector('dialog[open] [role=tab][aria-selected=true]').innerText === name`, name)
		if shown := eval[string](p, `() => document.querySelector('dialog[open] pre').innerText`); strings.Contains(shown, url.QueryEscape(secret)[:8]) {
			t.Errorf("%s shows the secret: %s", name, shown)
		}
		button := "Copy command"
		if name == "LangSmith rule" {
			button = "Copy URL"
		}
		copied[name] = p.copied(button)
		if !strings.Contains(copied[name], e.URL) {
			t.Errorf("%s copies %s, which lacks the URL %s", name, copied[name], e.URL)
		}
	}
	if len(copied) < 9 || copied["LangSmith rule"] != e.URL {
		t.Errorf("%d ways to send, and for LangSmith %q", len(copied), copied["LangSmith rule"])
	}
	if out, err := exec.Command("bash", "-c", copied["curl"]).CombinedOutput(); err != nil || !strings.Contains(string(out), "200 OK") {
		t.Errorf("run as copied, curl says %v: %s", err, out)
	}
	if kept := s.captures(); len(kept) != 2 || kept[0].Class != "accepted" {
		t.Errorf("run as copied, curl delivered %+v", kept)
	}
	p.press("button", "Close")
	p.press("link", "Settings")
	p.copies("Copy secret", secret)
}

// testCopies presses copy buttons and looks at what they copy: what is shown, with the secret where a sender needs it, also
// at an endpoint's own port and where the browser has no clipboard for scripts.
func testCopies(r *rig) {
	t := r.t
	s := r.serve("--listener-host", "127.0.0.1")
	s.post(http.StatusOK, s.hook("/here"), "application/json", `{"n":1}`)
	p := r.open(s)
	p.catchCopies()
	copies := func(button, want string) {
		t.Helper()
		p.copies(button, want)
	}
	hook := func() (shared, own string) {
		t.Helper()
		var e struct {
			URLs []struct{ Via, URL string }
		}
		s.call(http.MethodGet, "/endpoints/default?reveal=true", nil, &e)
		for _, way := range e.URLs {
			if way.Via == "shared" {
				shared = way.URL
			} else {
				own = way.URL
			}
		}
		return shared, own
	}
	before, _ := hook()
	copies("Copy URL", before)
	// Whoever changes the secret elsewhere tells nobody: what is copied must still be right.
	s.call(http.MethodPatch, "/endpoints/default", map[string]any{"secret": "another-secret-of-somebody"}, nil)
	after, _ := hook()
	if after == before {
		t.Fatalf("the URL stayed %s", after)
	}
	copies("Copy URL", after)

	p.press("link", "Settings")
	p.until("the listener is chosen", `() => {
		const select = [...document.querySelectorAll('select')].find((s) => s.labels[0]?.innerText.includes('Listener'));
		if (!select) return false;
		select.value = 'plain';
		select.dispatchEvent(new Event('change', { bubbles: true }));
		return true;
	}`)
	p.press("button", "Save")
	p.sees("its own port")
	shared, own := hook()
	if u, err := url.Parse(own); err != nil || u.Scheme != "http" || u.Port() == "" || own == shared {
		t.Fatalf("its own URL is %q, %v", own, err)
	}
	copies("Copy URL at its own port", own)
	copies("Copy URL at the shared port", shared)
	copies("Copy URL", own)
	s.post(http.StatusOK, own, "application/json", `{"n":2}`)

	p.press("link", "Hookrange: captures")
	kept := s.captures()
	p.shows(kept)
	p.opens(kept[0].Seq)
	copies("Copy permalink", eval[string](p, `() => location.origin + location.pathname`))
	p.press("tab", "Request")
	copies("Copy the request line", eval[string](p, `() => document.querySelector('.line code').innerText`))
	copies("Copy the value of Content-Type", "application/json")
	p.press("button", "Take captures out")
	copies("Copy the command", "hookrange export default --format har --out default.har")

	// Over plain HTTP from another machine there is no clipboard but that of what is selected, in an open sheet too.
	got := eval[string](p, `async () => {
		Object.defineProperty(window, 'isSecureContext', { value: false });
		const copied = new Promise((done) => document.addEventListener('copy', () => done(document.activeElement.value ?? 'nothing'), { once: true }));
		document.querySelector('dialog[open] [aria-label="Copy the command"]').click();
		return Promise.race([copied, new Promise((done) => setTimeout(() => done('no copy'), 10_000))]);
	}`)
	if want := "hookrange export default --format har --out default.har"; got != want {
		t.Errorf("without a clipboard %q is copied, not %q", got, want)
	}
	p.press("button", "Close")
}
