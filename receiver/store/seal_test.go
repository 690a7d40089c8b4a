package store_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// sealedRows is a store with one row of each kind that is beside a capture and has a seq of its own.
type sealedRows struct {
	*store.Store
	log *countingLog
	// free is a seq that nothing has.
	free    webhook.Seq
	capture webhook.Capture
	outcome webhook.Outcome
	replay  webhook.Replay
	conn    webhook.Connection
}

func newSealedRows(t *testing.T) *sealedRows {
	t.Helper()
	log := new(countingLog)
	r := &sealedRows{Store: open(t, store.Config{Log: slog.New(log)}), log: log, outcome: webhook.Outcome{Status: 503, Note: "cut short"}}
	gone := record(t, r.Store, "gone")
	r.free = gone.Seq
	r.capture = *capture(r.Arrive("hook", key("a"), true, start), "a")
	ticket, err := r.Record(t.Context(), &r.capture, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Finish(t.Context(), ticket, r.outcome); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ChangeNote(t.Context(), "hook", ticket.Seq, webhook.NoteChange{Text: new("noted")}); err != nil {
		t.Fatal(err)
	}
	r.replay, r.conn = replay(r.capture, 1), connection("hook", 1)
	if err := r.RecordReplay(t.Context(), r.replay); err != nil {
		t.Fatal(err)
	}
	written(t, r.Store, r.conn)
	if err := r.DeleteCapture(t.Context(), "hook", gone.Seq); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all facts are there", func() bool {
		for _, there := range r.kinds(t) {
			if !there {
				return false
			}
		}
		return true
	})
	return r
}

// kinds tells, for each kind of row by its table, whether it is told as a fact, and that lists agree.
func (r *sealedRows) kinds(t *testing.T) map[string]bool {
	t.Helper()
	told := map[string]bool{"outcomes": false, "notes": false, "replays": false, "connections": false, "deletions": false}
	facts, err := r.Facts(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range facts {
		switch {
		case f.Kind == webhook.FactOutcome && f.Of == r.capture.Seq:
			told["outcomes"] = f.Outcome.Note == r.outcome.Note
		case f.Kind == webhook.FactNote:
			told["notes"] = f.Note.Text == "noted"
		case f.Kind == webhook.FactReplay:
			told["replays"] = f.Replay.Target == r.replay.Target && f.Replay.Seq == f.Seq
		case f.Kind == webhook.FactConnection:
			told["connections"] = f.Connection.Step == r.conn.Step && f.Connection.Seq == f.Seq
		case f.Kind == webhook.FactDeletion:
			told["deletions"] = len(f.Deletion.Captures) == 1 && f.Endpoint == "hook"
		}
	}
	got, err := r.Capture(t.Context(), "hook", r.capture.Seq)
	if err != nil {
		t.Fatal(err)
	}
	replays, err := r.Replays(t.Context(), "hook", r.capture.Seq)
	if err != nil {
		t.Fatal(err)
	}
	connections, err := r.Connections(t.Context(), webhook.Query{Endpoint: "hook"})
	if err != nil {
		t.Fatal(err)
	}
	for table, there := range map[string]bool{
		"outcomes": got.Outcome != nil, "notes": got.Note != nil, "replays": len(replays) == 1, "connections": len(connections) == 1,
	} {
		if there != told[table] {
			t.Errorf("a row of %s is listed: %v, told: %v", table, there, told[table])
		}
	}
	return told
}

func (r *sealedRows) run(t *testing.T, statement string) {
	t.Helper()
	if err := r.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// TestRowsAreSealed flips bits of each column that is served. No changed row is, all others are, and once.
func TestRowsAreSealed(t *testing.T) {
	t.Parallel()
	r := newSealedRows(t)
	// Of outcomes there are others, of captures beside the one that is looked at.
	of := map[string]string{"outcomes": fmt.Sprint(" WHERE capture = ", r.capture.Seq), "notes": "", "replays": "", "connections": "", "deletions": ""}
	damaged := func(table, change, undo string) {
		t.Helper()
		r.run(t, "UPDATE "+table+" SET "+change+of[table])
		for kind, there := range r.kinds(t) {
			if there == (kind == table) {
				t.Errorf("after %s of %s: %s are told: %v", change, table, kind, there)
			}
		}
		r.run(t, "UPDATE "+table+" SET "+undo+of[table])
		for kind, there := range r.kinds(t) {
			if !there {
				t.Errorf("after %s of %s was undone: %s are not told", change, table, kind)
			}
		}
	}
	for table, where := range of {
		seq, err := r.Query(t.Context(), "SELECT seq FROM "+table+where)
		if err != nil {
			t.Fatal(err)
		}
		damaged(table, fmt.Sprint("seq = ", r.free), fmt.Sprint("seq = ", seq))
		size, err := r.Query(t.Context(), "SELECT length(data) FROM "+table+where)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			at, bit := rand.Int64N(size)+1, 1<<rand.IntN(8)
			was, err := r.Query(t.Context(), fmt.Sprintf("SELECT instr(x'%s', substr(data, %d, 1)) - 1 FROM %s%s", allBytes(), at, table, where))
			if err != nil {
				t.Fatal(err)
			}
			put := func(b int64) string {
				return fmt.Sprintf("data = CAST(substr(data, 1, %[1]d - 1) || x'%02[2]x' || substr(data, %[1]d + 1) AS BLOB)", at, b)
			}
			damaged(table, put(was^int64(bit)), put(was))
		}
	}
	damaged("deletions", "endpoint = 'iook'", "endpoint = 'hook'")
	damaged("deletions", "lane = 4", "lane = NULL")
	// A row is named by its seq, and each had two.
	if n := r.log.count.Load(); n != int64(2*len(of)) {
		t.Errorf("%d errors are logged, want %d", n, 2*len(of))
	}
}

// TestRowsOfEarlierVersions were sealed without their seqs, and are served.
func TestRowsOfEarlierVersions(t *testing.T) {
	t.Parallel()
	r := newSealedRows(t)
	id, err := r.Query(t.Context(), "SELECT id FROM endpoints WHERE name = 'hook'")
	if err != nil {
		t.Fatal(err)
	}
	for table, data := range map[string][]byte{
		"outcomes":    store.EarlierOutcome(&r.outcome, r.capture.Seq),
		"replays":     store.EarlierReplay(&r.replay),
		"connections": store.EarlierConnection(&r.conn, id),
		"deletions":   store.EarlierDeletion(&webhook.Deletion{Captures: []webhook.Seq{1}}),
	} {
		where := ""
		if table == "outcomes" {
			where = fmt.Sprint(" WHERE capture = ", r.capture.Seq)
		}
		r.run(t, fmt.Sprintf("UPDATE %s SET data = x'%x'%s", table, data, where))
	}
	for kind, there := range r.kinds(t) {
		if !there {
			t.Errorf("%s of an earlier version are not told", kind)
		}
	}
	if n := r.log.count.Load(); n != 0 {
		t.Errorf("%d errors are logged", n)
	}
}

// TestFormOfRows holds the form of rows and the version of the file together. A program takes rows of a form that it
// does not know for damaged; one that does not know the version refuses the file and says so.
func TestFormOfRows(t *testing.T) {
	t.Parallel()
	const (
		versions = 7
		form     = "2c022545312f0548"
	)
	c := capture(webhook.Arrival{Delivery: "0199a4b0-0000-7000-8000-000000000001", Attempt: 1, Gap: new(time.Second)}, "a")
	replayed, connected := replay(webhook.Capture{Seq: 1, Endpoint: "hook"}, 1), connection("hook", 1)
	example := store.Example{
		Capture: c, Key: key("a"),
		Outcome: &webhook.Outcome{Status: 200, Fault: webhook.Drip, Bytes: 2, Done: new(time.Second), Note: "n", Unsure: time.Millisecond},
		Object: &webhook.Object{
			Capture: 1, Ref: webhook.Ref{Name: "runs.0.inputs", URL: "https://bucket.example/a"}, State: webhook.Pending, ExpiresAt: start, Tries: 2, Data: []byte("{}"),
		},
		Note:   &webhook.Note{Seq: 2, Pinned: true, Text: "t"},
		Replay: &replayed, Connection: &connected, Deletion: &webhook.Deletion{Captures: []webhook.Seq{1, 2}, Class: webhook.Rejected, Through: 3},
	}
	sum := sha256.New()
	for _, row := range example.Pack() {
		fmt.Fprintf(sum, "%d %x\n", len(row), row)
	}
	got := hex.EncodeToString(sum.Sum(nil)[:8])
	n, err := store.Versions()
	if err != nil || got != form || n != versions {
		t.Errorf("rows have the form %s and the file %d versions (%v), not %s and %d: where the form differs, add a migration, "+
			"be it an empty one, and note both here", got, n, err, form, versions)
	}
}
