package fault

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Parked is an answer that hangs on a connection which net/http has let go of. It holds no buffer and no handler, so that
// many of them cost little.
type Parked struct {
	performance
	conn   net.Conn
	before int64
	// past is when the hanging ends.
	past time.Time
}

// Park takes the connection of an answer that hangs out of net/http's hands. The handler may return then, and Wait must be
// called once. It returns nil for a plan that does not hang and for a connection that cannot be taken over, as one over
// HTTP/2: these are for Perform.
func Park(w http.ResponseWriter, line Line, job Job) *Parked {
	if job.Plan.Fault != webhook.Hang {
		return nil
	}
	if _, ok := line.(Stream); ok {
		return nil
	}
	p := &Parked{performance: newPerformance(nil, line, &job)}
	if p.before = line.Written(); !p.park(w) {
		return nil
	}
	return p
}

// Wait blocks until the answer has ended and returns what happened. ctx ends when the receiver shuts down.
func (p *Parked) Wait(ctx context.Context) webhook.Outcome {
	p.wait(ctx)
	p.out.Bytes = p.line.Written() - p.before
	return p.out
}

// park takes the connection over and reports whether it could.
func (p *Parked) park(w http.ResponseWriter) bool {
	until := p.lasts()
	conn, err := hijack(w, p.line)
	if err != nil {
		return false
	}
	p.conn, p.past = conn, p.job.ReceivedAt.Add(p.bound(until))
	return true
}

// lasts is when a hang ends, from arrival.
func (p *performance) lasts() time.Duration {
	if p.job.Plan.For > 0 {
		return p.job.Plan.After + p.job.Plan.For
	}
	return p.job.MaxWait
}

// wait reads what still comes, into nowhere, until the sender hangs up, the time has passed or ctx ends. A read with a
// deadline is all that waits: no timer and no second goroutine.
func (p *Parked) wait(ctx context.Context) {
	// An error of a deadline shows in the read.
	_ = p.conn.SetReadDeadline(p.past)
	stop := context.AfterFunc(ctx, func() { _ = p.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var err error
	for discard := make([]byte, 64); err == nil; {
		_, err = p.conn.Read(discard)
	}
	c := &seized{conn: p.conn, gone: make(chan struct{}), at: time.Now(), err: err}
	close(c.gone)
	switch late := errors.Is(err, os.ErrDeadlineExceeded); {
	case !late:
		p.part(c)
		p.out.Fault = webhook.Hang
	case ctx.Err() != nil && time.Now().Before(p.past):
		p.sayShutDown(c)
	default:
		p.end(p.since())
		p.out.Fault = webhook.Hang
	}
	// The sender may have closed it already; either way it is over.
	_ = p.conn.Close()
}

// sayShutDown answers on a connection that was taken over what shutDown answers through net/http.
func (p *Parked) sayShutDown(c *seized) {
	plan := shutDownPlan()
	body, mediaType := content(&plan)
	p.out.Note = shutDownNote
	p.lastBytes(p.since())
	if p.write(c, append(rawHead(&plan, body.size, mediaType), body.given...)) {
		p.out.Status = plan.Status
	}
	p.end(p.since())
}

// hang never answers, and closes without a byte when its time has passed.
func (p *performance) hang(ctx context.Context) {
	if s, ok := p.line.(Stream); ok {
		if p.waitUntil(ctx, p.lasts()) {
			p.onStream(ctx, s)
		} else if p.out.HungUp != nil {
			p.out.Fault = webhook.Hang
		}
		return
	}
	parked := Parked{performance: *p}
	if !parked.park(p.w) {
		if p.waitUntil(ctx, p.lasts()) {
			p.fail(ctx, "hang cannot be ended without an answer: the connection cannot be taken over")
		}
		return
	}
	parked.wait(ctx)
	p.out = parked.out
}
