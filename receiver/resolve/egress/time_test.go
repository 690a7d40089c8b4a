package egress_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookrange/hookrange/receiver/resolve/egress"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// slow answers on connections in memory.
type slow struct {
	wg    sync.WaitGroup
	serve func(conn net.Conn)
}

func (s *slow) dial(context.Context, *net.Dialer, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	s.wg.Go(func() {
		defer server.Close()
		if _, err := http.ReadRequest(bufio.NewReader(server)); err == nil {
			s.serve(server)
		}
	})
	return client, nil
}

// trickle writes one piece each interval until the other side has gone.
func trickle(conn net.Conn, piece string, interval time.Duration) {
	for {
		if _, err := io.WriteString(conn, piece); err != nil {
			return
		}
		<-time.After(interval)
	}
}

func TestTimeLimits(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\n"
	for name, tt := range map[string]struct {
		serve func(net.Conn)
		after time.Duration
		want  string
	}{
		"no head": {func(c net.Conn) { _, _ = io.ReadAll(c) }, 5 * time.Second, "timeout/timeout"},
		"slow head": {func(c net.Conn) {
			_, _ = io.WriteString(c, head)
			trickle(c, "X: y\r\n", time.Second)
		}, 5 * time.Second, "timeout/timeout"},
		"1xx now and then": {func(c net.Conn) {
			trickle(c, "HTTP/1.1 103 Early Hints\r\n\r\n", time.Second)
		}, 5 * time.Second, "timeout/timeout"},
		"body by drips": {func(c net.Conn) {
			_, _ = io.WriteString(c, head+"\r\n")
			trickle(c, "x", time.Second)
		}, 30 * time.Second, "timeout/timeout"},
		"coded body by drips": {func(c net.Conn) {
			_, _ = io.WriteString(c, head+"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\x00")
			trickle(c, "n", 5*time.Second)
		}, 30 * time.Second, "timeout/timeout"},
		"error text by drips": {func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 403 Forbidden\r\n\r\n")
			trickle(c, "x", time.Second)
		}, 30 * time.Second, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &slow{serve: tt.serve}
				c := egress.New(egress.Config{Dial: s.dial})
				start := time.Now()
				_, err := c.Get(t.Context(), private("http://127.0.0.1:9000"))
				if got := code(t, err); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
				if took := time.Since(start); took != tt.after {
					t.Errorf("after %v, want %v", took, tt.after)
				}
				s.wg.Wait()
			})
		})
	}
}

func TestDialLimits(t *testing.T) {
	t.Parallel()
	hang := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	dial := func(ctx context.Context, _ *net.Dialer, _, _ string) (net.Conn, error) { return nil, hang(ctx) }
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := egress.New(egress.Config{Dial: dial})
		_, err := c.Get(t.Context(), private("http://127.0.0.1:9000"))
		if got := code(t, err); got != "timeout/connect_timeout" || time.Since(start) != 3*time.Second {
			t.Errorf("dial: %q after %v, want timeout/connect_timeout after 3s", got, time.Since(start))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := egress.New(egress.Config{Resolver: stuck{}, Dial: dial})
		_, err := c.Get(t.Context(), egress.Request{URL: "https://" + store + "/k"})
		if got := code(t, err); got != "timeout/dns_timeout" || time.Since(start) != 3*time.Second {
			t.Errorf("name: %q after %v, want timeout/dns_timeout after 3s", got, time.Since(start))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		silent := &slow{}
		c := egress.New(egress.Config{Dial: func(context.Context, *net.Dialer, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			silent.wg.Go(func() { _, _ = io.Copy(io.Discard, server) })
			return client, nil
		}})
		_, err := c.Get(t.Context(), egress.Request{
			URL: "https://127.0.0.1:9000/k", Policy: webhook.FetchPolicy{Private: []string{"127.0.0.1:9000"}},
		})
		if got := code(t, err); got != "timeout/timeout" || time.Since(start) != 5*time.Second {
			t.Errorf("TLS: %q after %v, want timeout/timeout after 5s", got, time.Since(start))
		}
		silent.wg.Wait()
	})
}

// stuck is a Resolver that never answers.
type stuck struct{}

func (stuck) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
