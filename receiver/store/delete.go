package store

import (
	"context"
	"fmt"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// DeleteCapture deletes one capture and overwrites it in the file. ErrNotFound, ErrUnavailable.
func (s *Store) DeleteCapture(ctx context.Context, endpoint string, seq webhook.Seq) error {
	err := s.do(ctx, 0, func(t *tx) error { return t.deleteOne(endpoint, int64(seq)) })
	if err != nil {
		return fmt.Errorf("store: delete capture %d of %q: %w", seq, endpoint, err)
	}
	return nil
}

func (t *tx) deleteOne(endpoint string, seq int64) error {
	const (
		find    = `SELECT seq, size, received_at, refs, delivery, coalesce(share, seq), body IS NOT NULL FROM captures WHERE seq = ?`
		outcome = `DELETE FROM outcomes WHERE capture = ?`
		note    = `DELETE FROM notes WHERE capture = ?`
		replays = `DELETE FROM replays WHERE capture = ?`
		capture = `DELETE FROM captures WHERE seq = ?`
	)
	laneID, err := t.laneOf(endpoint, seq)
	if err != nil {
		return err
	}
	rows, err := t.doomed(find, seq)
	if err != nil || len(rows) != 1 {
		return err
	}
	if err := t.secure(); err != nil {
		return err
	}
	l := t.lane(laneID)
	if err := t.erased(laneID, seq, seq); err != nil {
		return err
	}
	if err := t.release(l, &rows[0], 0); err != nil {
		return err
	}
	for _, query := range []string{outcome, replays} {
		if _, err := t.exec(query, seq); err != nil {
			return err
		}
	}
	if err := t.eraseNotes(note, seq); err != nil {
		return err
	}
	if _, err := t.exec(capture, seq); err != nil {
		return err
	}
	return t.deleted(endpoint, nil, &webhook.Deletion{Captures: []webhook.Seq{webhook.Seq(seq)}})
}

// DeleteCaptures deletes the captures of an endpoint up to a seq, of one class or ("") of all, and overwrites them in
// the file; through 0 means all that are there now. It goes in bounded steps, each one commit with one fact, and
// returns how many it deleted, also when ctx ends or the disk fails in between. ErrNotFound, ErrInvalid for an
// unknown class, ErrUnavailable.
func (s *Store) DeleteCaptures(ctx context.Context, endpoint string, class webhook.Class, through webhook.Seq) (int, error) {
	if _, ok := classNumber(class); !ok && class != "" {
		return 0, fmt.Errorf("store: delete captures of %q: %w: class %q: use accepted, rejected, incomplete or none",
			endpoint, webhook.ErrInvalid, class)
	}
	if through <= 0 {
		through = s.Last()
	}
	total := 0
	for _, c := range allClasses() {
		for more := class == "" || class == c; more; {
			count, err := s.deleteStep(ctx, endpoint, c, through)
			if err != nil {
				return total, fmt.Errorf("store: delete captures of %q: %w", endpoint, err)
			}
			total += count
			more = count > 0
		}
	}
	return total, nil
}

// deleteStep deletes some of the oldest captures of a lane.
func (s *Store) deleteStep(ctx context.Context, endpoint string, class webhook.Class, through webhook.Seq) (int, error) {
	done := make(chan int, 1)
	err := s.do(ctx, 0, func(t *tx) error {
		e, err := t.find(endpoint)
		if err != nil {
			return err
		}
		n, _ := classNumber(class)
		rows, err := t.oldest(e.lanes[n], int64(through), trimRows)
		if err != nil {
			return err
		}
		count, size := 0, int64(0)
		for count < len(rows) && size <= trimBytes {
			size += rows[count].size
			count++
		}
		if count > 0 {
			if err := t.secure(); err != nil {
				return err
			}
		}
		done <- count
		return t.deleteRange(e.lanes[n], rows[:count], true)
	})
	if err != nil {
		return 0, err
	}
	return <-done, nil
}
