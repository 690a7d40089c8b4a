// Package lag holds the canary that knows how late the machine itself is: a timing that is judged to less than that
// cannot be told.
package lag

import (
	"context"
	"sync"
	"time"
)

const (
	// Tick is how often the canary looks at the clock.
	Tick = 5 * time.Millisecond
	// Kept is how far back Worst can look.
	Kept = time.Hour
)

// Canary wakes every Tick and keeps how much later than asked it was woken. It is safe for concurrent use; make one
// with New.
type Canary struct {
	now func() time.Time

	mu sync.Mutex
	// due is when the next tick should come; zero while Run does not.
	due time.Time
	// worst has the worst lateness of each second, by second modulo its length.
	worst [Kept / time.Second]second
}

type second struct {
	at   int64
	late time.Duration
}

// New returns a canary with a clock; nil is time.Now.
func New(now func() time.Time) *Canary {
	if now == nil {
		now = time.Now
	}
	return &Canary{now: now}
}

// Run ticks until ctx ends and then returns nil.
func (c *Canary) Run(ctx context.Context) error {
	defer c.expect(time.Time{})
	timer := time.NewTimer(Tick)
	defer timer.Stop()
	for {
		c.expect(c.now().Add(Tick))
		timer.Reset(Tick)
		select {
		case <-timer.C:
			c.woken()
		case <-ctx.Done():
			return nil
		}
	}
}

func (c *Canary) expect(due time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.due = due
}

func (c *Canary) woken() {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(now, now.Sub(c.due))
}

// note keeps a lateness that lasted until at, for each second that it touched.
func (c *Canary) note(at time.Time, late time.Duration) {
	if late <= 0 {
		return
	}
	from := max(at.Add(-late).Unix(), at.Unix()-int64(len(c.worst))+1)
	for s := from; s <= at.Unix(); s++ {
		slot := &c.worst[s%int64(len(c.worst))]
		if slot.at != s {
			*slot = second{at: s}
		}
		slot.late = max(slot.late, late)
	}
}

// Worst returns how late the machine was at worst since a time, one that it is late now included. It looks at whole
// seconds, so what happened just before since may count too, and not further back than Kept. It is 0 while Run does not
// tick.
func (c *Canary) Worst(since time.Time) time.Duration {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	var worst time.Duration
	if !c.due.IsZero() {
		worst = max(0, now.Sub(c.due))
	}
	from := max(since.Unix(), now.Unix()-int64(len(c.worst))+1)
	for s := from; s <= now.Unix(); s++ {
		if slot := c.worst[s%int64(len(c.worst))]; slot.at == s {
			worst = max(worst, slot.late)
		}
	}
	return worst
}
