package webhook

import "time"

// MarkCount is how many marks there are.
const MarkCount = 40 << 10

// Mark is a trait of a capture in a form that a search index keeps: a number below MarkCount. Different traits may
// have the same mark, so a mark tells what cannot match a search and never what does.
type Mark uint16

// Marks is a set of marks.
type Marks [MarkCount / 64]uint64

// Add adds a mark.
func (m *Marks) Add(n Mark) { m[n/64] |= 1 << (n % 64) }

// Has reports whether a mark is there.
func (m *Marks) Has(n Mark) bool { return m[n/64]&(1<<(n%64)) != 0 }

// Clause is alternatives, each of them marks. A capture fulfils it when one part of it has all marks of one alternative.
type Clause [][]Mark

// Narrowing says of a search what lets a store leave captures out without reading them. A store may ignore any of it;
// whoever searches looks at each capture that is left. The zero value leaves none out.
type Narrowing struct {
	// Clauses must all be fulfilled.
	Clauses []Clause
	// Since and Until bound the arrival, where they are not zero.
	Since, Until time.Time
	// Noted wants captures that have a note.
	Noted bool
}

// Everything reports whether nothing can be left out.
func (n *Narrowing) Everything() bool {
	return len(n.Clauses) == 0 && n.Since.IsZero() && n.Until.IsZero() && !n.Noted
}
