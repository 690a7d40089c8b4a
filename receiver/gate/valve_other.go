//go:build !linux

package gate

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
)

// CanDrop tells whether blackhole can be carried out on this system.
const CanDrop = false

// valve opens and shuts a listening socket. This system lets go of the port while it is shut.
type valve struct {
	addr netip.AddrPort
	mu   sync.Mutex
	ln   *net.TCPListener
}

func newValve(addr netip.AddrPort) (*valve, error) {
	v := &valve{addr: addr}
	return v, v.open()
}

func (v *valve) accept() (*net.TCPConn, error) {
	v.mu.Lock()
	ln := v.ln
	v.mu.Unlock()
	if ln == nil {
		return nil, net.ErrClosed
	}
	return ln.AcceptTCP()
}

func (*valve) wake() error { return nil }

func (v *valve) shut() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ln == nil {
		return nil
	}
	err := v.ln.Close()
	v.ln = nil
	return err
}

func (v *valve) open() error {
	ln, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(v.addr))
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ln = ln
	return err
}

func (*valve) queued() int { return 0 }

func (*valve) hole(context.Context, func(netip.AddrPort)) error {
	return errors.New("this system cannot leave connections unanswered")
}

func (v *valve) close() error { return v.shut() }
