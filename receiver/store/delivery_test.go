package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestArrive(t *testing.T) {
	t.Parallel()
	type attempt struct {
		key            webhook.DeliveryKey
		endpoint       string
		rejected       bool
		after          time.Duration
		sameAs         int // index of the attempt whose delivery it joins, or its own
		number, inStep int
	}
	a, b, none := key("a"), key("b"), webhook.DeliveryKey{By: "none"}
	otherBy := webhook.DeliveryKey{Sum: a.Sum, By: "id"}
	tests := map[string][]attempt{
		"attempts of one delivery": {
			{key: a, number: 1}, {key: a, number: 2, inStep: 1}, {key: b, sameAs: 2, number: 1}, {key: a, number: 3, inStep: 2},
		},
		"another endpoint":           {{key: a, number: 1}, {key: a, endpoint: "other", sameAs: 1, number: 1}},
		"another way of recognising": {{key: a, number: 1}, {key: otherBy, sameAs: 1, number: 1}},
		"none never matches":         {{key: none, number: 1}, {key: none, sameAs: 1, number: 1}},
		"rejected joins without a step": {
			{key: a, number: 1}, {key: a, rejected: true, number: 2, inStep: 1}, {key: a, number: 3, inStep: 1},
		},
		"rejected begins nothing": {
			{key: a, rejected: true, number: 1}, {key: a, rejected: true, sameAs: 1, number: 1}, {key: a, sameAs: 2, number: 1},
		},
		"within the window of the last attempt": {
			{key: a, number: 1}, {key: a, after: time.Hour, number: 2, inStep: 1}, {key: a, after: 2 * time.Hour, number: 3, inStep: 2},
		},
		"after the window": {{key: a, number: 1}, {key: a, after: time.Hour + 1, sameAs: 1, number: 1}},
	}
	for name, attempts := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, store.Config{DeliveryWindow: time.Hour})
			ids := make([]string, len(attempts))
			for i, in := range attempts {
				if in.endpoint == "" {
					in.endpoint = "hook"
				}
				got := s.Arrive(in.endpoint, in.key, !in.rejected, start.Add(in.after))
				ids[i] = got.Delivery
				if got.Attempt != in.number || got.Step != in.inStep {
					t.Errorf("attempt %d of the list: number %d at step %d, want %d at step %d", i, got.Attempt, got.Step, in.number, in.inStep)
				}
				for j := range i {
					if (ids[j] == ids[i]) != (attempts[j].sameAs == in.sameAs && in.sameAs != i) {
						t.Errorf("attempts %d and %d have deliveries %s and %s", j, i, ids[j], ids[i])
					}
				}
			}
		})
	}
}

func TestGap(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	recorded := func(at time.Time) (webhook.Ticket, *time.Duration) {
		c := capture(s.Arrive("hook", key("a"), true, at), "a")
		c.ReceivedAt = at
		ticket, err := s.Record(t.Context(), c, false)
		if err != nil {
			t.Fatal(err)
		}
		return ticket, c.Gap
	}
	finish := func(ticket webhook.Ticket, done time.Duration) {
		if err := s.Finish(t.Context(), ticket, webhook.Outcome{Done: &done}); err != nil {
			t.Fatal(err)
		}
	}
	first, gap := recorded(start)
	equal(t, "first", (*time.Duration)(nil), gap)
	second, gap := recorded(start.Add(5 * time.Second))
	equal(t, "while the first has not ended", (*time.Duration)(nil), gap)
	finish(first, time.Minute) // not the latest attempt: no matter
	finish(second, time.Second)
	third, gap := recorded(start.Add(10 * time.Second))
	equal(t, "after the second ended", new(4*time.Second), gap)
	finish(third, 3*time.Second)
	fourth, gap := recorded(start.Add(12 * time.Second))
	equal(t, "overlapping, and the end is known", new(-time.Second), gap)
	s.Leaving(fourth, time.Second)
	fifth, gap := recorded(start.Add(15 * time.Second))
	equal(t, "while the answer leaves", new(2*time.Second), gap)
	s.Leaving(fourth, time.Minute) // not the latest attempt: no matter
	s.Leaving(fifth, time.Second)
	finish(fifth, 2*time.Second)
	_, gap = recorded(start.Add(20 * time.Second))
	equal(t, "after it has left", new(3*time.Second), gap)
}

// TestNewAnswersBeginAtTheirFirstStep also for deliveries that are known, and after a restart.
func TestNewAnswersBeginAtTheirFirstStep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, store.Config{Dir: dir})
	n := 0
	arrive := func(what string, step int) {
		t.Helper()
		n++
		c := capture(s.Arrive("hook", key("a"), true, start), "a")
		if _, err := s.Record(t.Context(), c, false); err != nil {
			t.Fatal(err)
		}
		if got := s.Arrive("hook", key("a"), false, start); got.Step != step+1 || c.Attempt != 2*n-1 {
			t.Errorf("%s: attempt %d, then step %d; want attempt %d, then %d", what, c.Attempt, got.Step, 2*n-1, step+1)
		}
	}
	respond := func(text string) {
		t.Helper()
		ep, err := s.Endpoint("hook")
		if err != nil {
			t.Fatal(err)
		}
		changed := *ep
		changed.Respond = text
		if _, err = s.SaveEndpoint(t.Context(), changed, false); err != nil {
			t.Fatal(err)
		}
	}
	arrive("first", 0)
	arrive("second", 1)
	respond("503x2 200")
	arrive("after a change", 0)
	arrive("second after a change", 1)
	respond("503x2 200")
	arrive("the same answers again", 2)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, store.Config{Dir: dir})
	n = 0
	if got := s.Arrive("hook", key("a"), true, start); got.Step != 3 {
		t.Errorf("after a restart: step %d, want 3", got.Step)
	}
	respond("500")
	if got := s.Arrive("hook", key("a"), true, start); got.Step != 0 {
		t.Errorf("after a restart and a change: step %d, want 0", got.Step)
	}
}

func TestDeliveriesAreBounded(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{Deliveries: 10})
	for i := range 30 {
		s.Arrive("hook", deliveryKey(uint64(i)), true, start)
		s.Arrive("hook", deliveryKey(0), true, start)
	}
	if n := s.Known(); n != 10 {
		t.Errorf("%d deliveries are known, want 10", n)
	}
	if got := s.Arrive("hook", deliveryKey(0), true, start).Attempt; got != 32 {
		t.Errorf("the delivery that is used most has attempt %d, want 32", got)
	}
	if got := s.Arrive("hook", deliveryKey(5), true, start).Attempt; got != 1 {
		t.Errorf("a forgotten delivery has attempt %d, want 1", got)
	}
}

func TestDeliveriesSurviveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := start
	config := store.Config{Dir: dir, Now: func() time.Time { return now }, DeliveryWindow: time.Hour}
	s := open(t, config)
	ids := make(map[string]string)
	for i := range 3 {
		for _, body := range []string{"a", "b"} {
			c := capture(s.Arrive("hook", key(body), body == "a" || i != 1, start), body)
			if body == "b" && i == 1 {
				c.Class = webhook.Rejected
			}
			ticket, err := s.Record(t.Context(), c, false)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Finish(t.Context(), ticket, webhook.Outcome{Done: new(time.Second)}); err != nil {
				t.Fatal(err)
			}
			ids[body] = c.Delivery
		}
	}
	old := capture(s.Arrive("hook", key("old"), true, start.Add(-2*time.Hour)), "old")
	old.ReceivedAt = start.Add(-2 * time.Hour)
	if _, err := s.Record(t.Context(), old, false); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, config)
	at := start.Add(30 * time.Second)
	equal(t, "a", webhook.Arrival{Delivery: ids["a"], Attempt: 4, Step: 3, Gap: new(29 * time.Second)}, s.Arrive("hook", key("a"), true, at))
	equal(t, "b", webhook.Arrival{Delivery: ids["b"], Attempt: 4, Step: 2, Gap: new(29 * time.Second)}, s.Arrive("hook", key("b"), true, at))
	if got := s.Arrive("hook", key("old"), true, at); got.Attempt != 1 {
		t.Errorf("a delivery from before the window goes on with attempt %d", got.Attempt)
	}
}

// TestManyDeliveriesSurviveARestart has more than are read in one piece.
func TestManyDeliveriesSurviveARestart(t *testing.T) {
	t.Parallel()
	const count, bound = 5000, 4700
	dir := t.TempDir()
	s := open(t, store.Config{Dir: dir})
	var wg sync.WaitGroup
	for w := range uint64(32) {
		wg.Go(func() {
			for n := w; n < count; n += 32 {
				c := capture(s.Arrive("hook", deliveryKey(n), true, start), fmt.Sprint(n))
				if _, err := s.Record(t.Context(), c, false); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	newest, err := s.Captures(t.Context(), webhook.Query{Limit: 1})
	if err != nil || len(newest) != 1 {
		t.Fatal(newest, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, store.Config{Dir: dir, Deliveries: bound})
	if n := s.Known(); n != bound {
		t.Errorf("%d deliveries are known after a restart, want %d", n, bound)
	}
	var body uint64
	if _, err := fmt.Sscan(string(bodyOf(t, s, newest[0].Seq)), &body); err != nil {
		t.Fatal(err)
	}
	if at := s.Arrive("hook", deliveryKey(body), true, start); at.Attempt != 2 || at.Delivery != newest[0].Delivery {
		t.Errorf("the newest delivery comes again as attempt %d of %s, want 2 of %s", at.Attempt, at.Delivery, newest[0].Delivery)
	}
}

func bodyOf(t *testing.T, s *store.Store, seq webhook.Seq) []byte {
	t.Helper()
	c, err := s.Capture(t.Context(), "hook", seq)
	if err != nil {
		t.Fatal(err)
	}
	return c.Request.Body
}

func TestDeliveriesList(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	endpoint(t, s, webhook.Endpoint{Name: "other"})
	want := make(map[string][]webhook.Seq)
	var order []string
	var firsts []webhook.Seq
	for i := range 12 {
		c := record(t, s, fmt.Sprint("body ", i%5), in([]webhook.Class{webhook.Accepted, webhook.Rejected}[i/5%2]))
		if len(want[c.Delivery]) == 0 {
			order, firsts = append([]string{c.Delivery}, order...), append(firsts, c.Seq)
		}
		want[c.Delivery] = append(want[c.Delivery], c.Seq)
	}
	record(t, s, "elsewhere", to("other"))
	var got []webhook.Delivery
	for before := webhook.Seq(0); ; {
		page, err := s.Deliveries(t.Context(), "hook", before, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
		before = page[len(page)-1].Attempts[0].Seq
	}
	var ids []string
	for _, d := range got {
		ids = append(ids, d.ID)
		var seqs []webhook.Seq
		for _, c := range d.Attempts {
			seqs = append(seqs, c.Seq)
		}
		equal(t, "attempts", want[d.ID], seqs)
		one, err := s.Delivery(t.Context(), "hook", d.ID)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "one delivery", d, one)
		_, err = s.Delivery(t.Context(), "other", d.ID)
		mustFail(t, "delivery of another endpoint", err, webhook.ErrNotFound)
	}
	equal(t, "order", order, ids)
	_, err := s.Delivery(t.Context(), "hook", "no uuid")
	mustFail(t, "an id that is none", err, webhook.ErrNotFound)
	_, err = s.Deliveries(t.Context(), "nobody", 0, 1)
	mustFail(t, "unknown endpoint", err, webhook.ErrNotFound)
	if err := s.DeleteCapture(t.Context(), "hook", firsts[0]); err != nil {
		t.Fatal(err)
	}
	if rest, err := s.Deliveries(t.Context(), "hook", 0, 10); err != nil || len(rest) != 4 {
		t.Errorf("%d deliveries whose first attempt is there, %v; want 4", len(rest), err)
	}
}
