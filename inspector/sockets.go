package inspector

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/hookrange/hookrange/inspector/access"
)

// Bounds of live sockets at one time.
const (
	maxSockets       = 2000
	maxSocketsOfPeer = 200
)

// socket is one live connection. One goroutine writes and one reads.
type socket struct {
	conn     *websocket.Conn
	peer     string
	endpoint string
	// grant is what the token is good for, once it has come.
	grant *access.Grant
	// cursor is the seq of the last fact that was sent or skipped.
	cursor atomic.Int64
	// broken is set when a write failed: there is no use in another.
	broken atomic.Bool
}

func (s *socket) write(text []byte) error {
	err := s.conn.SetWriteDeadline(time.Now().Add(writeTime))
	if err == nil {
		err = s.conn.WriteMessage(websocket.TextMessage, text)
	}
	if err != nil {
		s.broken.Store(true)
	}
	return err
}

func (s *socket) ping() error {
	err := s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTime))
	if err != nil {
		s.broken.Store(true)
	}
	return err
}

// bye sends a close frame, if the client still takes one.
func (s *socket) bye(code int, text string) {
	_ = s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, text), time.Now().Add(time.Second))
}

// listen reads and drops what the client sends, which keeps pongs and close frames coming in. It returns
// when the connection has ended, with the cause.
func (s *socket) listen() error {
	s.conn.SetPongHandler(func(string) error { return s.conn.SetReadDeadline(time.Now().Add(readTime)) })
	if err := s.conn.SetReadDeadline(time.Now().Add(readTime)); err != nil {
		return err
	}
	for {
		if _, _, err := s.conn.NextReader(); err != nil {
			return err
		}
	}
}

// sockets counts live sockets, all and by peer.
type sockets struct {
	mu    sync.Mutex
	open  map[*socket]struct{}
	peers map[string]int
	// gone is closed when the last one leaves; nil unless somebody waits for that.
	gone chan struct{}
}

func newSockets() *sockets {
	return &sockets{open: map[*socket]struct{}{}, peers: map[string]int{}}
}

// enter registers a socket, or returns errTooMany.
func (s *sockets) enter(peer string) (*socket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) >= maxSockets || s.peers[peer] >= maxSocketsOfPeer {
		return nil, fmt.Errorf("%w: at most %d, and %d from one address", errTooMany, maxSockets, maxSocketsOfPeer)
	}
	out := &socket{peer: peer}
	s.open[out] = struct{}{}
	s.peers[peer]++
	return out, nil
}

func (s *sockets) leave(socket *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, socket)
	if s.peers[socket.peer]--; s.peers[socket.peer] == 0 {
		delete(s.peers, socket.peer)
	}
	if len(s.open) == 0 && s.gone != nil {
		close(s.gone)
		s.gone = nil
	}
}

// wait returns when no socket is open, or with ctx's error.
func (s *sockets) wait(ctx context.Context) error {
	s.mu.Lock()
	if len(s.open) == 0 {
		s.mu.Unlock()
		return nil
	}
	if s.gone == nil {
		s.gone = make(chan struct{})
	}
	gone := s.gone
	s.mu.Unlock()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("inspector: close live sockets: %w", ctx.Err())
	}
}

// behind returns the number of sockets and how far the slowest is behind a seq.
func (s *sockets) behind(last int64) (count int, lag int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for socket := range s.open {
		lag = max(lag, last-socket.cursor.Load())
	}
	return len(s.open), lag
}

// peer returns the address that a connection comes from, without its port.
func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
