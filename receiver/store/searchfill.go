package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	// fillRows and fillBytes bound the captures that are marked in one step.
	fillRows  = 64
	fillBytes = 8 << 20
	// fillPause is how long captures are let gather, so that their outcomes are there too.
	fillPause = 50 * time.Millisecond
	// writeBytes bounds a transaction of the index.
	writeBytes = 64 << 10
	// quietTime is how long a transaction of the index waits for the writer to have nothing else to do.
	quietTime = 100 * time.Millisecond
	// sweepEvery is how often what retention deleted is taken out, secureEvery the same of what people did.
	sweepEvery  = 30 * time.Second
	secureEvery = time.Second
)

// run makes the index until ctx ends. Without a marker it takes what is there away.
func (f *finder) run(ctx context.Context) {
	tick := time.NewTicker(f.s.config.Pause)
	defer tick.Stop()
	begun := false
	for ctx.Err() == nil {
		began := time.Now()
		more, err := false, error(nil)
		if !begun {
			err = f.start(ctx)
			begun = err == nil
		}
		if begun && f.marker == nil {
			return
		}
		if begun {
			more, err = f.step(ctx)
		}
		f.report(ctx, err)
		if more && err == nil {
			f.pace.rest(ctx, f.s, time.Since(began))
			continue
		}
		select {
		case <-f.kick:
			pause(ctx, fillPause)
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// report logs the first of failures that follow one another.
func (f *finder) report(ctx context.Context, err error) {
	if ctx.Err() != nil || errors.Is(err, webhook.ErrUnavailable) && f.s.writer.unready.Load() != nil {
		return
	}
	if err != nil && !f.failed {
		f.s.config.Log.LogAttrs(ctx, slog.LevelWarn, "the search index stays behind", slog.Any("error", err))
	}
	f.failed = err != nil
}

// wake tells that there may be something to do; it never blocks.
func (f *finder) wake() { signal(f.kick) }

// step does a bounded piece of work and tells whether there is more.
func (f *finder) step(ctx context.Context) (bool, error) {
	if f.erased.due(f.swept) {
		f.swept = time.Now()
		if err := f.sweep(ctx); err != nil {
			return false, err
		}
	}
	count, full, err := f.fill(ctx)
	if err != nil || !full {
		return count > 0, err
	}
	return true, f.seal(ctx)
}

// marking is a capture that was read and marked.
type marking struct {
	capture webhook.Capture
	lane    int64
	marks   []*webhook.Marks
}

// fill marks the next captures. It tells how many, and whether the open block is full.
func (f *finder) fill(ctx context.Context) (count int, full bool, err error) {
	const query = `SELECT c.seq, c.lane, c.received_at, c.delivery, c.attempt, c.record, c.refs, o.seq, o.data, coalesce(c.body,
			(SELECT g.body FROM captures g WHERE g.seq = c.share),
			(SELECT h.body FROM captures h WHERE h.share = c.share AND h.body IS NOT NULL))
		FROM captures c LEFT JOIN outcomes o ON o.capture = c.seq WHERE c.seq > ? ORDER BY c.seq LIMIT ?`
	if f.open.columns == blockColumns {
		return 0, true, nil
	}
	var found []marking
	reach, size := f.reach, 0
	err = f.s.readers.each(ctx, query, func(r *sql.Rows) error {
		m, ok, err := f.scan(ctx, r)
		if err != nil {
			return err
		}
		reach = int64(m.capture.Seq)
		if count++; ok {
			found = append(found, m)
		}
		if size += int(m.capture.Request.BodySize); size > fillBytes {
			return errEnough
		}
		return nil
	}, reach, fillRows)
	if err != nil && !errors.Is(err, errEnough) {
		return 0, false, fmt.Errorf("read captures to mark: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range found {
		if !f.open.add(&found[i].capture, found[i].lane, found[i].marks) {
			return count, true, nil
		}
		f.reach = int64(found[i].capture.Seq)
	}
	f.reach = reach
	return count, f.open.columns == blockColumns, nil
}

// scan reads a row of fill's and marks its capture. It is not ok when lists leave the capture out.
func (f *finder) scan(ctx context.Context, r *sql.Rows) (m marking, ok bool, err error) {
	var body []byte
	// The endpoint of a capture is there before it, so the newest directory has it.
	row, err := f.s.scanCapture(ctx, r, f.s.directory.Load(), &body)
	if err != nil {
		return m, false, err
	}
	m.capture, m.lane = row.capture, row.lane
	m.capture.Seq = webhook.Seq(row.seq)
	if row.ok {
		m.capture.Request.Body = body
		m.marks = f.mark(&m.capture)
		m.capture.Request.Body = nil
	}
	return m, row.ok, nil
}

// mark returns the marks of a capture, all of them where it cannot be told what others would find in it.
func (f *finder) mark(c *webhook.Capture) []*webhook.Marks {
	if sha256.Sum256(c.Request.Body) == c.Request.BodySHA256 {
		marks, err := f.marker.Mark(c)
		if err == nil && len(marks) > 0 && len(marks) <= blockColumns {
			return marks
		}
	}
	all := new(webhook.Marks)
	for i := range all {
		all[i] = ^uint64(0)
	}
	return []*webhook.Marks{all}
}

// seal writes the open block to disk and begins another.
func (f *finder) seal(ctx context.Context) error {
	if err := f.markEnded(ctx); err != nil {
		return err
	}
	f.newest++
	b := f.open
	sealed := &span{
		id: f.newest, first: b.first, last: f.reach, earliest: b.earliest, latest: b.latest,
		columns: b.columns, count: b.count, lanes: b.lanes,
	}
	err := f.writeParts(ctx, sealed.id, func(n int, id int64) ([]byte, error) { return b.part(n, id), nil })
	if err != nil {
		return fmt.Errorf("write a block of the search index: %w", err)
	}
	if err := f.write(ctx, 0, func(t *tx) error { return t.addBlock(sealed, b.captures) }); err != nil {
		return fmt.Errorf("write a block of the search index: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.blocks = append(slices.Clip(f.blocks), sealed)
	f.begin(f.reach)
	return nil
}

// markEnded marks the captures of the open block anew whose outcomes have come.
func (f *finder) markEnded(ctx context.Context) error {
	b := f.open
	for batch := range slices.Chunk(slices.Clone(b.unended), fillRows) {
		began := time.Now()
		seqs := make([]int64, len(batch))
		at := make(map[webhook.Seq]int, len(batch))
		for i, place := range batch {
			seqs[i] = b.captures[place].seq
			at[webhook.Seq(seqs[i])] = place
		}
		// Large ones come a few at a time.
		for len(seqs) > 0 {
			budget := f.s.config.ListBytes
			found, err := f.s.load(ctx, seqs, true, &budget)
			if err != nil {
				return fmt.Errorf("read captures to mark: %w", err)
			}
			if len(found) == 0 {
				break
			}
			for i := range found {
				if found[i].Outcome == nil {
					continue
				}
				marks := f.mark(&found[i])
				f.mu.Lock()
				b.replace(at[found[i].Seq], marks)
				f.mu.Unlock()
			}
			seqs = seqs[1+slices.Index(seqs, int64(found[len(found)-1].Seq)):]
		}
		f.pace.rest(ctx, f.s, time.Since(began))
	}
	b.unended = nil
	return nil
}

// writeParts writes all parts of a block in transactions of a bounded size.
func (f *finder) writeParts(ctx context.Context, block int64, pack func(n int, id int64) ([]byte, error)) error {
	const insert = `INSERT OR REPLACE INTO search_parts (id, data) VALUES (?, ?)`
	for n := 0; n < partCount; {
		began := time.Now()
		var ids []int64
		var packed [][]byte
		size := 0
		for ; n < partCount && size < writeBytes; n++ {
			id := block<<partShift | int64(n)
			data, err := pack(n, id)
			if err != nil {
				return err
			}
			ids, packed = append(ids, id), append(packed, data)
			size += len(data)
		}
		err := f.write(ctx, size, func(t *tx) error {
			for i, id := range ids {
				if _, err := t.exec(insert, id, packed[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		f.pace.rest(ctx, f.s, time.Since(began))
	}
	return nil
}

// write runs a transaction of the index, when the writer has nothing else to do or has had something for long. It does
// not ask a writer that cannot write: what is refused wakes the index to ask again, and keeps the log from being emptied.
func (f *finder) write(ctx context.Context, size int, do func(t *tx) error) error {
	if why := f.s.writer.unready.Load(); why != nil {
		return fmt.Errorf("%w: %w", webhook.ErrUnavailable, *why)
	}
	for end := time.Now().Add(quietTime); f.s.queue.waiting() > 0 && time.Now().Before(end); {
		pause(ctx, time.Millisecond)
	}
	return f.s.do(ctx, int64(size), func(t *tx) error {
		if t.full {
			return fmt.Errorf("%w: the disk is too full for the search index", webhook.ErrUnavailable)
		}
		return do(t)
	})
}

// addBlock makes a block known whose parts are there.
func (t *tx) addBlock(b *span, captures []marked) error {
	const insert = `INSERT INTO search_blocks (id, first, last, earliest, latest, columns, count, lanes, captures)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
	_, err := t.exec(insert, b.id, b.first, b.last, b.earliest, b.latest, int64(b.columns), int64(b.count), list(b.lanes),
		packMarked(b.id, captures))
	return err
}

// pace makes the index give way: while captures come in numbers, its goroutine mostly rests.
type pace struct {
	at  time.Time
	seq webhook.Seq
}

// rest rests after work that took a time.
func (p *pace) rest(ctx context.Context, s *Store, worked time.Duration) {
	const (
		// busy is how many facts a second are many.
		busy = 500
		// share is how many times as long as it worked it rests then.
		share   = 15
		longest = 500 * time.Millisecond
	)
	seq, now := s.Last(), time.Now()
	facts, elapsed := float64(seq-p.seq), now.Sub(p.at).Seconds()
	p.seq, p.at = seq, now
	if facts > busy*elapsed {
		pause(ctx, min(share*worked, longest))
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
