package wire_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/receiver/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tap is a real server on loopback that hands over what wire read of each request.
type tap struct {
	address string
	got     chan wire.Inbound
}

func newTap(t *testing.T, limits wire.Limits, after func(*wire.Conn, *http.Request)) tap {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	limits = limits.WithDefaults()
	made := tap{address: ln.Addr().String(), got: make(chan wire.Inbound, 100)}
	server := &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		MaxHeaderBytes:    limits.Head,
		ConnContext:       wire.Context,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			in := limits.Read(w, r)
			if in.Reason != "" {
				w.Header().Set("Connection", "close")
				w.WriteHeader(http.StatusBadRequest)
			}
			made.got <- in
			if after != nil {
				after(wire.From(r.Context()), r)
			}
		}),
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(wire.Listener(ln)) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return made
}

func (s tap) send(t *testing.T, raw string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err = io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	return conn
}

func answered(t *testing.T, r *bufio.Reader) int {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode
}

func TestReadKeepsTheRequestAsSent(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		raw, head, body, framed string
		fields                  []webhook.Field
	}{
		"order, case and repetition": {
			raw:    "POST /hooks/a//b/../c%2Fd?secret=x&a=%zz HTTP/1.1\r\nhOST: h\r\nX-B: 1\r\nx-a: 2\r\nX-B:3\r\nContent-Length: 4\r\n\r\nbody",
			head:   "POST /hooks/a//b/../c%2Fd?secret=x&a=%zz HTTP/1.1\r\nhOST: h\r\nX-B: 1\r\nx-a: 2\r\nX-B:3\r\nContent-Length: 4\r\n\r\n",
			body:   "body",
			fields: []webhook.Field{{"hOST", "h"}, {"X-B", "1"}, {"x-a", "2"}, {"X-B", "3"}, {"Content-Length", "4"}},
		},
		"bare line feeds": {
			raw:    "GET / HTTP/1.1\nHost: h\nA:  b \n\n",
			head:   "GET / HTTP/1.1\nHost: h\nA:  b \n\n",
			fields: []webhook.Field{{"Host", "h"}, {"A", "b"}},
		},
		"chunks, extensions and trailers": {
			raw:    "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n4;a=b\r\nbody\r\n00002\r\n!?\r\n0\r\nX-T: t\r\n\r\n",
			head:   "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n",
			body:   "body!?",
			framed: "4;a=b\r\nbody\r\n00002\r\n!?\r\n0\r\nX-T: t\r\n\r\n",
			fields: []webhook.Field{{"Host", "h"}, {"Transfer-Encoding", "chunked"}, {"Trailer", "X-T"}},
		},
		"HTTP/1.0": {
			raw:    "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi",
			head:   "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\n",
			body:   "hi",
			fields: []webhook.Field{{"Content-Length", "2"}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTap(t, wire.Limits{}, nil)
			conn := s.send(t, test.raw)
			if status := answered(t, bufio.NewReader(conn)); status != http.StatusOK {
				t.Fatalf("answered %d", status)
			}
			in := <-s.got
			for what, pair := range map[string][2]string{
				"head": {test.head, string(in.Head)}, "body": {test.body, string(in.Body)}, "framed": {test.framed, string(in.Framed)},
			} {
				if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", what, diff)
				}
			}
			if diff := cmp.Diff(test.fields, webhook.Fields(in.Head)); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			if in.Reason != "" || in.Truncated || in.BodySize != int64(len(test.body)) {
				t.Errorf("reason %q, truncated %v, size %d", in.Reason, in.Truncated, in.BodySize)
			}
		})
	}
}

// TestReadCutsAStreamOfRequests sends many random requests over one connection, pipelined in writes of random
// size, and puts the captured pieces together again: they must be the stream.
func TestReadCutsAStreamOfRequests(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	s := newTap(t, wire.Limits{}, nil)
	conn := s.send(t, "")
	const count = 60
	stream := []byte{}
	for i := range count {
		stream = append(stream, randomRequest(rng, i)...)
	}
	go func() {
		for rest := stream; len(rest) > 0; {
			n := min(1+rng.IntN(3000), len(rest))
			if _, err := conn.Write(rest[:n]); err != nil {
				return
			}
			rest = rest[n:]
		}
	}()
	reader := bufio.NewReader(conn)
	var joined []byte
	for range count {
		if status := answered(t, reader); status != http.StatusOK {
			t.Fatalf("answered %d", status)
		}
		in := <-s.got
		joined = append(joined, in.Head...)
		if in.Framed != nil {
			joined = append(joined, in.Framed...)
		} else {
			joined = append(joined, in.Body...)
		}
	}
	if !bytes.Equal(joined, stream) {
		t.Fatal("the captured pieces are not the stream that was sent")
	}
}

func randomRequest(rng *rand.Rand, i int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST /hooks/x?i=%d HTTP/1.1\r\nHost: h\r\nX-Pad: %s\r\n", i, strings.Repeat("p", rng.IntN(3000)))
	body := bytes.Repeat([]byte{byte('a' + i%26)}, rng.IntN(9000))
	switch rng.IntN(3) {
	case 0:
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	case 1:
		b.WriteString("transfer-encoding: chunked\r\n\r\n")
		for len(body) > 0 {
			n := min(1+rng.IntN(2000), len(body))
			fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
			body = body[n:]
		}
		b.WriteString("0\r\n\r\n")
	default:
		b.WriteString("Content-Length: 0\r\n\r\n")
	}
	return b.Bytes()
}

func TestReadTellsWhatIsNotWhole(t *testing.T) {
	t.Parallel()
	const head = "POST / HTTP/1.1\r\nHost: h\r\n"
	tests := map[string]struct {
		raw    string
		close  bool
		reason webhook.Reason
		body   string
	}{
		"too large, declared":       {raw: head + "Content-Length: 9\r\n\r\n123456789", reason: webhook.BodyTooLarge, body: "12345678"},
		"too large, and waited for": {raw: head + "Content-Length: 9\r\n\r\n123", reason: webhook.BodyTooLarge, body: "123"},
		"too large, and asked for":  {raw: head + "Content-Length: 9\r\nExpect: 100-continue\r\n\r\n", reason: webhook.BodyTooLarge},
		"too large, and cut":        {raw: head + "Content-Length: 9\r\n\r\n123", close: true, reason: webhook.BodyTooLarge, body: "123"},
		"too large, chunked":        {raw: head + "Transfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n0\r\n\r\n", reason: webhook.BodyTooLarge, body: "12345678"},
		"just fits":                 {raw: head + "Content-Length: 8\r\n\r\n12345678", body: "12345678"},
		"cut":                       {raw: head + "Content-Length: 8\r\n\r\n1234", close: true, reason: webhook.BodyCut, body: "1234"},
		"cut between chunks":        {raw: head + "Transfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n", close: true, reason: webhook.BodyCut, body: "1234"},
		"negative chunk":            {raw: head + "Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n", reason: webhook.BodyMalformed},
		"chunk size of 17 digits":   {raw: head + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n", reason: webhook.BodyMalformed},
		"length and chunks": {
			raw: head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", reason: webhook.AmbiguousFraming,
		},
		"chunks in HTTP/1.0": {
			raw: "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", reason: webhook.AmbiguousFraming,
		},
		"slow": {raw: head + "Content-Length: 8\r\n\r\n1234", reason: webhook.BodySlow, body: "1234"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limits := wire.Limits{Body: 8}
			if test.reason == webhook.BodySlow {
				limits.Grace = time.Millisecond
			}
			s := newTap(t, limits, nil)
			conn := s.send(t, test.raw)
			if test.close {
				_ = conn.(*net.TCPConn).CloseWrite()
			}
			var in wire.Inbound
			select {
			case in = <-s.got:
			case <-time.After(30 * time.Second):
				t.Fatal("it is still being read")
			}
			if in.Reason != test.reason || string(in.Body) != test.body {
				t.Fatalf("reason %q, body %q; want %q, %q", in.Reason, in.Body, test.reason, test.body)
			}
			if in.Truncated != (test.reason != "" && in.Declared != 0) {
				t.Errorf("truncated %v", in.Truncated)
			}
		})
	}
}

func TestHeadLimitIsExact(t *testing.T) {
	t.Parallel()
	for over, want := range map[int]webhook.Reason{0: "", 1: webhook.HeadTooLarge} {
		s := newTap(t, wire.Limits{Head: 1000}, nil)
		head := "GET / HTTP/1.1\r\nHost: h\r\nX: "
		head += strings.Repeat("x", 1000+over-len(head)-4) + "\r\n\r\n"
		s.send(t, head)
		if in := <-s.got; in.Reason != want {
			t.Errorf("head of %d bytes: reason %q, want %q", len(head), in.Reason, want)
		}
	}
}

func TestHungUp(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		linger int
		want   webhook.HangUp
	}{"orderly": {-1, webhook.HangUpFIN}, "reset": {0, webhook.HangUpRST}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			by := make(chan webhook.HangUp, 1)
			s := newTap(t, wire.Limits{}, func(conn *wire.Conn, r *http.Request) {
				<-r.Context().Done()
				_, how, _ := conn.HungUp()
				by <- how
			})
			conn := s.send(t, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi")
			<-s.got
			_ = conn.(*net.TCPConn).SetLinger(test.linger)
			_ = conn.Close()
			if got := <-by; got != test.want {
				t.Fatalf("hung up by %q, want %q", got, test.want)
			}
		})
	}
}

// A connection that was taken over is read into nowhere: what its sender goes on to send takes no memory. It is not
// parallel, since it looks at what the process allocates.
//
//nolint:paralleltest // see above
func TestForgetKeepsNothing(t *testing.T) {
	const size, rounds, most = 64 << 10, 1000, 16 << 20
	for name, test := range map[string]struct{ forgets, kept bool }{"taken over": {true, false}, "not taken over": {false, true}} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := net.Pipe()
			t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
			go func() {
				for sent := make([]byte, size); ; {
					if _, err := theirs.Write(sent); err != nil {
						return
					}
				}
			}()
			conn, buffer := wire.Wrap(ours), make([]byte, size)
			if _, err := io.ReadFull(conn, buffer); err != nil {
				t.Fatal(err)
			}
			if test.forgets {
				conn.Forget()
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range rounds {
				if _, err := io.ReadFull(conn, buffer); err != nil {
					t.Fatal(err)
				}
			}
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; (took > most) != test.kept {
				t.Errorf("%d bytes were allocated for %d, kept %v", took, size*rounds, test.kept)
			}
		})
	}
}

func TestTrailers(t *testing.T) {
	t.Parallel()
	got := wire.Trailers([]byte("2\r\nhi\r\n0\r\nx-T: 1\r\nX-t: 2\r\n\r\n"))
	if diff := cmp.Diff([]webhook.Field{{"x-T", "1"}, {"X-t", "2"}}, got); diff != "" {
		t.Fatal(diff)
	}
	if got = wire.Trailers([]byte("2\r\nhi\r\n")); got != nil {
		t.Fatalf("trailers of a cut body: %v", got)
	}
}

func FuzzFields(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n"))
	f.Add([]byte("\n:\n\n"))
	f.Fuzz(func(_ *testing.T, raw []byte) {
		webhook.Fields(raw)
		wire.Trailers(raw)
	})
}
