package gate_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/gate"
	"github.com/hookrange/hookrange/receiver/plan"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// rig is a gate with a server behind it that takes a step for each request.
type rig struct {
	*gate.Gate
	address   string
	authority *gate.Authority

	mu    sync.Mutex
	ended []webhook.Connection
	told  chan struct{}
}

type setting func(*gate.Config)

func withTLS(h2 bool) setting {
	return func(c *gate.Config) {
		authority, err := gate.NewAuthority()
		if err != nil {
			panic(err)
		}
		c.Authority, c.H2 = authority, h2
	}
}

func newRig(t *testing.T, respond string, change ...setting) *rig {
	t.Helper()
	r := &rig{told: make(chan struct{}, 1)}
	config := gate.Config{
		Endpoint: t.Name(), Addr: netip.MustParseAddrPort("127.0.0.1:0"), Steps: program(t, respond),
		Counter: &gate.Counter{}, Log: slog.New(slog.DiscardHandler), Record: r.record,
	}
	for _, f := range change {
		f(&config)
	}
	r.authority = config.Authority
	var err error
	if config.Names != nil {
		r.Gate, err = gate.Open(config)
	} else {
		r.Gate, err = (gate.Ports{}).WithDefaults().Open(config)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.address = r.Addr().String()
	server := &http.Server{
		ReadHeaderTimeout: 5 * time.Second, ConnContext: gate.Context, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			_, _ = io.Copy(io.Discard, req.Body)
			gate.From(req.Context()).Request()
			place, connects := r.Request()
			if connects {
				w.Header().Set("Connection", "close")
			}
			w.Header().Set("Place", fmt.Sprint(place))
		}),
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(r.Gate) }()
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		_ = server.Close()
		<-done
	})
	return r
}

func program(t *testing.T, respond string) *plan.Program {
	t.Helper()
	p, err := plan.Parse(respond)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (r *rig) record(c webhook.Connection) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = append(r.ended, c)
	select {
	case r.told <- struct{}{}:
	default:
	}
}

// connections waits until n have ended and returns them.
func (r *rig) connections(t *testing.T, n int) []webhook.Connection {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		r.mu.Lock()
		list := append([]webhook.Connection(nil), r.ended...)
		r.mu.Unlock()
		if len(list) >= n {
			return list
		}
		select {
		case <-r.told:
		case <-ctx.Done():
			t.Fatalf("%d of %d connections, the last %+v", len(list), n, list[max(0, len(list)-3):])
		}
	}
}

// client makes a new connection for each request and trusts the rig's authority.
func (r *rig) client(t *testing.T, h2 bool) *http.Client {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: !h2, ForceAttemptHTTP2: h2}
	if r.authority != nil {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(r.authority.PEM())
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

func (r *rig) url() string {
	if r.authority != nil {
		return "https://" + r.address
	}
	return "http://" + r.address
}

func post(t *testing.T, client *http.Client, url string) (place string, err error) {
	t.Helper()
	resp, err := client.Post(url, "text/plain", strings.NewReader("hello"))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.Header.Get("Place"), nil
}

// kind says in one word what a client saw.
func kind(err error) string {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	switch {
	case err == nil:
		return "answered"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET):
		return "reset"
	case strings.Contains(err.Error(), "remote error: tls: internal error"):
		return "alert"
	case errors.As(err, &unknown):
		return "unknown authority"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "expired"
	case errors.As(err, &name):
		return "wrong name"
	case errors.Is(err, net.ErrClosed), errors.Is(err, syscall.EPIPE):
		// A client reads and writes at the same time: its read saw the end first, and closed what its write then met.
		return "ended"
	case errors.Is(err, io.EOF), strings.Contains(err.Error(), "server closed idle connection"):
		return "eof"
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return "timeout"
	default:
		return err.Error()
	}
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

func countable(t *testing.T) {
	t.Helper()
	if ok, reason := (&gate.Counter{}).Countable(); !ok {
		t.Skip(reason)
	}
}
