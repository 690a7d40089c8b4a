package gate

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// frameHead is the length of the head of an HTTP/2 frame, typeHeaders the type of the frame that begins an answer.
const (
	frameHead   = 9
	typeHeaders = 1
)

// frames is a connection with HTTP/2 above TLS that knows where its frames begin and end. It does not show that there is
// TLS below: only so does net/http serve HTTP/2 on a connection that is not crypto/tls's own.
type frames struct {
	net.Conn // the *tls.Conn

	// mu is held by each Write.
	mu sync.Mutex
	// moved tells Inject that a frame has ended, or the connection has.
	moved  *sync.Cond
	closed bool
	// over drops what is still written.
	over bool
	// head is the beginning of a frame whose head is not complete and was not sent, left is how much of the frame that
	// was begun is still to come.
	head []byte
	left int
	// pass sends the next HEADERS frame; nil for as usual. held is what there is of that frame.
	pass func(head []byte, send func([]byte) error)
	held []byte
}

// Frames returns what to hand to a server that speaks unencrypted HTTP/2 in place of a connection with HTTP/2 above TLS,
// so that faults can be put between the frames.
func Frames(secure *tls.Conn) net.Conn {
	c := Under(secure)
	if c == nil {
		return secure
	}
	f := &frames{Conn: secure}
	f.moved = sync.NewCond(&f.mu)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frames = f
	return f
}

// NetConn returns the connection with TLS.
func (f *frames) NetConn() net.Conn { return f.Conn }

// Close ends the connection.
func (f *frames) Close() error {
	err := f.Conn.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.moved.Broadcast()
	return err
}

// Write sends frames, or parts of them.
func (f *frames) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.moved.Broadcast()
	if f.over {
		return len(p), nil
	}
	// What lies between from and at is to be sent as it is.
	from := 0
	for at := 0; at < len(p); {
		if f.left > 0 {
			n := min(f.left, len(p)-at)
			f.left -= n
			at += n
			if f.held == nil {
				continue
			}
			f.held = append(f.held, p[at-n:at]...)
			from = at
			if f.left > 0 {
				continue
			}
			if err := f.slow(); err != nil {
				return at, err
			}
			continue
		}
		n := min(frameHead-len(f.head), len(p)-at)
		f.head = append(f.head, p[at:at+n]...)
		switch whole := len(f.head) == frameHead; {
		case whole && n == frameHead && !f.slows():
			// The usual case: nothing needs to be told apart.
		default:
			if err := f.send(p[from:at]); err != nil {
				return from, err
			}
			from = at + n
			if whole && !f.slows() {
				if err := f.send(f.head); err != nil {
					return at, err
				}
			}
		}
		at += n
		f.begun()
	}
	return len(p), f.send(p[from:])
}

// slows tells whether pass is to send the frame of this head.
func (f *frames) slows() bool { return f.pass != nil && f.head[3] == typeHeaders }

// begun takes a complete head over.
func (f *frames) begun() {
	if len(f.head) < frameHead {
		return
	}
	f.left = int(f.head[0])<<16 | int(f.head[1])<<8 | int(f.head[2])
	if f.slows() {
		f.held = append(f.held, f.head...)
	}
	f.head = f.head[:0]
}

func (f *frames) send(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	_, err := f.Conn.Write(p)
	return err
}

// slow has the frame that is held sent by pass, which has it for this once.
func (f *frames) slow() error {
	held, pass := f.held, f.pass
	f.held, f.pass = nil, nil
	sent := 0
	pass(held, func(part []byte) error {
		_ = f.SetWriteDeadline(time.Now().Add(lingerTime))
		n, err := f.Conn.Write(part)
		sent += n
		return err
	})
	_ = f.SetWriteDeadline(time.Time{})
	if sent < len(held) {
		return errCut
	}
	return nil
}

var errCut = errors.New("gate: a frame was not sent to its end")

// Slow has the next HEADERS frame sent by pass, in as many pieces as that likes and in one call, until restore is
// called, which waits for a call to return. Nothing else leaves meanwhile. Without HTTP/2 it does nothing.
func (c *Conn) Slow(pass func(head []byte, send func([]byte) error)) (restore func()) {
	f := c.framed()
	if f == nil {
		return func() {}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pass = pass
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.held == nil {
			f.pass = nil
		}
	}
}

// Inject sends bytes between two frames of an HTTP/2 connection, and nothing behind them.
func (c *Conn) Inject(data []byte) error {
	f := c.framed()
	if f == nil {
		return errors.New("gate: no HTTP/2 connection")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for !f.closed && (f.left > 0 || len(f.head) > 0) {
		f.moved.Wait()
	}
	if f.closed {
		return net.ErrClosed
	}
	_ = f.SetWriteDeadline(time.Now().Add(lingerTime))
	_, err := f.Conn.Write(data)
	f.over = true
	return err
}

func (c *Conn) framed() *frames {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.frames
}
