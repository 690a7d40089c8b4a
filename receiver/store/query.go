package store

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"strconv"
	"sync"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// readers is the pool of read-only connections, with each statement prepared once.
type readers struct {
	db    *sql.DB
	mu    sync.Mutex
	stmts map[string]*sql.Stmt
}

func (r *readers) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if stmt, ok := r.stmts[text]; ok {
		return stmt, nil
	}
	stmt, err := r.db.PrepareContext(ctx, text) //nolint:sqlclosecheck // kept for the next time; closed by Store.release
	if err != nil {
		return nil, err
	}
	r.stmts[text] = stmt
	return stmt, nil
}

// each runs a constant query and hands each row to scan.
func (r *readers) each(ctx context.Context, text string, scan func(rows *sql.Rows) error, args ...any) (err error) {
	stmt, err := r.prepare(ctx, text) //nolint:sqlclosecheck // see prepare
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := rows.Close(); err == nil {
			err = closeErr
		}
	}()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// integers returns the first column of a query.
func (r *readers) integers(ctx context.Context, text string, args ...any) ([]int64, error) {
	var found []int64
	err := r.each(ctx, text, func(rows *sql.Rows) error {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return err
		}
		found = append(found, n)
		return nil
	}, args...)
	return found, err
}

// list writes numbers as the JSON array that json_each reads.
func list(numbers []int64) string {
	buf := []byte{'['}
	for i, n := range numbers {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = strconv.AppendInt(buf, n, 10)
	}
	return string(append(buf, ']'))
}

// quarantine remembers which damaged rows were logged, so that each is logged once.
type quarantine struct {
	log  *slog.Logger
	mu   sync.Mutex
	seen map[string]struct{}
}

// report logs a damaged row the first time. It remembers a bounded number.
func (q *quarantine) report(ctx context.Context, kind string, seq int64, err error) {
	const limit = 10_000
	key := fmt.Sprint(kind, seq)
	q.mu.Lock()
	_, known := q.seen[key]
	if !known && len(q.seen) < limit {
		q.seen[key] = struct{}{}
	}
	q.mu.Unlock()
	if !known {
		q.log.LogAttrs(ctx, slog.LevelError, "stored row is damaged and left out",
			slog.String("kind", kind), slog.Int64("seq", seq), slog.Any("error", err))
	}
}

// find returns an endpoint's entry or ErrNotFound.
func (s *Store) find(name string) (*entry, error) {
	e, ok := s.directory.Load().byName[name]
	if !ok {
		return nil, fmt.Errorf("endpoint %q: %w", name, webhook.ErrNotFound)
	}
	return e, nil
}
