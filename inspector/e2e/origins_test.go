package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/hookrange/hookrange/inspector/api"
)

// reach tries what a page can do to a server whose token it knows: to read, to write, and to watch the live feed.
const reach = `async (server, token, name) => {
  const headers = { Authorization: 'Bearer ' + token, 'Content-Type': 'application/json' };
  const read = async () => (await (await fetch(server + '/api/v1/endpoints', { headers })).text()).includes('"default"');
  const write = async () => {
    const body = JSON.stringify({ name });
    // What needs no leave of the server goes out too, and so does a form.
    await fetch(server + '/api/v1/endpoints', { method: 'POST', mode: 'no-cors', body }).catch(() => {});
    return (await fetch(server + '/api/v1/endpoints', { method: 'POST', headers, body })).ok;
  };
  const watch = () => new Promise((done) => {
    const socket = new WebSocket(server.replace('http', 'ws') + '/api/v1/live?after=0');
    socket.onopen = () => socket.send(JSON.stringify({ token }));
    socket.onmessage = () => { done(true); socket.close(); };
    socket.onclose = () => done(false);
  });
  const tried = (what) => Promise.resolve().then(what).catch(() => false);
  return { read: await tried(read), write: await tried(write), watch: await tried(watch) };
}`

// foreign are a server's pages that no owner of the inspector wrote, and one that answers under any name as if that had
// been bound to the inspector's address after the page was loaded.
func foreign(t *testing.T, inspector string) (site, rebound *httptest.Server) {
	t.Helper()
	page := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path == "/sandboxed" {
			w.Header().Set("Content-Security-Policy", "sandbox allow-scripts")
		}
		_, _ = io.WriteString(w, "<!doctype html><title>elsewhere</title>")
	}
	target, err := url.Parse(inspector)
	if err != nil {
		t.Fatal(err)
	}
	behind := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}}
	site = httptest.NewServer(http.HandlerFunc(page))
	t.Cleanup(site.Close)
	rebound = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			page(w, r)
			return
		}
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(rebound.Close)
	return site, rebound
}

// testOrigins tries the inspector from pages of all kinds of origins, each of which knows the token. Only the inspector's
// own page may do anything.
func testOrigins(r *rig) {
	t := r.t
	s := r.serve()
	site, rebound := foreign(t, s.ready.Inspector)
	named := func(server *httptest.Server, name string) string {
		return strings.Replace(server.URL, "127.0.0.1", name, 1)
	}
	file := filepath.Join(t.TempDir(), "elsewhere.html")
	if err := os.WriteFile(file, []byte("<!doctype html><title>elsewhere</title>"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, row := range []struct {
		name, page, server, token string
		// own is true for the one that may.
		own bool
	}{
		{"same origin", s.ready.Inspector + "/", s.ready.Inspector, s.ready.Token, true},
		{"same origin without the token", s.ready.Inspector + "/", s.ready.Inspector, "", false},
		{"other port", site.URL, s.ready.Inspector, s.ready.Token, false},
		{"other name of the host", named(site, "localhost"), s.ready.Inspector, s.ready.Token, false},
		{"other host", named(site, "elsewhere.test"), s.ready.Inspector, s.ready.Token, false},
		{"rebound host", named(rebound, "rebound.test") + "/elsewhere", named(rebound, "rebound.test"), s.ready.Token, false},
		{"sandboxed", site.URL + "/sandboxed", s.ready.Inspector, s.ready.Token, false},
		{"file", "file://" + file, s.ready.Inspector, s.ready.Token, false},
	} {
		p := r.tab(row.server)
		p.do("navigate to "+row.page, chromedp.Navigate(row.page))
		name := fmt.Sprintf("written-%d", i)
		got := eval[map[string]bool](p, reach, row.server, row.token, name)
		for _, fault := range p.take() {
			// That a page asks elsewhere, and is told off, is what is tested here; nothing may run for all that.
			if strings.HasPrefix(fault, "__pwned") || strings.HasPrefix(fault, "dialog") {
				t.Errorf("%s: %s", row.name, fault)
			}
		}
		var kept struct{ Endpoints []api.Endpoint }
		s.call(http.MethodGet, "/endpoints", nil, &kept)
		got["change"] = false
		for _, e := range kept.Endpoints {
			got["change"] = got["change"] || e.Name == name
		}
		for _, what := range []string{"read", "write", "watch", "change"} {
			t.Run(row.name+"/"+what, func(t *testing.T) {
				if got[what] != row.own {
					t.Errorf("done: %v, want %v", got[what], row.own)
				}
			})
		}
	}
	t.Run("answer of the receiver/script", func(t *testing.T) { testAnswerRunsNothing(&rig{t: t, binary: r.binary, browser: r.browser}, s) })
}

// testAnswerRunsNothing opens an answer that the receiver was told to give, which is a page with a script.
func testAnswerRunsNothing(r *rig, s *server) {
	s.call(http.MethodPatch, "/endpoints/default", map[string]any{
		"respond": `200/header.Content-Type="text/html"/body="<!doctype html><script>__pwned('answer')</script><p>answered</p>"`,
	}, nil)
	p := r.tab(s.ready.Receiver)
	p.navigate(strings.TrimPrefix(s.hook(""), s.ready.Receiver))
	p.sees("answered")
	p.eventually("the browser says what it blocked", func() error {
		for _, fault := range p.take() {
			if strings.Contains(fault, "Blocked script execution") {
				return nil
			}
			if strings.HasPrefix(fault, "__pwned") {
				r.t.Error(fault)
				return nil
			}
		}
		return errNotYet
	})
}
