package e2e_test

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

func testBytesAreDownloads(r *rig) {
	t := r.t
	s := r.serve()
	const html = `<!doctype html><script>__pwned('rendered')</script><title>rendered</title>`
	const svg = `<svg xmlns="http://www.w3.org/2000/svg" onload="__pwned('rendered')"></svg>`
	s.post(http.StatusOK, s.hook(""), "text/html", html)
	s.post(http.StatusOK, s.hook(""), "image/svg+xml", svg)
	p := r.tab(s.ready.Inspector)
	downloads := make(chan string, 16)
	if err := chromedp.ListenBrowser(p.ctx, func(event any) {
		if e, ok := event.(*browser.EventDownloadWillBegin); ok && strings.HasPrefix(e.URL, p.origin) {
			downloads <- e.SuggestedFilename
		}
	}); err != nil {
		t.Fatal(err)
	}
	on := true
	if _, err := chromedp.CallBrowser(p.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorDeny, EventsEnabled: &on,
		BrowserContextID: chromedp.FromContext(p.ctx).BrowserContextID,
	}); err != nil {
		t.Fatal(err)
	}
	kept := s.captures()
	for _, c := range kept {
		for _, part := range []string{"body", "raw"} {
			path := fmt.Sprintf("/api/v1/endpoints/default/captures/%d/%s", c.Seq, part)
			call(p, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{}})
			resp, err := chromedp.Run(p.ctx, chromedp.NavigateResponse(p.origin+path))
			if err != nil || resp.Status != http.StatusUnauthorized {
				t.Fatalf("%s without a token: %v, %v; want 401", path, resp, err)
			}
			if text := p.text(); strings.Contains(text, "rendered") || strings.Contains(text, "pwned") {
				t.Errorf("%s without a token shows the bytes: %s", path, text)
			}
			call(p, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{
				Headers: network.Headers{"Authorization": "Bearer " + s.ready.Token},
			})
			// A navigation that becomes a download is aborted.
			if err = chromedp.Do(p.ctx, chromedp.Navigate(p.origin+path)); err == nil || !strings.Contains(err.Error(), "ERR_ABORTED") {
				t.Errorf("%s with the token: %v; want an aborted navigation", path, err)
			}
			var name string
			p.eventually(path+" is downloaded", func() error {
				select {
				case name = <-downloads:
					return nil
				default:
					return errNotYet
				}
			})
			if !strings.HasPrefix(name, "capture-") || strings.HasSuffix(name, ".html") || strings.HasSuffix(name, ".svg") {
				t.Errorf("%s is downloaded as %q", path, name)
			}
			if title := eval[string](p, `() => document.title`); title == "rendered" {
				t.Errorf("%s was rendered", path)
			}
		}
	}
}
