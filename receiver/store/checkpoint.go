package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"log/slog"
	"os"
	"sync/atomic"
)

// The sizes of the write-ahead log from which it is copied into the file: beside the writer, and, when readers kept
// that from ending, by holding the writer up and cutting the log.
const (
	walCopy  = 4 << 20
	walLimit = 48 << 20
)

// cleaner copies the write-ahead log into the file on a connection of its own, so that no capture waits for it.
type cleaner struct {
	conn *conn
	path string
	log  *slog.Logger
	// pending is about how many bytes were written to the log since it was last copied.
	pending atomic.Int64
	// long is true until the log was emptied; a copied log keeps its length.
	long atomic.Bool
	// seen is pending at the last call of idle, by the writer.
	seen int64
	kick chan string
}

const (
	copyLog = `PRAGMA wal_checkpoint(PASSIVE)`
	// restartLog holds the writer up while the few pages that it wrote during copyLog are copied too: it then begins the
	// log anew and overwrites it. A log that grows needs blocks of the file system for each commit, and one that is cut
	// needs them again: commits then took twice as long, and the slowest percent three times.
	restartLog  = `PRAGMA wal_checkpoint(FULL)`
	truncateLog = `PRAGMA wal_checkpoint(TRUNCATE)`
)

func newCleaner(c *conn, path string, log *slog.Logger) *cleaner {
	return &cleaner{conn: c, path: path, log: log, kick: make(chan string, 1)}
}

// wrote notes what a commit wrote; it never blocks.
func (c *cleaner) wrote(bytes int64) {
	c.long.Store(true)
	if c.pending.Add(bytes) < walCopy {
		return
	}
	c.ask(copyLog)
}

// idle is called by the writer now and then; when nothing was written in between, the log is emptied.
func (c *cleaner) idle() {
	pending := c.pending.Load()
	if pending == c.seen && c.long.Load() {
		c.ask(truncateLog)
	}
	c.seen = pending
}

func (c *cleaner) ask(how string) {
	select {
	case c.kick <- how:
	default:
	}
}

// run works until ctx ends.
func (c *cleaner) run(ctx context.Context) {
	for {
		select {
		case how := <-c.kick:
			c.clean(ctx, how)
		case <-ctx.Done():
			return
		}
	}
}

func (c *cleaner) clean(ctx context.Context, how string) {
	if info, err := os.Stat(c.path + "-wal"); err == nil && info.Size() > walLimit {
		how = truncateLog
	}
	before := c.pending.Load()
	if how == truncateLog {
		c.long.Store(false)
	}
	whole, err := c.checkpoint(how)
	if err != nil {
		c.long.Store(true)
		c.log.LogAttrs(ctx, slog.LevelWarn, "checkpoint", slog.Any("error", err))
		return
	}
	if !whole {
		c.long.Store(true)
		return
	}
	c.pending.Add(-before)
	if how == copyLog {
		// Where it does not get the lock in time, the next one will.
		if _, err := c.checkpoint(restartLog); err != nil {
			c.log.LogAttrs(ctx, slog.LevelWarn, "restart of the write-ahead log", slog.Any("error", err))
		}
	}
}

// checkpoint tells whether all of the log was copied.
func (c *cleaner) checkpoint(how string) (whole bool, err error) {
	err = c.conn.query(how, func(row []driver.Value) error {
		busy, frames, copied := number(row[0]), number(row[1]), number(row[2])
		whole = busy == 0 && frames == copied
		return nil
	})
	return whole, err
}

// close closes the connection; run has ended.
func (c *cleaner) close() error {
	if c == nil {
		return nil
	}
	return errors.Join(c.conn.close())
}
