package store_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// wordMarker marks the words of a body, 10 to a part.
type wordMarker struct{ version string }

func (m wordMarker) Version() string { return m.version }

func (m wordMarker) Mark(c *webhook.Capture) ([]*webhook.Marks, error) {
	if strings.Contains(string(c.Request.Body), "unmarkable") {
		return nil, errors.New("cannot be marked")
	}
	parts := []*webhook.Marks{new(webhook.Marks)}
	for i, word := range strings.Fields(string(c.Request.Body)) {
		if i%10 == 9 {
			parts = append(parts, new(webhook.Marks))
		}
		parts[len(parts)-1].Add(wordMark(m.version, word))
	}
	return parts, nil
}

func wordMark(version, word string) webhook.Mark {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(version + word))
	return webhook.Mark(sum.Sum64() % webhook.MarkCount)
}

// wanting narrows to the captures of a word.
func wanting(version, word string) webhook.Query {
	return webhook.Query{Limit: 1000, Narrow: webhook.Narrowing{Clauses: []webhook.Clause{{{wordMark(version, word)}}}}}
}

// seqsOf lists what a query leaves.
func seqsOf(tb testing.TB, s *store.Store, q webhook.Query) []webhook.Seq {
	tb.Helper()
	found, err := s.Captures(tb.Context(), q)
	if err != nil {
		tb.Fatal(err)
	}
	seqs := []webhook.Seq{}
	for i := range found {
		seqs = append(seqs, found[i].Seq)
	}
	return seqs
}

func indexed(tb testing.TB, s *store.Store) {
	tb.Helper()
	newest, err := s.Captures(tb.Context(), webhook.Query{Limit: 1})
	if err != nil {
		tb.Fatal(err)
	}
	// The index gives way, so this takes a while on a busy machine.
	ctx, cancel := context.WithTimeout(tb.Context(), 3*time.Minute)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for len(newest) > 0 && s.Indexed() < newest[0].Seq {
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatalf("the index reaches only %d of %d", s.Indexed(), newest[0].Seq)
		}
	}
}

func rows(tb testing.TB, s *store.Store, table string) int64 {
	tb.Helper()
	n, err := s.Query(tb.Context(), "SELECT count(*) FROM "+table)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

const wide = "a b c d e f g h i " // a part of its own

// searchable returns a store with captures of many columns: enough for a few blocks on disk. Every 30th has the word
// rare, every one its own.
func searchable(tb testing.TB, dir string) (*store.Store, []webhook.Seq) {
	tb.Helper()
	s := open(tb, store.Config{Dir: dir, Marker: wordMarker{"1"}, Pause: 5 * time.Millisecond})
	var seqs []webhook.Seq
	for i := range 210 {
		text := strings.Repeat(wide, 60) + fmt.Sprint("own", i)
		if i%30 == 15 {
			text += " rare"
		}
		class := webhook.Accepted
		if i%7 == 0 {
			class = webhook.Rejected
		}
		seqs = append(seqs, record(tb, s, text, in(class)).Seq)
	}
	indexed(tb, s)
	return s, seqs
}

// every returns each step-th seq from one on, newest first.
func every(seqs []webhook.Seq, from, step int) []webhook.Seq {
	var some []webhook.Seq
	for i := from; i < len(seqs); i += step {
		some = append(some, seqs[i])
	}
	slices.Reverse(some)
	return some
}

// asKilled returns a folder as a process leaves it that is killed now, in the middle of a transaction.
func asKilled(tb testing.TB, s *store.Store, dir string) string {
	tb.Helper()
	copied := tb.TempDir()
	release, err := s.HoldWriter()
	if err != nil {
		tb.Fatal(err)
	}
	defer release()
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(filepath.Join(dir, store.FileName+suffix))
		if err == nil {
			err = os.WriteFile(filepath.Join(copied, store.FileName+suffix), data, 0o600)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	return copied
}

func TestSearchNarrows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, seqs := searchable(t, dir)
	if n := rows(t, s, "search_blocks"); n < 3 {
		t.Fatalf("only %d blocks are on disk", n)
	}
	rare := every(seqs, 15, 30)
	check := func(s *store.Store) {
		t.Helper()
		equal(t, "newest first", rare, seqsOf(t, s, wanting("1", "rare")))
		up := wanting("1", "rare")
		up.Ascending, up.Limit = true, 3
		equal(t, "oldest first", []webhook.Seq{seqs[15], seqs[45], seqs[75]}, seqsOf(t, s, up))
		up.After, up.Before = seqs[45], seqs[105]
		equal(t, "between", []webhook.Seq{seqs[75]}, seqsOf(t, s, up))
		down := wanting("1", "rare")
		down.Limit, down.Before = 2, seqs[135]
		equal(t, "a page", []webhook.Seq{seqs[105], seqs[75]}, seqsOf(t, s, down))
		one := wanting("1", "own134")
		equal(t, "one", []webhook.Seq{seqs[134]}, seqsOf(t, s, one))
		one.Endpoint, one.Classes = "hook", []webhook.Class{webhook.Rejected}
		equal(t, "of another class", []webhook.Seq{}, seqsOf(t, s, one))
		equal(t, "none", []webhook.Seq{}, seqsOf(t, s, wanting("1", "nobody")))
		both := wanting("1", "rare")
		both.Narrow.Clauses = append(both.Narrow.Clauses, webhook.Clause{{wordMark("1", "own15")}, {wordMark("1", "own195")}, {wordMark("1", "own1")}})
		equal(t, "both", []webhook.Seq{seqs[195], seqs[15]}, seqsOf(t, s, both))
		late := wanting("1", "rare")
		late.Narrow.Since = start.Add(time.Hour)
		equal(t, "later than all", []webhook.Seq{}, seqsOf(t, s, late))
		late.Narrow.Since, late.Narrow.Until = start, start
		equal(t, "at the time", rare, seqsOf(t, s, late))
	}
	check(s)

	again := open(t, store.Config{Dir: asKilled(t, s, dir), Marker: wordMarker{"1"}, Pause: 5 * time.Millisecond})
	for _, seq := range rare {
		if found := seqsOf(t, again, wanting("1", "rare")); !slices.Contains(found, seq) {
			t.Errorf("%d is not found while the index is made", seq)
		}
	}
	indexed(t, again)
	check(again)
	record(t, again, "unmarkable")
	indexed(t, again)
	equal(t, "what cannot be marked is looked at", 1, len(seqsOf(t, again, wanting("1", "nobody"))))
}

func TestSearchLosesWhatIsDeleted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, seqs := searchable(t, dir)
	parts := rows(t, s, "search_parts")
	marked := func(s *store.Store, word string) int {
		n, err := s.Marked(t.Context(), wordMark("1", word))
		if err != nil {
			return -1 // while a block is being deleted
		}
		return n
	}
	for _, word := range []string{"own17", "own205"} { // in a block on disk, and in the open one
		if n := marked(s, word); n != 1 {
			t.Fatalf("%s is marked %d times", word, n)
		}
	}
	for _, i := range []int{15, 17, 205} {
		if err := s.DeleteCapture(t.Context(), "hook", seqs[i]); err != nil {
			t.Fatal(err)
		}
	}
	again := open(t, store.Config{Dir: asKilled(t, s, dir), Marker: wordMarker{"1"}, Pause: 5 * time.Millisecond})
	indexed(t, again)
	for _, s := range []*store.Store{s, again} {
		eventually(t, "its marks go", func() bool { return marked(s, "own17") == 0 && marked(s, "own205") == 0 })
	}
	equal(t, "after one", every(seqs, 45, 30), seqsOf(t, s, wanting("1", "rare")))
	// The block that had them is written anew without them.
	marks := func() int64 {
		n, err := s.Query(t.Context(), "SELECT count FROM search_blocks ORDER BY first LIMIT 1")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := marks()
	for i := range 10 {
		if err := s.DeleteCapture(t.Context(), "hook", seqs[20+i]); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the block is written anew", func() bool { return marks() <= before-10 })
	eventually(t, "the others are left", func() bool { return slices.Equal(every(seqs, 45, 30), seqsOf(t, s, wanting("1", "rare"))) })
	equal(t, "one beside", []webhook.Seq{seqs[19]}, seqsOf(t, s, wanting("1", "own19")))

	if _, err := s.DeleteCaptures(t.Context(), "hook", "", seqs[len(seqs)-30]); err != nil {
		t.Fatal(err)
	}
	equal(t, "after many", every(seqs, 195, 30), seqsOf(t, s, wanting("1", "rare")))
	eventually(t, "their blocks go", func() bool { return rows(t, s, "search_blocks") <= 1 && rows(t, s, "search_parts") < parts })
	equal(t, "the last one", []webhook.Seq{seqs[209]}, seqsOf(t, s, wanting("1", "own209")))
}

func TestSearchIsMadeAnewOrTakenAway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, seqs := searchable(t, dir)
	reopen := func(marker store.Marker) {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, store.Config{Dir: dir, Marker: marker, Pause: 5 * time.Millisecond})
	}
	reopen(wordMarker{"2"})
	indexed(t, s)
	equal(t, "in the new way", every(seqs, 15, 30), seqsOf(t, s, wanting("2", "rare")))
	equal(t, "in the old way", []webhook.Seq{}, seqsOf(t, s, wanting("1", "rare")))

	reopen(nil)
	eventually(t, "the index is taken away", func() bool {
		return rows(t, s, "search_parts") == 0 && rows(t, s, "search_blocks") == 0 && rows(t, s, "search_version") == 0
	})
	equal(t, "without an index nothing is left out", len(seqs), len(seqsOf(t, s, wanting("2", "rare"))))

	reopen(wordMarker{"2"})
	indexed(t, s)
	equal(t, "again", every(seqs, 15, 30), seqsOf(t, s, wanting("2", "rare")))
}

func TestSearchOverDamagedBlock(t *testing.T) {
	t.Parallel()
	s, seqs := searchable(t, t.TempDir())
	for _, damage := range []string{
		"UPDATE search_parts SET data = x'0102' WHERE id < (SELECT 2048 * (min(id) + 1) FROM search_blocks)",
		"DELETE FROM search_parts WHERE id > (SELECT 2048 * max(id) FROM search_blocks)",
		"UPDATE search_blocks SET captures = x'00' WHERE id = (SELECT max(id) - 1 FROM search_blocks)",
	} {
		if err := s.Exec(t.Context(), damage); err != nil {
			t.Fatal(err)
		}
		found := seqsOf(t, s, wanting("1", "rare"))
		for _, seq := range every(seqs, 15, 30) {
			if !slices.Contains(found, seq) {
				t.Errorf("%s: capture %d is not found", damage, seq)
			}
		}
	}
}

// TestSearchWhileItChanges searches while captures come, go and are put into blocks.
func TestSearchWhileItChanges(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{Marker: wordMarker{"1"}, Pause: time.Millisecond})
	kept := record(t, s, "kept first").Seq
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 300 {
			seq := record(t, s, strings.Repeat(wide, 20)+fmt.Sprint("own", i)).Seq
			if i%3 == 0 {
				if err := s.DeleteCapture(t.Context(), "hook", seq); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		if found := seqsOf(t, s, wanting("1", "kept")); !slices.Contains(found, kept) {
			t.Fatalf("%d is not among %v", kept, found)
		}
	}
	indexed(t, s)
	eventually(t, "only it is left", func() bool { return slices.Equal(seqsOf(t, s, wanting("1", "kept")), []webhook.Seq{kept}) })
}
