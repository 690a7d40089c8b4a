package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// keyed is a new token, or a new share, with its key.
type keyed struct{ ID, Key, URL string }

func (s *server) token(name, role string) keyed {
	s.t.Helper()
	var made keyed
	s.call(http.MethodPost, "/tokens", map[string]any{"name": name, "role": role}, &made)
	return made
}

func testViewer(r *rig) {
	t := r.t
	s := r.serve()
	s.post(http.StatusOK, s.hook(""), "application/json", `{"plain":"text"}`)
	seq := s.captures()[0].Seq
	viewer := s.token("Anna", "view")
	p := r.tab(s.ready.Inspector)
	p.navigate("/#token=" + viewer.Key)
	p.shows(s.captures())
	p.until("the page knows who one is", `() => document.querySelector('[aria-label="Access: Anna, role view"]') !== null`)
	p.opens(seq)
	p.sees("plain")
	for _, name := range []string{
		"Send the capture on", "Delete the capture", "Share the capture", "Pin", "Note", "Reveal secrets", "Send captures on", "Copy URL",
	} {
		if p.has("button", name) {
			t.Errorf("a viewer is offered %q", name)
		}
	}
	// Keys that would change something do nothing.
	p.keys("rmnp")
	if eval[bool](p, `() => document.querySelector('dialog[open], textarea, #plan-form') !== null`) {
		t.Error("a key opens what a viewer cannot do")
	}
	p.navigate("/e/default/settings")
	p.sees("Your token has the role view: it may only look")
	if n := eval[int](p, `() => [...document.querySelectorAll('main input, main select, main textarea, main button')].filter((e) => !e.matches(':disabled')).length`); n > 0 {
		t.Errorf("%d controls of the settings are not disabled", n)
	}
	// What the page does not offer, the server refuses.
	status := eval[int](p, `async (token) => (await fetch('/api/v1/endpoints/default', { method: 'PATCH', body: '{"respond":"500"}',
		headers: { Authorization: 'Bearer ' + token, 'Content-Type': 'application/json' } })).status`, viewer.Key)
	if status != http.StatusForbidden {
		t.Errorf("a change by a viewer is answered %d, want 403", status)
	}
	p.navigate("/tokens")
	p.sees("This needs a token of role admin")
	p.navigate("/e/default")
	p.shows(s.captures())
	p.until("the page is live", isLive)
	// Who is revoked is asked for a token again, at once.
	s.call(http.MethodDelete, "/tokens/"+viewer.ID, nil, nil)
	p.sees("The server did not accept this token. It is wrong, was revoked or has expired.")
	p.fill("Token", s.ready.Token)
	p.press("button", "Open the inspector")
	p.shows(s.captures())
	p.until("the page knows who one is now", `() => document.querySelector('[aria-label="Access: start-up token, role admin"]') !== null`)
}

func testShareLink(r *rig) {
	t := r.t
	s := r.serve()
	const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl"
	seq := s.deliver([]byte(`{"plain":"for everybody","echo":"`+s.secret()+`","jwt":"`+jwt+`"}`), "Content-Type", "application/json",
		"Authorization", "Bearer canary-of-the-bearer")
	s.post(http.StatusOK, s.hook(""), "application/json", `{"other":"capture"}`)
	p := r.open(s)
	p.shows(s.captures())
	p.opens(seq)
	p.press("button", "Share the capture")
	p.press("button", "Make a link")
	p.sees("The link is shown this once")
	link := eval[string](p, `() => document.querySelector('dialog[open] .link code').innerText`)
	if !strings.HasPrefix(link, s.ready.Inspector+"/shared#hks_") {
		t.Fatalf("link %q", link)
	}
	p.catchCopies()
	p.copies("Copy the link", link)
	// A fresh browser, as a stranger's.
	stranger := r.tab(s.ready.Inspector)
	stranger.navigate(strings.TrimPrefix(link, s.ready.Inspector))
	stranger.sees("for everybody")
	looked := stranger.text()
	for _, part := range []string{"Request", "Answer"} {
		stranger.press("tab", part+"…")
		stranger.until("the part is shown", `(part) => document.querySelector('[role=tab][aria-selected=true]').innerText.startsWith(part)`, part)
		looked += stranger.text()
	}
	stranger.press("tab", "Request…")
	stranger.press("tab", "Raw…")
	stranger.sees("POST /hooks/default")
	looked += stranger.text()
	for _, secret := range []string{s.secret(), jwt, "canary-of-the-bearer"} {
		if strings.Contains(looked, secret) {
			t.Errorf("the link shows %q", secret)
		}
	}
	if !strings.Contains(looked, "•••") || !strings.Contains(looked, "application/json") {
		t.Errorf("the link shows too little:\n%s", looked)
	}
	for _, name := range []string{"Delete the capture", "Send the capture on", "Share the capture"} {
		if stranger.has("button", name) {
			t.Errorf("a stranger is offered %q", name)
		}
	}
	if sockets := eval[int](stranger, `() => performance.getEntriesByType('resource').filter((e) => e.name.includes('/live') || e.name.includes('/endpoints')).length`); sockets > 0 {
		t.Errorf("the shared page asks for %d things that are not shared", sockets)
	}
	if kept := eval[int](stranger, `() => sessionStorage.length + localStorage.length`); kept > 0 && strings.Contains(
		eval[string](stranger, `() => JSON.stringify([...Object.entries(sessionStorage), ...Object.entries(localStorage)])`), "hks_") {
		t.Error("the key is kept in the browser's storage")
	}
	// It is revoked where it was made.
	p.until("the link is listed", `() => document.querySelector('dialog[open] li') !== null`)
	p.press("button", "Revoke the link "+strings.Split(link, "_")[1])
	p.until("the link is listed no more", `() => document.querySelector('dialog[open] li') === null`)
	again := r.tab(s.ready.Inspector)
	again.navigate(strings.TrimPrefix(link, s.ready.Inspector))
	again.sees("This link is not good any more")
	// Another one expires, perhaps between what the page asks for first and what it asks for then.
	var made keyed
	s.call(http.MethodPost, fmt.Sprintf("/endpoints/default/captures/%d/share", seq), map[string]any{"expires_in_ms": 1000}, &made)
	expiring := r.tab(s.ready.Inspector)
	deadline := time.Now().Add(patience)
	for !strings.Contains(expiring.text(), "This link is not good any more") {
		if time.Now().After(deadline) {
			t.Fatal("a link of one second is good for longer")
		}
		expiring.navigate("/shared#" + made.Key)
		eval[bool](expiring, `() => { location.reload(); return true; }`)
		expiring.until("the page says something", `() => ['for everybody', 'not good any more', 'or has expired'].some((s) => document.body.innerText.includes(s))`)
	}
}

func testTokensScreen(r *rig) {
	t := r.t
	s := r.serve()
	s.post(http.StatusOK, s.hook(""), "application/json", `{}`)
	p := r.open(s)
	p.shows(s.captures())
	p.press("button", "Access…")
	p.press("link", "Tokens")
	p.fill("Name of whoever gets it", "CI")
	p.press("radio", "operate …")
	p.press("checkbox", "default")
	p.press("button", "Make the token")
	p.sees("it is shown this once")
	key := eval[string](p, `() => document.querySelector('.made .key').innerText`)
	var info struct {
		Caller struct {
			Name, Role string
			Endpoints  []string
		}
	}
	own := *s
	own.ready.Token = key
	own.call(http.MethodGet, "/info", nil, &info)
	if got := fmt.Sprint(info.Caller); got != "{CI operate [default]}" {
		t.Errorf("the new token is %s", got)
	}
	own.call(http.MethodPatch, "/endpoints/default", map[string]any{"respond": "204"}, nil)
	p.catchCopies()
	p.copies("Copy the token", key)
	p.press("button", "I have it")
	if strings.Contains(p.text(), key) {
		t.Error("the key is still there")
	}
	p.press("button", "Revoke the token of CI")
	p.press("button", "Really revoke the token of CI")
	p.sees("No token yet")
	p.press("button", "Access…")
	p.press("link", "Audit log")
	p.sees("revoked a token")
	p.sees("changed the settings")
	p.fill("Who", "CI")
	p.press("button", "Show")
	p.until("only what it did is shown", `() => document.querySelectorAll('main tbody tr').length === 1`)
	if text := p.text(); !strings.Contains(text, "respond:") || strings.Contains(text, key) {
		t.Errorf("the audit log shows:\n%s", text)
	}
}

// testAccessAccessibility looks for violations on the screens of tokens, audit log and shares. With HOOKRANGE_SCREENSHOTS
// naming a folder it keeps pictures of them there.
func testAccessAccessibility(r *rig) {
	t := r.t
	source := axe(t)
	file := filepath.Join(t.TempDir(), "declared.yaml")
	if err := os.WriteFile(file, []byte("tokens: [{name: the CI of the shop, role: operate, endpoints: [default], secret: a-long-random-value-of-mine}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := r.serve("--config", file)
	seq := s.deliver([]byte(`{"plain":"for everybody"}`), "Content-Type", "application/json")
	viewer := s.token("A viewer with a rather long name", "view")
	s.call(http.MethodPatch, "/endpoints/default", map[string]any{"respond": "503x2 200", "secret": "another-secret-value"}, nil)
	s.call(http.MethodPost, "/endpoints", map[string]any{"name": "shop"}, nil)
	s.call(http.MethodPost, "/tokens", map[string]any{"name": "The shop", "role": "view", "endpoints": []string{"default", "shop"}}, nil)
	s.call(http.MethodDelete, "/endpoints/shop", nil, nil)
	var share keyed
	s.call(http.MethodPost, fmt.Sprintf("/endpoints/default/captures/%d/share", seq), map[string]any{}, &share)
	looks := func(p *tab, name string) {
		t.Helper()
		accessible(p, source, name, 900, func(string) {})
		if to := os.Getenv("HOOKRANGE_SCREENSHOTS"); to != "" && to != "1" {
			each(p, to, name)
		}
		p.size(1280, 900)
	}
	p := r.open(s)
	p.shows(s.captures())
	p.press("button", "Access…")
	p.sees("Use another token")
	looks(p, "access-menu")
	p.press("link", "Tokens")
	p.fill("Name of whoever gets it", "CI")
	p.press("button", "Make the token")
	p.sees("it is shown this once")
	p.until("a declared token cannot be revoked", `() => [...document.querySelectorAll('tr')].some((row) =>
		row.innerText.includes('the CI of the shop') && row.innerText.includes('in the settings file') && !row.querySelector('button'))`)
	p.sees("default, shop (deleted)")
	looks(p, "access-tokens")
	p.navigate("/audit")
	p.sees("changed the settings")
	looks(p, "access-audit")
	p.navigate(fmt.Sprintf("/e/default/%d", seq))
	p.press("button", "Share the capture")
	p.press("button", "Make a link")
	p.sees("The link is shown this once")
	looks(p, "access-share")
	p = r.tab(s.ready.Inspector)
	p.navigate("/shared#" + share.Key)
	p.sees("for everybody")
	looks(p, "access-shared")
	p.navigate("/shared#hks_none_none")
	eval[bool](p, `() => { location.reload(); return true; }`)
	p.sees("This link is not good any more")
	looks(p, "access-shared-gone")
	p = r.tab(s.ready.Inspector)
	p.navigate("/#token=" + viewer.Key)
	p.shows(s.captures())
	p.opens(seq)
	p.until("the page knows who one is", `() => document.querySelector('[aria-label^="Access: A viewer"]') !== null`)
	looks(p, "access-viewer")
	p.navigate("/e/default/settings")
	p.sees("it may only look")
	looks(p, "access-viewer-settings")
}
