package gate

import (
	"net"

	"golang.org/x/sys/unix"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// The states of linux/include/net/tcp_states.h that tell how the other side has ended a connection.
const (
	tcpClose     = 7
	tcpCloseWait = 8
)

// endedBy returns how the other side has ended a connection that we have not closed, or "".
func endedBy(conn *net.TCPConn) (by webhook.HangUp) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return ""
	}
	//nolint:errcheck // a connection that is closed already is known
	raw.Control(func(fd uintptr) {
		info, infoErr := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		switch {
		case infoErr != nil:
		case info.State == tcpClose:
			by = webhook.HangUpRST
		case info.State == tcpCloseWait:
			by = webhook.HangUpFIN
		}
	})
	return by
}
