package throttle_test

import (
	"math"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookrange/hookrange/receiver/throttle"
)

func TestCheckRate(t *testing.T) {
	t.Parallel()
	for rate, ok := range map[float64]bool{
		0: true, 1: true, 0.5: true, 0.00001: true, 1e6: true, 2e6: false, 1e-6: false, -1: false, math.Inf(1): false, math.Inf(-1): false,
		math.SmallestNonzeroFloat64: false,
	} {
		if err := throttle.CheckRate(rate); (err == nil) != ok {
			t.Errorf("%v: %v", rate, err)
		}
	}
	if throttle.CheckRate(math.NaN()) == nil {
		t.Error("NaN is a rate")
	}
}

// burst takes until there is nothing left, and returns how many that were and how long it is until the next.
func burst(take func() time.Duration) (n int, later time.Duration) {
	for n < 1_000_000 {
		if later = take(); later > 0 {
			return n, later
		}
		n++
	}
	return n, 0
}

func TestBucket(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rate     float64
		burst    int
		interval time.Duration
	}{
		{1, 1, time.Second},
		{0.1, 1, 10 * time.Second},
		{2.5, 2, 400 * time.Millisecond},
		{3, 3, time.Second / 3},
		{7, 7, time.Second / 7},
		{1000, 1000, time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := throttle.NewBucket(test.rate, time.Now())
			time.Sleep(time.Hour) // nothing is saved up
			take := func() time.Duration { return b.Take(time.Now()) }
			n, later := burst(take)
			if n != test.burst || later <= 0 || later > test.interval {
				t.Fatalf("%v a second: %d at once, then %v; want %d, then up to %v", test.rate, n, later, test.burst, test.interval)
			}
			time.Sleep(later - 1)
			if left := take(); left != 1 {
				t.Errorf("%v a second: %v left a nanosecond before the time", test.rate, left)
			}
			time.Sleep(time.Nanosecond)
			if n, _ = burst(take); n != 1 {
				t.Errorf("%v a second: %d after the time that was told", test.rate, n)
			}
			const span = 1000
			n = 0
			for range span {
				time.Sleep(test.interval)
				more, _ := burst(take)
				n += more
			}
			if n < span-1 || n > span {
				t.Errorf("%v a second: %d in the time of %d", test.rate, n, span)
			}
		})
	}
}

func TestNoLimit(t *testing.T) {
	t.Parallel()
	now := time.Now()
	b, table, waiting := throttle.NewBucket(0, now), throttle.NewTable(0, now), throttle.NewWaiting(0)
	for range 1000 {
		if b.Take(now) > 0 || table.Take(throttle.Key{}, now) > 0 || !waiting.Take(throttle.Key{}) {
			t.Fatal("something is limited")
		}
	}
	waiting.Give(throttle.Key{})
	if table.Len() != 0 {
		t.Errorf("%d clients are remembered for nothing", table.Len())
	}
}

func client(n int) throttle.Key {
	return throttle.KeyOf(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}))
}

func TestTable(t *testing.T) {
	t.Parallel()
	now := time.Now()
	table := throttle.NewTable(3, now)
	for i := range 3 {
		for range 3 {
			if later := table.Take(client(i), now); later > 0 {
				t.Fatalf("client %d has to wait %v", i, later)
			}
		}
		if later := table.Take(client(i), now); later <= 0 || later > time.Second/3 {
			t.Errorf("client %d has to wait %v", i, later)
		}
	}
	if table.Take(client(0), now.Add(time.Second/3)) > 0 {
		t.Error("client 0 has to wait after its time")
	}
}

// TestTableIsBounded: who asked last is remembered longest, and one who was forgotten gets one bucket's worth.
func TestTableIsBounded(t *testing.T) {
	t.Parallel()
	const rate = 2
	now := time.Now()
	table := throttle.NewTable(rate, now)
	passed := func(n int) int {
		got, _ := burst(func() time.Duration { return table.Take(client(n), now) })
		return got
	}
	for i := range throttle.Size {
		if got := passed(i); got != rate {
			t.Fatalf("client %d: %d at once", i, got)
		}
	}
	if passed(0) != 0 {
		t.Error("a client that is remembered got more")
	}
	// Client 0 asked last, so 1 is the one to go.
	if passed(throttle.Size) != rate || table.Len() != throttle.Size {
		t.Errorf("%d clients are remembered, want %d", table.Len(), throttle.Size)
	}
	for _, n := range []int{0, 2, throttle.Size} {
		if got := passed(n); got != 0 {
			t.Errorf("client %d was forgotten: %d more", n, got)
		}
	}
	if got := passed(1); got != rate {
		t.Errorf("client 1 was not forgotten: %d", got)
	}
	total, asked := 0, 0
	for round := range 3 {
		for i := range 2 * throttle.Size {
			total += passed(1_000_000 + i)
			asked++
		}
		if table.Len() != throttle.Size {
			t.Fatalf("round %d: %d clients are remembered", round, table.Len())
		}
	}
	if total > rate*asked {
		t.Errorf("%d clients that were forgotten got %d, more than a bucket's worth each", asked, total)
	}
}

// TestTableIsSmall holds what is said of its size.
func TestTableIsSmall(t *testing.T) {
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before, now := heap(), time.Now()
	table := throttle.NewTable(1, now)
	for i := range 1_000_000 {
		table.Take(client(i), now)
	}
	grown := heap() - before
	t.Logf("%d bytes", grown)
	if grown > 4<<20 {
		t.Errorf("%d bytes for %d clients", grown, table.Len())
	}
}

func TestWaiting(t *testing.T) {
	t.Parallel()
	waiting := throttle.NewWaiting(2)
	for i, want := range []bool{true, true, false} {
		if got := waiting.Take(client(1)); got != want {
			t.Errorf("answer %d may wait: %v, want %v", i, got, want)
		}
	}
	if !waiting.Take(client(2)) {
		t.Error("another client may not wait")
	}
	waiting.Give(client(1))
	for i, want := range []bool{true, false} {
		if got := waiting.Take(client(1)); got != want {
			t.Errorf("after one was given back, answer %d may wait: %v, want %v", i, got, want)
		}
	}
}

// TestManyAtOnce: what passes does not depend on how many ask at the same time.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	const rate, each = 50, 100
	now := time.Now()
	table, bucket, waiting := throttle.NewTable(rate, now), throttle.NewBucket(rate, now), throttle.NewWaiting(rate)
	var byTable, byBucket, byWaiting atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range each {
				if table.Take(client(7), now) == 0 {
					byTable.Add(1)
				}
				if bucket.Take(now) == 0 {
					byBucket.Add(1)
				}
				if waiting.Take(client(7)) {
					byWaiting.Add(1)
				}
			}
		})
	}
	all.Wait()
	if byTable.Load() != rate || byBucket.Load() != rate || byWaiting.Load() != rate {
		t.Errorf("passed: %d, %d, %d; want %d", byTable.Load(), byBucket.Load(), byWaiting.Load(), rate)
	}
}
