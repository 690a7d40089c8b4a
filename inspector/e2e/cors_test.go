package e2e_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/hookrange/hookrange/inspector/api"
)

// testCORS sends from a page of another origin, as a browser does it: first without leave, then with it.
func testCORS(r *rig) {
	t := r.t
	s := r.serve()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>site</title>")
	}))
	t.Cleanup(site.Close)
	p := r.tab(site.URL)
	p.navigate("/")
	send := func() string {
		t.Helper()
		// What the page asks for, and what the browser says when it is refused, is what is tested here.
		defer p.take()
		return eval[string](p, `async (url) => {
			try {
				const answer = await fetch(url, { method: 'PUT', headers: { 'Content-Type': 'application/json', 'X-Own': '1' }, body: '{}' });
				return answer.status + ' ' + await answer.text();
			} catch (cause) { return String(cause); }
		}`, s.hook(""))
	}
	if got := send(); !strings.Contains(got, "Failed to fetch") {
		t.Errorf("without leave: %s", got)
	}
	s.call(http.MethodPatch, "/endpoints/default", map[string]any{
		"cors": map[string]any{"origins": []string{site.URL}}, "respond": `503/body=later 200/body=done`,
	}, nil)
	if got := send(); got != "503 later" {
		t.Errorf("with leave: %s, want the first step", got)
	}
	if got := send(); got != "200 done" {
		t.Errorf("with leave: %s, want the second step", got)
	}
	var kept api.Captures
	s.call(http.MethodGet, "/endpoints/default/captures", nil, &kept)
	var got []string
	for _, c := range kept.Captures {
		got = append(got, c.Class+" "+c.Reason)
	}
	// Without leave the browser's question is a webhook like any other: the URL has the secret.
	if all := strings.Join(got, ", "); !strings.Contains(all, "rejected preflight") || strings.Count(all, "accepted ") != 3 {
		t.Errorf("captured %s", all)
	}
}
