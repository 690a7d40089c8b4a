package store

import (
	"fmt"
	"math/bits"
	"slices"
	"sync/atomic"

	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	// blockColumns bounds the columns of a block: a part of a capture has one.
	blockColumns = 2048
	// partMarks is how many marks have their sets in one row.
	partMarks = 32
	partCount = webhook.MarkCount / partMarks
	// partShift tells blocks apart in the ids of parts.
	partShift = 11
)

// marked is what a block knows of a capture.
type marked struct {
	seq, lane int64
	// columns is how many the capture has.
	columns int
}

// span is what is known of a block without reading it.
type span struct {
	id int64
	// first and last are the seqs it stands for; captures outside of it are not its.
	first, last int64
	// earliest and latest arrival, in Unix nanoseconds.
	earliest, latest int64
	// columns and count of captures.
	columns, count int
	// lanes are sorted.
	lanes []int64
	// gone tells searches that began before that its rows are being deleted.
	gone atomic.Bool
}

// has tells whether the block has captures of one of the lanes, which are sorted.
func (b *span) has(lanes []int64) bool {
	if len(lanes) > len(b.lanes) {
		return slices.ContainsFunc(b.lanes, func(l int64) bool { return contains(lanes, l) })
	}
	return slices.ContainsFunc(lanes, func(l int64) bool { return contains(b.lanes, l) })
}

// part returns the id of the part that has a mark.
func (b *span) part(mark webhook.Mark) int64 { return b.id<<partShift | int64(mark/partMarks) }

func contains(sorted []int64, n int64) bool {
	_, found := slices.BinarySearch(sorted, n)
	return found
}

// columnSet is a set of columns, as bits.
type columnSet [blockColumns / 64]uint64

func (s *columnSet) add(n int)      { s[n/64] |= 1 << (n % 64) }
func (s *columnSet) has(n int) bool { return s[n/64]&(1<<(n%64)) != 0 }
func (s *columnSet) empty() bool    { return *s == columnSet{} }

func (s *columnSet) count() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

func (s *columnSet) and(o *columnSet) {
	for i := range s {
		s[i] &= o[i]
	}
}

func (s *columnSet) or(o *columnSet) {
	for i := range s {
		s[i] |= o[i]
	}
}

// firstColumns returns the set of the first n.
func firstColumns(n int) *columnSet {
	s := new(columnSet)
	for i := range s {
		switch {
		case n >= 64*(i+1):
			s[i] = ^uint64(0)
		case n > 64*i:
			s[i] = 1<<(n-64*i) - 1
		}
	}
	return s
}

// each calls f with each of the set in order.
func (s *columnSet) each(f func(n int)) {
	for i, w := range s {
		for ; w != 0; w &= w - 1 {
			f(64*i + bits.TrailingZeros64(w))
		}
	}
}

// setReader returns the set of columns that have a mark.
type setReader func(mark webhook.Mark) (*columnSet, error)

// fulfilling returns which of a number of captures of a block fulfil all clauses. Captures may be nil where each has one
// column.
func fulfilling(clauses []webhook.Clause, count int, captures []marked, read setReader) (*columnSet, error) {
	found := firstColumns(count)
	for _, clause := range clauses {
		some := new(columnSet)
		for _, marks := range clause {
			all := firstColumns(blockColumns)
			for _, mark := range marks {
				set, err := read(mark)
				if err != nil {
					return nil, err
				}
				if all.and(set); all.empty() {
					break
				}
			}
			some.or(all)
		}
		if found.and(ofCaptures(some, captures)); found.empty() {
			break
		}
	}
	return found, nil
}

// ofCaptures turns a set of columns into the set of the captures that they belong to.
func ofCaptures(columns *columnSet, captures []marked) *columnSet {
	if captures == nil || columns.empty() {
		return columns
	}
	out, column := new(columnSet), 0
	for i := range captures {
		for range captures[i].columns {
			if columns.has(column) {
				out.add(i)
			}
			column++
		}
	}
	return out
}

// The forms of a set of columns in a part.
const (
	setNone = iota
	setAll
	// setSome lists the columns as distances, setOthers those that are not in the set.
	setSome
	setOthers
	setBits
)

// appendSet appends the shortest form of a set of a block with a number of columns.
func appendSet(out []byte, s *columnSet, columns int) []byte {
	count := s.count()
	switch count {
	case 0:
		return append(out, setNone)
	case columns:
		return append(out, setAll)
	}
	raw := (columns + 7) / 8
	form, listed := byte(setSome), s
	if count > columns-count {
		form, listed, count = setOthers, firstColumns(columns), columns-count
		for i := range listed {
			listed[i] &^= s[i]
		}
	}
	if count < raw {
		p := packer{buf: append(out, form)}
		p.uint(uint64(count)) //nolint:gosec // never negative
		next := 0
		listed.each(func(n int) {
			p.uint(uint64(n - next)) //nolint:gosec // never negative
			next = n + 1
		})
		if len(p.buf)-len(out) <= raw {
			return p.buf
		}
	}
	out = append(out, setBits)
	for i := range raw {
		out = append(out, byte(s[i/8]>>(8*(i%8)))) //nolint:gosec // one of its bytes is meant
	}
	return out
}

// set reads what appendSet wrote.
func (u *unpacker) set(columns int) *columnSet {
	s := new(columnSet)
	form := u.raw(1)
	if len(form) == 0 {
		return s
	}
	switch form[0] {
	case setNone:
	case setAll:
		s = firstColumns(columns)
	case setSome, setOthers:
		next := 0
		for range u.length() {
			next += int(min(u.uint(), blockColumns))
			if next >= blockColumns {
				u.fail()
				return s
			}
			s.add(next)
			next++
		}
		if form[0] == setOthers {
			all := firstColumns(columns)
			for i := range all {
				s[i] = all[i] &^ s[i]
			}
		}
	case setBits:
		for i, b := range u.raw((columns + 7) / 8) {
			s[i/8] |= uint64(b) << (8 * (i % 8))
		}
	default:
		u.fail()
	}
	return s
}

// skipSet passes over what appendSet wrote.
func (u *unpacker) skipSet(columns int) {
	form := u.raw(1)
	if len(form) == 0 {
		return
	}
	switch form[0] {
	case setNone, setAll:
	case setSome, setOthers:
		n := u.length()
		for i, b := range u.buf {
			if n == 0 {
				u.buf = u.buf[i:]
				return
			}
			if b < 0x80 { // the last byte of a distance
				n--
			}
		}
		u.buf = nil
	case setBits:
		u.raw((columns + 7) / 8)
	default:
		u.fail()
	}
}

// packPart returns the sets of a part's marks, sealed together with its id.
func packPart(id int64, columns int, sets *[partMarks]columnSet) []byte {
	p := packer{buf: make([]byte, 0, 1024)}
	p.raw([]byte{packing})
	p.int(int64(columns))
	for i := range sets {
		p.buf = appendSet(p.buf, &sets[i], columns)
	}
	return p.seal(seqBytes(webhook.Seq(id)))
}

// unpackPart returns the columns of a part's block and a reader of its sets, which come in the marks' order.
func unpackPart(data []byte, id int64) (columns int, u *unpacker, err error) {
	u, err = unseal(data, seqBytes(webhook.Seq(id)))
	if err != nil {
		return 0, nil, err
	}
	u.raw(1)
	n := u.int()
	if n < 0 || n > blockColumns {
		return 0, nil, fmt.Errorf("%w: a part of the search index has %d columns", webhook.ErrDamaged, n)
	}
	return int(n), u, u.err
}

// packMarked returns the captures of a block, sealed together with its id.
func packMarked(id int64, captures []marked) []byte {
	var p packer
	p.raw([]byte{packing})
	p.uint(uint64(len(captures)))
	last := int64(0)
	for _, c := range captures {
		p.int(c.seq - last)
		p.int(c.lane)
		p.int(int64(c.columns))
		last = c.seq
	}
	return p.seal(seqBytes(webhook.Seq(id)))
}

func unpackMarked(data []byte, id int64) ([]marked, error) {
	u, err := unseal(data, seqBytes(webhook.Seq(id)))
	if err != nil {
		return nil, err
	}
	u.raw(1)
	captures := make([]marked, u.length())
	last := int64(0)
	for i := range captures {
		captures[i] = marked{seq: last + u.int(), lane: u.int(), columns: int(u.int())}
		last = captures[i].seq
	}
	return captures, u.err
}
