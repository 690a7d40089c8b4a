package store

import (
	"context"
	"database/sql/driver"
	"log/slog"
	"math"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// The bounds of one step of deleting, so that no transaction is long.
const (
	trimRows  = 256
	trimBytes = 64 << 20
	// maxDeletions bounds the deletion facts that are kept.
	maxDeletions = 10_000
)

// doomed is a capture that is about to be deleted.
type doomed struct {
	seq, size, receivedAt, refs int64
	delivery                    [16]byte
	// group is what captures with the same body are shared by; holds tells that the body is here.
	group int64
	holds bool
}

// oldest returns the oldest captures of a lane up to a seq, at most limit.
func (t *tx) oldest(l *lane, through, limit int64) ([]doomed, error) {
	const query = `SELECT seq, size, received_at, refs, delivery, coalesce(share, seq), body IS NOT NULL
		FROM captures WHERE lane = ? AND seq <= ? ORDER BY seq LIMIT ?`
	return t.doomed(query, l.id, through, limit)
}

func (t *tx) doomed(query string, values ...driver.Value) ([]doomed, error) {
	var found []doomed
	err := t.query(query, func(row []driver.Value) error {
		d := doomed{
			seq: number(row[0]), size: number(row[1]), receivedAt: number(row[2]),
			refs: number(row[3]), group: number(row[5]), holds: number(row[6]) == 1,
		}
		delivery, _ := row[4].([]byte)
		copy(d.delivery[:], delivery)
		found = append(found, d)
		return nil
	}, values...)
	return found, err
}

func number(v driver.Value) int64 {
	n, _ := v.(int64)
	return n
}

// trim deletes a lane's oldest captures until it is within its quota, in one bounded step. It returns how many.
func (t *tx) trim(l *lane) (int, error) {
	if !l.heavy() && len(t.w.holders.shared) == 0 {
		return t.trimCount(l)
	}
	rows, err := t.oldest(l, t.w.seq, l.surplus())
	if err != nil {
		return 0, err
	}
	var count, size int64
	for int(count) < len(rows) && !l.within(count, size) && size <= trimBytes {
		size += rows[count].size
		count++
	}
	return int(count), t.deleteRange(l, rows[:count], true)
}

// trimCount is trim for the usual case, without a look at each row: the lane has too many captures, not too many bytes,
// and no body is shared.
func (t *tx) trimCount(l *lane) (int, error) {
	const (
		oldest = `SELECT count(*), sum(size), max(seq) FROM
			(SELECT seq, size FROM captures INDEXED BY captures_lane WHERE lane = ? ORDER BY seq LIMIT ?)`
		objects = `DELETE FROM objects WHERE capture <= ?2 AND capture IN (SELECT seq FROM captures WHERE lane = ?1 AND seq <= ?2)`
	)
	var count, size, through int64
	err := t.query(oldest, func(row []driver.Value) error {
		count, size, through = number(row[0]), number(row[1]), number(row[2])
		return nil
	}, l.id, l.surplus())
	if err != nil || count == 0 {
		return 0, err
	}
	if _, err := t.exec(objects, l.id, through); err != nil {
		return 0, err
	}
	t.touch(l)
	l.count -= count
	l.bytes -= size
	return int(count), t.erase(l, through, true)
}

// deleteRange deletes rows, which are the oldest of their lane, and tells so in one fact.
func (t *tx) deleteRange(l *lane, rows []doomed, tell bool) error {
	if len(rows) == 0 {
		return nil
	}
	through := rows[len(rows)-1].seq
	for i := range rows {
		if err := t.release(l, &rows[i], through); err != nil {
			return err
		}
	}
	return t.erase(l, through, tell)
}

// erase deletes the rows of a lane up to a seq, which are counted no more, and tells so in one fact.
func (t *tx) erase(l *lane, through int64, tell bool) error {
	const (
		outcomes = `DELETE FROM outcomes WHERE capture IN (SELECT seq FROM captures WHERE lane = ? AND seq <= ?)`
		notes    = `DELETE FROM notes WHERE capture IN (SELECT seq FROM captures WHERE lane = ? AND seq <= ?)`
		replays  = `DELETE FROM replays WHERE capture <= ?2 AND capture IN (SELECT seq FROM captures WHERE lane = ?1 AND seq <= ?2)`
		captures = `DELETE FROM captures WHERE lane = ? AND seq <= ?`
	)
	t.touch(l)
	l.through = max(l.through, through)
	if err := t.erased(l.id, 0, through); err != nil {
		return err
	}
	for _, query := range []string{outcomes, replays} {
		if _, err := t.exec(query, l.id, through); err != nil {
			return err
		}
	}
	if err := t.eraseNotes(notes, l.id, through); err != nil {
		return err
	}
	if _, err := t.exec(captures, l.id, through); err != nil {
		return err
	}
	if !tell {
		return nil
	}
	return t.deleted(l.endpoint, l, &webhook.Deletion{Class: classOf(l.id), Through: webhook.Seq(through)})
}

// release does what must happen before a capture's row is deleted: its body moves to the next capture that shares
// it and stays, its objects go, and the lane counts less. All rows of l up to through are deleted too.
func (t *tx) release(l *lane, d *doomed, through int64) error {
	const objects = `DELETE FROM objects WHERE capture = ?`
	if d.refs == refsListed {
		if _, err := t.exec(objects, d.seq); err != nil {
			return err
		}
	}
	t.touch(l)
	l.count--
	l.bytes -= d.size
	if !d.holds {
		return nil
	}
	if _, ok := t.w.holders.shared[d.group]; !ok {
		t.w.holders.drop(d.delivery, d.group)
		return nil
	}
	return t.bequeath(l, d, through)
}

// bequeath moves the body of d to its heir, if there is one.
func (t *tx) bequeath(l *lane, d *doomed, through int64) error {
	const (
		next = `SELECT seq, lane FROM captures INDEXED BY captures_share
			WHERE share = ?1 AND seq <> ?2 AND (lane <> ?3 OR seq > ?4) ORDER BY seq LIMIT 1`
		length = `SELECT length(body) FROM captures WHERE seq = ?`
		move   = `UPDATE captures SET size = size + ?3, body = (SELECT body FROM captures WHERE seq = ?2) WHERE seq = ?1`
	)
	var heir, laneID int64
	err := t.query(next, func(row []driver.Value) error {
		heir, laneID = number(row[0]), number(row[1])
		return nil
	}, d.group, d.seq, l.id, through)
	if err != nil {
		return err
	}
	if heir == 0 {
		t.w.holders.drop(d.delivery, d.group)
		t.onCommit(func() { delete(t.w.holders.shared, d.group) })
		return nil
	}
	size, err := t.integer(length, d.seq)
	if err != nil {
		return err
	}
	if _, err := t.exec(move, heir, d.seq, size); err != nil {
		return err
	}
	if to := t.lane(laneID); to != nil {
		t.touch(to)
		to.bytes += size
	}
	return nil
}

// trimMore goes on with lanes that one step did not bring within their quota, while nobody waits for the writer.
func (w *writer) trimMore() {
	for l := range w.crowded {
		for l.over() && w.s.queue.waiting() == 0 {
			if !w.step(func(t *tx) (int, error) { return t.trim(l) }) {
				break
			}
		}
		if !l.over() {
			delete(w.crowded, l)
		}
	}
}

// step runs one bounded step of deleting in a transaction of its own; false when it did nothing more.
func (w *writer) step(f func(t *tx) (int, error)) bool {
	count := 0
	err := w.transact([]work{&call{run: func(t *tx) error {
		var err error
		count, err = f(t)
		return err
	}}}, nil)
	if err != nil || count == 0 {
		return false
	}
	w.s.config.Bell.Ring(w.s.Last())
	return true
}

// trimAged deletes what is older than its lane's bound. It returns false when it stopped for someone who waits.
func (w *writer) trimAged(now time.Time) bool {
	for _, l := range w.lanes {
		for l.count > 0 && l.quota.Age > 0 {
			bound := now.Add(-l.quota.Age).UnixNano()
			ahead := now.Add(leap).UnixNano()
			if !w.hasOlder(l, bound, ahead) || !w.step(func(t *tx) (int, error) { return t.trimOlder(l, bound, ahead) }) {
				break
			}
			if w.s.queue.waiting() > 0 {
				return false
			}
		}
	}
	return true
}

// hasOlder tells whether the oldest capture of a lane is older than bound. What arrived after ahead was noted by a clock
// that had jumped, and is as old as what came next; so is a step's worth of it.
func (w *writer) hasOlder(l *lane, bound, ahead int64) bool {
	const (
		query = `SELECT received_at FROM captures WHERE lane = ? ORDER BY seq LIMIT 1`
		next  = `SELECT received_at FROM (SELECT received_at FROM captures WHERE lane = ? ORDER BY seq LIMIT ?) WHERE received_at <= ? LIMIT 1`
	)
	at, err := w.conn.integer(query, l.id)
	if err == nil && at > ahead {
		at = bound
		err = w.conn.query(next, func(row []driver.Value) error {
			at = number(row[0])
			return nil
		}, l.id, int64(trimRows), ahead)
	}
	if err != nil {
		w.s.config.Log.LogAttrs(context.Background(), slog.LevelWarn, "retention by age", slog.Any("error", err))
		return false
	}
	return at < bound
}

// trimOlder deletes the oldest captures of a lane for as long as they are older than bound, with what arrived after ahead
// before one of these.
func (t *tx) trimOlder(l *lane, bound, ahead int64) (int, error) {
	rows, err := t.oldest(l, t.w.seq, trimRows)
	if err != nil {
		return 0, err
	}
	count, size := 0, int64(0)
	for i := 0; i < len(rows) && (rows[i].receivedAt < bound || rows[i].receivedAt > ahead) && size <= trimBytes; i++ {
		size += rows[i].size
		if rows[i].receivedAt < bound {
			count = i + 1
		}
	}
	return count, t.deleteRange(l, rows[:count], true)
}

// sweepOrphans deletes what is left of deleted endpoints, while nobody waits for the writer.
func (w *writer) sweepOrphans() {
	for len(w.orphans) > 0 && w.s.queue.waiting() == 0 {
		if !w.step(func(t *tx) (int, error) { return t.sweep() }) {
			return
		}
	}
}

// sweep deletes some captures of a deleted endpoint. It tells nothing: the endpoint's deletion was told.
func (t *tx) sweep() (int, error) {
	if len(t.w.orphans) == 0 {
		return 0, nil
	}
	if err := t.secure(); err != nil {
		return 0, err
	}
	l := t.w.orphans[0]
	rows, err := t.oldest(l, t.w.seq, trimRows)
	if err != nil {
		return 0, err
	}
	if len(rows) < trimRows {
		t.onCommit(func() {
			t.w.orphans = t.w.orphans[1:]
			delete(t.w.lanes, l.id)
		})
	}
	return max(len(rows), 1), t.deleteRange(l, rows, false)
}

// giveBack returns free pages to the file system in bounded steps, while nobody waits for the writer. It does so on a disk
// that is too full for captures too, or deleting some would make no room.
func (w *writer) giveBack() {
	const (
		free   = `PRAGMA freelist_count`
		vacuum = `PRAGMA incremental_vacuum(256)`
		enough = 64
	)
	for before := int64(math.MaxInt64); w.s.queue.waiting() == 0 && !w.broken; {
		pages, err := w.conn.integer(free)
		if err != nil || pages <= enough || pages >= before {
			return
		}
		before = pages
		if err := w.conn.script(vacuum); err != nil {
			w.fail(err)
			return
		}
		w.s.cleaner.wrote(256 * pageSize)
	}
}
