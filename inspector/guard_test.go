package inspector_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"github.com/hookrange/hookrange/inspector"
)

// route is one method of one path, with its variables filled in.
type route struct{ name, method, path string }

func routes(tb testing.TB, r *rig) []route {
	tb.Helper()
	fill := strings.NewReplacer("{endpoint}", "default", "{seq:[0-9]+}", "1", "{id}", "x", "{name:.+}", "runs.0.inputs")
	var out []route
	err := r.server.Router().Walk(func(m *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := m.GetPathTemplate()
		if err != nil {
			return err
		}
		methods, err := m.GetMethods()
		for _, method := range methods {
			out = append(out, route{m.GetName(), method, fill.Replace(path)})
		}
		return err
	})
	if err != nil || len(out) < 30 {
		tb.Fatalf("%d routes: %v", len(out), err)
	}
	return out
}

// public routes need no token.
func public(at route) bool {
	return at.name == "health" || at.name == "ready" || at.name == "getAuthority"
}

// spellings are other ways to write a path, each of which must meet the same guards.
func spellings(path string) []string {
	return []string{
		path, strings.Replace(path, "a", "%61", 1), strings.ReplaceAll(path, "/", "//"), path + "/", path + "/.",
		"/x/.." + path, path + "%2e", path + ";x=1", strings.ToUpper(path), path + "%00", "/." + path,
	}
}

func TestEveryRouteNeedsTheToken(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	r.capture(t, "default", "{}")
	for _, at := range routes(t, r) {
		if public(at) {
			continue
		}
		for _, path := range spellings(at.path) {
			for name, changes := range map[string][]change{
				"none":    {anonymous},
				"wrong":   {with("Authorization", "Bearer "+token+"x")},
				"scheme":  {with("Authorization", "Basic "+token)},
				"empty":   {with("Authorization", "Bearer ")},
				"twice":   {func(req *http.Request) { req.Header.Add("Authorization", "Bearer x") }},
				"in path": {anonymous, func(req *http.Request) { req.URL.RawQuery = "token=" + token }},
			} {
				a := r.call(t, at.method, path, "", changes...)
				if a.StatusCode != http.StatusUnauthorized || a.Header.Get("WWW-Authenticate") != "Bearer" {
					t.Errorf("%s %s with token %s: %d, want 401", at.method, path, name, a.StatusCode)
				}
			}
		}
	}
	if _, err := r.store.Endpoint("default"); err != nil {
		t.Errorf("an anonymous call changed something: %v", err)
	}
}

func TestEveryRouteChecksTheHost(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *inspector.Config) { c.Hosts = []string{"hooks.example.com", "one.example.com:99"} })
	port := r.http.URL[strings.LastIndex(r.http.URL, ":"):]
	host := func(h string) change { return func(req *http.Request) { req.Host = h } }
	wrong := []string{
		"rebind.test", "rebind.test" + port, "localhost." + port, "localhost.evil.test" + port,
		"evil.test:80@127.0.0.1", "0.0.0.0" + port, "127.1" + port, "2130706433" + port, "one.example.com", "[fe80::1%25lo]" + port,
	}
	for _, at := range append(routes(t, r), route{"page", "GET", "/"}, route{"page", "GET", "/assets/app.js"}) {
		for _, h := range wrong {
			if a := r.call(t, at.method, at.path, "", host(h)); a.StatusCode != http.StatusMisdirectedRequest {
				// net/http itself refuses what is no host at all.
				if a.StatusCode != http.StatusBadRequest || a.Header.Get("X-Request-Id") != "" {
					t.Errorf("%s %s by host %q: %d, want 421", at.method, at.path, h, a.StatusCode)
				}
			}
		}
	}
	for _, h := range []string{
		"127.0.0.1", "127.0.0.1:1", "localhost", "localhost:8081", "127.0.0.1" + port, "127.9.9.9" + port, "localhost" + port, "LOCALHOST" + port, "[::1]" + port,
		"hooks.example.com", "hooks.example.com:444", "one.example.com:99",
	} {
		if a := r.call(t, http.MethodGet, "/api/v1/info", "", host(h)); a.StatusCode != http.StatusOK {
			t.Errorf("by host %q: %d, want 200", h, a.StatusCode)
		}
	}
}

func TestEveryRouteChecksTheOrigin(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *inspector.Config) { c.Origins = []string{"https://hooks.example.com"} })
	r.endpoint(t, "default")
	port := r.http.URL[strings.LastIndex(r.http.URL, ":"):]
	wrong := []string{
		"null", "", "https://127.0.0.1" + port, "http://127.0.0.1", "http://127.0.0.1:1", "http://localhost" + port,
		"http://evil.test", "http://hooks.example.com", r.http.URL + ".evil.test", r.http.URL + "/", "file://",
	}
	for _, at := range routes(t, r) {
		for _, path := range spellings(at.path) {
			if !public(at) || at.name == "live" && path == at.path {
				for _, origin := range wrong {
					if a := r.call(t, at.method, path, "{}", with("Origin", origin)); a.StatusCode != http.StatusForbidden {
						t.Errorf("%s %s from %q: %d, want 403", at.method, path, origin, a.StatusCode)
					}
				}
			}
			if public(at) {
				continue
			}
			for _, site := range []string{"cross-site", "same-site", "x"} {
				if a := r.call(t, at.method, path, "", with("Sec-Fetch-Site", site)); a.StatusCode != http.StatusForbidden {
					t.Errorf("%s %s with Sec-Fetch-Site %s: %d, want 403", at.method, path, site, a.StatusCode)
				}
			}
		}
	}
	for _, origin := range []string{r.http.URL, "https://hooks.example.com"} {
		a := r.call(t, http.MethodPatch, "/api/v1/endpoints/default", "{}", with("Origin", origin), with("Sec-Fetch-Site", "same-origin"))
		if a.StatusCode != http.StatusOK {
			t.Errorf("from %s: %d %s", origin, a.StatusCode, a.text)
		}
	}
	if a := r.call(t, http.MethodGet, "/", "", anonymous, with("Sec-Fetch-Site", "cross-site")); a.StatusCode != http.StatusOK {
		t.Errorf("a link from elsewhere to the page: %d, want 200", a.StatusCode)
	}
}

func TestEveryAnswerHasTheSecurityHeaders(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	r.capture(t, "default", "{}")
	all := append(routes(t, r), route{"page", "GET", "/"}, route{"page", "GET", "/assets/app.js"}, route{"none", "GET", "/nothing"},
		route{"none", "OPTIONS", "/api/v1/info"}, route{"none", "POST", "/"})
	for _, at := range all {
		for _, changes := range [][]change{nil, {anonymous}} {
			a := r.call(t, at.method, at.path, "", changes...)
			for name, want := range map[string]string{
				"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
				"Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
				"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-", "X-Request-Id": "",
			} {
				if got := a.Header.Get(name); !strings.Contains(got, want) || got == "" {
					t.Errorf("%s %s: %s is %q, want %q in it", at.method, at.path, name, got, want)
				}
			}
			for _, directive := range []string{
				"script-src 'self'", "style-src 'self'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
				"require-trusted-types-for 'script'", "trusted-types svelte-trusted-html",
			} {
				if policy := a.Header.Get("Content-Security-Policy"); !strings.Contains(policy, directive) && !strings.HasPrefix(policy, "sandbox; ") {
					t.Errorf("%s %s: the policy %q lacks %s", at.method, at.path, policy, directive)
				}
			}
			for _, name := range []string{"Set-Cookie", "Access-Control-Allow-Origin"} {
				if a.Header.Get(name) != "" {
					t.Errorf("%s %s: has %s", at.method, at.path, name)
				}
			}
			if a.StatusCode == http.StatusMovedPermanently {
				t.Errorf("%s %s: redirects", at.method, at.path)
			}
		}
	}
}

func TestLateRoutesAreNotThere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	for _, at := range []route{
		{"", "GET", "/hooks/default"},
		{"", "GET", "/debug/pprof/"},
	} {
		refused(t, r.call(t, at.method, at.path, ""), http.StatusNotFound, "no_route")
	}
	a := r.call(t, http.MethodPost, "/api/v1/info", "{}")
	refused(t, a, http.StatusMethodNotAllowed, "method_not_allowed")
	if a.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("Allow is %q", a.Header.Get("Allow"))
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, path := range []string{"/", "/e/default", "/e/default/12", "/tests", "/index.html"} {
		a := r.call(t, http.MethodGet, path, "", anonymous)
		if a.StatusCode != http.StatusOK || !strings.Contains(string(a.text), "page") || a.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %s %s", path, a.StatusCode, a.Header.Get("Cache-Control"), a.text)
		}
	}
	a := r.call(t, http.MethodGet, "/assets/app.js", "", anonymous)
	if a.Header.Get("Content-Type") != "text/javascript; charset=utf-8" || a.Header.Get("Etag") == "" {
		t.Errorf("script: %v", a.Header)
	}
	for accepted, want := range map[string]string{"gzip, br": "gzip", "br, gzip;q=0": "", "": ""} {
		packed := r.call(t, http.MethodGet, "/assets/app.js", "", anonymous, with("Accept-Encoding", accepted))
		if got := packed.Header.Get("Content-Encoding"); got != want || packed.Header.Get("Vary") != "Accept-Encoding" ||
			(want != "") != (len(packed.text) < len(a.text)) {
			t.Errorf("for %q: %q, %d bytes, Vary %q", accepted, got, len(packed.text), packed.Header.Get("Vary"))
		}
	}
	again := r.call(t, http.MethodGet, "/assets/app.js", "", anonymous, with("If-None-Match", a.Header.Get("Etag")))
	if again.StatusCode != http.StatusNotModified || len(again.text) > 0 {
		t.Errorf("unchanged: %d %q", again.StatusCode, again.text)
	}
	refused(t, r.call(t, http.MethodPost, "/", "{}"), http.StatusMethodNotAllowed, "method_not_allowed")
	bare := newRig(t, func(c *inspector.Config) { c.UI = nil })
	refused(t, bare.call(t, http.MethodGet, "/", ""), http.StatusNotFound, "no_route")
}
