package egress_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver/resolve/egress"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const signed = "/bucket/key?X-Amz-Signature=canary"

// private is a policy that opts in to a server, and its URL with a signature.
func private(server string) egress.Request {
	return egress.Request{
		URL:    server + signed,
		Policy: webhook.FetchPolicy{Private: []string{server[strings.LastIndex(server, "/")+1:]}},
	}
}

func TestGetSendsNothingButTheRequest(t *testing.T) {
	t.Parallel()
	var got http.Header
	var uri, host string
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, uri, host = r.Header, r.RequestURI, r.Host
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Set-Cookie", "a=b")
		_, _ = io.WriteString(w, `{"in":1}`)
	}))
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	c := egress.New(egress.Config{Version: "1.2.3", RootCAs: roots})
	req := private(srv.URL)
	req.URL = srv.URL + "/b/runs%2Fa%20b/%C3%BC+1.json?x=%2B+&X-Amz-Signature=canary#frag"
	for range 2 {
		resp, err := c.Get(t.Context(), req)
		if err != nil || resp.Status != http.StatusOK || string(resp.Body) != `{"in":1}` {
			t.Fatalf("Get: %v, %v", resp, err)
		}
		want := http.Header{
			"User-Agent": {"hookrange-resolve/1.2.3"}, "Accept-Encoding": {"identity"}, "Connection": {"close"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
		if want := "/b/runs%2Fa%20b/%C3%BC+1.json?x=%2B+&X-Amz-Signature=canary"; uri != want {
			t.Errorf("target %q, want %q", uri, want)
		}
		if want := strings.TrimPrefix(srv.URL, "https://"); host != want {
			t.Errorf("host %q, want %q", host, want)
		}
	}
	_, err := egress.New(egress.Config{RootCAs: x509.NewCertPool()}).Get(t.Context(), req)
	if got := code(t, err); got != "network/tls_failed" {
		t.Errorf("unknown certificate: %q, want network/tls_failed", got)
	}
}

func TestProxyInTheEnvironmentIsIgnored(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A request that is meant for a proxy names the whole URL.
		if r.RequestURI == signed {
			_, _ = io.WriteString(w, "direct")
		}
	}))
	defer srv.Close()
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	c := egress.New(egress.Config{Resolver: always("127.0.0.1")})
	// A name, as loopback addresses would pass by a proxy anyway.
	resp, err := c.Get(t.Context(), private("http://minio.internal:"+port))
	if err != nil || string(resp.Body) != "direct" {
		t.Errorf("Get: %v, %v", resp, err)
	}
	if n := proxied.Load(); n != 0 {
		t.Errorf("%d connections to the proxy, want 0", n)
	}
}

func TestAnswersOtherThan200(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Ms-Error-Code", "AuthenticationFailed")
		w.Header().Set("Content-Encoding", "gzip")
		var status int
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &status)
		w.WriteHeader(status)
		if status != http.StatusNoContent {
			_, _ = io.WriteString(w, strings.Repeat("x", 100<<10))
		}
	}))
	defer srv.Close()
	c := egress.New(egress.Config{})
	for status, size := range map[int]int{204: 0, 206: 64 << 10, 301: 64 << 10, 403: 64 << 10, 404: 64 << 10, 500: 64 << 10} {
		req := private(srv.URL)
		req.URL = fmt.Sprintf("%s/%d", srv.URL, status)
		resp, err := c.Get(t.Context(), req)
		if err != nil || resp.Status != status || len(resp.Body) != size || resp.Header.Get("X-Ms-Error-Code") == "" {
			t.Errorf("%d: %+v, %v", status, resp, err)
		}
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	var other *httptest.Server
	var referer string
	hits := make(chan string, 8)
	handler := func(w http.ResponseWriter, r *http.Request) {
		hits <- r.Host + r.URL.Path
		referer += r.Header.Get("Referer")
		to, status := r.URL.Query().Get("to"), http.StatusFound
		_, _ = fmt.Sscan(r.URL.Query().Get("status"), &status)
		if to != "" {
			w.Header().Set("Location", to)
			w.WriteHeader(status)
			return
		}
		_, _ = io.WriteString(w, "found")
	}
	srv := httptest.NewServer(http.HandlerFunc(handler))
	defer srv.Close()
	other = httptest.NewServer(http.HandlerFunc(handler))
	defer other.Close()
	sunk := listen(t)
	go sunk.answer("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsunk")
	c := egress.New(egress.Config{Resolver: always("127.0.0.1")})
	for name, tt := range map[string]struct {
		to, want string
		policy   webhook.FetchPolicy
	}{
		"same host":             {to: srv.URL + "/next"},
		"same host, path":       {to: "/next"},
		"another opted in":      {to: other.URL + "/next", policy: webhook.FetchPolicy{Private: []string{other.URL[7:]}}},
		"another not opted in":  {to: other.URL + "/next", want: "redirect_refused"},
		"loopback":              {to: "http://" + sunk.addr() + "/", want: "redirect_refused"},
		"loopback by a name":    {to: "http://localhost:" + sunk.port() + "/", want: "redirect_refused"},
		"scheme-relative":       {to: "//" + sunk.addr() + "/", want: "redirect_refused"},
		"backslash":             {to: `\\` + sunk.addr() + `\`, want: "redirect_refused"},
		"metadata":              {to: "http://169.254.169.254/latest/", want: "redirect_refused"},
		"other scheme":          {to: "file:///etc/passwd", want: "redirect_refused"},
		"user":                  {to: "http://a:b@" + srv.URL[7:] + "/", want: "redirect_refused"},
		"not a URL":             {to: "http://[::1", want: "redirect_refused"},
		"twice":                 {to: "/next?to=/again", want: "redirect_refused"},
		"allowed, but reserved": {to: "https://" + store + "/k", want: "address_not_allowed"},
	} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			req := private(srv.URL)
			req.Policy.Private = append(req.Policy.Private, tt.policy.Private...)
			req.URL += fmt.Sprintf("&status=%d&to=%s", status, url.QueryEscape(tt.to))
			resp, err := c.Get(t.Context(), req)
			want := tt.want
			if want != "" {
				want = "blocked/" + want
			}
			if got := code(t, err); got != want || err == nil && string(resp.Body) != "found" {
				t.Errorf("%s, %d: %q (%v), want %q", name, status, got, resp, want)
			}
			for len(hits) > 0 {
				<-hits
			}
		}
	}
	if referer != "" {
		t.Errorf("Referer %q was sent", referer)
	}
	if n := sunk.accepted(t); n != 0 {
		t.Errorf("%d connections to the sink, want 0", n)
	}
}

func TestRedirectNeverLeavesTLS(t *testing.T) {
	t.Parallel()
	plain := listen(t)
	go plain.answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+plain.addr()+"/", http.StatusFound)
	}))
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	req := private(srv.URL)
	req.Policy.Private = append(req.Policy.Private, plain.addr())
	_, err := egress.New(egress.Config{RootCAs: roots}).Get(t.Context(), req)
	if got := code(t, err); got != "blocked/redirect_refused" || plain.accepted(t) != 0 {
		t.Errorf("got %q, want blocked/redirect_refused", got)
	}
}

func TestBrokenAnswers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ answer, want string }{
		"no answer":          {"", "network/connection_failed"},
		"garbage":            {"canary\r\n\r\n", "network/connection_failed"},
		"body cut":           {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "network/connection_failed"},
		"chunk cut":          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhalf", "network/connection_failed"},
		"gzip cut":           {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 90\r\n\r\n\x1f\x8b\x08", "network/connection_failed"},
		"declares too much":  {"HTTP/1.1 200 OK\r\nContent-Length: 33554433\r\n\r\nx", "too_large/too_large"},
		"huge head":          {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("canary", 20<<10) + "\r\n\r\n", "network/connection_failed"},
		"1xx flood":          {strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: canary\r\n\r\n", 20000), "network/connection_failed"},
		"switches protocols": {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", ""},
	} {
		s := listen(t)
		go s.answer(tt.answer)
		resp, err := egress.New(egress.Config{}).Get(t.Context(), private("http://"+s.addr()))
		if got := code(t, err); got != tt.want {
			t.Errorf("%s: %q (%+v), want %q", name, got, resp, tt.want)
		}
	}
	gone := listen(t)
	_ = gone.l.Close()
	_, err := egress.New(egress.Config{}).Get(t.Context(), private("http://"+gone.addr()))
	if got := code(t, err); got != "network/connect_failed" {
		t.Errorf("nobody listens: %q, want network/connect_failed", got)
	}
}

func TestGetEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	go s.serve(func(conn net.Conn) {
		cancel()
		_, _ = io.ReadAll(conn)
	})
	_, err := egress.New(egress.Config{}).Get(ctx, private("http://"+s.addr()))
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "canary") {
		t.Errorf("Get: %v, want context.Canceled", err)
	}
}
