package egress_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/hookrange/hookrange/receiver/resolve/egress"
)

// suite runs the tests with a proxy in the environment, as Go reads it once a process.
type suite struct{ m *testing.M }

// proxied counts the connections to that proxy.
var proxied atomic.Int64

func (s suite) Run() int {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			proxied.Add(1)
			_ = conn.Close()
		}
	})
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		_ = os.Setenv(name, "http://"+l.Addr().String())
	}
	status := s.m.Run()
	_ = l.Close()
	wg.Wait()
	return status
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(suite{m}) }

// names is a Resolver that answers from a function.
type names func(host string) ([]netip.Addr, error)

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) { return n(host) }

// always answers every name with the same addresses.
func always(texts ...string) names {
	addrs := make([]netip.Addr, len(texts))
	for i, text := range texts {
		addrs[i] = netip.MustParseAddr(text)
	}
	return func(string) ([]netip.Addr, error) { return addrs, nil }
}

var errNoNetwork = errors.New("no network in tests")

// sink is a DialFunc that counts and never connects.
type sink struct {
	dials atomic.Int64
	last  atomic.Value
}

func (s *sink) dial(_ context.Context, _ *net.Dialer, _, address string) (net.Conn, error) {
	s.dials.Add(1)
	s.last.Store(address)
	return nil, errNoNetwork
}

// code returns kind and code of an egress.Error, as "kind/code".
func code(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	if strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("error shows more than it may: %v", err)
	}
	refusal := new(egress.Error)
	if !errors.As(err, &refusal) {
		t.Fatalf("error %v is not an *egress.Error", err)
	}
	return string(refusal.Kind) + "/" + refusal.Code
}
