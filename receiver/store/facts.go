package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// table is one of those that keep facts.
type table int

const (
	tableCaptures table = iota
	tableOutcomes
	tableObjects
	tableDeletions
	tableConnections
	tableNotes
	tableReplays
	tables
)

// Facts returns the facts after a seq in order, at most limit (1 to 1000), and none when there are none yet. A watcher
// that goes on from the last one's Seq sees each fact that still exists exactly once:
//
//   - An arrival is told as it was on arrival: without body, outcome and objects, which are facts of their own. The
//     facts of a capture go with it when it is deleted.
//   - A note is told with its newest state, too.
//   - An object is told with its newest state; earlier ones that were not read in time are not told.
//   - Of deletions by range, the newest of each endpoint and class stands for the earlier ones. Of deletions of single
//     captures the newest 10 000 are kept. A watcher further behind sees no gap among the captures that are there, but
//     is not told that older ones are gone; reading one of those says ErrNotFound.
//   - Damaged rows are left out and logged once.
func (s *Store) Facts(ctx context.Context, after webhook.Seq, limit int) ([]webhook.Fact, error) {
	if limit < 1 || limit > maxLimit {
		limit = maxLimit
	}
	for {
		// Everything up to last is committed, so reads that follow one another see one state of it.
		last := int64(s.Last())
		if last <= int64(after) {
			return nil, nil
		}
		w := &window{s: s, directory: s.directory.Load(), after: int64(after), through: last, limit: limit}
		for of, read := range [tables]func(context.Context) error{
			tableCaptures: w.arrivals, tableOutcomes: w.outcomes, tableObjects: w.objects, tableDeletions: w.deletions,
			tableConnections: w.connections, tableNotes: w.notes, tableReplays: w.replays,
		} {
			if s.newest[of].Load() <= w.after {
				continue
			}
			if err := read(ctx); err != nil {
				return nil, fmt.Errorf("store: facts after %d: %w", after, err)
			}
		}
		facts := w.facts
		slices.SortFunc(facts, func(a, b webhook.Fact) int { return cmp.Compare(a.Seq, b.Seq) })
		for i := range facts {
			// What is beyond the horizon of one of the sources waits for the next window.
			if int64(facts[i].Seq) > w.through {
				facts = facts[:i]
				break
			}
		}
		if len(facts) > 0 {
			return facts[:min(len(facts), limit)], nil
		}
		after = webhook.Seq(w.through)
	}
}

// window collects the facts of a range of seqs from the tables.
type window struct {
	s         *Store
	directory *directory
	after     int64
	// through is up to where all sources were read.
	through int64
	limit   int
	facts   []webhook.Fact
}

// read runs a query for seq and more over the window. scan returns the row's seq.
func (w *window) read(ctx context.Context, query string, scan func(r *sql.Rows) (int64, error)) error {
	count, last := 0, int64(0)
	err := w.s.readers.each(ctx, query, func(r *sql.Rows) error {
		seq, err := scan(r)
		count, last = count+1, seq
		return err
	}, w.after, w.through, w.limit)
	if count == w.limit {
		w.through = min(w.through, last)
	}
	return err
}

func (w *window) arrivals(ctx context.Context) error {
	const query = `SELECT seq, lane, received_at, delivery, attempt, record, refs, NULL, NULL
		FROM captures WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?`
	return w.read(ctx, query, func(r *sql.Rows) (int64, error) {
		row, err := w.s.scanCapture(ctx, r, w.directory)
		if row.ok {
			c := &row.capture
			w.facts = append(w.facts, webhook.Fact{Seq: c.Seq, Kind: webhook.FactArrival, Endpoint: c.Endpoint, Of: c.Seq, Capture: c})
		}
		return row.seq, err
	})
}

func (w *window) outcomes(ctx context.Context) error {
	const query = `SELECT o.seq, o.capture, o.data, c.lane, '' FROM outcomes o JOIN captures c ON c.seq = o.capture
		WHERE o.seq > ? AND o.seq <= ? ORDER BY o.seq LIMIT ?`
	return w.ofCaptures(ctx, query, "outcome", func(row *ofCapture, fact *webhook.Fact) (err error) {
		fact.Kind = webhook.FactOutcome
		fact.Outcome, err = unpackOutcome(row.data, fact.Of, fact.Seq)
		return err
	})
}

func (w *window) objects(ctx context.Context) error {
	const query = `SELECT o.seq, o.capture, o.data, c.lane, o.name FROM objects o JOIN captures c ON c.seq = o.capture
		WHERE o.seq > ? AND o.seq <= ? ORDER BY o.seq LIMIT ?`
	return w.ofCaptures(ctx, query, "object", func(row *ofCapture, fact *webhook.Fact) error {
		object, err := unpackObject(row.data, fact.Of, fact.Seq, row.name)
		object.Seq, object.Endpoint = fact.Seq, fact.Endpoint
		fact.Kind, fact.Object = webhook.FactResolved, &object
		return err
	})
}

// ofCapture is the row of a fact that belongs to a capture.
type ofCapture struct {
	seq, capture int64
	data         []byte
	name         string
}

// ofCaptures runs a query for seq, capture, data, lane and name over the window; read completes the fact of a row.
func (w *window) ofCaptures(ctx context.Context, query, kind string, read func(*ofCapture, *webhook.Fact) error) error {
	return w.read(ctx, query, func(r *sql.Rows) (int64, error) {
		var row ofCapture
		var laneID int64
		if err := r.Scan(&row.seq, &row.capture, &row.data, &laneID, &row.name); err != nil {
			return row.seq, err
		}
		endpoint, ok := w.directory.nameOf(laneID)
		if !ok {
			return row.seq, nil
		}
		fact := webhook.Fact{Seq: webhook.Seq(row.seq), Endpoint: endpoint, Of: webhook.Seq(row.capture)}
		if err := read(&row, &fact); err != nil {
			w.s.quarantine.report(ctx, kind, row.seq, err)
			return row.seq, nil
		}
		w.facts = append(w.facts, fact)
		return row.seq, nil
	})
}

func (w *window) deletions(ctx context.Context) error {
	const query = `SELECT seq, endpoint, coalesce(lane, 0), data FROM deletions WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?`
	return w.read(ctx, query, func(r *sql.Rows) (int64, error) {
		var row tombstone
		var data []byte
		if err := r.Scan(&row.seq, &row.endpoint, &row.lane, &data); err != nil {
			return row.seq, err
		}
		d, err := unpackDeletion(data, &row)
		if err != nil {
			w.s.quarantine.report(ctx, "deletion", row.seq, err)
			return row.seq, nil
		}
		w.facts = append(w.facts, webhook.Fact{Seq: webhook.Seq(row.seq), Kind: webhook.FactDeletion, Endpoint: row.endpoint, Deletion: d})
		return row.seq, nil
	})
}
