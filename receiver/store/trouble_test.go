package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func mustOpenFail(t *testing.T, dir string, want error, words ...string) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{Dir: dir})
	if err == nil {
		s.Close()
	}
	mustFail(t, "Open", err, want)
	for _, word := range append(words, dir) {
		if err != nil && !strings.Contains(err.Error(), word) {
			t.Errorf("the error %q does not say %q", err, word)
		}
	}
}

func TestOpenRefusesASecondProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, store.Config{Dir: dir})
	mustOpenFail(t, dir, webhook.ErrUnavailable, "another hookrange process", "stop it")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, store.Config{Dir: dir})
}

func TestOpenRefusesOtherFiles(t *testing.T) {
	t.Parallel()
	made := func(t *testing.T, pragma string) string {
		t.Helper()
		dir := t.TempDir()
		s := open(t, store.Config{Dir: dir})
		if err := s.Exec(t.Context(), pragma); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	t.Run("newer", func(t *testing.T) {
		t.Parallel()
		mustOpenFail(t, made(t, "PRAGMA user_version = 99"), webhook.ErrInvalid, "version 99", "up to ")
	})
	t.Run("foreign", func(t *testing.T) {
		t.Parallel()
		mustOpenFail(t, made(t, "PRAGMA application_id = 7"), webhook.ErrInvalid, "another program")
	})
	t.Run("no database", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		text := strings.Repeat("no database at all\n", 100)
		if err := os.WriteFile(filepath.Join(dir, store.FileName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		mustOpenFail(t, dir, webhook.ErrDamaged, "restore a backup")
		kept, err := os.ReadFile(filepath.Join(dir, store.FileName))
		if err != nil || string(kept) != text {
			t.Errorf("the file was changed, or %v", err)
		}
	})
	t.Run("no folder name", func(t *testing.T) {
		t.Parallel()
		_, err := store.Open(t.Context(), store.Config{})
		mustFail(t, "Open", err, webhook.ErrInvalid)
	})
}

func TestFilesAreTheUsersAlone(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("modes do not say who may read on Windows")
	}
	dir := filepath.Join(t.TempDir(), "a folder with spaces, %41 and ?#", "data")
	s := open(t, store.Config{Dir: dir})
	record(t, s, "a")
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) < 4 {
		t.Errorf("%d files, %v", len(entries), err)
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", entry.Name(), info.Mode(), err)
		}
	}
}

// sqliteError has a result code like the driver's errors.
type sqliteError int

func (e sqliteError) Error() string { return fmt.Sprint("injected SQLite error ", int(e)) }
func (e sqliteError) Code() int     { return int(e) }

func TestFailingCommit(t *testing.T) {
	t.Parallel()
	const fsync, full = sqliteError(10 | 4<<8), sqliteError(13)
	for name, cause := range map[string]sqliteError{"fsync": fsync, "disk full": full} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, store.Config{Pause: 5 * time.Millisecond})
			before := record(t, s, "before")
			var failing atomic.Bool
			err := s.FailCommits(t.Context(), func() error {
				if failing.Load() {
					return cause
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			failing.Store(true)
			c := capture(s.Arrive("hook", key("lost"), true, start), "lost")
			_, err = s.Record(t.Context(), c, false)
			mustFail(t, "Record", err, webhook.ErrUnavailable)
			mustFail(t, "the cause", err, cause)
			mustFail(t, "Ready", s.Ready(), cause)
			if err := s.Finish(t.Context(), webhook.Ticket{Seq: before.Seq}, webhook.Outcome{Note: "kept"}); err != nil {
				t.Fatal(err)
			}
			// The attempt that was not kept does not count.
			if again := s.Arrive("hook", key("lost"), true, start); again.Attempt != 1 || again.Step != 0 {
				t.Errorf("the next attempt is %d at step %d, want 1 at step 0", again.Attempt, again.Step)
			}
			last := s.Last()
			failing.Store(false)
			eventually(t, "ready again by itself", func() bool { return s.Ready() == nil })
			after := record(t, s, "after")
			if after.Seq <= last {
				t.Errorf("seq %d after %d", after.Seq, last)
			}
			eventually(t, "the outcome was not lost", func() bool {
				got, err := s.Capture(t.Context(), "hook", before.Seq)
				return err == nil && got.Outcome != nil && got.Outcome.Note == "kept"
			})
			found, err := s.Captures(t.Context(), webhook.Query{})
			if err != nil || len(found) != 2 {
				t.Errorf("%d captures, %v; want the two that were acknowledged", len(found), err)
			}
		})
	}
}

// Captures that come while a transaction is under way join it, and share its end.
func TestCapturesJoinATransaction(t *testing.T) {
	t.Parallel()
	const several = 8
	s := open(t, store.Config{Pause: 5 * time.Millisecond})
	var commits atomic.Int64
	var failing atomic.Bool
	err := s.FailCommits(t.Context(), func() error {
		commits.Add(1)
		if failing.Load() {
			return sqliteError(13)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// together records captures that are all queued while the writer is in a transaction.
	together := func(round string) (failed int) {
		t.Helper()
		release, err := s.HoldWriter()
		if err != nil {
			t.Fatal(err)
		}
		results := make(chan error, several)
		for i := range several {
			go func() {
				text := fmt.Sprint(round, i)
				_, err := s.Record(t.Context(), capture(s.Arrive("hook", key(text), true, start), text), false)
				results <- err
			}()
		}
		eventually(t, "all are queued", func() bool { return s.Waiting() == several })
		release()
		for range several {
			if err := <-results; err != nil {
				mustFail(t, "Record", err, webhook.ErrUnavailable)
				failed++
			}
		}
		return failed
	}
	if failed := together("first"); failed != 0 {
		t.Fatalf("%d captures were refused", failed)
	}
	before := commits.Load()
	if failed := together("second"); failed != 0 {
		t.Fatalf("%d captures were refused", failed)
	}
	if n := commits.Load() - before; n != 1 {
		t.Errorf("%d commits for captures that came during the first one's transaction, want 1", n)
	}
	failing.Store(true)
	if failed := together("third"); failed != several {
		t.Errorf("%d of %d captures were refused by the commit that failed", failed, several)
	}
	failing.Store(false)
	eventually(t, "ready again by itself", func() bool { return s.Ready() == nil })
	if found, err := s.Captures(t.Context(), webhook.Query{}); err != nil || len(found) != 2*several {
		t.Errorf("%d captures, %v; want the %d that were acknowledged", len(found), err, 2*several)
	}
}

func TestFullFile(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{Pause: 5 * time.Millisecond})
	kept := record(t, s, "kept")
	pages, err := s.Query(t.Context(), "PRAGMA page_count")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Exec(t.Context(), fmt.Sprint("PRAGMA max_page_count = ", pages+2)); err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("x", 200_000)
	_, err = s.Record(t.Context(), capture(s.Arrive("hook", key(big), true, start), big), false)
	mustFail(t, "Record into a full file", err, webhook.ErrUnavailable)
	if err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("the error %v does not say why", err)
	}
	if _, err := s.Capture(t.Context(), "hook", kept.Seq); err != nil {
		t.Errorf("reading from a full file: %v", err)
	}
	if err := s.DeleteCapture(t.Context(), "hook", kept.Seq); err != nil {
		t.Errorf("deleting from a full file: %v", err)
	}
	eventually(t, "room again: lifted", func() bool {
		return s.Exec(t.Context(), "PRAGMA max_page_count = 1000000") == nil && s.Ready() == nil
	})
	record(t, s, big)
}

func TestLowDisk(t *testing.T) {
	t.Parallel()
	var free atomic.Int64
	free.Store(1 << 40)
	s := open(t, store.Config{Pause: 5 * time.Millisecond, Free: func(string) (int64, error) { return free.Load(), nil }})
	kept := record(t, s, "kept")
	free.Store(1 << 20)
	_, err := s.Record(t.Context(), capture(s.Arrive("hook", key("b"), true, start), "b"), false)
	mustFail(t, "Record on a full disk", err, webhook.ErrUnavailable)
	mustFail(t, "Ready", s.Ready(), webhook.ErrUnavailable)
	if _, err := s.Capture(t.Context(), "hook", kept.Seq); err != nil {
		t.Errorf("reading on a full disk: %v", err)
	}
	if err := s.DeleteCapture(t.Context(), "hook", kept.Seq); err != nil {
		t.Errorf("deleting on a full disk: %v", err)
	}
	free.Store(1 << 40)
	eventually(t, "ready again by itself", func() bool { return s.Ready() == nil })
	record(t, s, "c")
}

func TestClosedStore(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	c := capture(s.Arrive("hook", key("a"), true, start), "a")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Record(t.Context(), c, false)
	mustFail(t, "Record", err, webhook.ErrUnavailable)
	mustFail(t, "Finish", s.Finish(t.Context(), webhook.Ticket{Seq: 1}, webhook.Outcome{}), webhook.ErrUnavailable)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Record(ended, c, false)
	mustFail(t, "Record with an ended context", err, context.Canceled)
}

// TestDamageIsFound changes stored bytes behind the store's back: what does not match is not served, the rest is.
func TestDamageIsFound(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]string{
		"received_at": `received_at = received_at + 1`,
		"delivery":    `delivery = zeroblob(16)`,
		"attempt":     `attempt = attempt + 1`,
		"class":       `lane = lane + 1`,
		"seq":         `seq = seq + 1000`,
		"body gone":   `body = NULL`,
		"framed gone": `framed = NULL`,
		"record cut":  `record = substr(record, 1, 10)`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDamage(t)
			if err := d.s.Exec(t.Context(), fmt.Sprintf("UPDATE captures SET %s WHERE seq = %d", set, d.target.Seq)); err != nil {
				t.Fatal(err)
			}
			if name == "seq" {
				d.target.Seq += 1000
			}
			d.mustBeFound(t)
		})
	}
	for _, column := range []string{"record", "body", "framed"} {
		t.Run("bits of "+column, func(t *testing.T) {
			t.Parallel()
			d := newDamage(t)
			size, err := d.s.Query(t.Context(), fmt.Sprintf("SELECT length(%s) FROM captures WHERE seq = %d", column, d.target.Seq))
			if err != nil {
				t.Fatal(err)
			}
			for range 30 {
				offset, bit := rand.Int64N(size)+1, 1<<rand.IntN(8)
				was, err := d.s.Query(t.Context(), fmt.Sprintf(
					"SELECT instr(x'%s', substr(%s, %d, 1)) - 1 FROM captures WHERE seq = %d", allBytes(), column, offset, d.target.Seq))
				if err != nil {
					t.Fatal(err)
				}
				flip := func(to int64) {
					err := d.s.Exec(t.Context(), fmt.Sprintf(
						"UPDATE captures SET %[1]s = CAST(substr(%[1]s, 1, %[2]d - 1) || x'%02[3]x' || substr(%[1]s, %[2]d + 1) AS BLOB) WHERE seq = %[4]d",
						column, offset, to, d.target.Seq))
					if err != nil {
						t.Fatal(err)
					}
				}
				flip(was ^ int64(bit))
				d.mustBeFound(t)
				flip(was)
				if _, err := d.s.Capture(t.Context(), "hook", d.target.Seq); err != nil {
					t.Fatalf("after the damage was undone: %v", err)
				}
			}
		})
	}
}

// allBytes returns the 256 bytes in hexadecimal.
func allBytes() string {
	var b strings.Builder
	for i := range 256 {
		fmt.Fprintf(&b, "%02x", i)
	}
	return b.String()
}

type damage struct {
	s                    *store.Store
	log                  *countingLog
	before, target, last webhook.Capture
}

func newDamage(t *testing.T) *damage {
	t.Helper()
	d := &damage{log: new(countingLog)}
	d.s = open(t, store.Config{Log: slog.New(d.log)})
	d.before = record(t, d.s, "before")
	d.target = record(t, d.s, "the body", func(c *webhook.Capture) { c.Request.Framed = []byte("8\r\nthe body\r\n0\r\n\r\n") })
	d.last = record(t, d.s, "after")
	return d
}

// mustBeFound checks that the target is refused, and left out of lists and logged once, and that the others are served.
func (d *damage) mustBeFound(t *testing.T) {
	t.Helper()
	_, err := d.s.Capture(t.Context(), "hook", d.target.Seq)
	mustFail(t, "Capture", err, webhook.ErrDamaged)
	for range 3 {
		found, err := d.s.Captures(t.Context(), webhook.Query{WithBody: true, Ascending: true})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "the others", []webhook.Capture{d.before, d.last}, found)
	}
	if n := d.log.count.Load(); n != 1 {
		t.Errorf("the damage was logged %d times, want once", n)
	}
}

// countingLog counts records of level error.
type countingLog struct {
	slog.Handler
	count atomic.Int64
}

func (*countingLog) Enabled(context.Context, slog.Level) bool { return true }
func (l *countingLog) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		l.count.Add(1)
	}
	return nil
}
