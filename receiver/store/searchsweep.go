package store

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

// erasure is captures of a lane that were deleted.
type erasure struct {
	lane, first, last int64
}

// erasures are what was deleted since the index was last looked after.
type erasures struct {
	mu    sync.Mutex
	known []erasure
	// secure tells that a person deleted some of it.
	secure bool
}

const maxErasures = 1000

// add notes captures that were deleted; it never waits for the index.
func (e *erasures) add(lane, first, last int64, secure bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.secure = e.secure || secure
	for i := range e.known {
		if k := &e.known[i]; k.lane == lane && (first <= k.last+1 || len(e.known) >= maxErasures) {
			k.first, k.last = min(k.first, first), max(k.last, last)
			return
		}
	}
	e.known = append(e.known, erasure{lane: lane, first: first, last: last})
}

// due tells whether it is time to take out what was deleted.
func (e *erasures) due(swept time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	after := sweepEvery
	if e.secure {
		after = secureEvery
	}
	return len(e.known) > 0 && time.Since(swept) >= after
}

// secured tells whether a person deleted some of it.
func (e *erasures) secured() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.secure
}

func (e *erasures) take() (known []erasure, secure bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	known, secure = e.known, e.secure
	e.known, e.secure = nil, false
	return known, secure
}

// concern tells whether some of the deleted captures may be of a block.
func concern(known []erasure, b *span) bool {
	return slices.ContainsFunc(known, func(e erasure) bool {
		return e.first <= b.last && e.last >= b.first && contains(b.lanes, e.lane)
	})
}

// erased tells the index what the transaction deletes, and keeps in mind what a person does until it is done there too.
func (t *tx) erased(lane, first, last int64) error {
	const note = `UPDATE search_version SET erasing = erasing + 1`
	if t.w.s.finder.marker == nil {
		return nil
	}
	if t.secured {
		if _, err := t.exec(note); err != nil {
			return err
		}
	}
	t.onCommit(func() {
		f := t.w.s.finder
		if f.erased.add(lane, first, last, t.secured); t.secured {
			f.wake()
		}
	})
	return nil
}

// start makes what is on disk agree with the marker: it takes away what another version made and what a process left
// that was stopped. What was deleted and not yet taken out then is not known any more, so it has all blocks looked at.
func (f *finder) start(ctx context.Context) error {
	const (
		set  = `INSERT INTO search_version (version, erasing) VALUES (?, 0)`
		drop = `DELETE FROM search_version`
	)
	version := ""
	if f.marker != nil {
		version = f.marker.Version()
	}
	if f.made != version && f.made != "" {
		if err := f.dropBlocks(ctx); err != nil {
			return err
		}
	}
	if err := f.dropOrphans(ctx); err != nil {
		return err
	}
	if f.made != version {
		err := f.write(ctx, 0, func(t *tx) error {
			if _, err := t.exec(drop); err != nil || version == "" {
				return err
			}
			_, err := t.exec(set, version)
			return err
		})
		if err != nil {
			return fmt.Errorf("begin the search index: %w", err)
		}
		f.made = version
	}
	for _, b := range f.blocks {
		for _, l := range b.lanes {
			f.erased.add(l, 0, math.MaxInt64-1, f.erasing > 0)
		}
	}
	return nil
}

// dropBlocks takes all blocks away that another version made.
func (f *finder) dropBlocks(ctx context.Context) error {
	const drop = `DELETE FROM search_blocks WHERE id IN (SELECT id FROM search_blocks ORDER BY id LIMIT 16)`
	for count := int64(1); count > 0; {
		err := f.write(ctx, 0, func(t *tx) error {
			n, err := t.exec(drop)
			count = n
			return err
		})
		if err != nil {
			return fmt.Errorf("take away an old search index: %w", err)
		}
	}
	return nil
}

// dropOrphans takes the parts away that belong to no block.
func (f *finder) dropOrphans(ctx context.Context) error {
	const next = `SELECT id FROM search_parts WHERE id >= ? ORDER BY id LIMIT 1`
	kept := make(map[int64]struct{}, len(f.blocks))
	for _, b := range f.blocks {
		kept[b.id] = struct{}{}
	}
	for block := int64(0); ; block++ {
		ids, err := f.s.readers.integers(ctx, next, block<<partShift)
		if err != nil {
			return fmt.Errorf("look at the search index: %w", err)
		}
		if len(ids) == 0 {
			return nil
		}
		block = ids[0] >> partShift
		if _, ok := kept[block]; ok {
			continue
		}
		if err := f.dropParts(ctx, block, true); err != nil {
			return err
		}
	}
}

// dropParts deletes the parts of a block in bounded steps; secure overwrites them.
func (f *finder) dropParts(ctx context.Context, block int64, secure bool) error {
	const (
		drop = `DELETE FROM search_parts WHERE id >= ? AND id < ?`
		some = 64
	)
	for n := int64(0); n < partCount; n += some {
		began := time.Now()
		from := block<<partShift + n
		err := f.write(ctx, 0, func(t *tx) error {
			if secure {
				if err := t.secure(); err != nil {
					return err
				}
			}
			_, err := t.exec(drop, from, from+some)
			return err
		})
		if err != nil {
			return fmt.Errorf("delete a block of the search index: %w", err)
		}
		f.pace.rest(ctx, f.s, time.Since(began))
	}
	return nil
}

// sweep takes deleted captures out of the blocks. What it could not do is tried again the next time.
func (f *finder) sweep(ctx context.Context) error {
	const (
		erasing = `SELECT erasing FROM search_version`
		erased  = `UPDATE search_version SET erasing = 0 WHERE erasing = ?`
	)
	seen, err := f.s.readers.integers(ctx, erasing)
	if err != nil {
		return fmt.Errorf("look for what was deleted: %w", err)
	}
	known, secure := f.erased.take()
	if err = f.sweepAll(ctx, known, secure); err == nil && secure && len(seen) == 1 {
		err = f.write(ctx, 0, func(t *tx) error {
			if f.erased.secured() { // since then
				return nil
			}
			_, err := t.exec(erased, seen[0])
			return err
		})
	}
	if err != nil {
		for _, e := range known {
			f.erased.add(e.lane, e.first, e.last, secure)
		}
	}
	return err
}

func (f *finder) sweepAll(ctx context.Context, known []erasure, secure bool) error {
	if err := f.sweepOpen(ctx, known); err != nil {
		return err
	}
	for i := len(f.blocks) - 1; i >= 0; i-- {
		b := f.blocks[i]
		if !concern(known, b) {
			continue
		}
		began := time.Now()
		alive, err := f.alive(ctx, b)
		if err != nil {
			return err
		}
		if len(alive) < b.count && (secure || len(alive) <= b.count/2) {
			left, err := f.compact(ctx, i, secure)
			if err != nil {
				return err
			}
			i = left
		}
		f.pace.rest(ctx, f.s, time.Since(began))
	}
	return nil
}

// sweepOpen takes deleted captures out of the open block.
func (f *finder) sweepOpen(ctx context.Context, known []erasure) error {
	if !concern(known, &f.open.span) {
		return nil
	}
	alive, err := f.alive(ctx, &f.open.span)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open.clear(func(c marked) bool {
		_, there := alive[c.seq]
		return !there
	})
	return nil
}

// alive returns the captures in the range of a block that are still there.
func (f *finder) alive(ctx context.Context, b *span) (map[int64]struct{}, error) {
	const query = `SELECT seq FROM captures INDEXED BY captures_lane WHERE lane = ? AND seq >= ? AND seq <= ?`
	alive := make(map[int64]struct{}, b.count)
	for _, l := range b.lanes {
		seqs, err := f.s.readers.integers(ctx, query, l, b.first, b.last)
		if err != nil {
			return nil, fmt.Errorf("look for what was deleted: %w", err)
		}
		for _, seq := range seqs {
			alive[seq] = struct{}{}
		}
	}
	return alive, nil
}
