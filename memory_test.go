package main

import "testing"

func TestLimitFor(t *testing.T) {
	t.Parallel()
	for held, want := range map[uint64]int64{0: memoryLimit, 100 << 20: memoryLimit, 112 << 20: memoryLimit, 300 << 20: 600 << 20} {
		if got := limitFor(held); got != want {
			t.Errorf("the limit for %d bytes is %d, want %d", held, got, want)
		}
	}
}
