//go:build unix

package inspector_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// dialFrom opens a live socket from one of this machine's addresses. A small receive buffer is set before the connection
// is made, as the system heeds it only then.
func dialFrom(tb testing.TB, r *rig, address string, small bool) client {
	tb.Helper()
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	if small {
		from.Control = func(_, _ string, raw syscall.RawConn) error {
			var failed error
			err := raw.Control(func(fd uintptr) {
				failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10)
			})
			if err == nil {
				err = failed
			}
			return err
		}
	}
	dialer := websocket.Dialer{HandshakeTimeout: time.Minute, NetDialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
		return from.DialContext(ctx, network, to)
	}}
	conn, resp, err := dialer.DialContext(tb.Context(), "ws"+strings.TrimPrefix(r.http.URL, "http")+"/api/v1/live", nil)
	if err != nil {
		tb.Fatalf("%v: %v", err, resp)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	return client{conn}
}

// liveGauge returns a gauge of the live feed.
func liveGauge(tb testing.TB, r *rig, name string) int {
	tb.Helper()
	a := r.call(tb, http.MethodGet, "/metrics", "")
	found := regexp.MustCompile(`(?m)^hookrange_live_` + name + ` (\d+)$`).FindSubmatch(a.text)
	if a.StatusCode != http.StatusOK || found == nil {
		tb.Fatalf("no gauge %s: %d %s", name, a.StatusCode, a.text)
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// TestSlowViewerDelaysNobody has one socket that never reads, and one that must see everything meanwhile.
func TestSlowViewerDelaysNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	stalled := dialFrom(t, r, "127.0.0.1", true)
	stalled.hello(t, token)
	reader := dial(t, r, "?after=0")
	reader.hello(t, token)
	big := strings.Repeat("x", 30<<10)
	const count = 300
	// It reads meanwhile: one that waited for all to be recorded would be slow itself.
	read := make(chan error, 1)
	_ = reader.SetReadDeadline(time.Now().Add(2 * time.Minute))
	go func() {
		for arrivals := 0; arrivals < count; {
			var e api.Event
			if err := reader.ReadJSON(&e); err != nil {
				read <- fmt.Errorf("after %d arrivals: %w", arrivals, err)
				return
			}
			if e.Fact == "arrival" {
				arrivals++
			}
		}
		read <- nil
	}()
	for i := range count {
		r.capture(t, "default", fmt.Sprint(i), func(c *webhook.Capture) {
			c.Request.Head = fmt.Appendf(nil, "POST / HTTP/1.1\r\nX-Big: %s\r\n\r\n", big)
		})
	}
	if err := <-read; err != nil {
		t.Error(err)
	}
	// What the system's buffers hold is far less than all. On a slow machine it was given up already.
	const buffered = count / 2
	if sockets, lag := liveGauge(t, r, "sockets"), liveGauge(t, r, "lag_facts"); sockets == 2 && lag < buffered {
		t.Errorf("the one that never reads is %d facts behind: it was not stalled", lag)
	}
}

// fanOut is a number of viewers, some of whom read nothing.
type fanOut struct {
	r       *rig
	reading int
	began   atomic.Int64
	took    chan time.Duration
	ended   sync.WaitGroup
}

func newFanOut(b *testing.B, r *rig, viewers, stalled int) *fanOut {
	b.Helper()
	f := &fanOut{r: r, reading: viewers - stalled, took: make(chan time.Duration, viewers)}
	arrival := []byte(`"fact":"arrival"`)
	for i := range viewers {
		// One address may have some hundred.
		still := stalled > 0 && i%(viewers/stalled) == 0
		c := dialFrom(b, r, fmt.Sprintf("127.0.0.%d", 2+i%10), still)
		c.hello(b, token)
		if still {
			continue
		}
		f.ended.Go(func() {
			for {
				_, text, err := c.ReadMessage()
				if err != nil {
					return
				}
				if bytes.Contains(text, arrival) {
					f.took <- time.Duration(time.Now().UnixNano() - f.began.Load())
				}
			}
		})
	}
	return f
}

// one records a capture and returns how long it took from its commit to the frame of each viewer who reads.
func (f *fanOut) one(b *testing.B, change ...func(*webhook.Capture)) []time.Duration {
	b.Helper()
	f.began.Store(time.Now().UnixNano())
	f.r.capture(b, "default", fmt.Sprintf(`{"n":%d}`, time.Now().UnixNano()), change...)
	all := make([]time.Duration, f.reading)
	for i := range all {
		all[i] = <-f.took
	}
	return all
}

func milliseconds(all []time.Duration, part float64) float64 {
	slices.Sort(all)
	return float64(all[int(float64(len(all)-1)*part)].Microseconds()) / 1000
}

// BenchmarkLiveFanOut measures from before a capture is recorded until each viewer has it. They are in this process and
// share its processors.
func BenchmarkLiveFanOut(b *testing.B) {
	for _, viewers := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint("viewers=", viewers), func(b *testing.B) {
			r := newRig(b)
			r.endpoint(b, "default")
			f := newFanOut(b, r, viewers, 0)
			var all []time.Duration
			for b.Loop() {
				all = append(all, f.one(b)...)
			}
			b.ReportMetric(milliseconds(all, 0.5), "ms-p50")
			b.ReportMetric(milliseconds(all, 0.99), "ms-p99")
			if err := r.server.Close(b.Context()); err != nil {
				b.Fatal(err)
			}
			f.ended.Wait()
		})
	}
}

// BenchmarkLiveFanOutStalled measures from before a capture is recorded until each of 900 viewers has it, while the server
// waits in vain for 100 more to read, and again while it gives those up. It fails unless each of the 100 was stalled.
func BenchmarkLiveFanOutStalled(b *testing.B) {
	const (
		viewers, stalled = 1000, 100
		patience         = 10 * time.Second
	)
	r := newRig(b)
	r.endpoint(b, "default")
	f := newFanOut(b, r, viewers, stalled)
	// More than a connection buffers: from here on the server cannot write to those who do not read.
	filling := time.Now()
	for range 60 {
		f.one(b, func(c *webhook.Capture) {
			c.Request.Head = fmt.Appendf(nil, "POST / HTTP/1.1\r\nX-Large: %s\r\n\r\n", strings.Repeat("x", 60<<10))
		})
	}
	filled := time.Now()
	var all, leaving []time.Duration
	for b.Loop() {
		all = append(all, f.one(b)...)
	}
	if sockets, lag := liveGauge(b, r, "sockets"), liveGauge(b, r, "lag_facts"); sockets != viewers || lag == 0 {
		b.Fatalf("%d of %d viewers were left at the end, at most %d facts behind: the figures do not say what stalled ones do", sockets, viewers, lag)
	}
	for liveGauge(b, r, "sockets") > viewers-stalled {
		leaving = append(leaving, f.one(b)...)
		if time.Since(filled) > 2*patience {
			b.Fatalf("%d viewers are left, want %d: not all of those that read nothing were stalled and given up",
				liveGauge(b, r, "sockets"), viewers-stalled)
		}
	}
	if waited := time.Since(filling); waited < patience {
		b.Fatalf("those that read nothing were given up after %v", waited)
	}
	b.ReportMetric(milliseconds(all, 0.5), "ms-p50")
	b.ReportMetric(milliseconds(all, 0.99), "ms-p99")
	b.ReportMetric(milliseconds(leaving, 0.99), "ms-p99-leaving")
	b.ReportMetric(time.Since(filled).Seconds(), "s-stalled")
	if err := r.server.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	f.ended.Wait()
}
