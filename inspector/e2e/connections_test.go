package e2e_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// secure changes an endpoint and returns its URL and a client that trusts the server's certificates. It takes a
// connection for each request.
func (s *server) secure(endpoint string, changes map[string]any) (hook string, client *http.Client) {
	s.t.Helper()
	var changed struct {
		URL string `json:"url"`
	}
	s.call(http.MethodPatch, "/endpoints/"+endpoint+"?reveal=true", changes, &changed)
	resp, err := http.Get(s.ready.Inspector + "/api/v1/ca.pem") //nolint:noctx // it is here at once
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	cert, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("the certificate: %s, %v", resp.Status, err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return changed.URL, &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
	}}
}

// attempt sends one webhook, which may fail.
func attempt(t *testing.T, client *http.Client, hook string) (status int) {
	t.Helper()
	// A body that cannot be read twice keeps net/http from trying again by itself.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, hook, io.MultiReader(strings.NewReader(`{"by":"TLS"}`)))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode
}

// failures are connections of every kind that brings no request.
func (s *server) failures(endpoint string) (hook string, client *http.Client) {
	s.t.Helper()
	hook, client = s.secure(endpoint, map[string]any{
		"respond": "tls-alert tls-badcert/cert=expired reset@accept 200", "listener": map[string]any{"kind": "tls"},
	})
	for range 3 {
		if status := attempt(s.t, client, hook); status != 0 {
			s.t.Fatalf("answered %d before a request could come", status)
		}
	}
	return hook, client
}

func testConnections(r *rig) {
	t := r.t
	s := r.serve("--listener-host", "127.0.0.1")
	p := r.open(s)
	p.sees("Waiting for the first webhook")
	p.press("link", "Settings")
	p.sees("the shared port")
	p.until("the listener is chosen", `() => {
		const select = [...document.querySelectorAll('select')].find((s) => s.labels[0]?.innerText.includes('Listener'));
		if (!select) return false;
		select.value = 'tls';
		select.dispatchEvent(new Event('change', { bubbles: true }));
		return true;
	}`)
	p.press("button", "Save")
	p.sees("https://127.0.0.1:")
	p.sees("--cacert hookrange-ca.pem")
	hook, client := s.failures("default")
	if u, err := url.Parse(hook); err != nil || u.Scheme != "https" {
		t.Fatalf("the hook URL is %s, %v", hook, err)
	}
	// The first screen would say for ever that it waits.
	p.press("link", "Hookrange: captures")
	p.sees("A sender was here, but brought no request: 3 connections.")
	p.press("link", "3 connections")
	for _, text := range []string{"Connections of default", "tls-alert", "tls-badcert", "reset@accept", "reset by the receiver"} {
		p.sees(text)
	}
	// What comes is told live.
	if status := attempt(t, client, hook); status != http.StatusOK {
		t.Fatalf("answered %d", status)
	}
	p.sees("1 request")
	p.press("button", "Without a request 3")
	p.until("only those without a request are shown", `() => document.querySelectorAll('main li').length === 3`)
	p.until("a row tells more", `() => {
		const row = [...document.querySelectorAll('main li')].find((li) => li.innerText.includes('tls-badcert'));
		row.querySelector('details').open = true;
		return row.innerText.includes('tls-badcert/cert=expired') && row.innerText.includes('broke off after');
	}`)
	p.keys("g")
	p.keys("l")
	p.shows(s.captures())
	p.keys("g")
	p.keys("c")
	p.sees("Connections of default")
	s.call(http.MethodDelete, "/endpoints/default/captures", nil, nil)
	p.sees("No connections yet.")
}
