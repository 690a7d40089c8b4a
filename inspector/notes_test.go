package inspector_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestNotesAreSharedAndFound(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	a, b := r.capture(t, "default", `{"a":1}`), r.capture(t, "default", `{"b":1}`)
	path := func(c webhook.Capture) string { return fmt.Sprintf("/api/v1/endpoints/default/captures/%d", c.Seq) }
	decoded[api.Note](t, r.call(t, http.MethodPatch, path(a)+"/note", `{"pinned":true}`), http.StatusOK)
	got := decoded[api.Note](t, r.call(t, http.MethodPatch, path(a)+"/note", `{"text":"ask about `+hooked+`"}`), http.StatusOK)
	if !got.Pinned || got.Text != "ask about •••" {
		t.Errorf("the note is %+v", got)
	}
	if got := get[api.Capture](t, r, path(a)+"?reveal=true"); got.Note == nil || got.Note.Text != "ask about "+hooked {
		t.Errorf("revealed, the note is %+v", got.Note)
	}
	for q, want := range map[string][]int64{
		"pinned:true": {int64(a.Seq)}, "pinned:false": {int64(b.Seq)}, `note:"ASK about"`: {int64(a.Seq)}, "note:nothing": {},
	} {
		if got := seqs(get[api.Captures](t, r, "/api/v1/endpoints/default/captures?q="+url.QueryEscape(q)).Captures); !slices.Equal(got, want) {
			t.Errorf("%s finds %v, want %v", q, got, want)
		}
	}
	refused(t, r.call(t, http.MethodPatch, path(a)+"/note", `{"pinned":"yes"}`), http.StatusBadRequest, "invalid")
	refused(t, r.call(t, http.MethodGet, "/api/v1/endpoints/default/captures?q=pinned:maybe", ""), http.StatusBadRequest, "invalid")
}

func TestCapturesUpToATime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var want []int64
	for i := range 5 {
		c := r.capture(t, "default", fmt.Sprint(i), func(c *webhook.Capture) { c.ReceivedAt = at.Add(time.Duration(i) * time.Hour) })
		want = append([]int64{int64(c.Seq)}, want...)
	}
	for until, n := range map[string]int{"2026-11-22T11:59:59Z": 0, "2026-11-22T14:30:00Z": 3, "2026-11-22T15:30:00+01:00": 3, "2027-01-01T00:00:00Z": 5} {
		got := seqs(get[api.Captures](t, r, "/api/v1/endpoints/default/captures?until="+url.QueryEscape(until)).Captures)
		if !slices.Equal(got, want[5-n:]) {
			t.Errorf("until %s there are %v, want %v", until, got, want[5-n:])
		}
	}
	refused(t, r.call(t, http.MethodGet, "/api/v1/endpoints/default/captures?until=noon", ""), http.StatusBadRequest, "invalid")
}
