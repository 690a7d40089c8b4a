package store

import (
	"context"
	"fmt"
	"slices"
)

// compaction makes one block out of several that follow one another, without what was deleted.
type compaction struct {
	f       *finder
	sources []shrinking
	made    *span
	// captures are those of the block that is made.
	captures []marked
}

// shrinking is a block that is compacted.
type shrinking struct {
	*span
	// moves gives each column its new place, -1 when it goes.
	moves []int
}

// compact compacts the i-th block and its neighbours, as far as they fit into one. It returns the place of the first.
func (f *finder) compact(ctx context.Context, i int, secure bool) (int, error) {
	c := &compaction{f: f, made: new(span)}
	left, right, err := c.gather(ctx, i)
	if err != nil {
		return i, err
	}
	if len(c.captures) > 0 {
		f.newest++
		c.made.id = f.newest
		if err := f.writeParts(ctx, c.made.id, func(n int, id int64) ([]byte, error) { return c.part(ctx, n, id) }); err != nil {
			return i, fmt.Errorf("write a block of the search index: %w", err)
		}
	}
	if err := c.exchange(ctx, left, right, secure); err != nil {
		return i, fmt.Errorf("write a block of the search index: %w", err)
	}
	for _, b := range c.sources {
		if err := f.dropParts(ctx, b.id, secure); err != nil {
			return left, err
		}
	}
	return left, nil
}

// gather takes the i-th block and those around it that fit: those from left to before right.
func (c *compaction) gather(ctx context.Context, i int) (left, right int, err error) {
	if err := c.take(ctx, c.f.blocks[i], false); err != nil {
		return i, i, err
	}
	for left = i; left > 0 && c.made.columns+c.f.blocks[left-1].columns <= blockColumns; left-- {
		if err := c.take(ctx, c.f.blocks[left-1], true); err != nil {
			return i, i, err
		}
	}
	for right = i + 1; right < len(c.f.blocks) && c.made.columns+c.f.blocks[right].columns <= blockColumns; right++ {
		if err := c.take(ctx, c.f.blocks[right], false); err != nil {
			return i, i, err
		}
	}
	c.made.first, c.made.last = c.sources[0].first, c.sources[len(c.sources)-1].last
	c.made.earliest, c.made.latest = c.sources[0].earliest, c.sources[0].latest
	for _, b := range c.sources {
		c.made.earliest, c.made.latest = min(c.made.earliest, b.earliest), max(c.made.latest, b.latest)
	}
	for _, m := range c.captures {
		if at, known := slices.BinarySearch(c.made.lanes, m.lane); !known {
			c.made.lanes = slices.Insert(c.made.lanes, at, m.lane)
		}
	}
	c.made.count = len(c.captures)
	return left, right, nil
}

// take takes a block in, before or after what is there.
func (c *compaction) take(ctx context.Context, b *span, before bool) error {
	captures, err := c.f.captures(ctx, b)
	if err != nil {
		return err
	}
	alive, err := c.f.alive(ctx, b)
	if err != nil {
		return err
	}
	from := shrinking{span: b}
	next, at := 0, c.made.columns
	if before {
		at = 0
	}
	var kept []marked
	for _, m := range captures {
		_, there := alive[m.seq]
		for range m.columns {
			if there {
				from.moves = append(from.moves, at+next)
				next++
			} else {
				from.moves = append(from.moves, -1)
			}
		}
		if there {
			kept = append(kept, m)
		}
	}
	c.made.columns += next
	if !before {
		c.sources, c.captures = append(c.sources, from), append(c.captures, kept...)
		return nil
	}
	for _, s := range c.sources {
		for i := range s.moves {
			if s.moves[i] >= 0 {
				s.moves[i] += next
			}
		}
	}
	c.sources, c.captures = slices.Insert(c.sources, 0, from), slices.Insert(c.captures, 0, kept...)
	return nil
}

// part makes the n-th part.
func (c *compaction) part(ctx context.Context, n int, id int64) ([]byte, error) {
	var sets [partMarks]columnSet
	for _, b := range c.sources {
		of := b.id<<partShift | int64(n)
		data, err := c.f.part(ctx, b.span, of)
		if err != nil {
			return nil, err
		}
		columns, u, err := unpackPart(data, of)
		if err != nil {
			return nil, err
		}
		for i := range sets {
			u.set(columns).each(func(column int) {
				if column < len(b.moves) && b.moves[column] >= 0 {
					sets[i].add(b.moves[column])
				}
			})
		}
		if u.err != nil {
			return nil, u.err
		}
	}
	return packPart(id, c.made.columns, &sets), nil
}

// exchange puts the block that was made in the place of those that it was made of.
func (c *compaction) exchange(ctx context.Context, left, right int, secure bool) error {
	const drop = `DELETE FROM search_blocks WHERE id = ?`
	for _, b := range c.sources {
		b.gone.Store(true)
	}
	err := c.f.write(ctx, 0, func(t *tx) error {
		if secure {
			if err := t.secure(); err != nil {
				return err
			}
		}
		for _, b := range c.sources {
			if _, err := t.exec(drop, b.id); err != nil {
				return err
			}
		}
		if len(c.captures) == 0 {
			return nil
		}
		return t.addBlock(c.made, c.captures)
	})
	if err != nil {
		for _, b := range c.sources {
			b.gone.Store(false)
		}
		return err
	}
	var made []*span
	if len(c.captures) > 0 {
		made = []*span{c.made}
	}
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	c.f.blocks = slices.Concat(c.f.blocks[:left], made, c.f.blocks[right:])
	return nil
}
