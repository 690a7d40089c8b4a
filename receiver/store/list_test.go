package store_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestCapturesPages(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	endpoint(t, s, webhook.Endpoint{Name: "other"})
	classes := []webhook.Class{webhook.Accepted, webhook.Rejected, webhook.Incomplete}
	var all []webhook.Capture
	for i := range 60 {
		c := record(t, s, fmt.Sprint("body ", i), in(classes[i%3]), func(c *webhook.Capture) {
			if i%10 == 9 {
				c.Endpoint = "other"
			}
		})
		all = append(all, c)
	}
	tests := map[string]webhook.Query{
		"newest first":         {Endpoint: "hook", Limit: 7},
		"oldest first":         {Endpoint: "hook", Limit: 7, Ascending: true},
		"one class":            {Endpoint: "hook", Limit: 5, Classes: []webhook.Class{webhook.Rejected}},
		"two classes, up":      {Endpoint: "hook", Limit: 5, Classes: []webhook.Class{webhook.Rejected, webhook.Incomplete}, Ascending: true},
		"all endpoints":        {Limit: 11},
		"bounds":               {Limit: 4, After: all[10].Seq, Before: all[40].Seq, Ascending: true},
		"with bodies":          {Endpoint: "hook", Limit: 9, WithBody: true},
		"no limit":             {Endpoint: "other"},
		"nothing between":      {Endpoint: "hook", After: all[10].Seq, Before: all[11].Seq, Limit: 3},
		"class that is absent": {Endpoint: "other", Classes: []webhook.Class{"odd"}, Limit: 3},
	}
	for name, q := range tests {
		var want []webhook.Capture
		for _, c := range all {
			if (q.Endpoint == "" || c.Endpoint == q.Endpoint) && (len(q.Classes) == 0 || slices.Contains(q.Classes, c.Class)) &&
				c.Seq > q.After && (q.Before == 0 || c.Seq < q.Before) {
				if !q.WithBody {
					c.Request.Body, c.Request.Framed = nil, nil
				}
				want = append(want, c)
			}
		}
		if !q.Ascending {
			slices.Reverse(want)
		}
		var got []webhook.Capture
		for {
			page, err := s.Captures(t.Context(), q)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if len(page) == 0 {
				break
			}
			if q.Limit > 0 && len(page) > q.Limit {
				t.Fatalf("%s: %d captures, limit %d", name, len(page), q.Limit)
			}
			got = append(got, page...)
			if q.Ascending {
				q.After = page[len(page)-1].Seq
			} else {
				q.Before = page[len(page)-1].Seq
			}
		}
		equal(t, name, want, got)
	}
	_, err := s.Captures(t.Context(), webhook.Query{Endpoint: "nobody"})
	mustFail(t, "unknown endpoint", err, webhook.ErrNotFound)
	_, err = s.Capture(t.Context(), "other", all[0].Seq)
	mustFail(t, "capture of another endpoint", err, webhook.ErrNotFound)
	counts, err := s.Counts(t.Context(), "hook")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "counts", map[webhook.Class]int64{webhook.Accepted: 18, webhook.Rejected: 18, webhook.Incomplete: 18}, counts)
}

func TestCapturesOfManyEndpoints(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	var want []webhook.Seq
	for i := range 50 {
		name := fmt.Sprint("e", i)
		endpoint(t, s, webhook.Endpoint{Name: name})
		c := record(t, s, name, to(name), in([]webhook.Class{webhook.Accepted, webhook.Rejected}[i%10/9]))
		if c.Class == webhook.Accepted {
			want = append(want, c.Seq)
		}
	}
	q := webhook.Query{Classes: []webhook.Class{webhook.Accepted}, Ascending: true, Limit: 7}
	for _, ascending := range []bool{true, false} {
		var got []webhook.Seq
		q.Ascending, q.After, q.Before = ascending, 0, 0
		for page := []webhook.Capture{{}}; len(page) > 0; {
			var err error
			if page, err = s.Captures(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			for _, c := range page {
				got = append(got, c.Seq)
				if ascending {
					q.After = c.Seq
				} else {
					q.Before = c.Seq
				}
			}
		}
		equal(t, fmt.Sprint("ascending ", ascending), want, got)
		slices.Reverse(want)
	}
}
