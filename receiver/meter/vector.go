package meter

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// vector has one T for each combination of values of its labels.
type vector[T any] struct {
	about  Family
	create func() *T

	mu   sync.RWMutex
	held map[string]*T
}

// With returns the one for these values of the labels, in their order, and makes it if there is none. A combination is
// kept for good, so values must come from a bounded set.
func (v *vector[T]) With(values ...string) *T {
	if len(values) != len(v.about.Labels) {
		panic("meter: " + v.about.Name + " wants values for " + strings.Join(v.about.Labels, ", ")) // a mistake in the program
	}
	key := strings.Join(values, "\x00")
	v.mu.RLock()
	one := v.held[key]
	v.mu.RUnlock()
	if one != nil {
		return one
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if one = v.held[key]; one == nil {
		if v.held == nil {
			v.held = make(map[string]*T)
		}
		one = v.create()
		v.held[key] = one
	}
	return one
}

func (v *vector[T]) family() Family { return v.about }

// each calls do with the values of the labels of each one, sorted.
func (v *vector[T]) each(do func(values []string, one *T)) {
	v.mu.RLock()
	held := maps.Clone(v.held)
	v.mu.RUnlock()
	for _, key := range slices.Sorted(maps.Keys(held)) {
		var values []string
		if len(v.about.Labels) > 0 {
			values = strings.Split(key, "\x00")
		}
		do(values, held[key])
	}
}

// Counters are counters of one name.
type Counters struct{ vector[Counter] }

func (c *Counters) samples() (all []Sample) {
	c.each(func(values []string, one *Counter) {
		all = append(all, Sample{Labels: values, Value: float64(one.n.Load())})
	})
	return all
}

// Counter only grows. Safe for concurrent use.
type Counter struct{ n atomic.Uint64 }

// Add adds n.
func (c *Counter) Add(n uint64) { c.n.Add(n) }

// Inc adds one.
func (c *Counter) Inc() { c.n.Add(1) }

// Summaries are summaries of one name.
type Summaries struct{ vector[Summary] }

func (s *Summaries) samples() (all []Sample) {
	s.each(func(values []string, one *Summary) { all = append(all, one.samples(values)...) })
	return all
}
