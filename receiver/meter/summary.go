package meter

import (
	"math"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	// turn is how long a span is the older one. Quantiles are those of the last one to two turns.
	turn = 150 * time.Second

	// A bucket is 1/steps of a power of two wide, so that a quantile is right to within 2 %.
	stepBits = 5
	steps    = 1 << stepBits
	// leastPower and mostPower are what is told apart: from a microsecond to more than an hour.
	leastPower, mostPower = -20, 12
	buckets               = (mostPower - leastPower) * steps
)

// Summary has the number, the sum and the quantiles of what is observed, such as seconds: quantiles of the last
// minutes, to within 2 %, number and sum of all. Safe for concurrent use.
type Summary struct {
	mu    sync.Mutex
	count uint64
	sum   float64
	// older has what was observed in both turns, newer in the newer one.
	older, newer *span
	turned       time.Time
}

// span is what was observed for a while.
type span struct {
	count   uint64
	most    float64
	buckets [buckets]uint32
}

func newSummary() *Summary { return &Summary{older: new(span), newer: new(span), turned: time.Now()} }

// Observe adds one value.
func (s *Summary) Observe(value float64) {
	if math.IsNaN(value) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turnTo(time.Now())
	s.count++
	s.sum += value
	s.older.add(value)
	s.newer.add(value)
}

// Since observes the seconds since start.
func (s *Summary) Since(start time.Time) { s.Observe(time.Since(start).Seconds()) }

// turnTo forgets what is too old; mu is held.
func (s *Summary) turnTo(now time.Time) {
	passed := now.Sub(s.turned)
	if passed < turn {
		return
	}
	s.older, s.newer = s.newer, s.older
	*s.newer = span{}
	if passed >= 2*turn {
		*s.older = span{}
	}
	s.turned = now.Add(-passed % turn)
}

func (s *Summary) samples(labels []string) []Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turnTo(time.Now())
	var all []Sample
	if s.older.count > 0 {
		for _, part := range []float64{0.5, 0.9, 0.97, 0.99, 1} {
			all = append(all, Sample{Labels: labels, Quantile: strconv.FormatFloat(part, 'g', -1, 64), Value: s.older.quantile(part)})
		}
	}
	return append(all, Sample{Labels: labels, Suffix: "_sum", Value: s.sum}, Sample{Labels: labels, Suffix: "_count", Value: float64(s.count)})
}

func (s *span) add(value float64) {
	if s.count == 0 || value > s.most {
		s.most = value
	}
	s.count++
	s.buckets[bucketOf(value)]++
}

// quantile is the middle of the bucket in which the value stands that part of all values do not pass.
func (s *span) quantile(part float64) float64 {
	rank, passed := uint64(math.Ceil(part*float64(s.count))), uint64(0)
	i := slices.IndexFunc(s.buckets[:], func(n uint32) bool {
		passed += uint64(n)
		return passed >= rank
	})
	if part == 1 || i < 0 {
		return s.most
	}
	power, step := i/steps+leastPower, i%steps
	return min(s.most, math.Ldexp(1+(float64(step)+0.5)/steps, power))
}

// bucketOf reads the power of two and the first digits after it off the number's own form.
func bucketOf(value float64) int {
	const fraction, bias = 52, 1023
	if value <= 0 {
		return 0
	}
	bits := math.Float64bits(value)
	power := int(bits>>fraction) - bias
	step := int(bits >> (fraction - stepBits) & (steps - 1))
	return min(max((power-leastPower)*steps+step, 0), buckets-1)
}
