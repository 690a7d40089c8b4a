package e2e_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
)

// handler is a webhook's target that keeps what came.
type handler struct {
	*httptest.Server
	mu  sync.Mutex
	got []handled
}

type handled struct {
	Method, Target, Body string
	Header               http.Header
}

// newHandler answers 503 to the first of each target that has "flaky" in its path, and 200 to the rest.
func newHandler() *handler {
	h := &handler{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.got = append(h.got, handled{r.Method, r.URL.RequestURI(), string(body), r.Header})
		if strings.Contains(r.URL.Path, "flaky") && len(h.got)%2 == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	return h
}

func (h *handler) all() []handled {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]handled{}, h.got...)
}

func (h *handler) authority() string { return strings.TrimPrefix(h.URL, "http://") }

func testSendOn(r *rig) {
	t := r.t
	to := newHandler()
	t.Cleanup(to.Close)
	s := r.serve("--replay-private", to.authority())
	s.post(http.StatusOK, s.hook(""), "application/json", `{"n":1}`)
	s.post(http.StatusOK, s.hook(""), "application/json", `{"n":2}`)
	kept := s.captures()
	p := r.open(s)
	p.shows(kept)

	// With the keyboard alone: the dialog opens with its cursor where to send to.
	p.opens(kept[0].Seq)
	p.keys("r")
	p.sees(fmt.Sprintf("Send capture %d on", kept[0].Seq))
	p.until("the target has the focus", `() => document.activeElement?.type === 'url'`)
	// The browser is sent the key as a text too, whatever the page made of it.
	eval[chromedp.Void](p, `() => document.activeElement.select()`)
	p.keys(to.URL + "/flaky?secret=of-the-target")
	p.until("the policies are known", `() => document.querySelectorAll('dialog[open] option').length > 3`)
	eval[bool](p, `() => { const e = document.querySelector('dialog[open] select'); e.value = 'langsmith-rules';
		e.dispatchEvent(new Event('change', { bubbles: true })); return true; }`)
	p.press("button", "Send")
	p.sees("Delivered.")
	p.until("both tries are shown", `() => { const text = document.querySelector('dialog[open]').innerText;
		return text.includes('503') && text.includes('200') && text.includes('attempt 2'); }`)
	if strings.Contains(p.text(), "of-the-target") {
		t.Error("the target's secret is shown beside the tries")
	}

	// Edited, and proved anew.
	p.press("button", "Close")
	p.keys("r")
	p.press("DisclosureTriangle", "Edit the request")
	p.fill("Body", `{"n":"edited"}`)
	p.press("checkbox", "Prove the sender anew…")
	p.fill("To", to.URL+"/edited")
	p.press("button", "Send")
	p.sees("Delivered.")
	p.keys("\x1b")
	p.press("tab", "Answer…")
	p.sees("Sent on")
	p.sees("edited, proved anew")

	// On a narrow screen the list is hidden behind the capture, and its keys open nothing there.
	p.size(320, 900)
	p.keys("e")
	p.keys("R")
	if eval[bool](p, `() => document.querySelector('dialog[open]') !== null`) {
		t.Error("a dialog that cannot be seen is open")
	}
	p.size(1280, 900)

	// What cannot be sent to is said.
	p.keys("r")
	p.fill("To", "http://127.0.0.1:9/")
	p.press("button", "Send")
	p.sees("start it with --replay-private")
	p.fill("To", s.hook(""))
	p.press("button", "Send")
	p.sees("would make a loop")
	p.press("button", "Close")

	// All of a search.
	p.navigate("/e/default?q=body.n:1")
	p.shows(kept[1:])
	p.keys("R")
	p.fill("To", to.URL+"/all")
	p.press("button", "Send")
	p.sees("1 capture sent, 1 delivered.")

	got := to.all()
	var targets []string
	for _, one := range got {
		targets = append(targets, one.Target+" "+one.Body)
		if one.Header.Get("Hookrange-Replay") == "" {
			t.Errorf("%s came without the marker", one.Target)
		}
	}
	want := []string{
		`/flaky?secret=of-the-target {"n":2}`, `/flaky?secret=of-the-target {"n":2}`, `/edited?secret=` + s.secret() + ` {"n":"edited"}`, `/all {"n":1}`,
	}
	if strings.Join(targets, "\n") != strings.Join(want, "\n") {
		t.Errorf("there came\n%s\nwant\n%s", strings.Join(targets, "\n"), strings.Join(want, "\n"))
	}
}

func testTakeOut(r *rig) {
	t := r.t
	s := r.serve()
	s.post(http.StatusOK, s.hook(""), "application/json", `{"n":1}`)
	s.post(http.StatusOK, s.hook(""), "application/json", `{"n":2}`)
	folder := t.TempDir()
	p := r.open(s)
	if _, err := chromedp.CallBrowser(p.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: folder,
		BrowserContextID: chromedp.FromContext(p.ctx).BrowserContextID,
	}); err != nil {
		t.Fatal(err)
	}
	file := func(suffix string) []byte {
		t.Helper()
		var data []byte
		p.eventually("a file "+suffix, func() error {
			found, err := filepath.Glob(filepath.Join(folder, "default-*"+suffix))
			if err != nil || len(found) != 1 {
				return errNotYet
			}
			data, err = os.ReadFile(found[0])
			return err
		})
		return data
	}
	kept := s.captures()
	p.shows(kept)
	p.keys("e")
	p.sees("Take captures out")
	p.sees("hookrange export default --format har --out default.har")
	p.press("button", "Download")
	var har struct {
		Log struct {
			Entries []json.RawMessage `json:"entries"`
		} `json:"log"`
	}
	if err := json.Unmarshal(file(".har"), &har); err != nil || len(har.Log.Entries) != 2 {
		t.Errorf("%d entries, %v", len(har.Log.Entries), err)
	}
	p.press("radio", "Bug report…")
	p.press("button", "Download")
	report := file(".zip")
	z, err := zip.NewReader(bytes.NewReader(report), int64(len(report)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil || bytes.Contains(data, []byte(s.secret())) {
			t.Errorf("%s shows the secret, or %v", f.Name, err)
		}
		_ = in.Close()
	}

	// Only what the list shows, with secrets when that is asked for.
	p.keys("\x1b")
	p.navigate("/e/default?q=body.n:1")
	p.shows(kept[1:])
	p.press("button", "Take captures out")
	p.sees("Only what the list shows now")
	p.press("radio", "JSON lines…")
	p.press("checkbox", "Show secrets…")
	p.press("button", "Download")
	if text := file(".jsonl"); bytes.Count(text, []byte("\n")) != 1 || !bytes.Contains(text, []byte(s.secret())) {
		t.Errorf("JSON lines: %s", text)
	}
}

// aReplay is a try that the replay command made.
func aReplay() map[string]any {
	return map[string]any{
		"id": "01910000-0000-7000-8000-000000000001", "by": "client", "target": "http://127.0.0.1:3000/hook?•••", "policy": "langsmith-rules",
		"attempt": 1, "try": 1, "started_at": "2026-11-22T10:00:00Z", "duration_ms": 12.5, "status": 503, "delivered": false,
	}
}

func (s *server) replayed(seq int64) {
	s.t.Helper()
	s.call(http.MethodPost, fmt.Sprintf("/endpoints/default/captures/%d/replays", seq), aReplay(), nil)
}
