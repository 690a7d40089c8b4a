package fault

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// seized is a connection taken over from net/http, with the one reader that watches it.
type seized struct {
	conn net.Conn
	// gone is closed when the reader has ended; at and err say when and why.
	gone chan struct{}
	at   time.Time
	err  error
}

// seize takes the connection over and begins to watch it. Each seized connection is given to one of
// leave and reset.
func (p *performance) seize() (*seized, error) {
	conn, err := hijack(p.w, p.line)
	if err != nil {
		return nil, fmt.Errorf("take the connection over: %w", err)
	}
	c := &seized{conn: conn, gone: make(chan struct{})}
	go c.watch()
	return c, nil
}

// hijack takes a connection over from net/http. What still comes on it is no request, and nobody keeps it.
func hijack(w http.ResponseWriter, line Line) (net.Conn, error) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	if l, ok := line.(interface{ Forget() }); ok {
		l.Forget()
	}
	return conn, nil
}

// watch discards what the sender still sends until the connection ends.
func (c *seized) watch() {
	defer close(c.gone)
	var discard [512]byte
	for {
		if _, err := c.conn.Read(discard[:]); err != nil {
			c.at, c.err = time.Now(), err
			return
		}
	}
}

// write sends bytes and reports whether they left.
func (p *performance) write(c *seized, data []byte) bool {
	timeout := writeTimeout
	if len(data) >= largeBody {
		timeout = blockTimeout
	}
	// An error of the deadline shows in the write.
	_ = c.conn.SetWriteDeadline(time.Now().Add(timeout))
	n, err := c.conn.Write(data)
	if n > 0 {
		p.begin(p.since())
	}
	if err == nil {
		return true
	}
	// A sender that is gone shows at the reader too, which can tell how it went.
	timer := time.NewTimer(reportDelay)
	defer timer.Stop()
	select {
	case <-c.gone:
	case <-timer.C:
		p.out.Note = "the sender did not take the bytes"
	}
	return false
}

// send sends bytes and reports whether they left.
func (c *seized) send(_ context.Context, p *performance, data []byte) bool { return p.write(c, data) }

// ended is closed when the sender has hung up.
func (c *seized) ended() <-chan struct{} { return c.gone }

// sleep waits and reports whether to go on: not when the sender has hung up or the receiver shuts
// down.
func (p *performance) sleep(ctx context.Context, gone <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-gone:
		return false
	case <-ctx.Done():
		// net/http may have seen the hang-up before the connection was taken over.
		if _, _, left := p.line.HungUp(); !left {
			p.out.Note = "shut down in the middle of the answer"
		}
		return false
	}
}

// leave ends the connection by an orderly close.
func (p *performance) leave(c *seized) {
	p.part(c)
	// The sender may have closed it already; either way it is over.
	_ = c.conn.Close()
	<-c.gone
}

// cut ends the connection by a reset.
func (p *performance) cut(c *seized) {
	p.part(c)
	if err := p.line.Reset(); err != nil && p.out.HungUp == nil {
		p.out.Note = "the connection could not be reset: " + err.Error()
	}
	_ = c.conn.Close()
	<-c.gone
}

// part notes the end, and a hang-up that came before it, while our own close cannot be mistaken for
// one.
func (p *performance) part(c *seized) {
	p.end(p.since())
	if p.out.HungUp != nil {
		return
	}
	select {
	case <-c.gone:
		by := webhook.HangUpFIN
		if errors.Is(c.err, syscall.ECONNRESET) {
			by = webhook.HangUpRST
		}
		if _, seen, known := p.line.HungUp(); known {
			by = seen
		}
		p.hungUp(c.at.Sub(p.job.ReceivedAt), by)
	default:
	}
}
