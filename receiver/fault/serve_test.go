package fault_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hookrange/hookrange/receiver/fault"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// line is a connection that knows what fault.Line asks.
type line struct {
	net.Conn
	mu      sync.Mutex
	at      time.Time
	by      webhook.HangUp
	written int64
}

func (l *line) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == "" && errors.Is(err, io.EOF) {
		l.at, l.by = time.Now(), webhook.HangUpFIN
	}
	if l.by == "" && errors.Is(err, syscall.ECONNRESET) {
		l.at, l.by = time.Now(), webhook.HangUpRST
	}
	return n, err
}

func (l *line) Write(b []byte) (int, error) {
	n, err := l.Conn.Write(b)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written += int64(n)
	return n, err
}

func (l *line) HungUp() (time.Time, webhook.HangUp, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at, l.by, l.by != ""
}

func (l *line) Written() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.written
}

func (l *line) Reset() error {
	if tcp, isTCP := l.Conn.(*net.TCPConn); isTCP {
		if err := tcp.SetLinger(0); err != nil {
			return err
		}
	}
	return l.Close()
}

// lines is a listener whose connections are lines.
type lines struct{ net.Listener }

func (l lines) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &line{Conn: conn}, nil
}

// memory is a listener without a network, for tests with a clock of their own.
type memory struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	m.once.Do(func() { close(m.done) })
	return nil
}

func (*memory) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }

// receiver is a real HTTP server that performs one job for each request.
type receiver struct {
	dial     func() net.Conn
	outcomes chan webhook.Outcome
	shutDown context.CancelFunc
}

type lineKey struct{}

// performer is fault.Perform with its job, but for the arrival.
type performer func(context.Context, http.ResponseWriter, fault.Line, time.Time) webhook.Outcome

func performs(job fault.Job) performer {
	return func(ctx context.Context, w http.ResponseWriter, l fault.Line, arrived time.Time) webhook.Outcome {
		mine := job
		mine.ReceivedAt = arrived
		return fault.Perform(ctx, w, l, mine)
	}
}

// serve starts a receiver on l and ends it with the test.
func serve(tb testing.TB, l net.Listener, dial func() net.Conn, perform performer) *receiver {
	tb.Helper()
	stop, shutDown := context.WithCancel(tb.Context())
	r := &receiver{dial: dial, outcomes: make(chan webhook.Outcome, 16), shutDown: shutDown}
	server := &http.Server{
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, lineKey{}, c)
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			arrived := time.Now()
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				tb.Errorf("read the request: %v", err)
			}
			ctx, cancel := context.WithCancel(req.Context())
			defer cancel()
			defer context.AfterFunc(stop, cancel)()
			out := perform(ctx, w, req.Context().Value(lineKey{}).(fault.Line), arrived)
			select {
			case r.outcomes <- out:
			default:
			}
		}),
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(lines{l}); !errors.Is(err, http.ErrServerClosed) {
			tb.Errorf("serve: %v", err)
		}
	}()
	tb.Cleanup(func() {
		shutDown()
		if err := server.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
		<-ended
	})
	return r
}

func serveTCP(tb testing.TB, job fault.Job) *receiver {
	tb.Helper()
	return serveHandler(tb, performs(job))
}

func serveHandler(tb testing.TB, perform performer) *receiver {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return serve(tb, l, func() net.Conn {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			tb.Fatal(err)
		}
		return conn
	}, perform)
}

func serveMemory(t *testing.T, job fault.Job) *receiver {
	t.Helper()
	m := &memory{conns: make(chan net.Conn), done: make(chan struct{})}
	return serve(t, m, func() net.Conn {
		ours, theirs := net.Pipe()
		m.conns <- theirs
		return ours
	}, performs(job))
}

// send opens a connection and sends one request over it.
func (r *receiver) send(t *testing.T) net.Conn {
	t.Helper()
	conn := r.dial()
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, "POST /hooks/a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
		t.Fatal(err)
	}
	return conn
}

// readAll reads up to the connection's end and tells how it ended: "fin" or "rst".
func readAll(t *testing.T, conn net.Conn) (data, end string) {
	t.Helper()
	all, err := io.ReadAll(conn)
	switch {
	case err == nil:
		return string(all), "fin"
	case errors.Is(err, syscall.ECONNRESET):
		return string(all), "rst"
	default:
		t.Fatalf("read: %v", err)
		return "", ""
	}
}

// readAnswer reads one whole answer.
func readAnswer(t *testing.T, conn net.Conn) (*http.Response, string) {
	t.Helper()
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("read the answer: %v", err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("read the answer's body: %v", err)
	}
	return answer, string(body)
}

// splitHead cuts an answer into its lines and its body, and takes the date out.
func splitHead(t *testing.T, data string) (head []string, body string) {
	t.Helper()
	before, body, whole := strings.Cut(data, "\r\n\r\n")
	if !whole {
		t.Fatalf("%q has no whole head", data)
	}
	for l := range strings.SplitSeq(before, "\r\n") {
		if !strings.HasPrefix(l, "Date: ") {
			head = append(head, l)
		}
	}
	return head, body
}
