package store

import (
	"math/bits"
	"slices"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// openBlock is the block that new captures join. It is in memory until it is full, which takes 5 KiB for each column,
// and is made anew from the captures after a restart. Its owner locks it.
type openBlock struct {
	span
	captures []marked
	marks    []*webhook.Marks
	// unended are the captures, by their places, that had no outcome when they were marked.
	unended []int
}

// add adds a capture; false when it does not fit.
func (b *openBlock) add(c *webhook.Capture, lane int64, marks []*webhook.Marks) bool {
	if len(b.marks)+len(marks) > blockColumns {
		return false
	}
	at := c.ReceivedAt.UnixNano()
	if len(b.captures) == 0 {
		b.earliest, b.latest = at, at
	}
	b.earliest, b.latest = min(b.earliest, at), max(b.latest, at)
	if i, known := slices.BinarySearch(b.lanes, lane); !known {
		b.lanes = slices.Insert(b.lanes, i, lane)
	}
	if c.Outcome == nil {
		b.unended = append(b.unended, len(b.captures))
	}
	b.captures = append(b.captures, marked{seq: int64(c.Seq), lane: lane, columns: len(marks)})
	b.marks = append(b.marks, marks...)
	b.columns, b.count = len(b.marks), len(b.captures)
	b.last = int64(c.Seq)
	return true
}

// column returns the first column of the i-th capture.
func (b *openBlock) column(i int) int {
	n := 0
	for _, c := range b.captures[:i] {
		n += c.columns
	}
	return n
}

// replace takes new marks for the i-th capture, if they are as many.
func (b *openBlock) replace(i int, marks []*webhook.Marks) {
	if len(marks) == b.captures[i].columns {
		copy(b.marks[b.column(i):], marks)
	}
}

// clear takes the marks of captures away that are not there any more.
func (b *openBlock) clear(gone func(marked) bool) {
	column := 0
	for _, c := range b.captures {
		if gone(c) {
			for i := range c.columns {
				b.marks[column+i] = new(webhook.Marks)
			}
		}
		column += c.columns
	}
}

// set is a setReader.
func (b *openBlock) set(mark webhook.Mark) (*columnSet, error) {
	s := new(columnSet)
	for i, marks := range b.marks {
		if marks.Has(mark) {
			s.add(i)
		}
	}
	return s, nil
}

// part packs the sets of a part.
func (b *openBlock) part(n int, id int64) []byte {
	var sets [partMarks]columnSet
	// A part's marks are half of a word.
	word, shift := n*partMarks/64, n*partMarks%64
	for column, marks := range b.marks {
		w := uint32(marks[word] >> shift) //nolint:gosec // half of it is meant
		for ; w != 0; w &= w - 1 {
			sets[bits.TrailingZeros32(w)].add(column)
		}
	}
	return packPart(id, b.columns, &sets)
}
