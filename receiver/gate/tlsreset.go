package gate

import "errors"

var errReset = errors.New("tls-reset: broken off by a reset, as planned")

// resetInHandshake is tls-reset: it ends the connection once the sender's first message was read. Closing the socket
// is left to the one who made the handshake, so that the record has it.
func (c *Conn) resetInHandshake() error {
	if err := c.SetLinger(0); err != nil {
		return err
	}
	// Nothing may leave before the reset, the alert that crypto/tls sends for an error included.
	c.mute.Store(true)
	return errReset
}
