package gate

// GoAway ends an HTTP/2 connection by a GOAWAY frame which says that no request was processed, and an orderly close.
// A sender may try the request again at once (RFC 9113, 6.8).
func (c *Conn) GoAway() error {
	frame := [...]byte{
		0, 0, 8, // length
		7, 0, // type GOAWAY, no flags
		0, 0, 0, 0, // stream 0: the connection
		0, 0, 0, 0, // last stream that was processed: none
		0, 0, 0, 0, // NO_ERROR
	}
	if err := c.Inject(frame[:]); err != nil {
		return err
	}
	c.mu.Lock()
	secure := c.tls
	c.mu.Unlock()
	// The sender may be faster in closing it.
	_ = secure.CloseWrite()
	_ = c.Part()
	return nil
}
