package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	maxLimit = 1000
	// manyLanes is how many lanes are listed one by one. Those of some classes always are: there may be few of them.
	manyLanes = 32
)

// Captures lists the captures that match q, with outcomes and objects but without the objects' data. Framed bodies
// come with the bodies, when q.WithBody is set; such a list ends early, but not before its first capture, when its
// bodies come to Config.ListBytes. Damaged rows are left out and logged once. A Limit outside of 1 to 1000 is taken as
// 1000. ErrNotFound when q.Endpoint is named and absent.
func (s *Store) Captures(ctx context.Context, q webhook.Query) ([]webhook.Capture, error) {
	lanes, err := s.lanesOf(q)
	if err != nil {
		return nil, fmt.Errorf("store: list captures: %w", err)
	}
	if q.Limit < 1 || q.Limit > maxLimit {
		q.Limit = maxLimit
	}
	var found []webhook.Capture
	budget := s.config.ListBytes
	for len(found) < q.Limit && budget > 0 {
		page := q
		page.Limit = q.Limit - len(found)
		seqs, err := s.page(ctx, page, lanes)
		if err != nil {
			return nil, fmt.Errorf("store: list captures: %w", err)
		}
		if len(seqs) == 0 {
			break
		}
		more, err := s.load(ctx, seqs, q.WithBody, &budget)
		if err != nil {
			return nil, fmt.Errorf("store: list captures: %w", err)
		}
		found = append(found, more...)
		if len(seqs) < page.Limit {
			break
		}
		if q.Ascending {
			q.After = webhook.Seq(seqs[len(seqs)-1])
		} else {
			q.Before = webhook.Seq(seqs[len(seqs)-1])
		}
	}
	return found, nil
}

// lanesOf returns the lanes to list that are not empty.
func (s *Store) lanesOf(q webhook.Query) ([]int64, error) {
	var lanes []int64
	for _, e := range s.directory.Load().byName {
		if q.Endpoint != "" && e.name != q.Endpoint {
			continue
		}
		for _, l := range e.lanes {
			if l.visible.Load() > 0 && (len(q.Classes) == 0 || slices.Contains(q.Classes, classOf(l.id))) {
				lanes = append(lanes, l.id)
			}
		}
	}
	if q.Endpoint != "" {
		_, err := s.find(q.Endpoint)
		return lanes, err
	}
	return lanes, nil
}

// page returns the seqs of the next captures in q's order, fewer than q.Limit only when there are no more.
func (s *Store) page(ctx context.Context, q webhook.Query, lanes []int64) ([]int64, error) {
	const (
		up   = `SELECT seq FROM captures WHERE lane = ? AND seq > ? AND seq < ? ORDER BY seq LIMIT ?`
		down = `SELECT seq FROM captures WHERE lane = ? AND seq > ? AND seq < ? ORDER BY seq DESC LIMIT ?`
	)
	if q.Narrow.Noted || s.config.Marker != nil && !q.Narrow.Everything() {
		return s.narrowed(ctx, q, lanes)
	}
	before := int64(q.Before)
	if before <= 0 {
		before = math.MaxInt64
	}
	query, order := down, func(a, b int64) int { return cmp.Compare(b, a) }
	if q.Ascending {
		query, order = up, cmp.Compare[int64]
	}
	if len(lanes) > manyLanes && len(q.Classes) == 0 {
		return s.scanPage(ctx, q, before)
	}
	var seqs []int64
	for _, l := range lanes {
		more, err := s.readers.integers(ctx, query, l, int64(q.After), before, q.Limit)
		if err != nil {
			return nil, err
		}
		seqs = append(seqs, more...)
	}
	slices.SortFunc(seqs, order)
	return seqs[:min(len(seqs), q.Limit)], nil
}

// scanPage is page for so many lanes that walking through all captures is quicker than through each lane.
func (s *Store) scanPage(ctx context.Context, q webhook.Query, before int64) ([]int64, error) {
	const (
		up   = `SELECT seq FROM captures WHERE seq > ? AND seq < ? ORDER BY seq LIMIT ?`
		down = `SELECT seq FROM captures WHERE seq > ? AND seq < ? ORDER BY seq DESC LIMIT ?`
	)
	query := down
	if q.Ascending {
		query = up
	}
	return s.readers.integers(ctx, query, int64(q.After), before, q.Limit)
}

// load reads captures in the order of seqs. Those that are gone or damaged are left out; it stops when budget, which
// counts bodies, is used up.
func (s *Store) load(ctx context.Context, seqs []int64, withBody bool, budget *int64) ([]webhook.Capture, error) {
	const query = `SELECT c.seq, c.lane, c.received_at, c.delivery, c.attempt, c.record, c.refs, o.seq, o.data
		FROM captures c LEFT JOIN outcomes o ON o.capture = c.seq
		WHERE c.seq IN (SELECT value FROM json_each(?))`
	rows := make(map[int64]*opened, len(seqs))
	var listed []int64
	directory := s.directory.Load()
	err := s.readers.each(ctx, query, func(r *sql.Rows) error {
		row, err := s.scanCapture(ctx, r, directory)
		if row.ok {
			rows[row.seq] = &row.opened
			if row.refs == refsListed {
				listed = append(listed, row.seq)
			}
		}
		return err
	}, list(seqs))
	if err != nil {
		return nil, err
	}
	if err := s.loadObjects(ctx, listed, rows); err != nil {
		return nil, err
	}
	if err := s.loadNotes(ctx, seqs, rows); err != nil {
		return nil, err
	}
	found := make([]webhook.Capture, 0, len(seqs))
	for _, seq := range seqs {
		o, ok := rows[seq]
		if !ok {
			continue
		}
		if withBody {
			if *budget <= 0 {
				break
			}
			switch err := s.loadBody(ctx, o); {
			case errors.Is(err, webhook.ErrDamaged):
				s.quarantine.report(ctx, "body", seq, err)
				continue
			case errors.Is(err, webhook.ErrNotFound):
				continue
			case err != nil:
				return nil, err
			}
			*budget -= int64(len(o.capture.Request.Body) + len(o.capture.Request.Framed))
		}
		found = append(found, o.capture)
	}
	return found, nil
}

// scanned is a capture's row without its bodies.
type scanned struct {
	opened
	seq, lane, refs int64
	// ok is false when the row is damaged or its endpoint gone; then only seq, lane and refs are set.
	ok bool
}

// scanCapture reads one row, with what it has beside.
func (s *Store) scanCapture(ctx context.Context, r *sql.Rows, directory *directory, beside ...any) (*scanned, error) {
	row := new(scanned)
	var cols columns
	var delivery, record, outcome []byte
	var outcomeSeq sql.NullInt64
	err := r.Scan(append([]any{
		&cols.seq, &cols.lane, &cols.receivedAt, &delivery, &cols.attempt, &record, &row.refs, &outcomeSeq, &outcome,
	}, beside...)...)
	row.seq, row.lane = cols.seq, cols.lane
	if err != nil {
		return row, err
	}
	name, known := directory.nameOf(cols.lane)
	copy(cols.delivery[:], delivery)
	row.opened, err = unpackCapture(record, &cols)
	if err != nil {
		s.quarantine.report(ctx, "capture", cols.seq, err)
		return row, nil
	}
	row.ok = known
	row.capture.Endpoint = name
	if outcomeSeq.Valid {
		row.capture.Outcome, err = unpackOutcome(outcome, row.capture.Seq, webhook.Seq(outcomeSeq.Int64))
		if err != nil {
			s.quarantine.report(ctx, "outcome", outcomeSeq.Int64, err)
		}
	}
	return row, nil
}

// loadBody reads body and framed body and checks both. ErrNotFound when the capture was deleted meanwhile.
func (s *Store) loadBody(ctx context.Context, o *opened) error {
	const query = `SELECT framed, coalesce(body,
			(SELECT g.body FROM captures g WHERE g.seq = c.share),
			(SELECT h.body FROM captures h WHERE h.share = c.share AND h.body IS NOT NULL))
		FROM captures c WHERE seq = ?`
	req := &o.capture.Request
	found := false
	err := s.readers.each(ctx, query, func(r *sql.Rows) error {
		found = true
		return r.Scan(&req.Framed, &req.Body)
	}, int64(o.capture.Seq))
	switch {
	case err != nil:
		return err
	case !found:
		return webhook.ErrNotFound
	case sha256.Sum256(req.Body) != req.BodySHA256:
		return fmt.Errorf("%w: the body does not match its SHA-256", webhook.ErrDamaged)
	case o.framed && sha256.Sum256(req.Framed) != o.framedSum, !o.framed && req.Framed != nil:
		return fmt.Errorf("%w: the framed body does not match its SHA-256", webhook.ErrDamaged)
	}
	if o.framed && req.Framed == nil {
		req.Framed = []byte{}
	}
	return nil
}

// Capture returns a whole capture with its bodies, outcome and objects (these without data). ErrNotFound, or
// ErrDamaged when what is stored does not match its checksums.
func (s *Store) Capture(ctx context.Context, endpoint string, seq webhook.Seq) (webhook.Capture, error) {
	budget := int64(math.MaxInt64)
	found, err := s.load(ctx, []int64{int64(seq)}, true, &budget)
	if err != nil {
		return webhook.Capture{}, fmt.Errorf("store: capture %d: %w", seq, err)
	}
	if len(found) == 1 && found[0].Endpoint == endpoint {
		return found[0], nil
	}
	if err = s.has(ctx, endpoint, seq); err == nil {
		err = webhook.ErrDamaged
	}
	return webhook.Capture{}, fmt.Errorf("store: capture %d of %q: %w", seq, endpoint, err)
}

// has returns nil when an endpoint has a capture, even a damaged one, or ErrNotFound.
func (s *Store) has(ctx context.Context, endpoint string, capture webhook.Seq) error {
	const query = `SELECT lane FROM captures WHERE seq = ?`
	e, err := s.find(endpoint)
	if err != nil {
		return err
	}
	lanes, err := s.readers.integers(ctx, query, int64(capture))
	if err == nil && (len(lanes) != 1 || lanes[0]>>2 != e.id) {
		err = webhook.ErrNotFound
	}
	return err
}

// Counts returns how many captures of each class an endpoint has as of the last commit. ErrNotFound.
func (s *Store) Counts(_ context.Context, endpoint string) (map[webhook.Class]int64, error) {
	e, err := s.find(endpoint)
	if err != nil {
		return nil, fmt.Errorf("store: counts: %w", err)
	}
	counts := make(map[webhook.Class]int64, len(e.lanes))
	for i, class := range allClasses() {
		counts[class] = e.lanes[i].visible.Load()
	}
	return counts, nil
}

// Last returns the newest seq that was committed.
func (s *Store) Last() webhook.Seq {
	return webhook.Seq(s.last.Load())
}

func unixNano(n int64) time.Time       { return time.Unix(0, n).UTC() }
func durationOf(n int64) time.Duration { return time.Duration(n) }
func orZero(t time.Time, zero int64) int64 { // nanoseconds of t, or zero for the zero time
	if t.IsZero() {
		return zero
	}
	return t.UnixNano()
}
