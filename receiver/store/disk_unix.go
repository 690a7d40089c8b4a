//go:build linux || darwin

package store

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// diskFree returns the bytes that an unprivileged process may still write to dir's disk.
func diskFree(dir string) (int64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return 0, fmt.Errorf("ask for free space: %w", err)
	}
	return int64(stat.Bavail) * int64(stat.Bsize), nil //nolint:gosec,unconvert // types differ by system; no disk has 2^63 bytes
}
