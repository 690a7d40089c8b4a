package store_test

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// TestSeqsOfRowsAreSealed: what is beside a capture has a seq of its own. One that was changed in the file is not served,
// and the capture is; rows of earlier versions, whose checksums are without it, are.
func TestSeqsOfRowsAreSealed(t *testing.T) {
	t.Parallel()
	log := new(countingLog)
	s := open(t, store.Config{Log: slog.New(log)})
	c := capture(s.Arrive("hook", key("a"), true, start), "a")
	ticket, err := s.Record(t.Context(), c, false)
	if err != nil {
		t.Fatal(err)
	}
	outcome := webhook.Outcome{Status: 503, Note: "cut short"}
	if err := s.Finish(t.Context(), ticket, outcome); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ChangeNote(t.Context(), "hook", ticket.Seq, webhook.NoteChange{Text: new("noted")}); err != nil {
		t.Fatal(err)
	}
	shown := func() webhook.Capture {
		t.Helper()
		got, err := s.Capture(t.Context(), "hook", ticket.Seq)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	eventually(t, "the outcome is there", func() bool { return shown().Outcome != nil })
	run := func(statement string) {
		t.Helper()
		if err := s.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for _, table := range []string{"outcomes", "notes"} {
		run("UPDATE " + table + " SET seq = seq + 1000")
		if got := shown(); (got.Outcome == nil) != (table == "outcomes") || (got.Note == nil) != (table == "notes") {
			t.Errorf("with another seq of %s: outcome %+v, note %+v", table, got.Outcome, got.Note)
		}
		run("UPDATE " + table + " SET seq = seq - 1000")
		if got := shown(); got.Outcome == nil || got.Note == nil {
			t.Errorf("%s is lost", table)
		}
	}
	if n := log.count.Load(); n != 2 {
		t.Errorf("%d errors are logged, want 2", n)
	}
	run(fmt.Sprintf("UPDATE outcomes SET data = x'%x'", store.EarlierOutcome(&outcome, ticket.Seq)))
	if got := shown(); got.Outcome == nil || got.Outcome.Note != outcome.Note {
		t.Errorf("an outcome of an earlier version is %+v", got.Outcome)
	}
}
