package inspector

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// The page is one script and one style sheet of its own; trusted-types names the one policy that Svelte's
	// compiled templates make.
	pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
		"img-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
		"require-trusted-types-for 'script'; trusted-types svelte-trusted-html"
	// bytesPolicy is for bytes that a sender made.
	bytesPolicy = "sandbox; default-src 'none'; frame-ancestors 'none'"

	livePath = "/api/v1/live"
)

// guard decides which hosts and origins may speak to the inspector.
type guard struct {
	hosts, origins []string
}

func newGuard(hosts, origins []string) guard {
	g := guard{}
	for _, h := range hosts {
		g.hosts = append(g.hosts, strings.ToLower(h))
	}
	for _, o := range origins {
		g.origins = append(g.origins, strings.ToLower(strings.TrimSuffix(o, "/")))
	}
	return g
}

// guarded wraps everything that the inspector serves.
func (s *Server) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header(), s.page.has(r.URL.Path))
		if r.ContentLength != 0 {
			// net/http reads what a handler leaves of a body, and would do so for as long as a client drips. A writer without
			// deadlines, as in a test, has none to set.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(requestTime))
		}
		ctx, leave, err := s.admit(r)
		if err != nil {
			s.denied(r, err)
			s.writeError(w, r, err)
			return
		}
		defer leave()
		next.ServeHTTP(w, r.WithContext(ctx)) //nolint:contextcheck // it is the request's own, or ends sooner
	})
}

func secure(h http.Header, page bool) {
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	// Nothing of this is for search engines, least of all what is shared.
	h.Set("X-Robots-Tag", "noindex, nofollow")
	if !page {
		h.Set("Cache-Control", "no-store")
	}
}

// admit applies the guards in order: host, origin, token. The context that it returns has what the token grants, and
// ends with it.
func (s *Server) admit(r *http.Request) (ctx context.Context, leave func(), err error) {
	if !s.guard.host(r) {
		return nil, nil, fmt.Errorf("%w: %q: call it by a loopback name, or allow the name", errHost, r.Host)
	}
	public := s.public(r)
	if err = s.guard.origin(r, public); err != nil {
		return nil, nil, err
	}
	if public {
		return r.Context(), func() {}, nil
	}
	if shares(r.URL.Path) {
		ctx, err = s.admitShare(r)
		return ctx, func() {}, err
	}
	g := s.grant(bearer(r))
	if g == nil {
		return nil, nil, errUnauthorized
	}
	return s.enter(r.Context(), g)
}

// public reports whether a request needs no token in its head: the page's own files, health, the certificate
// that senders are to trust, and a live socket, which brings the token in its first message. Anything not
// listed here needs one.
func (s *Server) public(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	switch path := r.URL.Path; path {
	case "/healthz", "/readyz", authorityPath:
		return true
	case livePath:
		return websocket.IsWebSocketUpgrade(r) && len(r.Header.Values("Authorization")) == 0
	default:
		return s.page.has(path)
	}
}

// host reports whether the Host header names this server: a loopback name or address, with any port because ports are
// mapped, or a configured one. A page of a rebound name fails here.
func (g guard) host(r *http.Request) bool {
	host := strings.ToLower(r.Host)
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if name == "localhost" || slices.Contains(g.hosts, host) || slices.Contains(g.hosts, name) {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.IsLoopback() && addr.Zone() == ""
}

// origin returns errOrigin for a call that a page of another origin makes. What changes nothing and is open
// to all may be reached by a link from anywhere.
func (g guard) origin(r *http.Request, public bool) error {
	upgrade := r.Header.Get("Upgrade") != "" || r.URL.Path == livePath
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead
	if safe && !upgrade && public {
		return nil
	}
	if origins := r.Header.Values("Origin"); len(origins) > 1 || len(origins) == 1 && !g.own(r, origins[0]) {
		return fmt.Errorf("%w: %q", errOrigin, strings.Join(origins, ", "))
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return fmt.Errorf("%w: Sec-Fetch-Site is %q", errOrigin, site)
		}
	}
	return nil
}

// own reports whether an Origin is the server's own or a configured one. Scheme, name and port all count.
func (g guard) own(r *http.Request, origin string) bool {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	origin = strings.ToLower(origin)
	return origin == scheme+strings.ToLower(r.Host) || slices.Contains(g.origins, origin)
}

func newRequestID() string { return rand.Text() }
