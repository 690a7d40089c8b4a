package gate

import (
	"context"
	"io"
	"time"
)

// lingerTime and lingerBytes bound how long a connection that we have closed is read on.
const (
	lingerTime  = 2 * time.Second
	lingerBytes = 1 << 20
)

// closeAtOnce is close@accept: an orderly end without a byte. A socket that is closed with bytes unread sends a reset
// instead, so what the sender still sends is read first.
func (c *Conn) closeAtOnce(ctx context.Context) {
	if err := c.CloseWrite(); err != nil {
		_ = c.Close()
		return
	}
	c.tell()
	_ = c.SetReadDeadline(time.Now().Add(lingerTime))
	defer context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Now()) })()
	_, _ = io.CopyN(io.Discard, c.TCPConn, lingerBytes)
	_ = c.TCPConn.Close()
}

// resetAtOnce is reset@accept.
func (c *Conn) resetAtOnce() { _ = c.Reset() }

// late ends a connection that was made just before the gate was shut.
func (c *Conn) late() { _ = c.Reset() }
