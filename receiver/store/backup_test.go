package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// What was acknowledged before a backup began is in it, while more comes all the time.
func TestBackupWhileRecording(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, store.Config{Dir: dir})
	ctx, stop := context.WithCancel(t.Context())
	var mu sync.Mutex
	var acknowledged []webhook.Seq
	var senders sync.WaitGroup
	for n := range 4 {
		senders.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				c := record(t, s, fmt.Sprintf("%d-%d", n, i))
				mu.Lock()
				acknowledged = append(acknowledged, c.Seq)
				mu.Unlock()
			}
		})
	}
	held := func() []webhook.Seq {
		mu.Lock()
		defer mu.Unlock()
		return append([]webhook.Seq(nil), acknowledged...)
	}
	eventually(t, "captures are recorded", func() bool { return len(held()) > 100 })
	want, copied := held(), filepath.Join(t.TempDir(), "deep", "copy")
	size, err := store.Backup(t.Context(), dir, copied)
	stop()
	senders.Wait()
	if err != nil || size == 0 {
		t.Fatalf("%d bytes, %v", size, err)
	}
	restored := open(t, store.Config{Dir: copied})
	for i, seq := range want {
		was, err := s.Capture(t.Context(), "hook", seq)
		if err != nil {
			t.Fatal(err)
		}
		is, err := restored.Capture(t.Context(), "hook", seq)
		if err != nil || string(is.Request.Body) != string(was.Request.Body) {
			t.Fatalf("capture %d of %d: %v", seq, len(want), err)
		}
		if i == 0 {
			was.Outcome, is.Outcome = nil, nil // a copy's answers never ended
			equal(t, "restored capture", was, is)
		}
	}
	if more := record(t, restored, "recorded after the restore"); more.Seq <= want[len(want)-1] {
		t.Errorf("a restored store gives seq %d again", more.Seq)
	}
}

// A folder that nobody has open is backed up, what its process had not yet copied out of the log included, and stays as
// it is.
func TestBackupOfAStoppedStore(t *testing.T) {
	t.Parallel()
	dir, to := t.TempDir(), t.TempDir()
	s := open(t, store.Config{Dir: dir})
	endpoint(t, s, webhook.Endpoint{Name: "rules"})
	c := record(t, s, "one")
	killed := t.TempDir()
	for _, name := range []string{"hookrange.db", "hookrange.db-wal"} { // as after kill -9
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err = os.WriteFile(filepath.Join(killed, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]string{"closed": dir, "killed": killed} {
		copied := filepath.Join(to, name)
		if _, err := store.Backup(t.Context(), from, copied); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(copied, "hookrange.db"))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		for _, dir := range []string{from, copied} {
			restored := open(t, store.Config{Dir: dir})
			got, err := restored.Capture(t.Context(), "hook", c.Seq)
			if err != nil || string(got.Request.Body) != string(c.Request.Body) {
				t.Errorf("%s: %v", dir, err)
			}
			if _, err = restored.Endpoint("rules"); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestBackupRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, store.Config{Dir: dir})
	record(t, s, "one")
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "a"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "hookrange.db"), []byte("this is no database, and was never one"), 0o600); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx      context.Context //nolint:containedctx // a case's
		from, to string
		want     error
	}{
		"no store":        {t.Context(), t.TempDir(), t.TempDir(), webhook.ErrNotFound},
		"not a store":     {t.Context(), foreign, t.TempDir(), webhook.ErrDamaged},
		"place is taken":  {t.Context(), dir, full, webhook.ErrInvalid},
		"onto itself":     {t.Context(), dir, dir, webhook.ErrInvalid},
		"into itself":     {t.Context(), dir, filepath.Join(dir, "copy"), webhook.ErrInvalid},
		"ended meanwhile": {ended, dir, t.TempDir(), context.Canceled},
	} {
		_, err := store.Backup(test.ctx, test.from, test.to)
		mustFail(t, name, err, test.want)
		if list, _ := filepath.Glob(filepath.Join(test.to, "hookrange.db*")); test.to != dir && len(list) > 0 {
			t.Errorf("%s: %v was left", name, list)
		}
	}
	if _, err := s.Capture(t.Context(), "hook", 1); err != nil && !errors.Is(err, webhook.ErrNotFound) {
		t.Error(err)
	}
}
