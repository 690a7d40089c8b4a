package fault

import (
	"context"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Stream is the Line of a request over HTTP/2. The handler of one that Perform has left without an answer must end by
// panicking with http.ErrAbortHandler, which resets the stream.
type Stream interface {
	Line
	// GoAway ends the connection by a GOAWAY frame which says that no request was processed.
	GoAway() error
	// Leave ends the connection by an orderly close.
	Leave() error
}

// endsStream tells whether the plan only ends what it gets, over HTTP/2.
func (p *performance) endsStream() bool {
	_, ok := p.line.(Stream)
	switch p.job.Plan.Fault {
	case webhook.Hang, webhook.CloseRequest, webhook.ResetRequest:
		return ok
	default:
		return false
	}
}

// onStream ends the stream (h2-reset, hang) or the connection that it is on, without an answer.
func (p *performance) onStream(ctx context.Context) {
	fault := p.job.Plan.Fault
	stream, ok := p.line.(Stream)
	if !ok {
		p.fail(ctx, string(fault)+" needs a request over HTTP/2")
		return
	}
	p.out.Fault = fault
	// Our own end cannot be mistaken for the sender's.
	p.end(p.since())
	var err error
	switch fault {
	case webhook.H2GoAway:
		err = stream.GoAway()
	case webhook.CloseRequest:
		err = stream.Leave()
	case webhook.ResetRequest:
		err = stream.Reset()
	default:
	}
	if err != nil && p.out.HungUp == nil {
		p.out.Note = "the connection could not be ended: " + err.Error()
	}
}
