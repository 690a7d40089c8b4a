// Package fault carries the plan of one capture out on its open HTTP connection: a plain answer, or
// one of the deliberate defects, and tells what really happened.
//
//	Perform -> wait for After, parked in the handler -> plain answer, flushed
//	                                                 -> or take the connection over from net/http:
//	                                                    write, drip, cut, close (FIN) or reset (RST)
//	                                                 -> or, over HTTP/2, the same by its frames (see Stream)
//	Park    -> take the connection over at once, and Wait on it without the handler: hang
//
// While a handler is parked, net/http watches the connection and ends the request's context when
// the sender hangs up. Once the connection is taken over, the fault watches it by a reader of its
// own, which has ended when Perform returns.
package fault

import (
	"context"
	"net/http"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// DefaultMaxWait bounds the waits of a Job that says nothing about them, and is how long a hang
// lasts.
const DefaultMaxWait = 10 * time.Minute

// Line is what the wire knows of the connection.
type Line interface {
	// HungUp tells when and how the sender ended the connection; it is known as soon as a read has
	// seen it.
	HungUp() (at time.Time, by webhook.HangUp, ok bool)
	// Written counts the bytes written to the connection for the current request.
	Written() int64
	// Reset closes the connection by a reset.
	Reset() error
}

// Job is one capture's answer to carry out.
type Job struct {
	// Plan is what to do. It is not changed.
	Plan webhook.Plan
	// ReceivedAt is the arrival, which Plan.After and the outcome's durations count from.
	ReceivedAt time.Time
	// MaxWait bounds, from arrival, how long the plan may wait or hang, and then how long it may drip.
	// Defaults to DefaultMaxWait.
	MaxWait time.Duration
	// Leaving is called just before the end of the answer leaves, with the time since arrival; its sender may do the next
	// thing before Perform returns. Nil calls nothing.
	Leaving func(at time.Duration)
}

// Perform carries the plan out and returns what happened; it blocks until the answer has ended. ctx
// is the request's context and also ends when the receiver shuts down. The request's body must have
// been read to its end, or net/http does not notice a sender that hangs up. A plan that cannot be
// carried out here (a fault before HTTP, one of HTTP/2 on HTTP/1.1) is answered 500, with a Note. Over HTTP/2 line is a
// Stream.
func Perform(ctx context.Context, w http.ResponseWriter, line Line, job Job) webhook.Outcome {
	p := newPerformance(w, line, &job)
	before := line.Written()
	p.carryOut(ctx)
	if p.out.Done == nil {
		p.end(p.since())
	}
	if _, ok := line.(Stream); ok && p.out.FirstByte != nil {
		p.leaving(before)
	}
	p.out.Bytes = line.Written() - before
	return p.out
}

func newPerformance(w http.ResponseWriter, line Line, job *Job) performance {
	if job.MaxWait <= 0 {
		job.MaxWait = DefaultMaxWait
	}
	p := performance{w: w, line: line, job: job}
	p.out.Note = job.Plan.Trouble
	return p
}

// performance is one Perform under way.
type performance struct {
	w    http.ResponseWriter
	line Line
	job  *Job
	out  webhook.Outcome
}

func (p *performance) carryOut(ctx context.Context) {
	plan := &p.job.Plan
	switch plan.Fault {
	case "":
		if p.waitUntil(ctx, plan.After) {
			p.answer(ctx, plan)
		}
	case webhook.Hang:
		p.hang(ctx)
	case webhook.H2Reset, webhook.H2GoAway:
		switch s, ok := p.line.(Stream); {
		case !ok:
			p.fail(ctx, string(plan.Fault)+" needs a request over HTTP/2")
		case p.waitUntil(ctx, plan.After):
			p.onStream(ctx, s)
		}
	case webhook.Drip, webhook.TrickleHead, webhook.Truncate, webhook.Garbage, webhook.CloseRequest,
		webhook.ResetRequest, webhook.ResetBody:
		if p.waitUntil(ctx, plan.After) {
			p.takeOver(ctx)
		}
	default:
		p.fail(ctx, string(plan.Fault)+" cannot be carried out on an open HTTP connection")
	}
}

// takeOver carries out the faults that need the connection itself.
func (p *performance) takeOver(ctx context.Context) {
	if s, ok := p.line.(Stream); ok {
		p.onStream(ctx, s)
		return
	}
	c, err := p.seize()
	if err != nil {
		p.fail(ctx, string(p.job.Plan.Fault)+" cannot be carried out: "+err.Error())
		return
	}
	p.out.Fault = p.job.Plan.Fault
	p.shortly()
	switch p.job.Plan.Fault {
	case webhook.Drip:
		p.drip(ctx, c)
	case webhook.TrickleHead:
		p.trickle(ctx, c)
	case webhook.Truncate:
		p.truncate(ctx, c)
	case webhook.Garbage:
		p.garbage(c)
	case webhook.ResetRequest:
		p.reset(c)
	case webhook.ResetBody:
		p.resetBody(ctx, c)
	default:
		p.close(c)
	}
}

// shortly is called before a fault that does not last.
func (p *performance) shortly() {
	if p.out.Fault != webhook.Drip && p.out.Fault != webhook.TrickleHead {
		p.lastBytes(p.since())
	}
}

func (p *performance) lastBytes(at time.Duration) {
	if p.job.Leaving != nil {
		p.job.Leaving(at)
	}
}

// waitUntil parks the handler until the time from arrival has come. It returns false when the answer has
// ended instead: the sender has hung up, or was told that the receiver shuts down.
func (p *performance) waitUntil(ctx context.Context, until time.Duration) bool {
	if until <= 0 {
		return true
	}
	left := p.bound(until) - p.since()
	if left <= 0 {
		return true
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	}
	if _, _, gone := p.line.HungUp(); gone {
		p.drop()
		return false
	}
	p.shutDown(ctx)
	return false
}

// bound caps a wait from arrival, and says so in the outcome.
func (p *performance) bound(until time.Duration) time.Duration {
	if until <= p.job.MaxWait {
		return until
	}
	p.out.Note = "waited " + p.job.MaxWait.String() + ", the longest wait of this receiver, not " + until.String()
	return p.job.MaxWait
}

// drop ends a connection whose sender has hung up, so that net/http does not answer it by itself.
func (p *performance) drop() {
	p.end(p.since())
	conn, _, err := http.NewResponseController(p.w).Hijack()
	if err != nil {
		return
	}
	// The sender has closed it already: there is nobody to tell of an error.
	_ = conn.Close()
}

func (p *performance) since() time.Duration { return time.Since(p.job.ReceivedAt) }

// begin notes the first byte of the answer.
func (p *performance) begin(at time.Duration) {
	if p.out.FirstByte == nil {
		p.out.FirstByte = &at
	}
}

// end notes the end of the answer, and whether the sender had hung up by then.
func (p *performance) end(at time.Duration) {
	p.out.Done = &at
	if when, by, gone := p.line.HungUp(); gone {
		p.hungUp(when.Sub(p.job.ReceivedAt), by)
	}
}

// hungUp notes a hang-up that came before the answer had ended.
func (p *performance) hungUp(at time.Duration, by webhook.HangUp) {
	if p.out.HungUp != nil || at > *p.out.Done {
		return
	}
	at = max(at, 0)
	p.out.HungUp, p.out.HungUpBy = &at, by
}
