package egress_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
)

// loopback is a raw TCP server on 127.0.0.1.
type loopback struct {
	l net.Listener
	n atomic.Int64
	// heads are the requests' first lines and headers as read.
	heads chan *http.Request
}

func listen(t *testing.T) *loopback {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return &loopback{l: l, heads: make(chan *http.Request, 16)}
}

func (s *loopback) addr() string { return s.l.Addr().String() }

func (s *loopback) port() string {
	_, port, _ := net.SplitHostPort(s.addr())
	return port
}

// accepted says how many connections came before now. Connections are served in order, so that an
// own one marks the end.
func (s *loopback) accepted(t *testing.T) int64 {
	t.Helper()
	conn, err := net.Dial("tcp4", s.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
	_, _ = io.ReadAll(conn)
	return s.n.Load() - 1
}

// serve hands each connection, its request read, to fn, until the listener closes.
func (s *loopback) serve(fn func(conn net.Conn)) {
	for {
		conn, err := s.l.Accept()
		if err != nil {
			return
		}
		s.n.Add(1)
		if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			select {
			case s.heads <- req:
			default:
			}
			fn(conn)
		}
		_ = conn.Close()
	}
}

// answer gives the same answer to everyone.
func (s *loopback) answer(text string) {
	s.serve(func(conn net.Conn) { _, _ = io.WriteString(conn, text) })
}
