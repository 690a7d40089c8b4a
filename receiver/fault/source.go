package fault

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	// lineOfMany is what a generated body repeats.
	lineOfMany = "A body that was generated to be large: 0123456789 abcdefghijklm\n"
	// blockSize is how much of a generated body is held at most.
	blockSize = 32 << 10
)

// source is the body of an answer: bytes that were given, or generated ones, which are never held as a whole.
type source struct {
	size  int
	given []byte
	// block repeats lineOfMany; nil for a body that was given.
	block []byte
}

// content returns the body to send and its media type, which is empty when there is none.
func content(plan *webhook.Plan) (body source, mediaType string) {
	const text = "text/plain; charset=utf-8"
	given := func(data []byte) source { return source{size: len(data), given: data} }
	switch status := headStatus(plan); {
	case status == http.StatusNoContent || status == http.StatusNotModified:
		return source{}, ""
	case plan.Size > 0:
		return source{size: plan.Size, block: bytes.Repeat([]byte(lineOfMany), blockSize/len(lineOfMany)+1)}, text
	case plan.Body != nil && len(plan.Body) == 0:
		return source{}, ""
	case plan.Body != nil:
		return given(plan.Body), text
	case status == http.StatusResetContent:
		return source{}, ""
	case status < 300:
		return given([]byte(`{"received":true}`)), "application/json"
	default:
		said := strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
		return given([]byte(said + "\n")), text
	}
}

// part returns the bytes between two places, or the first of them: all that were given, at most blockSize of those
// that are generated. It holds until the next call.
func (s source) part(from, to int) []byte {
	if s.block == nil {
		return s.given[from:to]
	}
	at := from % len(lineOfMany)
	return s.block[at : at+min(to-from, blockSize)]
}

// send writes the first bytes of a body through net/http and reports whether all were taken; if not, the answer has
// ended. Only a large one looks for a shutdown meanwhile.
func (p *performance) send(ctx context.Context, body source, until int) bool {
	control := http.NewResponseController(p.w)
	for sent := 0; sent < until; {
		if until > largeBody {
			p.bounded(control)
		}
		if sent > 0 && ctx.Err() != nil {
			if _, _, gone := p.line.HungUp(); !gone {
				p.out.Note = "shut down in the middle of the answer"
			}
			p.brokenOff(p.line)
			return false
		}
		n, err := p.w.Write(body.part(sent, until))
		if err != nil {
			await(ctx)
			p.brokenOff(p.line)
			return false
		}
		sent += n
	}
	return true
}

// bounded gives a sender some more time to take what comes next.
func (*performance) bounded(control *http.ResponseController) {
	// An error means that the connection cannot have a deadline; the answer goes out without one.
	_ = control.SetWriteDeadline(time.Now().Add(blockTimeout))
}

// brokenOff notes an answer that ended in its middle. net/http closes a connection whose answer is short; over HTTP/2
// the stream is reset.
func (p *performance) brokenOff(line Line) {
	p.end(p.since())
	if p.out.HungUp == nil && p.out.Note == "" {
		p.out.Note = "the answer ended before all of it had left"
	}
	if s, ok := line.(Stream); ok {
		s.Abort()
	}
}
