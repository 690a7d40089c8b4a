package wire_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/wire"
)

// pipes is a listener without a network.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { p.once.Do(func() { close(p.done) }); return nil }

func (*pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// taken is what a real server took from one connection.
type taken struct {
	got   []wire.Inbound
	ended chan struct{}
}

type takenKey struct{}

// FuzzRead sends any bytes to a real server: each request that it takes is a piece of what was sent, head and body as
// they came, and none is taken twice.
func FuzzRead(f *testing.F) {
	for _, raw := range []string{
		"POST /a?b=c HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\nT: 1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"\r\n\nGET / HTTP/1.1\nhost: h\nX-a:  b \n\nPUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nxDELETE / HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhe", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "GET http://a/b HTTP/1.1\r\nHost: c\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x00\x00",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0, 0\r\n\r\n",
	} {
		f.Add([]byte(raw))
	}
	limits := wire.Limits{Head: 4096, Body: 4096}.WithDefaults()
	ln := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{
		ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: limits.Head,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(wire.Context(ctx, c), takenKey{}, c.(*wire.Conn).NetConn().(*counted).taken)
		},
		ConnState: func(c net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				close(c.(*wire.Conn).NetConn().(*counted).taken.ended)
			}
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			in := limits.Read(w, r)
			if in.Reason != "" {
				w.Header().Set("Connection", "close")
			}
			mine := r.Context().Value(takenKey{}).(*taken)
			mine.got = append(mine.got, in)
		}),
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(wire.Listener(ln)) })
	f.Cleanup(func() { _ = server.Close(); serving.Wait() })
	f.Fuzz(func(t *testing.T, raw []byte) {
		client, theirs := net.Pipe()
		all := &taken{ended: make(chan struct{})}
		ln.conns <- &counted{Conn: theirs, taken: all}
		var reading sync.WaitGroup
		reading.Go(func() { _, _ = io.Copy(io.Discard, client) })
		_, _ = client.Write(raw)
		_ = client.Close()
		reading.Wait()
		<-all.ended
		rest := string(raw)
		for i, in := range all.got {
			body := string(in.Framed)
			if in.Declared >= 0 {
				body = string(in.Body)
			}
			want := string(in.Head) + body
			if len(want) > len(rest) || rest[:len(want)] != want {
				t.Fatalf("request %d of %d was taken as %q out of %q", i, len(all.got), want, rest)
			}
			if in.Reason == "" && in.Declared >= 0 && int64(len(in.Body)) != in.Declared {
				t.Fatalf("request %d has %d bytes of %d and is said to be whole", i, len(in.Body), in.Declared)
			}
			rest = rest[len(want):]
		}
	})
}

// counted carries what was taken from it.
type counted struct {
	net.Conn
	taken *taken
}
