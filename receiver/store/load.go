package store

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// loadState reads into memory what the writer and the index know: endpoints, lanes, the last seq and the deliveries of
// the newest captures. It ends the captures that a previous process left without outcome.
func (s *Store) loadState() error {
	for _, load := range []func(*conn) error{
		s.loadEndpoints, s.loadLanes, s.loadSeq, s.endUnfinished, s.loadDeliveries, s.finder.load, s.loadTokens,
	} {
		if err := load(s.writer.conn); code(err)&0xff == sqliteCorrupt {
			return refusal(s.path, err)
		} else if err != nil {
			return fmt.Errorf("read %s: %w", s.path, err)
		}
	}
	return nil
}

func (s *Store) loadEndpoints(c *conn) error {
	const query = `SELECT id, name, config FROM endpoints`
	byName := make(map[string]*entry)
	err := c.query(query, func(row []driver.Value) error {
		name, _ := row[1].(string)
		config, _ := row[2].([]byte)
		ep, err := unpackEndpoint(config)
		if err != nil {
			return fmt.Errorf("endpoint %q: %w: %w", name, webhook.ErrDamaged, err)
		}
		e := newEntry(newPlace(number(row[0]), name), ep)
		e.setQuotas(e.endpoint)
		byName[name] = e
		for _, l := range e.lanes {
			s.writer.lanes[l.id] = l
		}
		return nil
	})
	s.directory.Store(newDirectory(byName))
	return err
}

const laneSums = `SELECT lane, count(*), sum(size) FROM captures INDEXED BY captures_lane GROUP BY lane`

// loadLanes counts what is there; the index that it reads holds no bodies. Lanes without an endpoint are left over
// from one that was deleted.
func (s *Store) loadLanes(c *conn) error {
	const (
		ranges = `SELECT lane, max(seq) FROM deletions WHERE lane IS NOT NULL GROUP BY lane`
		shared = `SELECT DISTINCT share FROM captures WHERE share IS NOT NULL`
	)
	w := s.writer
	err := c.query(laneSums, func(row []driver.Value) error {
		l, ok := w.lanes[number(row[0])]
		if !ok {
			l = &lane{id: number(row[0])}
			w.lanes[l.id] = l
			w.orphans = append(w.orphans, l)
		}
		l.count, l.bytes = number(row[1]), number(row[2])
		l.visible.Store(l.count)
		if l.over() && l.endpoint != "" {
			w.crowded[l] = struct{}{}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = c.query(ranges, func(row []driver.Value) error {
		if l, ok := w.lanes[number(row[0])]; ok {
			l.rangeSeq = number(row[1])
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.query(shared, func(row []driver.Value) error {
		w.holders.shared[number(row[0])] = struct{}{}
		return nil
	})
}

// loadSeq finds the last seq that was given out to anything that is still there. The newest fact of all is never
// deleted without a newer one, so no seq is given out twice.
func (s *Store) loadSeq(c *conn) error {
	const (
		deletions = `SELECT count(*) FROM deletions`
		notes     = `SELECT count(*) FROM notes`
	)
	seq := int64(0)
	for of, query := range [tables]string{
		tableCaptures:    `SELECT coalesce(max(seq), 0) FROM captures`,
		tableOutcomes:    `SELECT coalesce(max(seq), 0) FROM outcomes`,
		tableObjects:     `SELECT coalesce(max(seq), 0) FROM objects`,
		tableDeletions:   `SELECT coalesce(max(seq), 0) FROM deletions`,
		tableConnections: `SELECT coalesce(max(seq), 0) FROM connections`,
		tableNotes:       `SELECT coalesce(max(seq), 0) FROM notes`,
		tableReplays:     `SELECT coalesce(max(seq), 0) FROM replays`,
	} {
		last, err := c.integer(query)
		if err != nil {
			return err
		}
		s.newest[of].Store(last)
		seq = max(seq, last)
	}
	s.writer.seq, s.writer.committed = seq, seq
	s.last.Store(seq)
	var err error
	if s.writer.deletions, err = c.integer(deletions); err != nil {
		return err
	}
	there, err := c.integer(notes)
	s.notes.Store(there)
	return err
}

// endUnfinished gives the newest captures that have no outcome one that says why.
func (s *Store) endUnfinished(c *conn) error {
	const query = `SELECT seq FROM (SELECT seq FROM captures ORDER BY seq DESC LIMIT 10000) AS newest
		WHERE NOT EXISTS (SELECT 1 FROM outcomes WHERE capture = newest.seq) ORDER BY 1`
	outcome := &webhook.Outcome{Note: "the server stopped before the answer ended"}
	if s.mended { // an outcome that cannot be found may have been there
		outcome.Note = "the file was damaged: what became of the answer may be lost"
	}
	var works []work
	err := c.query(query, func(row []driver.Value) error {
		seq := webhook.Seq(number(row[0]))
		works = append(works, &ending{capture: seq, packed: packOutcome(outcome)})
		return nil
	})
	if err != nil || len(works) == 0 {
		return err
	}
	return s.writer.transact(works, nil)
}

// loadDeliveries fills the index, and what the writer knows of stored bodies, from the newest captures within the
// window. Records that are damaged are passed over.
func (s *Store) loadDeliveries(c *conn) error {
	// Captures are in the order in which they were read whole, not quite in that of their first bytes.
	const slack = time.Hour
	oldest := s.config.Now().Add(-s.config.DeliveryWindow).UnixNano()
	var found []*known
	seen := make(map[indexKey]struct{})
	directory := s.directory.Load()
	err := newestFirst(c, s.writer.seq, s.config.Deliveries, func(row []driver.Value) error {
		cols := columns{seq: number(row[0]), lane: number(row[1]), receivedAt: number(row[2]), attempt: number(row[4])}
		delivery, _ := row[3].([]byte)
		copy(cols.delivery[:], delivery)
		record, _ := row[5].([]byte)
		endpoint, ok := directory.nameOf(cols.lane)
		if cols.receivedAt < oldest-int64(slack) {
			return errEnough
		}
		if !ok || cols.receivedAt < oldest {
			return nil
		}
		o, err := unpackCapture(record, &cols)
		if err != nil || !o.trace.known {
			return nil //nolint:nilerr // a damaged record is reported when it is read
		}
		if number(row[6]) == 1 {
			s.writer.holders.putOlder(cols.delivery, holder{sum: o.capture.Request.BodySHA256, group: number(row[7]), lane: s.writer.lanes[cols.lane]})
		}
		k := &known{
			key:      indexKey{endpoint: endpoint, sum: o.trace.key.Sum, by: o.trace.key.By},
			id:       cols.delivery,
			attempts: int(cols.attempt), steps: o.trace.steps, answers: o.trace.answers, last: cols.receivedAt, end: stillOpen,
		}
		if _, newer := seen[k.key]; newer {
			return nil
		}
		seen[k.key] = struct{}{}
		data, _ := row[8].([]byte)
		if outcome, err := unpackOutcome(data, webhook.Seq(cols.seq), webhook.Seq(number(row[9]))); err == nil {
			k.end = endOf(o.capture.ReceivedAt, outcome)
		}
		found = append(found, k)
		return nil
	})
	for _, k := range slices.Backward(found) {
		s.index.add(k)
	}
	return err
}

// newestFirst hands the newest captures up to a seq to scan, with their outcomes, until it returns errEnough. It reads
// them piece by piece, each from its oldest on: systems read ahead of who reads forwards, and a start must often wait for
// the disk.
func newestFirst(c *conn, seq int64, limit int, scan func(row []driver.Value) error) error {
	const (
		query = `SELECT c.seq, c.lane, c.received_at, c.delivery, c.attempt, c.record, c.body IS NOT NULL OR c.share IS NOT NULL,
				coalesce(c.share, c.seq), o.data, coalesce(o.seq, 0)
			FROM captures c LEFT JOIN outcomes o ON o.capture = c.seq WHERE c.seq > ? AND c.seq <= ? ORDER BY c.seq`
		newest = `SELECT coalesce(max(seq), 0) FROM captures WHERE seq <= ?`
		piece  = 4096
	)
	for limit > 0 {
		var err error
		if seq, err = c.integer(newest, seq); err != nil || seq == 0 {
			return err
		}
		var rows [][]driver.Value
		err = c.query(query, func(row []driver.Value) error {
			rows = append(rows, slices.Clone(row))
			return nil
		}, seq-piece, seq)
		if err != nil {
			return err
		}
		seq -= piece
		for _, row := range slices.Backward(rows[max(0, len(rows)-limit):]) {
			if err := scan(row); errors.Is(err, errEnough) {
				return nil
			} else if err != nil {
				return err
			}
		}
		limit -= len(rows)
	}
	return nil
}

// putOlder is put for a body older than all that are known.
func (h *holders) putOlder(delivery [16]byte, of holder) {
	if _, ok := h.recent.nodes[delivery]; !ok {
		h.recent.put(delivery, of)
	}
}
