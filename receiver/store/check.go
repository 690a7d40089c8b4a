package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	// checkRate is how many bytes a second are checked at least, on a machine that has much else to do. What would take
	// longer than CheckTime at that rate is not even begun at Open.
	checkRate = 16 << 20
	// checkLog is how large the log may grow behind a check: it cannot be emptied as long as one reads.
	checkLog = walLimit
	// checkLook is how often a check looks at the log, checkRest how many times as long as it worked it rests when it gave up.
	checkLook = 100 * time.Millisecond
	checkRest = 10
)

// errIndex tells that only indexes are damaged, which can be made anew from what they index.
var errIndex = errors.New("only indexes differ")

// check looks for damage in the structure of the file and for rows that an index lacks, which lists would leave out, for
// as long as ctx lasts.
func (c *conn) check(ctx context.Context, path string) error {
	const query = `PRAGMA integrity_check(100)`
	first, indexes := "", true
	err := c.queryContext(ctx, query, func(row []driver.Value) error {
		found := strings.TrimSpace(fmt.Sprint(row[0]))
		if found == "ok" {
			return nil
		}
		if first == "" {
			first = found
		}
		// "row 5 missing from index X"; damage of the structure has lines of another form.
		indexes = indexes && strings.Contains(found, " index ") && !strings.Contains(found, "\n")
		return nil
	})
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	switch {
	case code(err) != 0:
		return refusal(path, err)
	case err != nil || first == "":
		return err
	}
	err = fmt.Errorf("%w: %s: %s: nothing in it was changed; restore a backup or choose another data folder", webhook.ErrDamaged, path, first)
	if indexes {
		err = fmt.Errorf("%w: %w", err, errIndex)
	}
	return err
}

// verify checks the file's structure for a bounded time, and makes indexes anew. It tells whether there was more than it
// could check.
func (s *Store) verify(ctx context.Context, c *conn) (more bool, err error) {
	later := func() {
		s.config.Log.LogAttrs(ctx, slog.LevelInfo, "the file is large: its structure is checked in the background")
	}
	info, err := os.Stat(s.path)
	if err != nil {
		return false, err
	}
	if info.Size() > int64(s.config.CheckTime.Seconds()*checkRate) {
		later()
		return true, nil
	}
	bounded, cancel := context.WithTimeout(ctx, s.config.CheckTime)
	defer cancel()
	err = c.check(bounded, s.path)
	if errors.Is(err, errIndex) {
		s.indexDamaged(ctx, err)
		if anew := c.script(reindex); anew != nil {
			return false, errors.Join(err, anew)
		}
		s.mended = true
		err = c.check(bounded, s.path)
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		later()
		return true, nil
	}
	return false, err
}

const reindex = `REINDEX`

func (s *Store) indexDamaged(ctx context.Context, err error) {
	s.config.Log.LogAttrs(ctx, slog.LevelError, "an index of the file is damaged and made anew", slog.Any("error", err))
}

// checkLater does what verify left, beside everything else, until it has seen the whole file or ctx ends.
func (s *Store) checkLater(ctx context.Context) {
	began, anew := time.Now(), false
	for ctx.Err() == nil {
		tried := time.Now()
		err := s.checkWhole(ctx)
		if err == nil {
			s.config.Log.LogAttrs(ctx, slog.LevelInfo, "the file's structure was checked", slog.Int64("took_ms", time.Since(began).Milliseconds()))
			return
		}
		if errors.Is(err, errIndex) && !anew {
			s.indexDamaged(ctx, err)
			if err = s.do(ctx, 0, func(t *tx) error { return t.reindex() }); err == nil {
				anew = true
				continue
			}
		}
		if ctx.Err() != nil {
			return
		}
		switch code(err) & 0xff {
		case sqliteCorrupt, sqliteNotADB, sqliteConstraint:
			err = fmt.Errorf("%w: %w", webhook.ErrDamaged, err)
		}
		if errors.Is(err, webhook.ErrDamaged) {
			s.config.Log.LogAttrs(ctx, slog.LevelError, "the file is damaged: no more captures are accepted", slog.Any("error", err))
			s.damaged.Store(&err)
			s.queue.close()
			return
		}
		if !errors.Is(err, errLogGrew) {
			s.config.Log.LogAttrs(ctx, slog.LevelWarn, "the file could not be checked", slog.Any("error", err))
		}
		pause(ctx, max(checkRest*time.Since(tried), s.config.Pause))
	}
}

// sqliteConstraint is what making a unique index of rows that are alike fails with.
const sqliteConstraint = 19

// errLogGrew says that a check was given up for the log's sake.
var errLogGrew = errors.New("the log has grown too large meanwhile")

// checkWhole checks the file on a connection of its own.
func (s *Store) checkWhole(ctx context.Context) error {
	from, err := connector(s.path, reading)
	if err != nil {
		return err
	}
	c, err := dial(ctx, from)
	if err != nil {
		return err
	}
	bounded, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for bounded.Err() == nil {
			if s.cleaner.pending.Load() > checkLog {
				cancel(errLogGrew)
			}
			pause(bounded, checkLook)
		}
	}()
	err = c.check(bounded, s.path)
	if errors.Is(context.Cause(bounded), errLogGrew) {
		err = errLogGrew
	}
	cancel(nil)
	<-ended
	return errors.Join(err, c.close())
}

// reindex makes all indexes anew, and the counts that were read from one of them.
func (t *tx) reindex() error {
	if err := t.script(reindex); err != nil {
		return err
	}
	for _, l := range t.w.lanes {
		t.touch(l)
		l.count, l.bytes = 0, 0
	}
	return t.query(laneSums, func(row []driver.Value) error {
		if l := t.lane(number(row[0])); l != nil {
			l.count, l.bytes = number(row[1]), number(row[2])
		}
		return nil
	})
}
