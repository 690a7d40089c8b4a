package store_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func recordWithRefs(t *testing.T, s *store.Store, text string) webhook.Capture {
	t.Helper()
	c := capture(s.Arrive("hook", key(text), true, start), text)
	if _, err := s.Record(t.Context(), c, true); err != nil {
		t.Fatal(err)
	}
	return *c
}

func TestObjects(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := store.Config{Dir: dir}
	s := open(t, config)
	record(t, s, "without references")
	first, second := recordWithRefs(t, s, "first"), recordWithRefs(t, s, "second")
	unplanned := func(want ...webhook.Capture) {
		t.Helper()
		got, err := s.Unplanned(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		var seqs, wanted []webhook.Seq
		for i, c := range got {
			seqs = append(seqs, c.Seq)
			equal(t, "body", want[i].Request.Body, c.Request.Body)
		}
		for _, c := range want {
			wanted = append(wanted, c.Seq)
		}
		equal(t, "unplanned", wanted, seqs)
	}
	unplanned(first, second)

	object := func(name string, expires time.Time) webhook.Object {
		return webhook.Object{
			Ref:   webhook.Ref{Name: name, URL: "https://bucket.example/" + name + "?X-Amz-Signature=1"},
			State: webhook.Pending, ExpiresAt: expires,
		}
	}
	late, soon, never := start.Add(time.Hour), start.Add(time.Minute), time.Time{}
	planned := []webhook.Object{object("runs.0.inputs", late), object("runs.0.outputs", never), object("runs.0.inputs", soon), object("runs.1.inputs", soon)}
	if err := s.PlanObjects(t.Context(), first.Seq, planned); err != nil {
		t.Fatal(err)
	}
	if err := s.PlanObjects(t.Context(), second.Seq, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.PlanObjects(t.Context(), first.Seq, planned[:1]); err != nil {
		t.Errorf("listing again: %v", err)
	}
	mustFail(t, "objects of nothing", s.PlanObjects(t.Context(), 999, planned), webhook.ErrNotFound)
	unplanned()

	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, config)
	due := func(now time.Time, want ...string) []webhook.Object {
		t.Helper()
		got, err := s.Due(t.Context(), now, 10)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, o := range got {
			names = append(names, o.Name)
			if o.Capture != first.Seq || o.Endpoint != "hook" || o.URL == "" {
				t.Errorf("object %+v", o)
			}
		}
		equal(t, "due", want, names)
		return got
	}
	found := due(start, "runs.1.inputs", "runs.0.inputs", "runs.0.outputs")

	again := found[0]
	again.Tries, again.NextTry, again.Status, again.Code = 1, start.Add(time.Second), 503, "SlowDown"
	done := found[1]
	done.State, done.Status, done.ContentType, done.DoneAt, done.Data = webhook.Resolved, 200, "application/json", start, []byte(`{"x":1}`)
	for _, o := range []webhook.Object{again, done} {
		if err := s.Settle(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	due(start, "runs.0.outputs")
	due(start.Add(time.Second), "runs.1.inputs", "runs.0.outputs")
	mustFail(t, "an object that is not listed", s.Settle(t.Context(), webhook.Object{Capture: first.Seq, Ref: webhook.Ref{Name: "x"}}), webhook.ErrNotFound)

	got, err := s.Object(t.Context(), "hook", first.Seq, "runs.0.inputs")
	if err != nil {
		t.Fatal(err)
	}
	done.Seq, done.Size, done.SHA256 = got.Seq, 7, sha256.Sum256(done.Data)
	equal(t, "object", done, got)
	_, err = s.Object(t.Context(), "hook", first.Seq, "runs.7.inputs")
	mustFail(t, "an unknown object", err, webhook.ErrNotFound)

	c, err := s.Capture(t.Context(), "hook", first.Seq)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range c.Objects {
		names = append(names, o.Name+" "+string(o.State))
	}
	equal(t, "the payload's order", []string{"runs.0.inputs resolved", "runs.0.outputs pending", "runs.1.inputs pending"}, names)

	facts, err := s.Facts(t.Context(), second.Seq, 100)
	if err != nil {
		t.Fatal(err)
	}
	names = nil
	for _, f := range facts {
		if f.Kind == webhook.FactResolved {
			names = append(names, f.Object.Name+" "+string(f.Object.State))
		}
	}
	equal(t, "facts, newest state only", []string{"runs.0.outputs pending", "runs.1.inputs pending", "runs.0.inputs resolved"}, names)

	if err := s.Exec(t.Context(), "UPDATE objects SET content = x'00' WHERE name = 'runs.0.inputs'"); err != nil {
		t.Fatal(err)
	}
	_, err = s.Object(t.Context(), "hook", first.Seq, "runs.0.inputs")
	mustFail(t, "damaged data", err, webhook.ErrDamaged)

	if err := s.DeleteCapture(t.Context(), "hook", first.Seq); err != nil {
		t.Fatal(err)
	}
	mustFail(t, "an object whose capture is gone", s.Settle(t.Context(), again), webhook.ErrNotFound)
	due(start.Add(time.Hour))
	if n, err := s.Query(t.Context(), "SELECT count(*) FROM objects"); err != nil || n != 0 {
		t.Errorf("%d objects are left, %v", n, err)
	}
}
