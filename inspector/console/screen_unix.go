//go:build unix

package console

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// readable waits until there is something to read, or nothing more will come, and says whether that is so; it returns
// false after a time without.
func readable(f *os.File, d time.Duration) bool {
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}} //nolint:gosec // a file descriptor is small
	n, err := unix.Poll(fds, int(d.Milliseconds()))
	return err == nil && n > 0
}
