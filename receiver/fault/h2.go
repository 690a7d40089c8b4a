package fault

import (
	"context"
	"net/http"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Stream is the Line of a request over HTTP/2, which may share its connection with others.
type Stream interface {
	Line
	// Abort makes the stream end by RST_STREAM when the request's handler returns.
	Abort()
	// GoAway ends the connection by a GOAWAY frame which says that no request was processed.
	GoAway() error
	// Leave ends the connection by an orderly close.
	Leave() error
	// Inject sends bytes that net/http knows nothing of, between two frames.
	Inject(data []byte) error
	// Slow has the next HEADERS frame that leaves on the connection sent by pass, in as many pieces as that likes, until
	// restore is called, which waits for pass to return. Nothing else leaves while pass runs: HTTP/2 allows nothing within a head. shared tells that
	// other requests are open, so that the head may be one of theirs.
	Slow(pass func(head []byte, send func([]byte) error)) (restore func(), shared bool)
}

// onStream carries a fault out over HTTP/2, where a connection cannot be taken over: on the stream where HTTP/2 has such
// a fault, on the connection otherwise.
//
//	h2-reset, hang                  RST_STREAM without an answer
//	h2-goaway                       GOAWAY without an answer, then a close
//	close@request, reset@request    FIN or RST of the connection without an answer
//	drip                            HEADERS, then DATA frames at the plan's pace
//	truncate                        HEADERS, fewer DATA bytes than content-length says, RST_STREAM
//	reset@body                      HEADERS, fewer DATA bytes than content-length says, RST of the connection
//	garbage                         bytes that are no frame, then a close
//	trickle-head                    HEADERS byte by byte, then DATA
func (p *performance) onStream(ctx context.Context, s Stream) {
	fault := p.job.Plan.Fault
	p.out.Fault = fault
	p.shortly()
	switch fault {
	case webhook.Drip:
		p.dripStream(ctx, s)
	case webhook.Truncate, webhook.ResetBody:
		p.cutStream(ctx, s)
	case webhook.TrickleHead:
		p.trickleStream(ctx, s)
	case webhook.Garbage:
		p.garbageStream(s)
	default:
		p.endStream(s)
	}
}

// endStream ends the stream, or the connection that it is on, without an answer.
func (p *performance) endStream(s Stream) {
	// Our own end cannot be mistaken for the sender's.
	p.end(p.since())
	var err error
	switch p.job.Plan.Fault {
	case webhook.H2GoAway:
		err = s.GoAway()
	case webhook.CloseRequest:
		err = s.Leave()
	case webhook.ResetRequest:
		err = s.Reset()
	default:
		s.Abort()
	}
	if err != nil && p.out.HungUp == nil {
		p.out.Note = "the connection could not be ended: " + err.Error()
	}
}

// frames is a way that makes a DATA frame of each piece.
type frames struct{}

func (frames) ended() <-chan struct{} { return nil }

func (frames) send(ctx context.Context, p *performance, data []byte) bool {
	control := http.NewResponseController(p.w)
	p.bounded(control)
	_, err := p.w.Write(data)
	if err == nil {
		err = control.Flush()
	}
	if err != nil {
		p.refused(ctx)
	}
	return err == nil
}

// refused notes that bytes were not taken, unless the sender has gone.
func (p *performance) refused(ctx context.Context) {
	await(ctx)
	if _, _, gone := p.line.HungUp(); !gone && p.out.Note == "" {
		p.out.Note = "the sender did not take the bytes"
	}
}

// headOut sends the head of an answer whose body is declared to have a length, and reports whether it was taken.
func (p *performance) headOut(ctx context.Context, length int, mediaType string) bool {
	plan := &p.job.Plan
	status := headStatus(plan)
	fill(p.w.Header(), plan, length, mediaType)
	p.w.WriteHeader(status)
	if http.NewResponseController(p.w).Flush() != nil {
		p.refused(ctx)
		return false
	}
	p.begin(p.since())
	p.out.Status = status
	return true
}

// leaving waits a moment for the first frames to leave: net/http takes them from the handler before it writes them.
func (p *performance) leaving(before int64) {
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for until := time.Now().Add(reportDelay); p.line.Written() == before && time.Now().Before(until); <-look.C {
	}
}

// dripStream sends the head at once and the body in DATA frames at the plan's pace. The connection stays.
func (p *performance) dripStream(ctx context.Context, s Stream) {
	body, mediaType := content(&p.job.Plan)
	if !p.headOut(ctx, body.size, mediaType) || !p.pour(ctx, frames{}, body) {
		p.end(p.since())
		s.Abort()
	}
}

// cutStream sends fewer bytes than it declares.
func (p *performance) cutStream(ctx context.Context, s Stream) {
	body, mediaType := content(&p.job.Plan)
	declared, part := promise(body)
	if !p.headOut(ctx, declared, mediaType) || !p.send(ctx, body, part) || http.NewResponseController(p.w).Flush() != nil ||
		p.job.Plan.Fault == webhook.Truncate {
		p.end(p.since())
		s.Abort()
		return
	}
	// A shutdown shortens the pause only.
	p.sleep(ctx, nil, resetPause)
	p.out.Note = ""
	p.end(p.since())
	if err := s.Reset(); err != nil && p.out.HungUp == nil {
		p.out.Note = "the connection could not be reset: " + err.Error()
	}
}

// garbageStream sends what is no frame, which is the connection's end: no frame behind it can be told.
func (p *performance) garbageStream(s Stream) {
	data := p.job.Plan.Body
	if data == nil {
		// As the head of a frame this says that 1.4 MB follow, more than any sender that has not asked for it takes.
		data = []byte(notHTTP)
	}
	err := s.Inject(data)
	if err == nil && len(data) > 0 {
		p.begin(p.since())
	}
	p.end(p.since())
	if err == nil {
		err = s.Leave()
	}
	if err != nil && p.out.HungUp == nil {
		p.out.Note = "the bytes could not be sent: " + err.Error()
	}
}

// trickled is a way that puts the bytes of a head on the connection themselves.
type trickled struct {
	to func([]byte) error
}

func (trickled) ended() <-chan struct{} { return nil }

func (t trickled) send(ctx context.Context, p *performance, data []byte) bool {
	if t.to(data) != nil {
		p.refused(ctx)
		return false
	}
	p.begin(p.since())
	return true
}

// trickleStream sends the head little by little and the body at once. The connection stays, unless the head stopped in
// its middle.
func (p *performance) trickleStream(ctx context.Context, s Stream) {
	plan := &p.job.Plan
	body, mediaType := content(plan)
	left := make(chan bool, 1)
	restore, shared := s.Slow(func(head []byte, send func([]byte) error) {
		left <- p.pour(ctx, trickled{send}, source{size: len(head), given: head})
	})
	defer restore()
	fill(p.w.Header(), plan, body.size, mediaType)
	p.w.WriteHeader(headStatus(plan))
	taken := http.NewResponseController(p.w).Flush() == nil
	whole := false
	if taken {
		select {
		case whole = <-left:
		case <-ctx.Done():
			// The frame may be on its way all the same: p is pour's until it has returned or will not be called.
			restore()
			select {
			case whole = <-left:
			default:
			}
		}
	}
	if shared && p.out.Note == "" {
		p.out.Note = "other requests shared the connection, so the head that was trickled may have been another's"
	}
	if !whole {
		p.end(p.since())
		_ = s.Leave() // a head without its end blocks all others
		return
	}
	p.out.Status = headStatus(plan)
	if !p.send(ctx, body, body.size) {
		return
	}
	if http.NewResponseController(p.w).Flush() != nil {
		p.brokenOff(s)
	}
}
