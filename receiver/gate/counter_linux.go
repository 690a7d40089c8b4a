package gate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// Counter counts tries to connect to gates that are not open, by reading the SYNs that arrive, which needs the right
// CAP_NET_RAW. Its sockets are open only while there is a gate that it watches. It is safe for concurrent use; its zero
// value is ready.
type Counter struct {
	mu    sync.Mutex
	gates map[*Gate]struct{}
	socks []*sock
	// tried tells that reason is known: why counting is not possible, or nil.
	tried  bool
	reason error
}

// Countable tells whether tries can be counted here, and if not, why.
func (c *Counter) Countable() (ok bool, reason string) {
	c.mu.Lock()
	var unused []*sock
	if !c.tried {
		c.begin()
		unused = c.end()
	}
	why := c.reason
	c.mu.Unlock()
	closeAll(unused)
	if why != nil {
		return false, why.Error()
	}
	return true, ""
}

// sock is a raw socket that gets the SYNs of one address family.
type sock struct {
	conn *net.IPConn
	raw  syscall.RawConn
	v6   bool
	// receiving is held from reading a packet until it is delivered, so that who has drained has seen everything.
	receiving sync.Mutex
	// done is closed when its reader has ended.
	done chan struct{}
}

func (c *Counter) watch(g *Gate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gates == nil {
		c.gates = map[*Gate]struct{}{}
	}
	c.gates[g] = struct{}{}
	if len(c.gates) == 1 {
		c.begin()
	}
}

func (c *Counter) forget(g *Gate) {
	c.mu.Lock()
	delete(c.gates, g)
	var unused []*sock
	if len(c.gates) == 0 {
		unused = c.end()
	}
	c.mu.Unlock()
	closeAll(unused)
}

// begin opens the sockets and starts their readers.
func (c *Counter) begin() {
	c.tried = true
	four, err := openSock("ip4:tcp")
	if err != nil {
		c.reason = err
		return
	}
	c.reason = nil
	c.socks = []*sock{four}
	// A machine without IPv6 has no tries over it.
	if six, err := openSock("ip6:tcp"); err == nil {
		c.socks = append(c.socks, six)
	}
	for _, s := range c.socks {
		go func() {
			defer close(s.done)
			c.read(s)
		}()
	}
}

// end takes the sockets out of use; closeAll must follow.
func (c *Counter) end() []*sock {
	unused := c.socks
	c.socks = nil
	return unused
}

// closeAll closes sockets and waits for their readers.
func closeAll(socks []*sock) {
	for _, s := range socks {
		_ = s.conn.Close()
		<-s.done
	}
}

func openSock(network string) (*sock, error) {
	conn, err := net.ListenIP(network, nil)
	if errors.Is(err, unix.EPERM) {
		return nil, errors.New("this process has no right to count tries to connect: give it CAP_NET_RAW")
	}
	if err != nil {
		return nil, fmt.Errorf("tries to connect cannot be counted: %w", err)
	}
	s := &sock{conn: conn, v6: network == "ip6:tcp", done: make(chan struct{})}
	if err = s.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("tries to connect cannot be counted: %w", err), conn.Close())
	}
	return s, nil
}

// prepare lets through SYNs only, with their time and address.
func (s *sock) prepare() error {
	// The flags are at 13 of the TCP header: SYN and not ACK. A raw IPv4 socket has the IP header before it.
	program := []bpf.Instruction{
		bpf.LoadMemShift{Off: 0},
		bpf.LoadIndirect{Off: 13, Size: 1},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0x12},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x02, SkipFalse: 1},
		bpf.RetConstant{Val: 256},
		bpf.RetConstant{Val: 0},
	}
	if s.v6 {
		program[0], program[1] = bpf.LoadConstant{Dst: bpf.RegX, Val: 0}, bpf.LoadAbsolute{Off: 13, Size: 1}
	}
	filter, err := bpf.Assemble(program)
	if err != nil {
		return err
	}
	if s.raw, err = s.conn.SyscallConn(); err != nil {
		return err
	}
	if s.v6 {
		conn := ipv6.NewPacketConn(s.conn)
		err = errors.Join(conn.SetBPF(filter), conn.SetControlMessage(ipv6.FlagDst, true))
	} else {
		err = ipv4.NewPacketConn(s.conn).SetBPF(filter)
	}
	outer := s.raw.Control(func(fd uintptr) {
		err = errors.Join(err,
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<20))
	})
	return errors.Join(err, outer)
}

// read passes SYNs on until the socket is closed.
func (c *Counter) read(s *sock) {
	for {
		var touched []*Gate
		err := s.raw.Read(func(fd uintptr) bool {
			touched = c.receive(s, int(fd))
			return len(touched) > 0
		})
		for _, g := range touched {
			g.counted()
		}
		if err != nil {
			return
		}
	}
}

// drain passes on everything that has arrived up to now; the gates are told, but not by drain itself.
func (c *Counter) drain() {
	c.mu.Lock()
	socks := c.socks
	c.mu.Unlock()
	for _, s := range socks {
		//nolint:errcheck // a socket that was closed has nothing
		s.raw.Control(func(fd uintptr) { c.receive(s, int(fd)) })
	}
}

// receive reads until there is nothing more and returns the gates that have got new tries.
func (c *Counter) receive(s *sock, fd int) []*Gate {
	s.receiving.Lock()
	defer s.receiving.Unlock()
	var touched []*Gate
	var packet [256]byte
	var control [256]byte
	for {
		n, size, _, from, err := unix.Recvmsg(fd, packet[:], control[:], unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return touched
		}
		if seen, ok := parse(packet[:n], control[:size], from); ok {
			if g := c.deliver(seen); g != nil {
				touched = append(touched, g)
			}
		}
	}
}

func (c *Counter) deliver(seen syn) *Gate {
	c.mu.Lock()
	defer c.mu.Unlock()
	for g := range c.gates {
		at := g.config.Addr
		if at.Port() == seen.to.Port() && (at.Addr().IsUnspecified() || at.Addr().Unmap() == seen.to.Addr()) && g.flows.saw(seen) {
			return g
		}
	}
	return nil
}

// parse reads a packet, which the filter has let through.
func parse(packet, control []byte, from unix.Sockaddr) (syn, bool) {
	seen := syn{at: time.Now()}
	var source, target netip.Addr
	switch at := from.(type) {
	case *unix.SockaddrInet4:
		header := int(packet[0]&0x0f) * 4
		if len(packet) < header+14 || header < 20 {
			return seen, false
		}
		source, target = netip.AddrFrom4(at.Addr), netip.AddrFrom4([4]byte(packet[16:20]))
		packet = packet[header:]
	case *unix.SockaddrInet6:
		source = netip.AddrFrom16(at.Addr)
	}
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil || len(packet) < 14 {
		return seen, false
	}
	for _, m := range messages {
		switch {
		case m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16:
			seconds, nanoseconds := binary.NativeEndian.Uint64(m.Data), binary.NativeEndian.Uint64(m.Data[8:])
			seen.at = time.Unix(int64(seconds), int64(nanoseconds)) //nolint:gosec // a time
		case m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_PKTINFO && len(m.Data) >= 16:
			target = netip.AddrFrom16([16]byte(m.Data))
		}
	}
	seen.peer = netip.AddrPortFrom(source.Unmap(), binary.BigEndian.Uint16(packet))
	seen.to = netip.AddrPortFrom(target.Unmap(), binary.BigEndian.Uint16(packet[2:]))
	seen.seq = binary.BigEndian.Uint32(packet[4:])
	return seen, true
}
