package lag_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookrange/hookrange/receiver/lag"
)

// clock is the bubble's, and how much later the machine is.
type clock struct {
	mu   sync.Mutex
	late time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.late)
}

func (c *clock) stall(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.late += d
}

func TestWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clock := &clock{}
		canary := lag.New(clock.now)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { canary.Run(ctx) })
		pass := func(d time.Duration) { <-time.After(d); synctest.Wait() }
		// stall keeps the machine still, and returns when it was over.
		stall := func(d time.Duration) time.Time {
			clock.stall(d)
			pass(lag.Tick)
			return clock.now()
		}
		pass(time.Millisecond) // off the ticks
		whole, quiet := canary.Watch(), canary.Watch()
		pass(10 * time.Second)
		if whole.Worst() != 0 || whole.At(clock.now()) != 0 {
			t.Errorf("late by %v on a machine that is not", whole.Worst())
		}
		calm := clock.now()
		pass(time.Second)
		quiet.End()
		first := stall(70 * time.Millisecond)
		pass(time.Second)
		second := canary.Watch()
		chain := stall(20 * time.Millisecond)
		chain2 := stall(30 * time.Millisecond)
		if whole.Worst() != 70*time.Millisecond || quiet.Worst() != 0 || second.Worst() != 30*time.Millisecond {
			t.Errorf("late by %v, %v and %v, want 70ms, 0s and 30ms", whole.Worst(), quiet.Worst(), second.Worst())
		}
		for moment, want := range map[time.Time]time.Duration{
			calm: 0, first: 70 * time.Millisecond, first.Add(-30 * time.Millisecond): 70 * time.Millisecond, first.Add(500 * time.Millisecond): 0,
			chain: 20 * time.Millisecond, chain2: 50 * time.Millisecond,
		} {
			if got := whole.At(moment); got != want {
				t.Errorf("late by %v at %v, want %v", got, moment.Sub(first), want)
			}
		}
		for moment, want := range map[time.Time]time.Duration{
			calm: 0, first: 0, first.Add(-31 * time.Millisecond): 30 * time.Millisecond, first.Add(-80 * time.Millisecond): 70 * time.Millisecond,
			first.Add(-200 * time.Millisecond): 0, chain.Add(-25 * time.Millisecond): 50 * time.Millisecond, chain: 30 * time.Millisecond, chain2: 0,
		} {
			if got := whole.After(moment); got != want {
				t.Errorf("late by %v after %v, want %v", got, moment.Sub(first), want)
			}
		}
		second.End()
		stop()
		running.Wait()
	})
}
