package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Marker makes the marks of captures that the search index keeps.
type Marker interface {
	// Version names how marks are made. An index of another version is made anew.
	Version() string
	// Mark returns the marks of a whole capture, part by part.
	Mark(c *webhook.Capture) ([]*webhook.Marks, error)
}

// finder is the search index. One goroutine, run, makes it after captures were committed; any may search it.
//
//	oldest ... captures ... newest
//	| block | block | block | open block | not marked yet |
//	  on disk                 in memory    listed one by one
//
// Blocks have the captures' marks transposed: for each mark the set of captures that have it. So a search reads a few
// small rows for each block, and then the captures that are left.
type finder struct {
	s      *Store
	marker Marker
	pace   pace
	// kick has a token when there may be something to do.
	kick chan struct{}

	mu sync.RWMutex
	// blocks are on disk, in order; the slice is replaced and never changed.
	blocks []*span
	open   *openBlock
	// reach is the seq up to which all captures are in blocks.
	reach int64

	// erased is what was deleted and not yet taken out.
	erased erasures
	// made is the version of what is on disk, erasing how many deletions by people it had marks of when it was opened,
	// newest the highest id of a block that was ever begun.
	made            string
	erasing, newest int64
	// swept is when the blocks were last looked after; failed that the last try to write did.
	swept  time.Time
	failed bool
}

func newFinder(s *Store) *finder {
	return &finder{s: s, marker: s.config.Marker, kick: make(chan struct{}, 1)}
}

// errStale says that a block's rows are not there any more.
var errStale = errors.New("the block is being deleted")

// Indexed returns the seq up to which the search index reaches, 0 without one: a search looks at each capture after it.
func (s *Store) Indexed() webhook.Seq {
	f := s.finder
	f.mu.RLock()
	defer f.mu.RUnlock()
	return webhook.Seq(f.reach)
}

// narrowed is page for a search: it leaves captures out that the index knows not to match.
func (s *Store) narrowed(ctx context.Context, q webhook.Query, lanes []int64) ([]int64, error) {
	if q.Before <= 0 {
		q.Before = math.MaxInt64
	}
	slices.Sort(lanes)
	v := &narrowing{s: s, q: q, lanes: lanes}
	if q.Narrow.Noted {
		return v.noted(ctx)
	}
	f := s.finder
	f.mu.RLock()
	v.blocks, v.reach = f.blocks, f.reach
	err := v.fromOpen(f.open)
	f.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	if q.Ascending {
		err = v.up(ctx)
	} else {
		err = v.down(ctx)
	}
	return v.seqs[:min(len(v.seqs), q.Limit)], err
}

// narrowing is one page of a search under way.
type narrowing struct {
	s     *Store
	q     webhook.Query
	lanes []int64
	// blocks and reach are the index as it was when it began, open what was found in the open block.
	blocks []*span
	reach  int64
	open   []int64
	seqs   []int64
}

func (v *narrowing) full() bool { return len(v.seqs) >= v.q.Limit }

// down searches newest first.
func (v *narrowing) down(ctx context.Context) error {
	if err := v.plain(ctx, v.reach, math.MaxInt64); err != nil || v.full() {
		return err
	}
	v.seqs = append(v.seqs, v.open...)
	blocks := slices.Clone(v.blocks)
	slices.Reverse(blocks)
	return v.onDisk(ctx, blocks)
}

// up searches oldest first.
func (v *narrowing) up(ctx context.Context) error {
	if err := v.onDisk(ctx, slices.Clone(v.blocks)); err != nil || v.full() {
		return err
	}
	v.seqs = append(v.seqs, v.open...)
	if v.full() {
		return nil
	}
	return v.plain(ctx, v.reach, math.MaxInt64)
}

// onDisk searches blocks in their order until the page is full. It uses up the slice.
func (v *narrowing) onDisk(ctx context.Context, blocks []*span) error {
	const most = 32
	blocks = slices.DeleteFunc(blocks, v.skips)
	marks := leading(v.q.Narrow.Clauses)
	// What is wanted is often in the first ones.
	for size := 1; len(blocks) > 0 && !v.full(); size = min(2*size, most) {
		some := blocks[:min(size, len(blocks))]
		blocks = blocks[len(some):]
		rows, err := v.s.finder.parts(ctx, some, marks)
		if err != nil {
			return err
		}
		for _, b := range some {
			if v.full() {
				return nil
			}
			if err := v.block(ctx, b, rows); err != nil {
				return err
			}
		}
	}
	return nil
}

// plain takes all captures after one seq and before another.
func (v *narrowing) plain(ctx context.Context, after, before int64) error {
	q := v.q
	q.Narrow = webhook.Narrowing{}
	q.After, q.Before = max(q.After, webhook.Seq(after)), min(q.Before, webhook.Seq(before))
	if q.Limit = v.q.Limit - len(v.seqs); q.After+1 >= q.Before || q.Limit <= 0 {
		return nil
	}
	more, err := v.s.page(ctx, q, v.lanes)
	v.seqs = append(v.seqs, more...)
	return err
}

// skips tells whether nothing in a block can match.
func (v *narrowing) skips(b *span) bool {
	n := &v.q.Narrow
	return b.last <= int64(v.q.After) || b.first >= int64(v.q.Before) || !b.has(v.lanes) ||
		!n.Since.IsZero() && b.latest < n.Since.UnixNano() || !n.Until.IsZero() && b.earliest > n.Until.UnixNano()
}

// take takes those captures of a block that are in a set.
func (v *narrowing) take(captures []marked, in *columnSet) []int64 {
	var seqs []int64
	in.each(func(i int) {
		if c := captures[i]; c.seq > int64(v.q.After) && c.seq < int64(v.q.Before) && contains(v.lanes, c.lane) {
			seqs = append(seqs, c.seq)
		}
	})
	if !v.q.Ascending {
		slices.Reverse(seqs)
	}
	return seqs
}

func (v *narrowing) fromOpen(b *openBlock) error {
	if b == nil || len(b.captures) == 0 || v.skips(&b.span) {
		return nil
	}
	in, err := fulfilling(v.q.Narrow.Clauses, len(b.captures), b.captures, b.set)
	if err == nil {
		v.open = v.take(b.captures, in)
	}
	return err
}

// block searches a block on disk. One that is not there any more, or damaged, narrows nothing.
func (v *narrowing) block(ctx context.Context, b *span, rows map[int64][]byte) error {
	seqs, err := v.fromBlock(ctx, b, rows)
	switch {
	case errors.Is(err, webhook.ErrDamaged):
		v.s.quarantine.report(ctx, "search block", b.id, err)
		return v.plain(ctx, b.first-1, b.last+1)
	case errors.Is(err, errStale):
		return v.plain(ctx, b.first-1, b.last+1)
	}
	v.seqs = append(v.seqs, seqs...)
	return err
}

func (v *narrowing) fromBlock(ctx context.Context, b *span, rows map[int64][]byte) ([]int64, error) {
	// Most blocks have nothing, and so their captures are read last, but where columns are not captures.
	var captures []marked
	var err error
	if b.columns != b.count {
		if captures, err = v.s.finder.captures(ctx, b); err != nil {
			return nil, err
		}
	}
	in, err := fulfilling(v.q.Narrow.Clauses, b.count, captures, v.s.finder.sets(ctx, b, rows))
	if err != nil || in.empty() {
		return nil, err
	}
	if captures == nil {
		if captures, err = v.s.finder.captures(ctx, b); err != nil {
			return nil, err
		}
	}
	return v.take(captures, in), nil
}

// leading returns the marks that are looked up in most blocks: after a few there is mostly nothing left.
func leading(clauses []webhook.Clause) []webhook.Mark {
	const (
		some = 3
		most = 8
	)
	var marks []webhook.Mark
	for _, clause := range clauses {
		for _, all := range clause {
			if marks = append(marks, all[:min(len(all), some)]...); len(marks) >= most {
				return marks
			}
		}
	}
	return marks
}

// parts reads the rows of marks in several blocks at once, by their ids. Those that are missing are left out.
func (f *finder) parts(ctx context.Context, blocks []*span, marks []webhook.Mark) (map[int64][]byte, error) {
	const query = `SELECT id, data FROM search_parts WHERE id IN (SELECT value FROM json_each(?))`
	var ids []int64
	for _, b := range blocks {
		for _, mark := range marks {
			ids = append(ids, b.part(mark))
		}
	}
	slices.Sort(ids)
	rows := make(map[int64][]byte, len(ids))
	err := f.s.readers.each(ctx, query, func(r *sql.Rows) error {
		var id int64
		var data []byte
		err := r.Scan(&id, &data)
		rows[id] = data
		return err
	}, list(slices.Compact(ids)))
	return rows, err
}

// sets returns what reads the sets of a block on disk, some of whose rows are read already.
func (f *finder) sets(ctx context.Context, b *span, rows map[int64][]byte) setReader {
	known := make(map[webhook.Mark]*columnSet)
	return func(mark webhook.Mark) (*columnSet, error) {
		if s, read := known[mark]; read {
			return s, nil
		}
		id := b.part(mark)
		data, read := rows[id]
		if !read {
			var err error
			if data, err = f.part(ctx, b, id); err != nil {
				return nil, err
			}
		}
		columns, u, err := unpackPart(data, id)
		if err != nil {
			return nil, err
		}
		for range mark % partMarks {
			u.skipSet(columns)
		}
		known[mark] = u.set(columns)
		return known[mark], u.err
	}
}

// part reads the row of a part. errStale when it is not there or about to go.
func (f *finder) part(ctx context.Context, b *span, id int64) ([]byte, error) {
	const query = `SELECT data FROM search_parts WHERE id = ?`
	return f.blob(ctx, query, b, id)
}

// captures reads what a block knows of its captures.
func (f *finder) captures(ctx context.Context, b *span) ([]marked, error) {
	const query = `SELECT captures FROM search_blocks WHERE id = ?`
	data, err := f.blob(ctx, query, b, b.id)
	if err != nil {
		return nil, err
	}
	return unpackMarked(data, b.id)
}

func (f *finder) blob(ctx context.Context, query string, b *span, id int64) ([]byte, error) {
	var data []byte
	found := false
	err := f.s.readers.each(ctx, query, func(r *sql.Rows) error {
		found = true
		return r.Scan(&data)
	}, id)
	switch {
	case err != nil:
		return nil, err
	case b.gone.Load():
		return nil, errStale
	case !found:
		return nil, fmt.Errorf("%w: row %d of the search index is missing", webhook.ErrDamaged, id)
	}
	return data, nil
}

// noted lists the captures that have notes.
func (v *narrowing) noted(ctx context.Context) ([]int64, error) {
	const (
		up = `SELECT n.capture, c.lane FROM notes n JOIN captures c ON c.seq = n.capture
			WHERE n.capture > ? AND n.capture < ? ORDER BY n.capture`
		down = `SELECT n.capture, c.lane FROM notes n JOIN captures c ON c.seq = n.capture
			WHERE n.capture > ? AND n.capture < ? ORDER BY n.capture DESC`
	)
	query := down
	if v.q.Ascending {
		query = up
	}
	err := v.s.readers.each(ctx, query, func(r *sql.Rows) error {
		var seq, lane int64
		if err := r.Scan(&seq, &lane); err != nil {
			return err
		}
		if contains(v.lanes, lane) {
			if v.seqs = append(v.seqs, seq); v.full() {
				return errEnough
			}
		}
		return nil
	}, int64(v.q.After), int64(v.q.Before))
	if errors.Is(err, errEnough) {
		err = nil
	}
	return v.seqs, err
}

// load reads which blocks are on disk, and begins the open block after them.
func (f *finder) load(c *conn) error {
	const (
		version = `SELECT version, erasing FROM search_version`
		blocks  = `SELECT id, first, last, earliest, latest, columns, count, lanes FROM search_blocks ORDER BY first`
		newest  = `SELECT max(coalesce((SELECT max(id) FROM search_blocks), 0), coalesce((SELECT max(id) >> ? FROM search_parts), 0))`
	)
	err := c.query(version, func(row []driver.Value) error {
		f.made, _ = row[0].(string)
		f.erasing = number(row[1])
		return nil
	})
	if err != nil {
		return err
	}
	if f.newest, err = c.integer(newest, int64(partShift)); err != nil {
		return err
	}
	if f.marker == nil || f.made != f.marker.Version() {
		f.begin(0)
		return nil
	}
	err = c.query(blocks, func(row []driver.Value) error {
		b := &span{
			id: number(row[0]), first: number(row[1]), last: number(row[2]), earliest: number(row[3]), latest: number(row[4]),
			columns: int(number(row[5])), count: int(number(row[6])),
		}
		lanes, _ := row[7].(string)
		f.blocks = append(f.blocks, b)
		return json.Unmarshal([]byte(lanes), &b.lanes)
	})
	reach := int64(0)
	if n := len(f.blocks); n > 0 {
		reach = f.blocks[n-1].last
	}
	f.begin(reach)
	return err
}

// begin begins a new open block after a seq.
func (f *finder) begin(reach int64) {
	f.reach = reach
	f.open = &openBlock{span: span{first: reach + 1, last: reach}}
}
