package store_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// firstVersion returns a folder with a file that the program made when its file had the first version: 40 captures, of
// which the first was deleted, two refused ones and a delivery of two attempts.
func firstVersion(t *testing.T) string {
	t.Helper()
	packed, err := os.Open(filepath.Join("testdata", "version-1.db.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	from, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(from)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, store.FileName), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// nowOfFirst is the day on which it was made: its captures are not too old to be kept.
func nowOfFirst() time.Time { return time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC) }

// mustHaveFirst checks that a store has what that file has.
func mustHaveFirst(t *testing.T, dir string) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{Dir: dir, Now: nowOfFirst})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	found, err := s.Captures(t.Context(), webhook.Query{Endpoint: "default", Classes: []webhook.Class{webhook.Accepted}, Ascending: true, WithBody: true})
	if err != nil || len(found) != 41 {
		t.Fatalf("%d captures, %v; want 41", len(found), err)
	}
	for i, c := range found {
		want := fmt.Sprintf(`{"event":"made by the first version","n":%d}`, i+2)
		if i >= 39 {
			want = `{"same":true}`
		}
		if string(c.Request.Body) != want || c.Outcome == nil || c.Outcome.Status != 200 {
			t.Errorf("capture %d is %s, with the outcome %+v", c.Seq, c.Request.Body, c.Outcome)
		}
	}
	if a, b := found[39], found[40]; a.Delivery != b.Delivery || b.Attempt != 2 {
		t.Errorf("attempt %d of %s and attempt %d of %s", a.Attempt, a.Delivery, b.Attempt, b.Delivery)
	}
	facts, err := s.Facts(t.Context(), 0, 1000)
	deletions := 0
	for _, f := range facts {
		if f.Kind == webhook.FactDeletion {
			deletions++
		}
	}
	if err != nil || deletions != 1 {
		t.Errorf("%d deletions are told, %v; want 1", deletions, err)
	}
}

// TestMigrationThatIsKilled: a process that is killed after any step of a migration leaves a file that the next one brings
// to the newest version, and only whole copies.
func TestMigrationThatIsKilled(t *testing.T) {
	t.Parallel()
	versions, err := store.Versions()
	if err != nil {
		t.Fatal(err)
	}
	for version := 2; version <= versions; version++ {
		t.Run(fmt.Sprint("at version ", version), func(t *testing.T) {
			t.Parallel()
			dir := firstVersion(t)
			cmd := exec.Command(os.Args[0], "-test.run=^$")
			cmd.Env = append(os.Environ(), crashDir+"="+dir, fmt.Sprint(crashDir, "_VERSION=", version))
			if out, err := cmd.CombinedOutput(); err == nil || strings.Contains(string(out), "lives") {
				t.Fatalf("the process was not killed: %v: %s", err, out)
			}
			mustHaveFirst(t, dir)
			copies, err := filepath.Glob(filepath.Join(dir, "*.backup"))
			if err != nil || len(copies) != 2 {
				t.Fatalf("the copies are %v, %v; want one of each try", copies, err)
			}
			for _, name := range copies {
				restored := t.TempDir()
				if err := os.Rename(name, filepath.Join(restored, store.FileName)); err != nil {
					t.Fatal(err)
				}
				mustHaveFirst(t, restored)
			}
		})
	}
}
