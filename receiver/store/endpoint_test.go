package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestEndpoints(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := start
	config := store.Config{Dir: dir, Now: func() time.Time { return now }}
	s := open(t, config)
	given := webhook.Endpoint{
		Name:   "a",
		Secret: webhook.SecretPolicy{Scheme: webhook.SchemeHMAC, Header: "X", Tolerance: time.Minute, Secrets: []string{"one", "two"}},
		Expect: []webhook.ExpectedHeader{{Name: "X-Y", Value: "z"}}, Respond: "503x2 200", Refusal: webhook.DefaultRefusal(),
		Fetch:     webhook.FetchPolicy{Hosts: []string{"*.example"}, MaxBytes: 5},
		Retention: webhook.Retention{Rejected: webhook.Quota{Count: -1, Age: time.Hour, Bytes: 7}}, Declared: true,
	}
	want := given
	want.Secret.Secrets = []string{"one", "two"}
	want.Created, want.Updated = now, now
	first := endpoint(t, s, given)
	given.Secret.Secrets[0] = "changed by the caller"
	equal(t, "created", &want, first)
	_, err := s.SaveEndpoint(t.Context(), given, true)
	mustFail(t, "a name that is taken", err, webhook.ErrExists)
	_, err = s.SaveEndpoint(t.Context(), webhook.Endpoint{Name: "b"}, false)
	mustFail(t, "an update of nothing", err, webhook.ErrNotFound)
	_, err = s.SaveEndpoint(t.Context(), webhook.Endpoint{Name: "Ü"}, true)
	mustFail(t, "a bad name", err, webhook.ErrInvalid)

	now = start.Add(time.Hour)
	updated, err := s.SaveEndpoint(t.Context(), webhook.Endpoint{Name: "a", Respond: "200"}, false)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "updated", &webhook.Endpoint{Name: "a", Respond: "200", Created: start, Updated: now}, updated)
	equal(t, "the first version, unchanged", &want, first)

	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, config)
	got, err := s.Endpoint("a")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "after a restart", updated, got)
	var names []string
	for _, ep := range s.Endpoints() {
		names = append(names, ep.Name)
	}
	equal(t, "names", []string{"a", "hook"}, names)
}

func TestDeleteEndpoint(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, store.Config{Dir: dir})
	mustFail(t, "an unknown endpoint", s.DeleteEndpoint(t.Context(), "nobody"), webhook.ErrNotFound)
	endpoint(t, s, webhook.Endpoint{Name: "other"})
	var gone webhook.Capture
	for range 600 {
		gone = record(t, s, "canary-7c9e6679"+strings.Repeat("x", 500), func(c *webhook.Capture) {
			c.Delivery = s.Arrive("hook", webhook.DeliveryKey{By: "none"}, true, start).Delivery
		})
	}
	kept := record(t, s, "kept", to("other"))
	if err := s.DeleteEndpoint(t.Context(), "hook"); err != nil {
		t.Fatal(err)
	}
	_, err := s.Endpoint("hook")
	mustFail(t, "Endpoint", err, webhook.ErrNotFound)
	_, err = s.Capture(t.Context(), "hook", gone.Seq)
	mustFail(t, "Capture", err, webhook.ErrNotFound)
	again := endpoint(t, s, webhook.Endpoint{Name: "hook"})
	if again.Name != "hook" {
		t.Error(again)
	}
	found, err := s.Captures(t.Context(), webhook.Query{})
	if err != nil || len(found) != 1 || found[0].Seq != kept.Seq {
		t.Errorf("%d captures are left, %v", len(found), err)
	}
	if n, err := s.Query(t.Context(), "SELECT count(*) FROM captures"); err != nil || n != 1 {
		t.Errorf("%d rows are left, %v", n, err)
	}
	facts, err := s.Facts(t.Context(), 0, 100)
	if err != nil || len(facts) != 2 {
		t.Fatalf("%d facts, %v; want an arrival and a deletion", len(facts), err)
	}
	equal(t, "deletion", &webhook.Deletion{Endpoint: true}, facts[1].Deletion)
	// A new endpoint of that name knows nothing of the old one's deliveries.
	if a := s.Arrive("hook", key("canary"), true, start); a.Attempt != 1 {
		t.Errorf("attempt %d", a.Attempt)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{store.FileName, store.FileName + "-wal"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil && strings.Contains(string(data), "canary-7c9e6679") {
			t.Errorf("%s still has what was deleted", name)
		}
	}
}

func TestMigration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, store.Config{Dir: dir})
	want := record(t, s, "a")
	if err := s.Finish(t.Context(), webhook.Ticket{Seq: want.Seq}, webhook.Outcome{}); err != nil {
		t.Fatal(err)
	}
	newest, err := s.Query(t.Context(), "PRAGMA user_version")
	if err != nil {
		t.Fatal(err)
	}
	if err = s.Close(); err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return start }
	if _, err := store.OpenNewer(t.Context(), store.Config{Dir: dir, Now: clock}, "CREATE TABLE a (b); CREATE TABLE nonsense"); err == nil {
		t.Fatal("a migration that fails is not told")
	}
	s, err = store.OpenNewer(t.Context(), store.Config{Dir: dir, Now: clock}, "CREATE TABLE a (b)", "ALTER TABLE a ADD COLUMN c")
	if err != nil {
		t.Fatal(err)
	}
	if version, err := s.Query(t.Context(), "PRAGMA user_version"); err != nil || version != newest+2 {
		t.Errorf("version %d, %v", version, err)
	}
	if _, err := s.Capture(t.Context(), "hook", want.Seq); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpenFail(t, dir, webhook.ErrInvalid, fmt.Sprint("version ", newest+2), fmt.Sprint("up to ", newest))
	// Each attempt made a copy, which the older program can open.
	copies, err := filepath.Glob(filepath.Join(dir, fmt.Sprintf("hookrange-version-%d-*.backup", newest)))
	if err != nil || len(copies) != 2 {
		t.Fatalf("copies %v, %v; want two", copies, err)
	}
	restored := t.TempDir()
	if err := os.Rename(copies[0], filepath.Join(restored, store.FileName)); err != nil {
		t.Fatal(err)
	}
	s = open(t, store.Config{Dir: restored})
	if _, err := s.Capture(t.Context(), "hook", want.Seq); err != nil {
		t.Error(err)
	}
}

func TestFileIsShaped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := open(t, store.Config{Dir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
	head, err := os.ReadFile(filepath.Join(dir, store.FileName))
	if err != nil {
		t.Fatal(err)
	}
	// Offsets of the SQLite file format: 16 is the page size, 52 and 64 say auto_vacuum and that it is incremental.
	if size, vacuum, steps := int(head[16])<<8|int(head[17]), head[55] != 0, head[67] != 0; size != 16384 || !vacuum || !steps {
		t.Errorf("pages of %d bytes, auto_vacuum %v, in steps %v", size, vacuum, steps)
	}
}
