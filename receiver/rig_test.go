package receiver_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver"
	"github.com/hookrange/hookrange/receiver/gate"
	"github.com/hookrange/hookrange/receiver/webhook"
)

var block atomic.Int64

// own gives each test ports of its own: a sender that comes back too late must not meet the next test.
func own() receiver.Config {
	first := 20000 + 20*int((int64(os.Getpid())+block.Add(1))%50)
	return receiver.Config{Listeners: &receiver.Listeners{Ports: gate.Ports{First: first, Last: first + 19}}}
}

// hookURL is the URL of an endpoint's own listener.
func (e *edge) hookURL(t *testing.T, endpoint string) string {
	t.Helper()
	base, ok := e.server.Address(endpoint)
	if !ok {
		t.Fatalf("%s has no listener of its own", endpoint)
	}
	return base + "/hooks/" + endpoint + "?secret=s"
}

func (e *edge) authority(t *testing.T) []byte {
	t.Helper()
	cert, err := e.server.AuthorityPEM()
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// sender makes a new connection for each request, except over HTTP/2.
func (e *edge) sender(t *testing.T, h2 bool) *http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(e.authority(t))
	transport := &http.Transport{
		DisableKeepAlives: !h2, ForceAttemptHTTP2: h2, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

func send(t *testing.T, client *http.Client, url, body string) (int, error) {
	t.Helper()
	// A body that cannot be read twice keeps net/http from trying again by itself.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, io.MultiReader(strings.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode, nil
}

// reset says whether a client saw its connection end by a reset. It reads and writes at the same time: whichever comes
// second finds what the first has left, a broken pipe or a connection that the client itself has closed.
func reset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed)
}

// connections waits until n are stored and returns them in the order in which they began.
func (e *edge) connections(t *testing.T, endpoint string, n int) []webhook.Connection {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		seen := e.store.Last()
		list, err := e.store.Connections(ctx, webhook.Query{Endpoint: endpoint, Limit: 1000, Ascending: true})
		if err != nil {
			t.Fatal(err)
		}
		if len(list) >= n {
			slices.SortFunc(list, func(a, b webhook.Connection) int { return a.At.Compare(b.At) })
			return list
		}
		if _, err = e.bell.Wait(ctx, seen); err != nil {
			t.Fatalf("%d of %d connections: %v", len(list), n, err)
		}
	}
}
