package e2e_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/chromedp/chromedp/kb"
)

const signingSecret = "the-secret-that-signs-here"

// postSigned sends a body with GitHub's signature of a text.
func (s *server) postSigned(want int, text, body string) {
	s.t.Helper()
	mac := hmac.New(sha256.New, []byte(signingSecret))
	mac.Write([]byte(text))
	req, err := http.NewRequest(http.MethodPost, s.ready.Receiver+"/hooks/default", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := (&http.Client{Timeout: patience}).Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != want {
		s.t.Fatalf("answered %d, want %d", resp.StatusCode, want)
	}
}

func testSignatureLab(r *rig) {
	t := r.t
	source := axe(t)
	s := r.serve()
	s.call(http.MethodPatch, "/endpoints/default", map[string]any{"scheme": "github", "secret": signingSecret}, nil)
	s.postSigned(http.StatusUnauthorized, `{"a":1,"b":"ü"}`, `{"a": 1, "b": "ü"}`)
	s.postSigned(http.StatusOK, `{"c":1}`, `{"c":1}`)
	kept := s.captures()
	p := r.open(s)
	looks := func(where string, shown func()) {
		t.Helper()
		accessible(p, source, where, 900, func(picture string) {
			shown()
			if folder := os.Getenv("HOOKRANGE_SCREENSHOTS"); folder != "" && folder != "1" {
				save(t, folder, "signature-"+picture, shot(p))
			}
		})
		p.size(1280, 900)
	}

	// What was rejected says why at once, whichever part is shown.
	p.navigate(fmt.Sprintf("/e/default/%d", kept[1].Seq))
	looks("rejected", func() {
		p.sees("JSON without white space was signed")
		p.sees("body_compact")
	})

	// What was accepted can be checked again, by the keyboard alone.
	p.navigate(fmt.Sprintf("/e/default/%d", kept[0].Seq))
	p.press("tab", "Request…")
	p.until("the way to the lab is there", `() => document.querySelector('[aria-controls=signature-lab]') !== null`)
	eval[bool](p, `() => { document.querySelector('[aria-controls=signature-lab]').focus(); return true; }`)
	p.keys(kb.Enter)
	p.until("it is verified", `() => document.querySelector('#signature-lab [role=status]')?.innerText.includes('verified')`)
	p.keys(kb.Tab + kb.Tab + "another-secret-altogether" + kb.Enter)
	p.sees("the current secret of endpoint default")
	looks("typed", func() { p.sees("not verified") })
	for _, store := range []string{"localStorage", "sessionStorage"} {
		if got := eval[string](p, `() => JSON.stringify(`+store+`) + location.href`); strings.Contains(got, "another-secret") {
			t.Errorf("%s has the typed secret: %s", store, got)
		}
	}
	if got := eval[string](p, `() => document.querySelector('#signature-lab input').type`); got != "password" {
		t.Errorf("the secret is typed into a field of type %s", got)
	}

	// The generic scheme has fields of its own.
	eval[bool](p, `() => {
		const select = document.querySelector('#signature-lab select');
		select.value = 'hmac';
		select.dispatchEvent(new Event('change', { bubbles: true }));
		return true;
	}`)
	p.fill("With the secret", signingSecret)
	p.fill("Header", "X-Hub-Signature-256")
	p.press("button", "Check the signature")
	p.sees("There is a prefix before the digest.")
	looks("generic", func() { p.sees("prefix_unexpected") })
}
