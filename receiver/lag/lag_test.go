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

func TestWorst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clock := &clock{}
		canary := lag.New(clock.now)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- canary.Run(ctx) }()
		begin := clock.now()
		pass := func(d time.Duration) { <-time.After(d); synctest.Wait() }
		pass(10 * time.Second)
		if worst := canary.Worst(begin); worst != 0 {
			t.Errorf("late by %v on a machine that is not", worst)
		}
		clock.stall(70 * time.Millisecond)
		if worst := canary.Worst(clock.now()); worst <= 60*time.Millisecond || worst > 70*time.Millisecond {
			t.Errorf("late by %v while the machine stands still for 70 ms", worst)
		}
		pass(10 * time.Second)
		clock.stall(20 * time.Millisecond)
		mark := clock.now()
		pass(10 * time.Second)
		for since, want := range map[time.Time]time.Duration{
			begin: 70 * time.Millisecond, mark: 20 * time.Millisecond, clock.now(): 0, begin.Add(-2 * lag.Kept): 70 * time.Millisecond,
		} {
			if worst := canary.Worst(since); worst > want || worst < want-lag.Tick {
				t.Errorf("late by %v since %v, want %v", worst, since.Sub(begin), want)
			}
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		clock.stall(lag.Kept)
		if worst := canary.Worst(begin); worst != 0 {
			t.Errorf("late by %v an hour ago", worst)
		}
	})
}
