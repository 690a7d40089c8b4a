package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// TestReadsDoNotScan looks at how SQLite carries out what is read: by an index or by seq, and in the order that is
// there, so that a page costs the same in a file of any size.
func TestReadsDoNotScan(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{Marker: wordMarker{"1"}, Pause: time.Millisecond})
	for i := range 40 {
		name := fmt.Sprint("e", i)
		endpoint(t, s, webhook.Endpoint{Name: name})
		record(t, s, "text", to(name))
	}
	first := record(t, s, "text")
	ctx := t.Context()
	if _, err := s.ChangeNote(ctx, "hook", first.Seq, webhook.NoteChange{Pinned: new(true)}); err != nil {
		t.Fatal(err)
	}
	indexed(t, s)
	noted := webhook.Query{Narrow: webhook.Narrowing{Noted: true}}
	for _, q := range []webhook.Query{{}, {Endpoint: "hook"}, {Classes: []webhook.Class{webhook.Rejected}}, {Endpoint: "hook", WithBody: true}, wanting("1", "text"), noted} {
		for _, up := range []bool{false, true} {
			q.Ascending = up
			seqsOf(t, s, q)
		}
	}
	for what, read := range map[string]func() error{
		"moment":      func() error { _, err := s.Moment(ctx, start); return err },
		"capture":     func() error { _, err := s.Capture(ctx, "hook", first.Seq); return err },
		"deliveries":  func() error { _, err := s.Deliveries(ctx, "hook", 0, 10); return err },
		"delivery":    func() error { _, err := s.Delivery(ctx, "hook", first.Delivery); return err },
		"facts":       func() error { _, err := s.Facts(ctx, 0, 10); return err },
		"connections": func() error { _, err := s.Connections(ctx, webhook.Query{Endpoint: "hook"}); return err },
	} {
		if err := read(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	plans, err := s.Plans(ctx)
	if err != nil || len(plans) < 15 {
		t.Fatal(len(plans), err)
	}
	for text, plan := range plans {
		for _, step := range plan {
			// A list of numbers that was given, or one row each of small tables.
			given := strings.Contains(step, "json_each") || strings.Contains(step, "CONSTANT ROW")
			if !given && strings.Contains(step, "SCAN") || strings.Contains(step, "TEMP B-TREE") {
				t.Errorf("%s\n%s", text, strings.Join(plan, "\n"))
			}
		}
	}
}
