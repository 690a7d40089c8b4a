package inspector

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	authTime  = 5 * time.Second
	pingTime  = 30 * time.Second
	writeTime = 10 * time.Second
	// readTime is how long a client may be silent: two pings and their way back.
	readTime     = 2*pingTime + writeTime
	maxClientMsg = 4 << 10
)

// live serves one socket: it authenticates, then sends every fact after the cursor in seq order, each once.
// It reads the store by its own cursor, so however slow the client is, nobody else waits for it.
func (s *Server) live(w http.ResponseWriter, r *http.Request) error {
	q, err := params(r, "endpoint", "after")
	if err != nil {
		return err
	}
	last := s.store.Last()
	after, err := q.number("after", int64(last), 0, math.MaxInt64)
	if err != nil {
		return err
	}
	if name := q.text("endpoint"); name != "" {
		if err = webhook.CheckName(name); err != nil {
			return err
		}
	}
	if !websocket.IsWebSocketUpgrade(r) {
		return errUpgrade
	}
	socket, err := s.sockets.enter(peer(r))
	if err != nil {
		return err
	}
	defer s.sockets.leave(socket)
	socket.endpoint = q.text("endpoint")
	socket.cursor.Store(after)
	upgrader := websocket.Upgrader{
		HandshakeTimeout: writeTime,
		CheckOrigin:      s.checkOrigin,
		Error:            func(w http.ResponseWriter, r *http.Request, _ int, err error) { s.writeError(w, r, invalid("%v", err)) },
	}
	if socket.conn, err = upgrader.Upgrade(w, r, nil); err != nil {
		// The upgrader has answered.
		return nil
	}
	s.converse(r, socket)
	return nil
}

// checkOrigin repeats the guard at the place of the upgrade, which no path can get around.
func (s *Server) checkOrigin(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	return s.guard.host(r) && (len(origins) == 0 || (len(origins) == 1 && s.guard.own(r, origins[0])))
}

// converse runs a socket until client, server or an error ends it, and closes it with a code that says which.
func (s *Server) converse(r *http.Request, socket *socket) {
	defer socket.conn.Close() //nolint:errcheck // the peer is told by close frame, nobody by this
	socket.conn.SetReadLimit(maxClientMsg)
	session, leave, err := s.authenticate(r, socket)
	if err != nil {
		s.denied(r, err)
		socket.bye(websocket.ClosePolicyViolation, "send {\"token\":\"...\"} first")
		return
	}
	defer leave()
	ctx, cancel := context.WithCancelCause(s.ctx)
	// A token that ends takes its sockets along.
	defer context.AfterFunc(session, func() {
		_ = socket.conn.NetConn().SetWriteDeadline(time.Now().Add(time.Second))
		cancel(context.Cause(session))
	})()
	// A client that does not read holds up the server's end for a second at most.
	defer context.AfterFunc(s.ctx, func() { _ = socket.conn.NetConn().SetWriteDeadline(time.Now().Add(time.Second)) })()
	var reader sync.WaitGroup
	reader.Go(func() { cancel(socket.listen()) })
	err = s.send(ctx, socket)
	switch {
	case s.ctx.Err() != nil:
		socket.bye(websocket.CloseGoingAway, "the server is shutting down")
	case errors.Is(context.Cause(session), errEnded):
		socket.bye(websocket.ClosePolicyViolation, errEnded.Error())
	case context.Cause(ctx) == nil:
		if !socket.broken.Load() {
			s.log.failed(ctx, "live", err)
			socket.bye(websocket.CloseInternalServerErr, "internal error")
		}
	}
	// Closing the connection ends the reader.
	_ = socket.conn.Close()
	reader.Wait()
	cancel(nil)
}

// authenticate reads the first message unless the request's head had the token. The context ends with the token.
func (s *Server) authenticate(r *http.Request, socket *socket) (session context.Context, leave func(), err error) {
	if socket.grant = grantOf(r.Context()); socket.grant != nil {
		return r.Context(), func() {}, nil
	}
	// A server that closes does not wait for a token.
	defer context.AfterFunc(s.ctx, func() { _ = socket.conn.SetReadDeadline(time.Now()) })()
	if err := socket.conn.SetReadDeadline(time.Now().Add(authTime)); err != nil {
		return nil, nil, err
	}
	_, text, err := socket.conn.ReadMessage()
	if err != nil {
		return nil, nil, err
	}
	if socket.grant = s.grant(tokenOf(text)); socket.grant == nil {
		return nil, nil, errUnauthorized
	}
	return s.enter(r.Context(), socket.grant)
}

// tokenOf returns the token of a first message: {"token":"TOKEN"}, {"authorization":"Bearer TOKEN"}, or either text alone.
func tokenOf(message []byte) string {
	var hello struct {
		Token         string `json:"token"`
		Authorization string `json:"authorization"`
	}
	text := string(message)
	if json.Unmarshal(message, &hello) == nil {
		text = cmp.Or(hello.Token, hello.Authorization)
	}
	text = strings.TrimSpace(text)
	if token, found := afterBearer(text); found {
		return strings.TrimSpace(token)
	}
	return text
}

// send writes facts until ctx ends or the connection breaks. It always returns an error.
func (s *Server) send(ctx context.Context, socket *socket) error {
	ready, err := json.Marshal(api.Event{Type: "ready", Last: new(int64(s.store.Last()))})
	if err != nil {
		return err
	}
	if err = socket.write(ready); err != nil {
		return err
	}
	ping := time.Now().Add(pingTime)
	for {
		if !time.Now().Before(ping) {
			if err = socket.ping(); err != nil {
				return err
			}
			ping = time.Now().Add(pingTime)
		}
		cursor := webhook.Seq(socket.cursor.Load())
		page, err := s.feed.read(ctx, cursor)
		if err != nil {
			return err
		}
		grant := s.current(socket.grant)
		for _, m := range page.messages {
			if err = ctx.Err(); err != nil {
				return err
			}
			if (socket.endpoint == "" || socket.endpoint == m.endpoint) && grant.Covers(m.endpoint) {
				if err = socket.write(m.text); err != nil {
					return err
				}
			}
			socket.cursor.Store(int64(m.seq))
		}
		if len(page.messages) > 0 {
			continue
		}
		socket.cursor.Store(int64(page.last))
		if err = s.idle(ctx, page.last, ping); err != nil {
			return err
		}
	}
}

// idle waits for the bell, or until a time.
func (s *Server) idle(ctx context.Context, after webhook.Seq, until time.Time) error {
	timed, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	_, err := s.cfg.Bell.Wait(timed, after)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("inspector: live feed: %w", err)
	}
	return nil
}
