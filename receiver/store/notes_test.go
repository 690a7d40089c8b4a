package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestNotes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := store.Open(t.Context(), store.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	endpoint(t, s, webhook.Endpoint{Name: "hook"})
	a, b := record(t, s, "a"), record(t, s, "b")
	note := func(seq webhook.Seq, change webhook.NoteChange) webhook.Note {
		t.Helper()
		n, err := s.ChangeNote(t.Context(), "hook", seq, change)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	equal(t, "pinned", webhook.Note{Seq: 3, Pinned: true}, note(a.Seq, webhook.NoteChange{Pinned: new(true)}))
	equal(t, "text added", webhook.Note{Seq: 4, Pinned: true, Text: "why?"}, note(a.Seq, webhook.NoteChange{Text: new("why?")}))
	last := note(b.Seq, webhook.NoteChange{Text: new("b's")})

	facts, err := s.Facts(t.Context(), b.Seq, 10)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "facts", []webhook.Fact{
		{Seq: 4, Kind: webhook.FactNote, Endpoint: "hook", Of: a.Seq, Note: &webhook.Note{Seq: 4, Pinned: true, Text: "why?"}},
		{Seq: 5, Kind: webhook.FactNote, Endpoint: "hook", Of: b.Seq, Note: &last},
	}, facts)

	// They are there after a restart, in lists and by themselves, and no seq is given out twice.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, store.Config{Dir: dir})
	if s.Last() < last.Seq {
		t.Errorf("the last seq is %d, before the last note's %d", s.Last(), last.Seq)
	}
	list, err := s.Captures(t.Context(), webhook.Query{Endpoint: "hook"})
	if err != nil || len(list) != 2 {
		t.Fatalf("%d captures, %v", len(list), err)
	}
	equal(t, "listed", &last, list[0].Note)
	one, err := s.Capture(t.Context(), "hook", a.Seq)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "alone", &webhook.Note{Seq: 4, Pinned: true, Text: "why?"}, one.Note)
	equal(t, "emptied", "", note(b.Seq, webhook.NoteChange{Text: new("")}).Text)
}

func TestNotesGoWithTheirCaptures(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	endpoint(t, s, webhook.Endpoint{Name: "small", Retention: webhook.Retention{Accepted: webhook.Quota{Count: 2}}})
	first, single := record(t, s, "1", to("small")), record(t, s, "single")
	for endpoint, seq := range map[string]webhook.Seq{"small": first.Seq, "hook": single.Seq} {
		if _, err := s.ChangeNote(t.Context(), endpoint, seq, webhook.NoteChange{Text: new("x")}); err != nil {
			t.Fatal(err)
		}
	}
	for _, body := range []string{"2", "3", "4"} {
		record(t, s, body, to("small"))
	}
	if err := s.DeleteCapture(t.Context(), "hook", single.Seq); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Query(t.Context(), "SELECT count(*) FROM notes"); err != nil || n != 0 {
		t.Errorf("%d notes are left, %v", n, err)
	}
}

func TestNotesThatAreRefused(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	c := record(t, s, "a")
	for name, test := range map[string]struct {
		endpoint string
		seq      webhook.Seq
		text     string
		want     error
	}{
		"too long":           {"hook", c.Seq, strings.Repeat("x", webhook.MaxNote+1), webhook.ErrInvalid},
		"no UTF-8":           {"hook", c.Seq, "\xff", webhook.ErrInvalid},
		"no such capture":    {"hook", 99, "x", webhook.ErrNotFound},
		"of another":         {"other", c.Seq, "x", webhook.ErrNotFound},
		"as long as it gets": {"hook", c.Seq, strings.Repeat("x", webhook.MaxNote), nil},
	} {
		if _, err := s.ChangeNote(t.Context(), test.endpoint, test.seq, webhook.NoteChange{Text: &test.text}); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

func TestMoment(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	if got, err := s.Moment(t.Context(), time.Now()); err != nil || got != 1 {
		t.Errorf("in an empty store: %d, %v", got, err)
	}
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var seqs []webhook.Seq
	for i := range 20 {
		seqs = append(seqs, record(t, s, string(rune('a'+i)), func(c *webhook.Capture) { c.ReceivedAt = start.Add(time.Duration(i) * time.Minute) }).Seq)
	}
	// Seqs without a capture stand between them.
	for _, i := range []int{3, 4, 5, 12} {
		if err := s.DeleteCapture(t.Context(), "hook", seqs[i]); err != nil {
			t.Fatal(err)
		}
	}
	for minutes, newest := range map[int]int{-1: -1, 0: 0, 2: 2, 3: 2, 5: 2, 6: 6, 12: 11, 19: 19, 600: 19} {
		before, err := s.Moment(t.Context(), start.Add(time.Duration(minutes)*time.Minute+time.Second))
		if err != nil {
			t.Fatal(err)
		}
		list, err := s.Captures(t.Context(), webhook.Query{Endpoint: "hook", Before: before, Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case newest < 0 && len(list) != 0, newest >= 0 && (len(list) != 1 || list[0].Seq != seqs[newest]):
			t.Errorf("%d minutes: before %d there is %v, want capture %d", minutes, before, list, newest)
		}
	}
}
