package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hookrange/hookrange/receiver/live"
	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestFacts(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	if facts, err := s.Facts(t.Context(), 0, 10); err != nil || len(facts) != 0 {
		t.Fatalf("%d facts of an empty store, %v", len(facts), err)
	}
	a, b, c := record(t, s, "a"), record(t, s, "b"), record(t, s, "c", in(webhook.Rejected))
	if err := s.DeleteCapture(t.Context(), "hook", b.Seq); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DeleteCaptures(t.Context(), "hook", webhook.Rejected, 0); err != nil {
		t.Fatal(err)
	}
	a.Request.Body = nil
	want := []webhook.Fact{
		{Seq: a.Seq, Kind: webhook.FactArrival, Endpoint: "hook", Of: a.Seq, Capture: &a},
		{Seq: 4, Kind: webhook.FactDeletion, Endpoint: "hook", Deletion: &webhook.Deletion{Captures: []webhook.Seq{b.Seq}}},
		{Seq: 5, Kind: webhook.FactDeletion, Endpoint: "hook", Deletion: &webhook.Deletion{Class: webhook.Rejected, Through: c.Seq}},
	}
	for limit := 1; limit <= 4; limit++ {
		var got []webhook.Fact
		for after := webhook.Seq(0); ; after = got[len(got)-1].Seq {
			page, err := s.Facts(t.Context(), after, limit)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
		}
		equal(t, fmt.Sprint("facts by ", limit), want, got)
	}
}

func TestDeletionFactsAreBounded(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	endpoint(t, s, webhook.Endpoint{Name: "small", Retention: webhook.Retention{Accepted: webhook.Quota{Count: 1}}})
	for i := range 50 {
		record(t, s, fmt.Sprint(i), to("small"))
	}
	// Each range stands for those before it.
	if n, err := s.Query(t.Context(), "SELECT count(*) FROM deletions"); err != nil || n != 1 {
		t.Errorf("%d deletion facts after 49 deletions by retention, %v; want 1", n, err)
	}
	facts, err := s.Facts(t.Context(), 0, 100)
	if err != nil || len(facts) != 2 {
		t.Errorf("%d facts, %v; want the newest capture and one deletion", len(facts), err)
	}
	// A pile of single deletions from earlier, and one more.
	count := "SELECT count(*) FROM deletions"
	if err := s.Pile(t.Context()); err != nil {
		t.Fatal(err)
	}
	before, err := s.Query(t.Context(), count)
	if err != nil || before != store.Deletions {
		t.Fatalf("%d deletion facts, %v", before, err)
	}
	one := record(t, s, "one")
	if err := s.DeleteCapture(t.Context(), "hook", one.Seq); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Query(t.Context(), count); err != nil || n > store.Deletions || n < store.Deletions/2 {
		t.Errorf("%d deletion facts, %v; the bound is %d", n, err, store.Deletions)
	}
	facts, err = s.Facts(t.Context(), one.Seq, 10)
	if err != nil || len(facts) != 1 || facts[0].Kind != webhook.FactDeletion {
		t.Errorf("the newest deletion is not among the facts: %v, %v", facts, err)
	}
}

// watcher replays facts as a client does: it knows which captures are there and which have ended.
type watcher struct {
	cursor webhook.Seq
	// there maps captures to whether their outcome was told.
	there  map[webhook.Seq]bool
	lanes  map[webhook.Seq]webhook.Class
	object map[webhook.Seq]webhook.State
}

func (w *watcher) apply(f webhook.Fact) error {
	if f.Seq <= w.cursor {
		return fmt.Errorf("fact %d after %d", f.Seq, w.cursor)
	}
	w.cursor = f.Seq
	switch f.Kind {
	case webhook.FactArrival:
		if _, ok := w.there[f.Of]; ok {
			return fmt.Errorf("capture %d arrived twice", f.Of)
		}
		w.there[f.Of], w.lanes[f.Of] = false, f.Capture.Class
	case webhook.FactOutcome:
		ended, ok := w.there[f.Of]
		if !ok || ended {
			return fmt.Errorf("outcome of %d, arrived %v, ended %v", f.Of, ok, ended)
		}
		w.there[f.Of] = true
	case webhook.FactConnection:
		return fmt.Errorf("a connection of %s, which has none", f.Endpoint)
	case webhook.FactNote:
		return fmt.Errorf("a note of %d, which nobody wrote", f.Of)
	case webhook.FactReplay:
		return fmt.Errorf("a replay of %d, which had none", f.Of)
	case webhook.FactResolved:
		w.object[f.Of] = f.Object.State
	case webhook.FactDeletion:
		for _, seq := range f.Deletion.Captures {
			delete(w.there, seq)
		}
		for seq, class := range w.lanes {
			if seq <= f.Deletion.Through && (f.Deletion.Class == "" || f.Deletion.Class == class) {
				delete(w.there, seq)
			}
		}
	}
	return nil
}

// TestFactsExactlyOnce has writers, a deleter and watchers at work at once. Each watcher's picture in the end must be
// the store's, and nothing may have been told twice.
func TestFactsExactlyOnce(t *testing.T) {
	t.Parallel()
	bell := live.New()
	s := open(t, store.Config{Bell: bell})
	var done atomic.Int64 // the last seq once all writers have ended
	var writers, watchers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := range 150 {
				text := fmt.Sprint(w, " ", i)
				c := capture(s.Arrive("hook", key(text), true, start), text)
				if i%3 == 0 {
					c.Class = webhook.Rejected
				}
				ticket, err := s.Record(t.Context(), c, true)
				if err == nil {
					err = s.Finish(t.Context(), ticket, webhook.Outcome{Status: 200})
				}
				o := webhook.Object{Capture: c.Seq, Ref: webhook.Ref{Name: "x"}, State: webhook.Pending}
				if err == nil && i%2 == 0 {
					err = s.PlanObjects(t.Context(), c.Seq, []webhook.Object{o})
				}
				if o.State = webhook.Missing; err == nil && i%4 == 0 {
					err = s.Settle(t.Context(), o)
				}
				if err != nil && !errors.Is(err, webhook.ErrNotFound) {
					t.Error(err)
				}
			}
		})
	}
	writers.Go(func() {
		for i := range 60 {
			last, err := bell.Wait(t.Context(), webhook.Seq(i))
			if err == nil && i%6 == 5 {
				_, err = s.DeleteCaptures(t.Context(), "hook", webhook.Rejected, last/2)
			} else if err == nil {
				err = s.DeleteCapture(t.Context(), "hook", 1+rand.N(last))
			}
			if err != nil && !errors.Is(err, webhook.ErrNotFound) {
				t.Error(err)
			}
		}
	})
	pictures := make([]*watcher, 4)
	stop, cancel := context.WithCancel(t.Context())
	defer cancel()
	for i := range pictures {
		w := &watcher{there: make(map[webhook.Seq]bool), lanes: make(map[webhook.Seq]webhook.Class), object: make(map[webhook.Seq]webhook.State)}
		pictures[i] = w
		watchers.Go(func() {
			for done.Load() == 0 || int64(w.cursor) < done.Load() {
				if _, err := bell.Wait(stop, w.cursor); err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
					return
				}
				facts, err := s.Facts(t.Context(), w.cursor, 1+i*17)
				if err != nil {
					t.Error(err)
					return
				}
				for _, f := range facts {
					if err := w.apply(f); err != nil {
						t.Error(err)
						return
					}
				}
				if len(facts) == 0 && stop.Err() != nil {
					return
				}
			}
		})
	}
	writers.Wait()
	// All outcomes are written before this one is.
	record(t, s, "the last")
	done.Store(int64(s.Last()))
	cancel()
	watchers.Wait()
	want := make(map[webhook.Seq]bool)
	found, err := s.Captures(t.Context(), webhook.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range found {
		want[c.Seq] = c.Outcome != nil
	}
	if len(want) < 200 {
		t.Errorf("only %d captures are left to compare", len(want))
	}
	for _, w := range pictures {
		equal(t, "the watcher's picture", want, w.there)
		for _, c := range found {
			if len(c.Objects) == 1 && w.object[c.Seq] != c.Objects[0].State {
				t.Errorf("the object of capture %d was last told as %q, it is %q", c.Seq, w.object[c.Seq], c.Objects[0].State)
			}
		}
	}
}
