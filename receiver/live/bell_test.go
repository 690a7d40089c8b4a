package live_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookrange/hookrange/receiver/live"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestWaitReturnsAtOnceWhenSomethingIsThere(t *testing.T) {
	t.Parallel()
	bell := live.New()
	bell.Ring(7)
	for name, after := range map[string]webhook.Seq{"from the start": 0, "just before": 6} {
		if got, err := bell.Wait(t.Context(), after); err != nil || got != 7 {
			t.Errorf("%s: Wait(%d) = %d, %v; want 7", name, after, got, err)
		}
	}
}

func TestWaitSleepsUntilTheSeqIsBeyondIts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bell := live.New()
		bell.Ring(3)
		var woke atomic.Int64
		go func() {
			seq, err := bell.Wait(t.Context(), 5)
			if err != nil {
				t.Error(err)
			}
			woke.Store(int64(seq))
		}()
		for _, seq := range []webhook.Seq{4, 5, 2} {
			bell.Ring(seq)
			synctest.Wait()
			if got := woke.Load(); got != 0 {
				t.Fatalf("Ring(%d) woke a waiter for more than 5 with %d", seq, got)
			}
		}
		bell.Ring(6)
		synctest.Wait()
		if got := woke.Load(); got != 6 {
			t.Fatalf("the waiter has %d, want 6", got)
		}
	})
}

func TestRingNeverGoesBack(t *testing.T) {
	t.Parallel()
	bell := live.New()
	bell.Ring(9)
	bell.Ring(4)
	if got := bell.Last(); got != 9 {
		t.Fatalf("Last() = %d after Ring(9), Ring(4); want 9", got)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bell := live.New()
		bell.Ring(2)
		cause := errors.New("the watcher went away")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 3*time.Second, cause)
		defer cancel()
		start := time.Now()
		seq, err := bell.Wait(ctx, 2)
		if !errors.Is(err, cause) || seq != 2 {
			t.Errorf("Wait = %d, %v; want 2 and the cause", seq, err)
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("Wait took %v, want exactly 3s", took)
		}
	})
}

func TestEveryWatcherSeesTheNewestSeq(t *testing.T) {
	t.Parallel()
	const watchers, last = 50, webhook.Seq(2000)
	bell := live.New()
	var group sync.WaitGroup
	for range watchers {
		group.Go(func() {
			for cursor := webhook.Seq(0); cursor < last; {
				seq, err := bell.Wait(t.Context(), cursor)
				if err != nil {
					t.Error(err)
					return
				}
				if seq <= cursor {
					t.Errorf("Wait(%d) = %d: not beyond the cursor", cursor, seq)
					return
				}
				cursor = seq
			}
		})
	}
	for seq := webhook.Seq(1); seq <= last; seq++ {
		bell.Ring(seq)
	}
	group.Wait()
}

// BenchmarkRing rings for 1000 waiters; one operation is a ring and everyone awake again.
func BenchmarkRing(b *testing.B) {
	const waiters = 1000
	bell := live.New()
	ctx, cancel := context.WithCancel(b.Context())
	var awake, group sync.WaitGroup
	for range waiters {
		group.Go(func() {
			for cursor := webhook.Seq(0); ; {
				seq, err := bell.Wait(ctx, cursor)
				if err != nil {
					return
				}
				cursor = seq
				awake.Done()
			}
		})
	}
	seq := webhook.Seq(0)
	for b.Loop() {
		seq++
		awake.Add(waiters)
		bell.Ring(seq)
		awake.Wait()
	}
	cancel()
	group.Wait()
}

func BenchmarkRingNobodyWaits(b *testing.B) {
	bell := live.New()
	seq := webhook.Seq(0)
	for b.Loop() {
		seq++
		bell.Ring(seq)
	}
}
