package scripts

import (
	"context"
	"encoding/hex"
	"sync"
	"time"
)

// canaryTick is how often the canary looks at the clock.
const canaryTick = 5 * time.Millisecond

// canary measures how late this machine wakes a goroutine that asked for a time: nothing that it measured for others
// meanwhile is more exact.
type canary struct {
	mu     sync.Mutex
	worsts map[*time.Duration]struct{}
}

// run watches until ctx ends.
func (c *canary) run(ctx context.Context) {
	ticker := time.NewTicker(canaryTick)
	defer ticker.Stop()
	before := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := time.Now()
		c.note(now.Sub(before) - canaryTick)
		before = now
	}
}

func (c *canary) note(late time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for worst := range c.worsts {
		*worst = max(*worst, late)
	}
}

// watch begins to note the worst lateness; read returns it so far, stop ends the watching.
func (c *canary) watch() (read func() time.Duration, stop func()) {
	worst := new(time.Duration)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.worsts == nil {
		c.worsts = map[*time.Duration]struct{}{}
	}
	c.worsts[worst] = struct{}{}
	read = func() time.Duration {
		c.mu.Lock()
		defer c.mu.Unlock()
		return *worst
	}
	stop = func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.worsts, worst)
	}
	return read, stop
}

func hexSum(sum [32]byte) string { return hex.EncodeToString(sum[:]) }
