package receiver

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/hookrange/hookrange/receiver/gate"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// stream is the line of a request over HTTP/2, whose connection it may share with others.
type stream struct {
	*gate.Conn
	ctx  context.Context //nolint:containedctx // that of the request
	base int64
	// aborts is set by the handler's goroutine only.
	aborts bool

	mu sync.Mutex
	at time.Time
}

func newStream(r *http.Request, conn *gate.Conn) *stream {
	s := &stream{Conn: conn, ctx: r.Context(), base: conn.Written()}
	conn.Share(1)
	//nolint:contextcheck // it is the request's
	context.AfterFunc(s.ctx, func() { s.ended(); conn.Share(-1) })
	return s
}

func (s *stream) ended() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at.IsZero() {
		s.at = time.Now()
	}
}

// HungUp tells when the sender reset the stream or ended the connection. The reset of a stream counts as a reset.
func (s *stream) HungUp() (at time.Time, by webhook.HangUp, ok bool) {
	if s.ctx.Err() == nil {
		return time.Time{}, "", false
	}
	s.ended()
	by = webhook.HangUpRST
	if _, how, gone := s.Conn.HungUp(); gone {
		by = how
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at, by, true
}

// Written counts the bytes of the whole connection since the request came, those of TLS and of HTTP/2 included.
func (s *stream) Written() int64 { return s.Conn.Written() - s.base }

// Abort makes the handler reset the stream when it returns.
func (s *stream) Abort() { s.aborts = true }

// Slow has the next head on the connection sent by pass; shared tells that it may be another request's.
func (s *stream) Slow(pass func(head []byte, send func([]byte) error)) (restore func(), shared bool) {
	return s.Conn.Slow(pass), s.Share(0) > 1
}

// Leave ends the connection by an orderly close.
func (s *stream) Leave() error { return s.Part() }
