package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Conn is a server connection that logs what is read from it until a handler takes its request out. It is safe
// for the use that net/http makes of a connection: one reader, one writer, at the same time.
type Conn struct {
	net.Conn

	mu sync.Mutex
	// log holds the bytes read and not yet taken, from the first byte of the current request.
	log *[]byte
	// skip counts body bytes still to come that are not logged, since the handler reads them itself.
	skip int64
	// first is when the first byte of log was read; last is when the newest byte was.
	first, last time.Time
	// forgets tells that nothing is logged any more.
	forgets  bool
	hungUp   time.Time
	hungUpBy webhook.HangUp

	written atomic.Int64
	base    atomic.Int64
}

type connKey struct{}

// Listener returns a listener whose connections are *Conn.
func Listener(inner net.Listener) net.Listener { return listener{inner} }

type listener struct{ net.Listener }

// Accept returns the next connection as a *Conn.
func (l listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return Wrap(conn), nil
}

// Wrap returns a connection as a *Conn. One with TLS is wrapped above TLS, so that what is logged is HTTP/1.
func Wrap(conn net.Conn) *Conn { return &Conn{Conn: conn} }

// NetConn returns the connection below.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// Context is for http.Server.ConnContext: it makes the connection known to handlers.
func Context(ctx context.Context, conn net.Conn) context.Context {
	if c, ok := conn.(*Conn); ok {
		return context.WithValue(ctx, connKey{}, c)
	}
	return ctx
}

// From returns the connection that a request's context carries, or nil.
func From(ctx context.Context) *Conn {
	c, _ := ctx.Value(connKey{}).(*Conn)
	return c
}

func newLog() any {
	b := make([]byte, 0, 4096)
	return &b
}

// logs recycles request logs; a parked connection holds none.
var logs = sync.Pool{New: newLog} //nolint:gochecknoglobals // a pool is shared by its nature

// Read logs what it reads and notes a hang-up.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n == 0 && err == nil {
		return n, err
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > 0 {
		c.keep(p[:n], now)
	}
	if err != nil && c.hungUp.IsZero() {
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			c.hungUp, c.hungUpBy = now, webhook.HangUpFIN
		case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
			c.hungUp, c.hungUpBy = now, webhook.HangUpRST
		}
	}
	return n, err
}

func (c *Conn) keep(p []byte, now time.Time) {
	if c.forgets {
		return
	}
	c.last = now
	if c.skip > 0 {
		n := min(c.skip, int64(len(p)))
		c.skip -= n
		if p = p[n:]; len(p) == 0 {
			return
		}
	}
	if c.log == nil {
		c.log, _ = logs.Get().(*[]byte)
	}
	if len(*c.log) == 0 {
		c.first = now
	}
	*c.log = append(*c.log, p...)
}

// Forget ends the log: what comes from now on belongs to no request. It is for a connection that is taken over from
// net/http.
func (c *Conn) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgets = true
	if c.log != nil {
		c.cut(len(*c.log))
	}
}

// Write counts what leaves.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// Written returns how many bytes were written since the current request was taken.
func (c *Conn) Written() int64 { return c.written.Load() - c.base.Load() }

// HungUp tells when and how the sender closed its side; ok is false while it has not.
func (c *Conn) HungUp() (at time.Time, by webhook.HangUp, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hungUp, c.hungUpBy, !c.hungUp.IsZero()
}

// Reset closes the connection with an RST, dropping what was not sent.
func (c *Conn) Reset() error {
	for under := c.Conn; under != nil; {
		if tcp, ok := under.(interface{ SetLinger(sec int) error }); ok {
			if err := tcp.SetLinger(0); err != nil {
				return err
			}
			// Closing TLS first would say goodbye.
			err := under.Close()
			if under != c.Conn {
				_ = c.Close()
			}
			return err
		}
		layer, ok := under.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		under = layer.NetConn()
	}
	return c.Close()
}

// take copies the head of the current request out of the log and notes how many bytes of a body of the
// declared size (-1: framed in chunks) are in the log already. It returns nil when the log holds no whole head.
func (c *Conn) take(declared int64) (head []byte, received time.Time, buffered int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base.Store(c.written.Load())
	if c.log == nil {
		return nil, time.Time{}, 0
	}
	raw := *c.log
	from := blankLines(raw)
	end := headEnd(raw[from:])
	if end < 0 {
		return nil, time.Time{}, 0
	}
	end += from
	head = append(head, raw[from:end]...)
	rest := raw[end:]
	if declared >= 0 {
		buffered = min(declared, int64(len(rest)))
		c.skip = declared - buffered
		rest = rest[buffered:]
	}
	received = c.first
	c.cut(len(raw) - len(rest))
	return head, received, buffered
}

// Pass is for a request that is answered without Limits.Read: it leaves the log of its connection, or the next one's head
// would be looked for behind it. One whose end is not known before its body was read ends the connection with its answer.
func Pass(w http.ResponseWriter, r *http.Request) {
	conn := From(r.Context())
	if conn == nil {
		return
	}
	if r.ContentLength < 0 {
		w.Header().Set("Connection", "close")
		return
	}
	conn.take(r.ContentLength)
}

// takeFramed cuts a chunked body, whose end was read, out of the log and returns it as it was framed.
func (c *Conn) takeFramed() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.log == nil {
		return nil
	}
	end := framedEnd(*c.log)
	framed := append([]byte(nil), (*c.log)[:end]...)
	c.cut(end)
	return framed
}

// cut drops the first n bytes of the log and gives an empty log back to the pool.
func (c *Conn) cut(n int) {
	rest := copy(*c.log, (*c.log)[n:])
	*c.log = (*c.log)[:rest]
	c.first = c.last
	if rest == 0 {
		if cap(*c.log) <= 1<<16 {
			logs.Put(c.log)
		}
		c.log = nil
	}
}
