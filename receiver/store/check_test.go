package store_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestOpenRefusesADamagedStructure(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, store.Config{Dir: dir})
	for i := range 200 {
		record(t, s, strings.Repeat(fmt.Sprint(i), 1000))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, store.FileName)
	// Pages of zeros in the middle.
	size := rewrite(t, path, func(data []byte) { clear(data[len(data)/2 : len(data)/2+4*16384]) })
	mustOpenFail(t, dir, webhook.ErrDamaged, "nothing in it was changed")
	if info, err := os.Stat(path); err != nil || info.Size() != size {
		t.Errorf("the file has another size, or %v", err)
	}
}

// spoilt makes a file with 20 captures and hands the page where an index begins to spoil, when the store is closed.
func spoilt(t *testing.T, index string, spoil func(page []byte)) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := open(t, store.Config{Dir: dir})
	for i := range 20 {
		record(t, s, fmt.Sprint(i))
	}
	root, err := s.Query(t.Context(), fmt.Sprintf("SELECT rootpage FROM sqlite_schema WHERE name = '%s'", index))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	rewrite(t, filepath.Join(dir, store.FileName), func(data []byte) { spoil(data[(root-1)*16384 : root*16384]) })
	return dir
}

// rewrite changes the bytes of a file and returns how many it has.
func rewrite(t *testing.T, path string, change func(data []byte)) int64 {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	change(data)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return int64(len(data))
}

// TestDamagedIndexIsMadeAnew changes a key of the index that lists go by, which SQLite's quick check does not see.
func TestDamagedIndexIsMadeAnew(t *testing.T) {
	t.Parallel()
	for name, checkTime := range map[string]time.Duration{"at the start": time.Minute, "in the background": time.Nanosecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := spoilt(t, "captures_lane", func(page []byte) {
				// A leaf page has its cells' places behind 8 bytes; a cell has its size, its header with its own size, and the values.
				cell := page[int(page[8])<<8|int(page[9]):]
				cell[1+cell[1]] ^= 64 // the lane of another endpoint
			})
			log := new(countingLog)
			s := open(t, store.Config{Dir: dir, Log: slog.New(log), CheckTime: checkTime})
			eventually(t, "all captures are counted", func() bool {
				counts, err := s.Counts(t.Context(), "hook")
				return err == nil && counts[webhook.Accepted] == 20
			})
			found, err := s.Captures(t.Context(), webhook.Query{Endpoint: "hook"})
			if err != nil || len(found) != 20 {
				t.Errorf("%d captures of 20 are listed, %v", len(found), err)
			}
			// Who finds damage at the start does not say how an answer ended whose outcome is not there.
			for _, c := range found {
				if c.Outcome == nil || strings.Contains(c.Outcome.Note, "damaged") != (checkTime == time.Minute) {
					t.Errorf("the outcome of a capture without one is %+v", c.Outcome)
				}
			}
			counted, _, stored, err := s.LaneBytes(t.Context(), "hook")
			if err != nil || counted != stored {
				t.Errorf("bytes of its lanes are counted as %d and are %d, %v", counted, stored, err)
			}
			if n := log.count.Load(); n != 1 {
				t.Errorf("the damage was logged %d times, want once", n)
			}
			record(t, s, "another")
		})
	}
}

// TestDamageFoundInTheBackground has a page of zeros that nothing reads at the start.
func TestDamageFoundInTheBackground(t *testing.T) {
	t.Parallel()
	dir := spoilt(t, "captures_delivery", func(page []byte) { clear(page) })
	mustOpenFail(t, dir, webhook.ErrDamaged)
	log := new(countingLog)
	s := open(t, store.Config{Dir: dir, Log: slog.New(log), CheckTime: time.Nanosecond})
	eventually(t, "the store is not ready", func() bool { return s.Ready() != nil })
	mustFail(t, "Ready", s.Ready(), webhook.ErrDamaged)
	_, err := s.Record(t.Context(), capture(s.Arrive("hook", key("a"), true, start), "a"), false)
	mustFail(t, "Record", err, webhook.ErrUnavailable)
	found, err := s.Captures(t.Context(), webhook.Query{Endpoint: "hook", WithBody: true})
	if err != nil || len(found) != 20 {
		t.Errorf("%d captures of 20 are listed, %v", len(found), err)
	}
	if n := log.count.Load(); n != 1 {
		t.Errorf("the damage was logged %d times, want once", n)
	}
}
