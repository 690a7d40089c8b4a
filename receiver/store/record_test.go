package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/live"
	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestRecordKeepsEverything(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bell := live.New()
	s := open(t, store.Config{Dir: dir, Bell: bell})
	want := record(t, s, "the body", func(c *webhook.Capture) {
		c.Gap = new(-3 * time.Second)
		c.Reason = webhook.SecretWrong
		c.Class = webhook.Rejected
		c.Request.Framed = []byte("8\r\nthe body\r\n0\r\n\r\n")
		c.Request.Truncated = true
	})
	if want.ID == "" || want.Seq == 0 {
		t.Fatalf("ID %q and Seq %d are not set", want.ID, want.Seq)
	}
	if rang, err := bell.Wait(t.Context(), want.Seq-1); err != nil || rang != want.Seq {
		t.Errorf("the bell rang for %d, %v; want %d", rang, err, want.Seq)
	}
	got, err := s.Capture(t.Context(), "hook", want.Seq)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "capture", want, got)

	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, store.Config{Dir: dir})
	got, err = s.Capture(t.Context(), "hook", want.Seq)
	if err != nil {
		t.Fatal(err)
	}
	if got.Outcome == nil || got.Outcome.Note != "the server stopped before the answer ended" {
		t.Errorf("outcome after a stop without one: %+v", got.Outcome)
	}
	got.Outcome = nil
	equal(t, "capture after a restart", want, got)
}

func TestStartGivesOutNoSeq(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, store.Config{Dir: dir})
	for range 3 {
		c := record(t, s, "the body")
		if err := s.Finish(t.Context(), webhook.Ticket{Seq: c.Seq, Endpoint: c.Endpoint, Delivery: c.Delivery, Attempt: 1, ReceivedAt: c.ReceivedAt}, webhook.Outcome{Status: 200}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the last outcome", func() bool { return s.Last() == 6 })
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, store.Config{Dir: dir})
		if last := s.Last(); last != 6 {
			t.Errorf("a start in which nothing happened came to seq %d, want 6", last)
		}
	}
}

func TestRecordKeepsAnEmptyCapture(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	want := webhook.Capture{
		Endpoint: "hook", Class: webhook.Incomplete, ReceivedAt: start, Attempt: 1,
		Delivery: s.Arrive("hook", webhook.DeliveryKey{By: "none"}, false, start).Delivery,
		Request:  webhook.Request{BodySHA256: sha256.Sum256(nil), Declared: -1, Framed: []byte{}},
	}
	if _, err := s.Record(t.Context(), &want, false); err != nil {
		t.Fatal(err)
	}
	got, err := s.Capture(t.Context(), "hook", want.Seq)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "capture", want, got)
}

func TestRecordRefuses(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	tests := map[string]struct {
		change func(*webhook.Capture)
		want   error
	}{
		"an unknown endpoint":        {to("nobody"), webhook.ErrNotFound},
		"an unknown class":           {in("odd"), webhook.ErrInvalid},
		"a delivery that is no UUID": {func(c *webhook.Capture) { c.Delivery = "7" }, webhook.ErrInvalid},
		"an id that is no UUID":      {func(c *webhook.Capture) { c.ID = "7" }, webhook.ErrInvalid},
	}
	for name, test := range tests {
		c := capture(s.Arrive("hook", key(name), true, start), name)
		test.change(c)
		_, err := s.Record(t.Context(), c, false)
		mustFail(t, name, err, test.want)
	}
	if last := s.Last(); last != 0 {
		t.Errorf("Last() = %d after refusals only", last)
	}
}

func TestFinish(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	c := capture(s.Arrive("hook", key("a"), true, start), "a")
	ticket, err := s.Record(t.Context(), c, false)
	if err != nil {
		t.Fatal(err)
	}
	want := webhook.Outcome{
		Status: 503, Fault: webhook.Drip, Bytes: 120, FirstByte: new(2 * time.Second), Done: new(3 * time.Second),
		HungUp: new(2500 * time.Millisecond), HungUpBy: webhook.HangUpRST, Note: "cut short", Unsure: 7 * time.Millisecond,
	}
	if err := s.Finish(t.Context(), ticket, want); err != nil {
		t.Fatal(err)
	}
	if err := s.Finish(t.Context(), ticket, webhook.Outcome{Note: "a second one is dropped"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Finish(t.Context(), webhook.Ticket{Seq: 999}, webhook.Outcome{Note: "of nothing"}); err != nil {
		t.Fatal(err)
	}
	var facts []webhook.Fact
	eventually(t, "the outcome is a fact", func() bool {
		facts, err = s.Facts(t.Context(), ticket.Seq, 10)
		return err != nil || len(facts) > 0
	})
	want.Seq = facts[0].Seq
	equal(t, "fact", []webhook.Fact{{Seq: want.Seq, Kind: webhook.FactOutcome, Endpoint: "hook", Of: ticket.Seq, Outcome: &want}}, facts)
	got, err := s.Capture(t.Context(), "hook", ticket.Seq)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "outcome", &want, got.Outcome)

	// The sender hung up before the answer ended: the attempt ended then.
	next := s.Arrive("hook", key("a"), true, start.Add(10*time.Second))
	equal(t, "gap", new(7500*time.Millisecond), next.Gap)
}

func TestEqualBodiesAreStoredOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, store.Config{Dir: dir})
	text := string(make([]byte, 50_000))
	var attempts []webhook.Capture
	for i := range 6 {
		attempts = append(attempts, record(t, s, text, in([]webhook.Class{webhook.Accepted, webhook.Rejected}[i%2])))
	}
	other := record(t, s, "another body")
	stored := func() int64 {
		n, err := s.Query(t.Context(), `SELECT count(*) FROM captures WHERE body IS NOT NULL`)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := stored(); n != 2 {
		t.Fatalf("%d bodies are stored, want 2", n)
	}
	check := func(from int) {
		t.Helper()
		for _, want := range attempts[from:] {
			got, err := s.Capture(t.Context(), "hook", want.Seq)
			if err != nil {
				t.Fatal(err)
			}
			got.Outcome = nil
			equal(t, "attempt", want, got)
		}
	}
	check(0)
	// The holder goes, then its heir, then one after a restart.
	for i := range 4 {
		if err := s.DeleteCapture(t.Context(), "hook", attempts[i].Seq); err != nil {
			t.Fatal(err)
		}
		check(i + 1)
		if i == 2 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, store.Config{Dir: dir})
			check(i + 1)
		}
		attempts = append(attempts, record(t, s, text))
		check(i + 1)
		if n := stored(); n != 2 {
			t.Fatalf("%d bodies are stored after %d deletions, want 2", n, i+1)
		}
	}
	if _, err := s.DeleteCaptures(t.Context(), "hook", "", 0); err != nil {
		t.Fatal(err)
	}
	_, err := s.Capture(t.Context(), "hook", other.Seq)
	mustFail(t, "a deleted capture", err, webhook.ErrNotFound)
	attempts = attempts[:0]
	attempts = append(attempts, record(t, s, text), record(t, s, text))
	check(0)
}

// TestCommitsAreSynced asks SQLite itself: a commit that is not synced is lost only in a power cut, which tests do not make.
func TestCommitsAreSynced(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	const full = 2
	if got, err := s.Query(t.Context(), "PRAGMA synchronous"); err != nil || got != full {
		t.Errorf("PRAGMA synchronous is %d, %v; want %d, FULL", got, err, full)
	}
}

func TestOverload(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	release, err := s.HoldWriter()
	if err != nil {
		t.Fatal(err)
	}
	big := string(make([]byte, 33<<20))
	errs := make(chan error)
	for range 2 {
		c := capture(s.Arrive("hook", webhook.DeliveryKey{By: "none"}, true, start), big)
		go func() {
			_, err := s.Record(context.WithoutCancel(t.Context()), c, false)
			errs <- err
		}()
	}
	// One of the two is refused at once, while the writer still stands.
	mustFail(t, "a body beyond 64 MiB", <-errs, webhook.ErrOverloaded)
	release()
	if err := <-errs; err != nil {
		t.Error(err)
	}
}

func TestFinishWaitsForRoom(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	c := record(t, s, "a")
	release, err := s.HoldWriter()
	if err != nil {
		t.Fatal(err)
	}
	for s.Waiting() < 4096 {
		if err := s.Finish(t.Context(), webhook.Ticket{Seq: c.Seq}, webhook.Outcome{}); err != nil {
			t.Fatal(err)
		}
	}
	ended, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("no more time")
	cancel(cause)
	mustFail(t, "Finish with a full queue", s.Finish(ended, webhook.Ticket{Seq: c.Seq}, webhook.Outcome{}), cause)
	_, err = s.Record(t.Context(), capture(s.Arrive("hook", key("b"), true, start), "b"), false)
	mustFail(t, "Record with a full queue", err, webhook.ErrOverloaded)
	release()
	if err := s.Finish(t.Context(), webhook.Ticket{Seq: c.Seq}, webhook.Outcome{}); err != nil {
		t.Error(err)
	}
}
