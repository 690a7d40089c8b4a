package scripts

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// canaryTick is how often the canary looks at the clock.
	canaryTick = 5 * time.Millisecond
	// stallLeast is the lateness that is kept with its time, maxStalls how many are.
	stallLeast = 3 * time.Millisecond
	maxStalls  = 10_000
	// stallReach is how long after a stall what it held up may still be seen.
	stallReach = 20 * time.Millisecond
)

// canary measures how late this machine wakes a goroutine that asked for a time: nothing that it measured for others
// meanwhile is more exact.
type canary struct {
	mu      sync.Mutex
	watches map[*watch]struct{}
}

// watch is what the canary saw since a case began.
type watch struct {
	birds *canary
	worst time.Duration
	// stalls are the times when the machine was late, in order.
	stalls []stall
}

// stall ended at a time and made everything late by so much.
type stall struct {
	ended time.Time
	late  time.Duration
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
		c.note(stall{now, now.Sub(before) - canaryTick})
		before = now
	}
}

func (c *canary) note(s stall) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for w := range c.watches {
		w.worst = max(w.worst, s.late)
		if s.late >= stallLeast && len(w.stalls) < maxStalls {
			w.stalls = append(w.stalls, s)
		}
	}
}

// watch begins a watch, which end ends.
func (c *canary) watch() *watch {
	w := &watch{birds: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watches == nil {
		c.watches = map[*watch]struct{}{}
	}
	c.watches[w] = struct{}{}
	return w
}

func (w *watch) end() {
	w.birds.mu.Lock()
	defer w.birds.mu.Unlock()
	delete(w.birds.watches, w)
}

// lag is the worst lateness so far.
func (w *watch) lag() time.Duration {
	w.birds.mu.Lock()
	defer w.birds.mu.Unlock()
	return w.worst
}

// at is by how much a moment may have been noted late: all stalls together that lead up to it without a break.
func (w *watch) at(moment time.Time) time.Duration {
	w.birds.mu.Lock()
	defer w.birds.mu.Unlock()
	var sum time.Duration
	for _, s := range slices.Backward(w.stalls) {
		begun := s.ended.Add(-s.late)
		if begun.After(moment) {
			continue
		}
		if moment.Add(-sum - stallReach).After(s.ended) {
			break
		}
		sum += s.late
	}
	return sum
}
