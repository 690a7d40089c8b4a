// Package proof holds the long experiments behind the README's promises, and the session that runs them.
//
// An experiment tries one promise over and over on the built program. Each has controls: the same program built with one
// guard taken out (controls.yaml). A control must break the promise, or the experiment sees nothing and proves nothing.
package proof

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ErrNotHere tells that an experiment cannot run on this machine. Its text says why.
var ErrNotHere = errors.New("cannot run here")

// Experiment is one promise and how it is tried.
type Experiment struct {
	// Name is short and unique, for ONLY and the table.
	Name string
	// Promise is what must hold, in a sentence's words.
	Promise string
	// Unit is what is counted, in the plural: power cuts, kills.
	Unit string
	// Goal is how many of them are wanted.
	Goal int64
	// Controls are names in controls.yaml. Without any, the experiment carries its control in itself.
	Controls []string
	// Tries bounds how often a control is tried until it has failed; 0 is 10.
	Tries int
	// Certain tells that a control fails at the first try or never.
	Certain bool
	// Elsewhere tells that make test has it anyway, Long that it has no short version.
	Elsewhere, Long bool
	// Needs returns ErrNotHere when this machine cannot run it; nil means that any can.
	Needs func() error
	// Try tries the promise once, or a handful of times, in seconds. An error is trouble of the experiment's own.
	Try func(ctx context.Context, b *Build) (Count, error)
}

// Count is what one or more tries came to.
type Count struct {
	// Tried counts units, Broken those in which the promise did not hold.
	Tried  int64 `json:"tried"`
	Broken int64 `json:"broken"`
	// Sums are further figures that add up, by their words: "captures answered with a 2xx".
	Sums map[string]int64 `json:"sums,omitempty"`
	// Peaks are further figures of which the largest counts, by their words: "MB of memory at most".
	Peaks map[string]float64 `json:"peaks,omitempty"`
	// Seen says how the promise was first broken.
	Seen string `json:"seen,omitempty"`
}

// Sum adds n to a figure.
func (c *Count) Sum(words string, n int64) {
	if c.Sums == nil {
		c.Sums = make(map[string]int64)
	}
	c.Sums[words] += n
}

// Peak notes a figure of which the largest counts.
func (c *Count) Peak(words string, n float64) {
	if c.Peaks == nil {
		c.Peaks = make(map[string]float64)
	}
	c.Peaks[words] = max(c.Peaks[words], n)
}

// Break notes that the promise did not hold in one of the units, and how.
func (c *Count) Break(format string, args ...any) {
	c.Broken++
	if c.Seen == "" {
		c.Seen = fmt.Sprintf(format, args...)
	}
}

// Add adds another count to c.
func (c *Count) Add(o Count) {
	c.Tried += o.Tried
	c.Broken += o.Broken
	for words, n := range o.Sums {
		c.Sum(words, n)
	}
	for words, n := range o.Peaks {
		c.Peak(words, n)
	}
	if c.Seen == "" {
		c.Seen = o.Seen
	}
}

// figures is the count in words.
func (c *Count) figures(unit string, goal int64) string {
	parts := []string{fmt.Sprintf("%s of %s %s", number(c.Tried), number(goal), unit)}
	for _, words := range slices.Sorted(maps.Keys(c.Sums)) {
		parts = append(parts, number(c.Sums[words])+" "+words)
	}
	for _, words := range slices.Sorted(maps.Keys(c.Peaks)) {
		parts = append(parts, fmt.Sprintf("%.3g %s", c.Peaks[words], words))
	}
	return strings.Join(append(parts, number(c.Broken)+" broken"), ", ")
}

// number writes n with its digits in threes.
func number(n int64) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + " " + digits[i:]
	}
	return digits
}

// Verdict is what an experiment shows.
type Verdict string

// The verdicts. Only Holds is good.
const (
	Holds   Verdict = "holds"
	Broken  Verdict = "**broken**"
	Nothing Verdict = "proves nothing"
	NotRun  Verdict = "not run"
	Trouble Verdict = "trouble"
)

// Result is what is known of an experiment.
type Result struct {
	Name     string           `json:"name"`
	Count    Count            `json:"count"`
	Controls map[string]Count `json:"controls,omitempty"`
	// Why says why it was not run, or what trouble it met.
	Why    string `json:"why,omitempty"`
	Halted bool   `json:"-"`
	Date   string `json:"date"`
	Commit string `json:"commit"`
}

// Verdict judges r by what e wants.
func (r *Result) Verdict(e *Experiment) Verdict {
	switch {
	case r.Count.Broken > 0:
		return Broken
	case r.Halted:
		return Trouble
	case r.Count.Tried == 0:
		return NotRun
	}
	for _, name := range e.Controls {
		if c := r.Controls[name]; c.Broken == 0 {
			return Nothing
		}
	}
	return Holds
}
