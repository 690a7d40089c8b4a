package throttle

import (
	"fmt"
	"sync"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// What a rate may be, in requests a second: about one a day, and more than a machine answers.
const (
	leastRate = 0.00001
	mostRate  = 1_000_000
)

// CheckRate tells why a number of requests a second cannot be a limit, or returns nil. 0 is no limit.
func CheckRate(rate float64) error {
	if rate == 0 || rate >= leastRate && rate <= mostRate {
		return nil
	}
	return fmt.Errorf("%w: %v: want %.5f to %d requests a second, or 0 for no limit", webhook.ErrInvalid, rate, leastRate, mostRate)
}

// pace is a rate in the form that buckets count in. The zero value lets everything through.
//
// A bucket holds what comes in a second, and one request at least: a client whose requests come in bursts within its rate
// is not refused, and one that was forgotten for a second has lost nothing by it, as its bucket was full again.
type pace struct {
	// interval is between two requests at the rate, room what a full bucket has beside the next request.
	interval, room time.Duration
}

func newPace(rate float64) pace {
	if rate == 0 {
		return pace{}
	}
	interval := time.Duration(float64(time.Second) / rate) // rounded down, or a bucket would lack its last request
	return pace{interval: interval, room: max(0, time.Second-interval)}
}

// take takes one request out of a bucket that is full at a time. It returns the time at which it is full then, or how long
// it is until there is one.
func (p pace) take(full, now time.Duration) (then, later time.Duration) {
	full = max(full, now)
	if later = full - now - p.room; later > 0 {
		return full, later
	}
	return full + p.interval, 0
}

// Bucket limits the rate of one thing. It is safe for concurrent use; make one with NewBucket.
type Bucket struct {
	pace pace
	born time.Time

	mu   sync.Mutex
	full time.Duration
}

// NewBucket returns a full bucket for so many requests a second, a rate that CheckRate lets through. It holds what comes
// in a second, and one request at least.
func NewBucket(rate float64, now time.Time) *Bucket { return &Bucket{pace: newPace(rate), born: now} }

// Take takes one request out and returns 0, or how long it is until there is one.
func (b *Bucket) Take(now time.Time) (later time.Duration) {
	if b.pace.interval == 0 {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.full, later = b.pace.take(b.full, now.Sub(b.born))
	return later
}
