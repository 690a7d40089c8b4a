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
// that from being of use, by holding the writer up and cutting the log.
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
	// copied is true when the log was copied and what was written meanwhile was not.
	copied atomic.Bool
	// seen is pending at the last call of idle, by the writer.
	seen int64
	kick chan string
}

const (
	copyLog     = `PRAGMA wal_checkpoint(PASSIVE)`
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
	whole, err := checkpoint(c.conn, how)
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
	c.copied.Store(how == copyLog)
}

// restart copies what was written while the log was copied, on the writer's connection, so that nothing more comes. The
// writer then begins the log anew and overwrites it. A log that grows needs blocks of the file system for each commit,
// and one that is cut needs them again: commits then took twice as long, and the slowest percent three times. Bodies that
// come faster than the disk takes them twice wait here. Readers are not waited for.
func (c *cleaner) restart(writer *conn) error {
	if !c.copied.CompareAndSwap(true, false) {
		return nil
	}
	if err := writer.script(waitForNothing); err != nil {
		return err
	}
	_, err := checkpoint(writer, `PRAGMA wal_checkpoint(FULL)`)
	return errors.Join(err, writer.script(waitForLocks))
}

// checkpoint tells whether all of the log was copied.
func checkpoint(conn *conn, how string) (whole bool, err error) {
	err = conn.query(how, func(row []driver.Value) error {
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
