// Package meter counts and times what the program does, and writes it in the text form that Prometheus reads.
//
// A Set holds metrics, each with its name, what it tells and the names of its labels. Nothing here has a goroutine or
// state outside of its Set.
package meter

import (
	"io"
	"maps"
	"slices"
	"sync"
)

// Set holds metrics. Safe for concurrent use.
type Set struct {
	mu      sync.Mutex
	metrics map[string]metric
}

// metric is one of a Set.
type metric interface {
	// family says what it is, samples what it is now.
	family() Family
	samples() []Sample
}

// NewSet returns an empty set.
func NewSet() *Set { return &Set{metrics: make(map[string]metric)} }

// Counters adds a counter for each combination of values of the labels. The name must be new to the set.
func (s *Set) Counters(name, help string, labels ...string) *Counters {
	c := &Counters{vector[Counter]{about: Family{Name: name, Help: help, Kind: CounterKind, Labels: labels}, create: func() *Counter { return new(Counter) }}}
	s.add(c)
	return c
}

// Counter adds a counter without labels. The name must be new to the set.
func (s *Set) Counter(name, help string) *Counter { return s.Counters(name, help).With() }

// Gauge adds a value that is asked for whenever the set is written. The name must be new to the set.
func (s *Set) Gauge(name, help string, now func() float64) {
	s.add(&gauge{about: Family{Name: name, Help: help, Kind: GaugeKind}, now: now})
}

// Summaries adds a summary for each combination of values of the labels. The name must be new to the set.
func (s *Set) Summaries(name, help string, labels ...string) *Summaries {
	m := &Summaries{vector[Summary]{about: Family{Name: name, Help: help, Kind: SummaryKind, Labels: labels}, create: newSummary}}
	s.add(m)
	return m
}

// Summary adds a summary without labels. The name must be new to the set.
func (s *Set) Summary(name, help string) *Summary { return s.Summaries(name, help).With() }

func (s *Set) add(m metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := m.family().Name
	if s.metrics[name] != nil {
		panic("meter: two metrics are named " + name) // a mistake in the program, seen at its first start
	}
	s.metrics[name] = m
}

// Write writes all metrics, sorted by name. It returns w's error.
func (s *Set) Write(w io.Writer) error {
	s.mu.Lock()
	all := maps.Clone(s.metrics)
	s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := all[name].family().Write(w, all[name].samples()); err != nil {
			return err
		}
	}
	return nil
}

type gauge struct {
	about Family
	now   func() float64
}

func (g *gauge) family() Family { return g.about }

func (g *gauge) samples() []Sample { return []Sample{{Value: g.now()}} }
