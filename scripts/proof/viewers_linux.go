package proof

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

// viewing is the experiment on many live viewers, some of whom read nothing.
func viewing() []Experiment {
	return []Experiment{{
		Name: "live-viewers",
		Promise: "Of 1 000 live viewers 100 stop reading: the others are shown each capture as fast as without them (p99 within 250 ms, or twice of what it was), " +
			"those that stopped are given up within 15 s, all within 300 MB of memory",
		Unit:     "viewers",
		Goal:     10_000,
		Controls: []string{"waits-for-viewers"},
		Certain:  true,
		Try:      serving(settings, view),
	}}
}

// audience is viewers of one program, and when each frame reached those who read.
type audience struct {
	p     *program
	conns []*websocket.Conn
	// began is when the capture at hand was sent, in nanoseconds; took how long it was until each viewer had it.
	began atomic.Int64
	took  chan time.Duration
	// broken has why a viewer who reads got no more.
	broken chan error
	ended  sync.WaitGroup
}

// view compares how fast captures reach viewers with and without some who read nothing, and waits until those are given
// up.
func view(ctx context.Context, p *program, count *Count) error {
	reading, stalled, rounds := 900, 100, 100
	if p.short {
		reading, stalled, rounds = 30, 5, 10
	}
	a := &audience{p: p, took: make(chan time.Duration, reading), broken: make(chan error, reading)}
	defer a.leave()
	for i := range reading {
		if err := a.join(ctx, i, false); err != nil {
			return err
		}
	}
	count.Tried = int64(reading + stalled)
	before, err := a.show(ctx, reading, rounds, nil)
	if err != nil {
		return err
	}
	for i := range stalled {
		if err = a.join(ctx, i, true); err != nil {
			return err
		}
	}
	if err = a.stall(ctx); err != nil {
		return err
	}
	var gone departure
	left := make(chan struct{})
	go func() { defer close(left); gone = a.departure(ctx, reading) }()
	during, err := a.show(ctx, reading, rounds, left)
	<-left
	if err != nil {
		return err
	}
	count.Peak("ms p99 until others had it at most", during.Seconds()*1000)
	count.Peak("ms without those that stopped at most", before.Seconds()*1000)
	count.Peak("MB of memory at most", float64(p.resident())/megabyte)
	a.judge(count, reading, gone)
	if during > 250*time.Millisecond && during > 2*before && !p.short {
		count.Break("p99 until others had it is %v, and %v without those that stopped", during, before)
	}
	return ctx.Err()
}

// departure is how many viewers were left in the end, and when that was.
type departure struct {
	left  int
	after time.Duration
}

// departure waits until no more viewers are left than read, for a while at most.
func (a *audience) departure(ctx context.Context, reading int) departure {
	d := departure{left: -1}
	began := time.Now()
	a.p.eventually(ctx, stalledLimit, func() bool {
		d.left = int(a.p.metric(ctx, "hookrange_live_sockets"))
		return d.left >= 0 && d.left <= reading
	})
	d.after = time.Since(began)
	return d
}

// stalledLimit is how long those may be held who stopped reading.
const stalledLimit = 15 * time.Second

// judge looks at who was left, and at the memory.
func (a *audience) judge(count *Count, reading int, gone departure) {
	const most = 300
	count.Peak("s at most until those that stopped were given up", gone.after.Seconds())
	switch memory := float64(a.p.resident()) / megabyte; {
	case gone.left > reading:
		count.Break("%d viewers are left %v after some stopped reading, want %d", gone.left, stalledLimit, reading)
	case gone.left < reading:
		count.Break("%d viewers are left, %d read", gone.left, reading)
	case memory > most:
		count.Break("%.0f MB of memory", memory)
	}
}

// join opens the live feed from one of some addresses of this machine, for one address may have some hundred viewers.
func (a *audience) join(ctx context.Context, i int, still bool) error {
	const addresses = 10
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%addresses))}} //nolint:gosec // less than 12
	if still {
		from.Control = smallWindow
	}
	dialer := websocket.Dialer{NetDialContext: from.DialContext, HandshakeTimeout: patience, ReadBufferSize: 1024, WriteBufferSize: 256}
	conn, err := a.p.live(ctx, &dialer, "")
	if err != nil {
		return err
	}
	a.conns = append(a.conns, conn)
	// The library's own handler gives a pong a second, and ends the reading of a viewer who is late with one.
	conn.SetPingHandler(func(text string) error {
		return conn.WriteControl(websocket.PongMessage, []byte(text), time.Now().Add(patience))
	})
	// The first message says that the feed has begun.
	if _, _, err = conn.ReadMessage(); err != nil || still {
		return err
	}
	a.ended.Go(func() {
		for {
			_, text, err := conn.ReadMessage()
			if err != nil {
				a.broken <- err
				return
			}
			if bytes.Contains(text, []byte(`"fact":"arrival"`)) {
				a.took <- time.Duration(time.Now().UnixNano() - a.began.Load())
			}
		}
	})
	return nil
}

// smallWindow makes a socket take little before its owner reads; the system heeds it only before the connection is made.
func smallWindow(_, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10)
	})
	return errors.Join(err, failed)
}

// leave ends all viewers.
func (a *audience) leave() {
	for _, conn := range a.conns {
		_ = conn.Close()
	}
	a.ended.Wait()
}

// stall sends captures with large heads, which a frame carries, until more is to be read than a connection buffers: those
// who read have them all, and the slowest of the others is behind.
func (a *audience) stall(ctx context.Context) error {
	const captures, size, behind = 100, 60_000, 20
	for range captures {
		if err := a.send(ctx, http.Header{"X-Large": {strings.Repeat("x", size)}}); err != nil {
			return err
		}
		if _, err := a.seen(ctx, cap(a.took)); err != nil {
			return err
		}
		if a.p.metric(ctx, "hookrange_live_lag_facts") >= behind {
			return nil
		}
	}
	return errors.New("those who read nothing hold nothing up")
}

// show sends captures one by one, up to so many or until some viewers have left, and returns the 99th percentile of how
// long it was until each viewer had them.
func (a *audience) show(ctx context.Context, viewers, captures int, left <-chan struct{}) (time.Duration, error) {
	var all []time.Duration
	for range captures {
		select {
		case <-left:
			if len(all) > 0 {
				return p99Of(all), nil
			}
		default:
		}
		if err := a.send(ctx, nil); err != nil {
			return 0, err
		}
		took, err := a.seen(ctx, viewers)
		if err != nil {
			return 0, err
		}
		all = append(all, took...)
	}
	return p99Of(all), nil
}

func (a *audience) send(ctx context.Context, header http.Header) error {
	a.began.Store(time.Now().UnixNano())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.p.hook("default"), strings.NewReader(`{"shown":"to all"}`))
	if err != nil {
		return err
	}
	if header != nil {
		req.Header = header
	}
	resp, err := a.p.client().Do(req)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("a webhook was answered %d", resp.StatusCode)
	}
	return errors.Join(err, resp.Body.Close())
}

// seen waits until all viewers who read have a capture.
func (a *audience) seen(ctx context.Context, viewers int) ([]time.Duration, error) {
	late := time.NewTimer(patience)
	defer late.Stop()
	var all []time.Duration
	for len(all) < viewers {
		select {
		case took := <-a.took:
			all = append(all, took)
		case err := <-a.broken:
			return nil, fmt.Errorf("a viewer who reads was left: %w", err)
		case <-late.C:
			return nil, fmt.Errorf("%d of %d viewers were shown a capture in time, %.0f are left, at most %.0f facts behind",
				len(all), viewers, a.p.metric(ctx, "hookrange_live_sockets"), a.p.metric(ctx, "hookrange_live_lag_facts"))
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return all, nil
}
