package inspector_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// BenchmarkLiveFanOut measures from before a capture is recorded until each of 190 viewers has it. The
// viewers are in this process and share its processors.
func BenchmarkLiveFanOut(b *testing.B) {
	const viewers = 190
	r := newRig(b)
	r.endpoint(b, "default")
	var ended sync.WaitGroup
	took := make(chan time.Duration, viewers)
	var began time.Time
	for range viewers {
		c := dial(b, r, "")
		c.hello(b, token)
		ended.Go(func() {
			for {
				_, text, err := c.ReadMessage()
				if err != nil {
					return
				}
				var e api.Event
				if json.Unmarshal(text, &e) == nil && e.Fact == "arrival" {
					took <- time.Since(began)
				}
			}
		})
	}
	var all []time.Duration
	for i := 0; b.Loop(); i++ {
		began = time.Now()
		r.capture(b, "default", fmt.Sprintf(`{"n":%d}`, i))
		for range viewers {
			all = append(all, <-took)
		}
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "ms-p50")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "ms-p99")
	if err := r.server.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	ended.Wait()
}

// dialFrom opens a live socket from one of this machine's addresses, with a small buffer.
func dialFrom(tb testing.TB, r *rig, address string) client {
	tb.Helper()
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	dialer := websocket.Dialer{HandshakeTimeout: time.Minute, NetDialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
		conn, err := from.DialContext(ctx, network, to)
		if tcp, ok := conn.(*net.TCPConn); ok {
			err = tcp.SetReadBuffer(16 << 10)
		}
		return conn, err
	}}
	conn, resp, err := dialer.DialContext(tb.Context(), "ws"+strings.TrimPrefix(r.http.URL, "http")+"/api/v1/live", nil)
	if err != nil {
		tb.Fatalf("%v: %v", err, resp)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	return client{conn}
}

// drain reads what is left until the connection ends and returns the last seq.
func (c client) drain() int64 {
	var seq int64
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	for {
		var e api.Event
		if err := c.ReadJSON(&e); err != nil {
			return seq
		}
		seq = e.Seq
	}
}

// BenchmarkLiveFanOutStalled is the same with 1,000 viewers, of whom 100 read nothing, until each of the others has it.
func BenchmarkLiveFanOutStalled(b *testing.B) {
	const viewers, stalled = 1000, 100
	r := newRig(b)
	r.endpoint(b, "default")
	arrival := []byte(`"fact":"arrival"`)
	took := make(chan time.Duration, viewers)
	var began atomic.Int64
	var ended sync.WaitGroup
	var still []client
	for i := range viewers {
		c := dialFrom(b, r, fmt.Sprintf("127.0.0.%d", 2+i%10))
		c.hello(b, token)
		if i%(viewers/stalled) == 0 {
			still = append(still, c)
			continue
		}
		ended.Go(func() {
			for {
				_, text, err := c.ReadMessage()
				if err != nil {
					return
				}
				if bytes.Contains(text, arrival) {
					took <- time.Duration(time.Now().UnixNano() - began.Load())
				}
			}
		})
	}
	one := func(change ...func(*webhook.Capture)) []time.Duration {
		began.Store(time.Now().UnixNano())
		r.capture(b, "default", fmt.Sprintf(`{"n":%d}`, time.Now().UnixNano()), change...)
		all := make([]time.Duration, viewers-stalled)
		for i := range all {
			all[i] = <-took
		}
		return all
	}
	// More than a connection buffers: from here on the server cannot write to those who do not read.
	for range 40 {
		one(func(c *webhook.Capture) {
			c.Request.Head = fmt.Appendf(nil, "POST / HTTP/1.1\r\nX-Large: %s\r\n\r\n", strings.Repeat("x", 60<<10))
		})
	}
	var all []time.Duration
	for b.Loop() {
		all = append(all, one()...)
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "ms-p50")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "ms-p99")
	last := r.store.Last()
	if err := r.server.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	ended.Wait()
	for _, c := range still {
		if seq := c.drain(); seq >= int64(last)-1 {
			b.Logf("a viewer that reads nothing has %d of %d: the system's buffers held it all, so these figures say nothing of stalled viewers", seq, last)
			return
		}
	}
}

// BenchmarkList measures a page of 50 captures of 2 KB, its summaries known.
func BenchmarkList(b *testing.B) {
	r := newRig(b)
	r.endpoint(b, "default")
	for range 1000 {
		r.capture(b, "default", ruleBody)
	}
	for b.Loop() {
		if a := r.call(b, http.MethodGet, captures, ""); a.StatusCode != http.StatusOK {
			b.Fatal(a.StatusCode)
		}
	}
}
