package gate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// CanDrop tells whether blackhole can be carried out on this system.
const CanDrop = true

const backlog = 128

// valve opens and shuts a listening socket without ever giving up its port. A socket that is shut for reading stops
// listening but stays bound, so that the kernel answers with resets; without SO_REUSEADDR nobody else can bind the
// port meanwhile, and with it our own connections in TIME_WAIT do not keep us from listening again. All this holds
// only for a port that was asked for by number.
type valve struct {
	ln     *net.TCPListener
	raw    syscall.RawConn
	filler net.Conn
}

func newValve(addr netip.AddrPort) (*valve, error) {
	ln, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr))
	if err != nil {
		return nil, err
	}
	raw, err := ln.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return &valve{ln: ln, raw: raw}, nil
}

// accept returns the next connection; it fails while the valve is not open.
func (v *valve) accept() (*net.TCPConn, error) {
	conn, err := v.ln.AcceptTCP()
	if err != nil {
		return nil, err
	}
	// One that came while the valve was being turned has not inherited it, and would keep us from listening again.
	if raw, rawErr := conn.SyscallConn(); rawErr == nil {
		_ = control(raw, func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) })
	}
	return conn, nil
}

// wake makes a waiting accept fail.
func (v *valve) wake() error { return v.ln.SetDeadline(time.Unix(1, 0)) }

// shut makes the kernel refuse connections. Those that were not accepted yet are reset.
func (v *valve) shut() error {
	err := v.control(func(fd int) error {
		// Before, and not after: there is no instant in which it neither listens nor keeps others out.
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 0); err != nil {
			return err
		}
		if err := unix.Shutdown(fd, unix.SHUT_RD); err != nil && !errors.Is(err, unix.ENOTCONN) {
			return err
		}
		return nil
	})
	return errors.Join(err, v.drain())
}

// open accepts connections again.
func (v *valve) open() error {
	if err := v.listen(backlog); err != nil {
		return err
	}
	return v.ln.SetDeadline(time.Time{})
}

// hole makes the kernel drop SYNs: it does so when a queue of no length is full. Only a shut valve can be made a hole.
// Before it connects, to fill the queue, it tells from where.
func (v *valve) hole(ctx context.Context, from func(netip.AddrPort)) error {
	const tries = 5
	target := local(v.ln.Addr())
	for range tries {
		if err := v.listen(0); err != nil {
			return err
		}
		dialer := net.Dialer{Timeout: 200 * time.Millisecond, Control: func(_, _ string, raw syscall.RawConn) error {
			return control(raw, func(fd int) error { return bind(fd, target.Addr(), from) })
		}}
		conn, err := dialer.DialContext(ctx, "tcp", target.String())
		if err == nil {
			v.filler = conn
			return nil
		}
		// A sender was faster and took the place; it is reset, and has not been answered.
		if err = v.shut(); err != nil {
			return err
		}
	}
	return fmt.Errorf("the queue of %s could not be filled in %d tries", target, tries)
}

// bind gives a socket that will connect to this machine's addr a free port, and tells which.
func bind(fd int, addr netip.Addr, got func(netip.AddrPort)) error {
	var at unix.Sockaddr
	if addr.Is4() {
		at = &unix.SockaddrInet4{Addr: addr.As4()}
	} else {
		six := &unix.SockaddrInet6{Addr: addr.As16()}
		if zone, err := net.InterfaceByName(addr.Zone()); err == nil {
			six.ZoneId = uint32(zone.Index) //nolint:gosec // an interface's number
		}
		at = six
	}
	if err := unix.Bind(fd, at); err != nil {
		return err
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return err
	}
	switch at := bound.(type) {
	case *unix.SockaddrInet4:
		got(netip.AddrPortFrom(netip.AddrFrom4(at.Addr), uint16(at.Port))) //nolint:gosec // a port
	case *unix.SockaddrInet6:
		got(netip.AddrPortFrom(netip.AddrFrom16(at.Addr).Unmap(), uint16(at.Port))) //nolint:gosec // a port
	}
	return nil
}

// listen makes the socket listen. It keeps others out all the while, but for an instant where connections of ours linger
// on the port: they let us listen only as they would let anyone bind.
func (v *valve) listen(length int) error {
	return v.control(func(fd int) error {
		err := unix.Listen(fd, length)
		if err != nil && !errors.Is(err, unix.EADDRINUSE) {
			return err
		}
		lingers := err != nil
		if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil || !lingers {
			return err
		}
		if err = unix.Listen(fd, length); err != nil {
			return errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 0))
		}
		return nil
	})
}

// queued returns how many connections wait to be accepted, as far as that is known.
func (v *valve) queued() (length int) {
	//nolint:errcheck // a valve that was closed has none
	v.control(func(fd int) error {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err == nil {
			length = int(info.Unacked) // what the kernel calls so for a listening socket
		}
		return err
	})
	return length
}

func (v *valve) drain() error {
	if v.filler == nil {
		return nil
	}
	err := v.filler.Close()
	v.filler = nil
	return err
}

func (v *valve) close() error { return errors.Join(v.drain(), v.ln.Close()) }

func (v *valve) control(f func(fd int) error) error { return control(v.raw, f) }

func control(raw syscall.RawConn, f func(fd int) error) error {
	var err error
	if outer := raw.Control(func(fd uintptr) { err = f(int(fd)) }); outer != nil {
		return outer
	}
	return err
}
