//go:build !linux

package gate

import (
	"net"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// endedBy is known from reading only on this system.
func endedBy(*net.TCPConn) webhook.HangUp { return "" }
