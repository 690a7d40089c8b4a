package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	for _, test := range []struct {
		room room
		held uint64
		want int64
	}{
		{0, 0, memoryLimit},
		{0, 100 * mb, memoryLimit},
		{0, 112 * mb, memoryLimit},
		{0, 300 * mb, 600 * mb},
		{128 * mb, 0, 48 * mb},
		{128 * mb, 30 * mb, 60 * mb},
		{128 * mb, 100 * mb, 80 * mb},
		{8 << 30, 10 * mb, memoryLimit},
	} {
		if got := test.room.limit(test.held); got != test.want {
			t.Errorf("the limit for %d bytes in %d is %d, want %d", test.held, test.room, got, test.want)
		}
	}
}

// TestRoom: the least of what the control groups allow, and what follows from it.
func TestRoom(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	under := t.TempDir()
	for name, text := range map[string]string{
		"memory/memory.limit_in_bytes":     "9223372036854771712\n",
		"memory/a/memory.limit_in_bytes":   "134217728\n",
		"memory/a/b/memory.limit_in_bytes": "9223372036854771712\n",
		"memory.max":                       "max\n",
		"x/memory.max":                     "268435456\n",
	} {
		path := filepath.Join(under, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for groups, want := range map[string]room{
		"":                          0,
		"nonsense":                  0,
		"4:memory:/\n0::/":          0,
		"4:memory:/a/b\n2:cpu:/a\n": 128 * mb,
		"0::/x/y\n":                 256 * mb,
		"4:memory:/gone\n":          0,
		"4:memory:/a\n0::/x\n":      128 * mb,
	} {
		if got := roomIn(under, groups); got != want {
			t.Errorf("%q leaves %d, want %d", groups, got, want)
		}
	}
	if got := room(128 * mb).inFlight(10 * mb); got != 128*mb/12 {
		t.Errorf("%d bytes in flight in 128 MB", got)
	}
	if got := room(64 * mb).inFlight(10 * mb); got != 10*mb {
		t.Errorf("%d bytes in flight in 64 MB: one body must have room", got)
	}
	if got := room(128 * mb).waiting(); got < 500 || got > 2000 {
		t.Errorf("%d answers wait in 128 MB", got)
	}
	if n, m := room(0).inFlight(1), room(8<<30).waiting(); n != 0 || m != 0 || room(128*mb).listed() != 8*mb {
		t.Errorf("bounds of %d and %d where nothing is scarce", n, m)
	}
	if room(0).Ready() != nil || room(1).Ready() == nil && resident() > 0 {
		t.Error("ready in no memory, or not ready in any")
	}
}
