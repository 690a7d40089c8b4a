package gate_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/gate"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func names(t *testing.T) *gate.Names {
	t.Helper()
	n, err := gate.NewNames(listener(t), "Hooks.Example.", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// at makes a gate that is reached by a name.
func at(n *gate.Names, a *gate.Authority, endpoint string) setting {
	return func(c *gate.Config) { c.Names, c.Authority, c.Endpoint = n, a, endpoint }
}

// ask sends one request to a name, on a connection of its own.
func ask(t *testing.T, n *gate.Names, a *gate.Authority, endpoint string) error {
	t.Helper()
	host := n.Host(endpoint)
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.PEM())
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, "127.0.0.1:"+port)
		},
	}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+host+"/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return errors.Join(err, resp.Body.Close())
}

func TestNamesTellGatesApart(t *testing.T) {
	t.Parallel()
	n := names(t)
	a, err := gate.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	plain := newRig(t, "200", at(n, a, "plain"))
	faulty := newRig(t, "tls-alert tls-badcert tls-reset 200", at(n, a, "faulty"))
	for i, want := range []string{"internal error", "signed by unknown authority", "connection reset by peer", ""} {
		err := ask(t, n, a, "faulty")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v, want %q", i, err, want)
		}
		if err = ask(t, n, a, "plain"); err != nil {
			t.Errorf("the other gate, after %d: %v", i, err)
		}
	}
	if err = ask(t, n, a, "nobody"); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("a name that nobody has: %v", err)
	}
	for i, c := range faulty.connections(t, 4) {
		want := []webhook.Fault{webhook.TLSAlert, webhook.TLSBadCert, webhook.TLSReset, ""}[i]
		if h := c.Handshake; c.Fault != want || h == nil || h.ServerName != "faulty.hooks.example" || (h.Err == "") != (want == "") {
			t.Errorf("connection %d: %+v, %+v", i, c, h)
		}
	}
	list := plain.connections(t, 4)
	for _, c := range list {
		if c.Endpoint != "plain" || c.Requests != 1 || c.Fault != "" {
			t.Errorf("%+v", c)
		}
	}
	if len(list) != 4 {
		t.Errorf("%d connections, want 4", len(list))
	}
	// A gate that is closed has no name any more.
	if err = plain.Close(); err != nil {
		t.Fatal(err)
	}
	if err = ask(t, n, a, "plain"); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("a closed gate: %v", err)
	}
}

func TestNamesNeedASenderThatNames(t *testing.T) {
	t.Parallel()
	n := names(t)
	_, port, err := net.SplitHostPort(n.Host("x"))
	if err != nil {
		t.Fatal(err)
	}
	dialer := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
	if _, err = dialer.DialContext(t.Context(), "tcp", "127.0.0.1:"+port); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("without a name: %v", err)
	}
	// One that says nothing does not keep the listener from closing.
	silent, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	if err = n.Close(); err != nil {
		t.Error(err)
	}
	if _, err = gate.NewNames(listener(t), "no domain", slog.New(slog.DiscardHandler)); !errors.Is(err, webhook.ErrInvalid) {
		t.Errorf("a domain with a blank: %v", err)
	}
}

func listener(t *testing.T) net.Listener {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}
