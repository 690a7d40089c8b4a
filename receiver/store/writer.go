package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// writer owns the one connection that writes. Its fields without a comment on sharing belong to run.
type writer struct {
	s    *Store
	conn *conn
	// seq was given out last, committed is the last one on disk.
	seq, committed int64
	// number counts transactions.
	number  uint64
	lanes   map[int64]*lane
	orphans []*lane
	// crowded are lanes that one step of trimming did not bring within their quota.
	crowded   map[*lane]struct{}
	deletions int64
	holders   *holders
	// carry are outcomes and connections of a batch that failed; they go with the next one.
	carry []work
	// broken tells that the connection met an I/O error and must be opened anew.
	broken bool
	// concurrent is how many captures were under way at the end of the last batch: its own, and those that had come
	// meanwhile. took is how long its transaction took.
	concurrent int
	took       time.Duration
	// aged is when retention by age was last looked after; steady tells whether the clock is to be believed for it, and
	// began is what time is measured from.
	aged   time.Time
	steady steadiness
	began  time.Time
	// commit ends a transaction. Tests make it fail.
	commit func(*conn) error
	// unready holds why nothing can be accepted; nil when it can. Read by everyone.
	unready atomic.Pointer[error]
	// stop is closed when the queue is closed: what waits is written, then run returns.
	stop chan struct{}
}

const (
	maxCarry = queueWorks
	// ageEvery is how often retention by age is looked after.
	ageEvery = 30 * time.Second
	// fillTime is how long a transaction waits for more works where a commit is quick; see gathering.
	fillTime = 300 * time.Microsecond
	// maxGathered bounds the works of a transaction that others join.
	maxGathered = 1024
	// patience bounds how long an outcome waits for a capture.
	patience = 10 * time.Millisecond
	pageSize = 16384
	// commitPages is about how many pages a commit writes beside bodies: tops of tables and indexes.
	commitPages = 6
)

// run writes until stop is closed and nothing waits any more.
func (w *writer) run() {
	tick := time.NewTicker(w.s.config.Pause)
	defer tick.Stop()
	// Nobody waits for an outcome, so it goes with the next capture's fsync; if none comes, with its own.
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		select {
		case <-w.s.queue.ready:
			w.process(w.s.queue.take())
		case <-w.s.queue.late:
			late.Reset(patience)
		case <-late.C:
			w.process(w.s.queue.take())
		case <-tick.C:
			w.upkeep()
		case <-w.stop:
			for {
				b := w.s.queue.take()
				if len(b.works)+len(w.carry) == 0 {
					w.s.queue.finish(b, nil)
					return
				}
				w.process(b)
				if b.err != nil {
					w.carry = nil
				}
			}
		}
	}
}

// process commits a batch, and what joins it meanwhile, answers everyone who waits for it and rings the bell.
func (w *writer) process(b *batch) {
	g := &gathering{w: w, first: b, start: time.Now()}
	works := b.works
	if len(w.carry) > 0 {
		works = append(w.carry, works...)
		w.carry = nil
	}
	if len(works) == 0 {
		w.s.queue.finish(b, nil)
		return
	}
	err := w.transact(works, g.more)
	w.took = time.Since(g.start) - g.waited
	if own := g.own(); own > 0 {
		w.concurrent = own + w.s.queue.waiting()
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", webhook.ErrUnavailable, err)
		w.keepOutcomes(works)
		for _, b := range g.joined {
			w.keepOutcomes(b.works)
		}
	}
	bytes := b.bytes
	w.s.queue.finish(b, err)
	for _, b := range g.joined {
		bytes += b.bytes
		w.s.queue.finish(b, err)
	}
	if err == nil {
		w.s.config.Bell.Ring(w.s.Last())
		w.s.finder.wake()
		w.s.cleaner.wrote(bytes + commitPages*pageSize)
		if err = w.s.cleaner.restart(w.conn); err != nil {
			w.s.config.Log.LogAttrs(context.Background(), slog.LevelWarn, "restart of the write-ahead log", slog.Any("error", err))
		}
		w.trimMore()
	}
}

// gathering is a transaction that more batches may join until it is committed.
type gathering struct {
	w      *writer
	first  *batch
	joined []*batch
	start  time.Time
	// waited is how long it did nothing but wait.
	waited time.Duration
}

// own counts the works that someone waits for.
func (g *gathering) own() int {
	n := len(g.first.works) - g.first.patient
	for _, b := range g.joined {
		n += len(b.works) - b.patient
	}
	return n
}

// more returns works that came while the earlier ones were written, nil when the transaction is to be committed. It
// waits for the senders that were answered with the last one to come again, but only where there were several: one
// sender alone is not slowed down. Without it two halves of the senders take turns, and each pays for an fsync.
func (g *gathering) more() []work {
	own := g.own()
	if own == 0 || own >= g.w.concurrent || g.w.concurrent < 4 || own >= maxGathered {
		return nil
	}
	q := g.w.s.queue
	if q.waiting() == 0 {
		left := min(max(g.w.took/4, fillTime), 4*fillTime) - g.waited
		if left <= 0 {
			return nil
		}
		from := time.Now()
		q.fill(int64(g.w.concurrent-own), left)
		g.waited += time.Since(from)
		if q.waiting() == 0 {
			return nil
		}
	}
	b := q.take()
	g.joined = append(g.joined, b)
	return b.works
}

// keepOutcomes saves the outcomes and connections of a failed batch for the next one: nobody waits who could try again.
func (w *writer) keepOutcomes(works []work) {
	for _, work := range works {
		switch work.(type) {
		case *ending, *connecting:
			if len(w.carry) < maxCarry {
				w.carry = append(w.carry, work)
			}
		}
	}
}

// transact does works in one transaction, and those that more, unless nil, returns until it returns none. When it
// returns nil, they are on disk.
func (w *writer) transact(works []work, more func() []work) error {
	if err := w.repair(); err != nil {
		w.fail(err)
		return err
	}
	t := &tx{conn: w.conn, w: w, full: w.lowDisk()}
	w.number++
	err := w.attempt(t, works, more)
	if t.secured {
		if resetErr := w.conn.script("PRAGMA secure_delete=FAST"); resetErr != nil {
			w.s.config.Log.LogAttrs(context.Background(), slog.LevelWarn, "deleting stays slow", slog.Any("error", resetErr))
		}
	}
	if err != nil {
		w.rollback(t)
		w.fail(err)
		return err
	}
	w.committed = w.seq
	for _, saved := range t.saved {
		saved.lane.visible.Store(saved.lane.count)
	}
	w.s.last.Store(w.committed)
	for _, f := range t.after {
		f()
	}
	w.succeed(t.full)
	return nil
}

func (w *writer) attempt(t *tx, works []work, more func() []work) error {
	if _, err := t.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for len(works) > 0 {
		for _, work := range works {
			if err := work.write(t); err != nil && code(err) != 0 {
				return err
			}
		}
		if works = nil; more != nil {
			works = more()
		}
	}
	// Lanes that these works filled; those that trimming touches itself come at the end of the list.
	for i := 0; i < len(t.saved); i++ {
		if l := t.saved[i].lane; l.over() {
			if _, err := t.trim(l); err != nil {
				return err
			}
			if l.over() {
				w.crowded[l] = struct{}{}
			}
		}
	}
	return w.commit(w.conn)
}

// rollback undoes the transaction, on disk and in memory.
func (w *writer) rollback(t *tx) {
	// SQLite may have rolled back itself; then this says so and nothing is lost.
	_, _ = w.conn.exec("ROLLBACK")
	w.seq = w.committed
	for _, saved := range t.saved {
		saved.lane.laneState = saved.state
	}
	for _, undo := range slices.Backward(t.undo) {
		undo()
	}
	w.holders.forget()
}

// fail notes that nothing can be accepted, and whether the connection can be trusted further. After an I/O
// error it cannot: the system may have dropped what was written and report success the next time.
func (w *writer) fail(err error) {
	switch code(err) & 0xff {
	case sqliteIOErr, sqliteCorrupt, sqliteNotADB:
		w.broken = true
	}
	if w.unready.Swap(&err) == nil {
		w.s.config.Log.LogAttrs(context.Background(), slog.LevelError, "store cannot write", slog.Any("error", err))
	}
}

// succeed notes that the writer works again. A disk that is too full for captures keeps it unready.
func (w *writer) succeed(full bool) {
	if full {
		return
	}
	if w.unready.Load() != nil {
		w.unready.Store(nil)
		w.s.config.Log.LogAttrs(context.Background(), slog.LevelInfo, "store can write again")
	}
}

// The primary result codes of SQLite that tell apart what failed.
const (
	sqliteIOErr   = 10
	sqliteCorrupt = 11
	sqliteNotADB  = 26
)

// repair opens the connection anew after an I/O error and checks the file before anything is acknowledged
// again.
func (w *writer) repair() error {
	if !w.broken {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), w.s.config.CheckTime)
	defer cancel()
	fresh, err := dial(ctx, w.s.source)
	if err != nil {
		return fmt.Errorf("open the file again after an I/O error: %w", err)
	}
	if err := fresh.check(ctx, w.s.path); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return errors.Join(err, fresh.close())
	}
	if err := w.conn.close(); err != nil {
		w.s.config.Log.LogAttrs(ctx, slog.LevelWarn, "closing the failed connection", slog.Any("error", err))
	}
	w.conn, w.broken = fresh, false
	return nil
}

// lowDisk tells whether the disk is too full for captures.
func (w *writer) lowDisk() bool {
	limit := w.s.config.MinFree
	if limit < 0 {
		return false
	}
	free, err := w.s.config.Free(w.s.config.Dir)
	if err != nil || free >= limit {
		return false
	}
	low := fmt.Errorf("%w: the disk of %s has %d bytes free and %d are the least: delete captures or free space",
		webhook.ErrUnavailable, w.s.config.Dir, free, limit)
	if w.unready.Swap(&low) == nil {
		w.s.config.Log.LogAttrs(context.Background(), slog.LevelError, "store stops accepting captures", slog.Any("error", low))
	}
	return true
}

// upkeep is done between batches: it probes a store that cannot write, trims by age, sweeps what deleted
// endpoints left and gives space back while nobody waits.
func (w *writer) upkeep() {
	now := w.s.config.Now()
	unready := w.unready.Load() != nil
	if unready || len(w.carry) > 0 || w.lowDisk() {
		if w.transact(w.carry, nil) != nil {
			return
		}
		if len(w.carry) > 0 {
			w.carry = nil
			w.s.config.Bell.Ring(w.s.Last())
		}
	}
	settled := w.steady.look(now, time.Since(w.began)) >= w.s.config.Steady
	// A clock that was put back is behind aged.
	if since := now.Sub(w.aged); settled && (since >= ageEvery || since < 0) && w.trimAged(now) {
		w.trimConnections(now)
		w.aged = now
	}
	w.trimMore()
	w.sweepOrphans()
	w.giveBack()
	w.s.cleaner.idle()
}

// call is a work that runs a function and keeps its refusal. What it changed is kept together with the audit entry,
// if there is one.
type call struct {
	run     func(t *tx) error
	audit   *webhook.Audit
	entry   webhook.AuditEntry
	refusal error
}

func (c *call) write(t *tx) error {
	if c.refusal = c.run(t); c.refusal != nil || c.audit == nil {
		return c.refusal
	}
	if c.refusal = t.audit(&c.entry); c.refusal == nil {
		t.onCommit(c.audit.Keep)
	}
	return c.refusal
}

// do runs f in a transaction and waits for its commit. It returns f's refusal, ErrOverloaded or
// ErrUnavailable. When ctx ends first it returns the cause; f may run nevertheless.
func (s *Store) do(ctx context.Context, size int64, f func(t *tx) error) error {
	c := &call{run: f}
	if audit := webhook.AuditOf(ctx); audit != nil && !audit.Kept() {
		// A copy: when ctx ends first, the caller may go on to change its own.
		c.audit, c.entry = audit, audit.AuditEntry
	}
	b, err := s.queue.putWait(ctx, c, size)
	if err != nil {
		return err
	}
	select {
	case <-b.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if b.err != nil {
		return b.err
	}
	return c.refusal
}
