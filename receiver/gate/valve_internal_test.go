//go:build linux

package gate

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTurningKeepsThePort shuts and opens a valve while others try to bind its port, as a server that starts does: at no
// instant may one of them have it.
func TestTurningKeepsThePort(t *testing.T) {
	t.Parallel()
	v := newTestValve(t, 30000)
	addr := local(v.ln.Addr())
	for range 500 {
		ctx, stop := context.WithCancel(t.Context())
		taken, trying := make(chan bool), make(chan struct{})
		go func() { taken <- taking(ctx, addr, trying) }()
		<-trying
		err := errors.Join(v.shut(), v.open())
		stop()
		if had := <-taken; had || err != nil {
			t.Fatalf("the port was taken: %v, turned: %v", had, err)
		}
		conn, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
	}
}

// TestOpensOverLingeringConnections opens a valve on whose port connections of its own linger, which came before it was
// shut or in the middle of that.
func TestOpensOverLingeringConnections(t *testing.T) {
	t.Parallel()
	v := newTestValve(t, 30200)
	for range 20 {
		sender, err := net.Dial("tcp", v.ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		// As in the middle of shut.
		err = v.control(func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 0) })
		if err != nil {
			t.Fatal(err)
		}
		second, err := net.Dial("tcp", v.ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			conn, err := v.accept()
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.Close() // it closes first, and so lingers
		}
		if err = errors.Join(v.shut(), v.open()); err != nil {
			t.Fatal(err)
		}
		_, _ = sender.Close(), second.Close()
	}
}

// newTestValve opens a valve on a free port, which must be asked for by number.
func newTestValve(t *testing.T, first uint16) *valve {
	t.Helper()
	for port := first; port < first+100; port++ {
		v, err := newValve(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port))
		if err != nil {
			continue
		}
		t.Cleanup(func() {
			if err := v.close(); err != nil {
				t.Error(err)
			}
		})
		return v
	}
	t.Fatal("no port is free")
	return nil
}

// taking tries to bind a port until it has it or ctx ends; it closes trying once it tries.
func taking(ctx context.Context, addr netip.AddrPort, trying chan struct{}) bool {
	at := &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	for first := true; ctx.Err() == nil; first = false {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			continue
		}
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
		if err == nil {
			err = unix.Bind(fd, at)
		}
		_ = unix.Close(fd)
		if err == nil {
			return true
		}
		if first {
			close(trying)
		}
	}
	return false
}
