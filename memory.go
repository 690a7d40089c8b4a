package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// memoryLimit is from where on garbage is collected as often as it takes to stay below.
const memoryLimit = 224 << 20

// followMemory lets the limit go up while more is held than garbage can be collected from, until ctx ends. With ten
// thousand answers waiting, staying below it took most of the processor's time and gained nothing. A limit that somebody
// else has set stays.
func followMemory(ctx context.Context) error {
	const every = time.Second
	if debug.SetMemoryLimit(-1) != memoryLimit {
		<-ctx.Done()
		return nil
	}
	defer debug.SetMemoryLimit(memoryLimit)
	held := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			metrics.Read(held)
			debug.SetMemoryLimit(limitFor(held[0].Value.Uint64() + held[1].Value.Uint64()))
		case <-ctx.Done():
			return nil
		}
	}
}

// limitFor leaves as much room for garbage as there is held, and more where little is.
func limitFor(held uint64) int64 {
	return max(memoryLimit, 2*int64(held)) //nolint:gosec // no machine has so much
}
