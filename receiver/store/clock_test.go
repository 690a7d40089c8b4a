package store_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestSteadyClock(t *testing.T) {
	t.Parallel()
	const second, day = time.Second, 24 * time.Hour
	shows := []time.Time{
		start, start.Add(second), start.Add(10 * second), // runs on
		start.Add(day), start.Add(day + 5*second), // jumps forward
		start.Add(16 * second), start.Add(17*second + 50*time.Second), // jumps back, and is corrected a little
		start.Add(80 * second), // stands still
	}
	passed := []time.Duration{5 * second, 6 * second, 15 * second, 16 * second, 21 * second, 22 * second, 23 * second, 200 * second}
	equal(t, "steady for", []time.Duration{0, second, 10 * second, 0, 5 * second, 0, second, 0}, store.Steady(shows, passed))
}

// clock is one that tests set. It counts how often it is looked at.
type clock struct{ shows, looks atomic.Int64 }

func (c *clock) set(at time.Time) { c.shows.Store(at.UnixNano()) }

func (c *clock) now() time.Time {
	c.looks.Add(1)
	return time.Unix(0, c.shows.Load())
}

// upkeep waits until the store has done some rounds of it.
func (c *clock) upkeep(t *testing.T) {
	t.Helper()
	from := c.looks.Load()
	eventually(t, "rounds of upkeep", func() bool { return c.looks.Load() > from+20 })
}

// anHour makes "hook" keep captures for an hour.
func anHour(t *testing.T, s *store.Store) {
	t.Helper()
	_, err := s.SaveEndpoint(t.Context(), webhook.Endpoint{Name: "hook", Retention: webhook.Retention{Accepted: webhook.Quota{Age: time.Hour}}}, false)
	if err != nil {
		t.Fatal(err)
	}
}

// TestJumpingClock: a clock that is a month ahead for a while deletes nothing, at the start or later, and does when it is
// believed; order is that of the seqs whatever it shows.
func TestJumpingClock(t *testing.T) {
	t.Parallel()
	for name, settle := range map[string]time.Duration{"jumped": 0, "believed": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := new(clock)
			c.set(start)
			config := store.Config{Dir: t.TempDir(), Pause: 2 * time.Millisecond, Now: c.now, Steady: settle}
			s := open(t, config)
			anHour(t, s)
			at := func(at time.Time) func(*webhook.Capture) { return func(c *webhook.Capture) { c.ReceivedAt = at } }
			count := func() int64 {
				t.Helper()
				counts, err := s.Counts(t.Context(), "hook")
				if err != nil {
					t.Fatal(err)
				}
				return counts[webhook.Accepted]
			}
			written(t, s, connection("hook", 1))
			for i, shown := range []time.Duration{0, 31 * 24 * time.Hour, -time.Hour / 2, time.Minute} {
				c.set(start.Add(shown))
				record(t, s, fmt.Sprint("capture ", i), at(start.Add(shown)))
				c.upkeep(t)
			}
			if settle != 0 {
				eventually(t, "what is too old is deleted", func() bool { return count() <= 3 })
				return
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			c.set(start.Add(1000 * 24 * time.Hour)) // wrong from the start on
			s = open(t, config)
			c.upkeep(t)
			c.set(start.Add(2 * time.Minute))
			c.upkeep(t)
			found, err := s.Captures(t.Context(), webhook.Query{Endpoint: "hook", Ascending: true})
			if err != nil || len(found) != 5 {
				t.Fatalf("%d captures, %v; want all 5", len(found), err)
			}
			for i, c := range found[1:] {
				if c.Seq <= found[i].Seq {
					t.Errorf("capture %d comes after %d", c.Seq, found[i].Seq)
				}
			}
			if list, err := s.Connections(t.Context(), webhook.Query{Endpoint: "hook"}); err != nil || len(list) != 1 {
				t.Errorf("%d connections, %v", len(list), err)
			}
		})
	}
}

// TestCapturesFromTheFuture: those that came while the clock was ahead go with what came after them, and keep nothing.
func TestCapturesFromTheFuture(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	anHour(t, s)
	var want []webhook.Seq
	for i, shown := range []time.Duration{0, 1000 * time.Hour, 1001 * time.Hour, time.Minute, 1000 * time.Hour, 2 * time.Hour, 2*time.Hour + time.Second} {
		c := record(t, s, fmt.Sprint(i), func(c *webhook.Capture) { c.ReceivedAt = start.Add(shown) })
		if i >= 4 {
			want = append(want, c.Seq)
		}
	}
	trim := func(now time.Duration) (left []webhook.Seq) {
		t.Helper()
		if err := s.TrimAged(t.Context(), start.Add(now)); err != nil {
			t.Fatal(err)
		}
		found, err := s.Captures(t.Context(), webhook.Query{Endpoint: "hook", Ascending: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range found {
			left = append(left, c.Seq)
		}
		return left
	}
	equal(t, "after two hours", want, trim(2*time.Hour+time.Minute))
	equal(t, "a second later than one may be kept", want[2:], trim(3*time.Hour+time.Second))
}
