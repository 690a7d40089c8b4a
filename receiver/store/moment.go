package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Moment returns the seq before which the captures stand that arrived up to a time. Captures are in the order in which
// they were read whole, not quite in that of their first bytes, so it is exact where no slow ones overlap.
func (s *Store) Moment(ctx context.Context, at time.Time) (webhook.Seq, error) {
	const query = `SELECT seq, received_at FROM captures WHERE seq >= ? ORDER BY seq LIMIT 1`
	low, high := int64(1), int64(s.Last())+1
	for low < high {
		middle := low + (high-low)/2
		seq, received := int64(0), int64(0)
		err := s.readers.each(ctx, query, func(r *sql.Rows) error { return r.Scan(&seq, &received) }, middle)
		if err != nil {
			return 0, fmt.Errorf("store: find %s: %w", at.Format(time.RFC3339), err)
		}
		if seq == 0 || seq >= high || received > at.UnixNano() {
			high = middle
		} else {
			low = seq + 1
		}
	}
	return webhook.Seq(low), nil
}
