package gate

import (
	"net"
	"testing"
)

// Who parts from a sender that has gone already has nothing to complain of.
func TestPartFromWhoHasGone(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(c *Conn, sender *net.TCPConn) error{
		"the server closed it": func(c *Conn, _ *net.TCPConn) error { return c.TCPConn.Close() },
		"the sender reset it": func(c *Conn, sender *net.TCPConn) error {
			if err := sender.SetLinger(0); err != nil {
				return err
			}
			if err := sender.Close(); err != nil {
				return err
			}
			_, _ = c.TCPConn.Read(make([]byte, 1)) // until the reset is here
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			sender, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer sender.Close()
			accepted, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer accepted.Close()
			c := &Conn{TCPConn: accepted.(*net.TCPConn)}
			if err = leave(c, sender.(*net.TCPConn)); err != nil {
				t.Fatal(err)
			}
			if err = c.Part(); err != nil {
				t.Error(err)
			}
		})
	}
}
