package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func replay(of webhook.Capture, n int) webhook.Replay {
	next := time.Second
	return webhook.Replay{
		Capture: of.Seq, Endpoint: of.Endpoint, ID: "01910000-0000-7000-8000-000000000001", By: webhook.ByServer,
		Target: "https://a.example/hook", Policy: "langsmith-rules", Edited: true, Signed: true, Attempt: n, Try: 2, Hop: 1,
		Start: start.Add(time.Duration(n) * time.Second), Duration: 40 * time.Millisecond, Status: 503, Failure: "cannot connect",
		NextIn: &next, Delivered: n%2 == 0,
	}
}

func TestReplays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, store.Config{Dir: dir})
	a, b := record(t, s, "a"), record(t, s, "b")
	want := []webhook.Replay{replay(a, 1), replay(a, 2)}
	for _, r := range []webhook.Replay{want[0], replay(b, 9), want[1]} {
		if err := s.RecordReplay(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Replays(t.Context(), "hook", a.Seq)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d replays, %v", len(got), err)
	}
	for i := range want {
		want[i].Seq = got[i].Seq
	}
	equal(t, "replays", want, got)
	facts, err := s.Facts(t.Context(), b.Seq, 100)
	if err != nil || len(facts) != 3 {
		t.Fatalf("%d facts, %v", len(facts), err)
	}
	equal(t, "the fact", webhook.Fact{Seq: want[1].Seq, Kind: webhook.FactReplay, Endpoint: "hook", Of: a.Seq, Replay: &want[1]}, facts[2])

	last := s.Last()
	if err = s.Close(); err != nil {
		t.Fatal(err)
	}
	if s = open(t, store.Config{Dir: dir}); s.Last() < last {
		t.Errorf("opened again at %d, was at %d", s.Last(), last)
	}
	if err = s.DeleteCapture(t.Context(), "hook", a.Seq); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"of a deleted capture":  s.RecordReplay(t.Context(), want[0]),
		"of another endpoint's": s.RecordReplay(t.Context(), webhook.Replay{Capture: b.Seq, Endpoint: "nobody"}),
	} {
		if !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("a replay %s: %v", what, err)
		}
	}
	if _, err = s.Replays(t.Context(), "hook", a.Seq); !errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("the replays of a deleted capture: %v", err)
	}
	if _, err = s.DeleteCaptures(t.Context(), "hook", "", 0); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Query(t.Context(), "SELECT count(*) FROM replays"); err != nil || n != 0 {
		t.Errorf("%d replays of nothing, %v", n, err)
	}
}

func TestReplaysAreBounded(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	c := record(t, s, "a")
	const most = 500
	for n := range most + 3 {
		if err := s.RecordReplay(t.Context(), replay(c, n)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Replays(t.Context(), "hook", c.Seq)
	if err != nil || len(got) != most || got[0].Attempt != 3 {
		t.Errorf("%d replays from attempt %d on, %v", len(got), got[0].Attempt, err)
	}
	// A damaged row is left out and hides no other.
	if err = s.Exec(t.Context(), "UPDATE replays SET data = zeroblob(40) WHERE seq = (SELECT max(seq) FROM replays)"); err != nil {
		t.Fatal(err)
	}
	if got, err = s.Replays(t.Context(), "hook", c.Seq); err != nil || len(got) != most-1 {
		t.Errorf("%d replays beside a damaged one, %v", len(got), err)
	}
}
