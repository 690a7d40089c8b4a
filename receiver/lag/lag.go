// Package lag holds the canary that knows how late the machine itself is: a timing that is judged to less than that
// cannot be told.
package lag

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Tick is how often the canary looks at the clock.
const Tick = 5 * time.Millisecond

const (
	// stallLeast is the lateness that is kept with its time, maxStalls how many are.
	stallLeast = 3 * time.Millisecond
	maxStalls  = 10_000
	// stallReach is how long after a stall what it held up may still be seen.
	stallReach = 20 * time.Millisecond
)

// Canary wakes every Tick and tells its watches how much later than asked it was woken: nothing that this process
// measured meanwhile is more exact. It is safe for concurrent use; make one with New.
type Canary struct {
	now func() time.Time

	mu      sync.Mutex
	watches map[*Watch]struct{}
}

// Watch is what a canary saw since it was begun. It is safe for concurrent use.
type Watch struct {
	canary *Canary
	worst  time.Duration
	// stalls are the times when the machine was late, in order.
	stalls []stall
}

// stall ended at a time and made everything late by so much.
type stall struct {
	ended time.Time
	late  time.Duration
}

// New returns a canary with a clock; nil is time.Now.
func New(now func() time.Time) *Canary {
	if now == nil {
		now = time.Now
	}
	return &Canary{now: now, watches: map[*Watch]struct{}{}}
}

// Run ticks until ctx ends.
func (c *Canary) Run(ctx context.Context) {
	ticker := time.NewTicker(Tick)
	defer ticker.Stop()
	for before := c.now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := c.now()
		c.note(stall{now, now.Sub(before) - Tick})
		before = now
	}
}

func (c *Canary) note(s stall) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for w := range c.watches {
		w.worst = max(w.worst, s.late)
		if s.late >= stallLeast && len(w.stalls) < maxStalls {
			w.stalls = append(w.stalls, s)
		}
	}
}

// Watch begins a watch, which End ends.
func (c *Canary) Watch() *Watch {
	w := &Watch{canary: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watches[w] = struct{}{}
	return w
}

// End ends the watch, which keeps what it has seen.
func (w *Watch) End() {
	w.canary.mu.Lock()
	defer w.canary.mu.Unlock()
	delete(w.canary.watches, w)
}

// Worst is the worst lateness so far.
func (w *Watch) Worst() time.Duration {
	w.canary.mu.Lock()
	defer w.canary.mu.Unlock()
	return w.worst
}

// At is by how much a moment may have been noted late: all stalls together that lead up to it without a break.
func (w *Watch) At(moment time.Time) time.Duration {
	w.canary.mu.Lock()
	defer w.canary.mu.Unlock()
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

// After is by how much later than it should somebody may have acted on a moment: all stalls together that follow it
// without a break.
func (w *Watch) After(moment time.Time) time.Duration {
	w.canary.mu.Lock()
	defer w.canary.mu.Unlock()
	var sum time.Duration
	edge := moment
	for _, s := range w.stalls {
		if !s.ended.After(moment) {
			continue
		}
		if s.ended.Add(-s.late).After(edge.Add(stallReach)) {
			break
		}
		sum += min(s.late, s.ended.Sub(moment))
		edge = s.ended
	}
	return sum
}
