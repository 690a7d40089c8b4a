package store

import (
	"github.com/hookrange/hookrange/receiver/webhook"
)

// tx is the writer's transaction. What works change in memory is undone when it is rolled back.
type tx struct {
	*conn
	w *writer
	// full tells that the disk is too full for captures.
	full bool
	// secured tells that deleted content is overwritten in this transaction.
	secured bool
	saved   []savedLane
	undo    []func()
	after   []func()
}

type savedLane struct {
	lane  *lane
	state laneState
}

// next gives out the next seq, to a fact in this table.
func (t *tx) next(of table) int64 {
	t.w.seq++
	t.w.s.newest[of].Store(t.w.seq)
	return t.w.seq
}

// find returns the entry of an endpoint that is there in this transaction, or ErrNotFound.
func (t *tx) find(endpoint string) (*entry, error) {
	e, err := t.w.s.find(endpoint)
	if err != nil || e.gone {
		return nil, webhook.ErrNotFound
	}
	return e, nil
}

// laneOf returns the lane of an endpoint's capture, or ErrNotFound.
func (t *tx) laneOf(endpoint string, capture int64) (int64, error) {
	const query = `SELECT lane FROM captures WHERE seq = ?`
	e, err := t.find(endpoint)
	if err != nil {
		return 0, err
	}
	id, err := t.integer(query, capture)
	if err == nil && id>>2 != e.id {
		err = webhook.ErrNotFound
	}
	return id, err
}

// touch must be called before a lane is changed.
func (t *tx) touch(l *lane) {
	if l.touched != t.w.number {
		l.touched = t.w.number
		t.saved = append(t.saved, savedLane{lane: l, state: l.laneState})
	}
}

// secure makes the rest of the transaction overwrite what it deletes.
func (t *tx) secure() error {
	if t.secured {
		return nil
	}
	t.secured = true
	return t.script("PRAGMA secure_delete=ON")
}

// lane returns the lane of an id, also of an endpoint that is gone, or nil.
func (t *tx) lane(id int64) *lane {
	return t.w.lanes[id]
}

// onCommit runs f after the commit, on the writer.
func (t *tx) onCommit(f func()) { t.after = append(t.after, f) }

// onRollback runs f when the transaction is rolled back.
func (t *tx) onRollback(f func()) { t.undo = append(t.undo, f) }

// deleted writes a deletion fact.
func (t *tx) deleted(endpoint string, of *lane, deletion *webhook.Deletion) error {
	const (
		insert    = `INSERT INTO deletions (seq, endpoint, lane, data) VALUES (?, ?, ?, ?)`
		supersede = `DELETE FROM deletions WHERE seq = ?`
		prune     = `DELETE FROM deletions WHERE seq IN (SELECT seq FROM deletions ORDER BY seq LIMIT ?)`
	)
	seq := t.next(tableDeletions)
	row := tombstone{seq: seq, endpoint: endpoint}
	var laneID any
	if of != nil {
		laneID, row.lane = of.id, of.id
		if of.rangeSeq != 0 {
			n, err := t.exec(supersede, of.rangeSeq)
			if err != nil {
				return err
			}
			t.countDeletions(-n)
		}
		t.touch(of)
		of.rangeSeq = seq
	}
	if _, err := t.exec(insert, seq, endpoint, laneID, packDeletion(deletion, &row)); err != nil {
		return err
	}
	t.countDeletions(1)
	if t.w.deletions <= maxDeletions {
		return nil
	}
	n, err := t.exec(prune, int64(maxDeletions/10))
	t.countDeletions(-n)
	return err
}

func (t *tx) countDeletions(n int64) {
	t.w.deletions += n
	t.onRollback(func() { t.w.deletions -= n })
}
