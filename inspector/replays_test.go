package inspector_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hookrange/hookrange/inspector"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const replayed = `{"id":"01910000-0000-7000-8000-000000000001","by":"forward","target":"http://127.0.0.1:3000/x?•••","policy":"none",
"attempt":1,"try":1,"started_at":"2026-11-22T10:00:00Z","duration_ms":12.5,"status":204,"delivered":true}`

// play is a Relay that delivers to nobody: it answers 503, then 200, and refuses what its URL asks it to.
type play struct {
	mu     sync.Mutex
	orders []webhook.Order
}

func (p *play) Send(_ context.Context, o webhook.Order, tell func(webhook.Replay)) error {
	p.mu.Lock()
	p.orders = append(p.orders, o)
	p.mu.Unlock()
	if strings.Contains(o.URL, "refused") {
		return fmt.Errorf("%w: url: it is refused", webhook.ErrInvalid)
	}
	one := webhook.Replay{
		Capture: o.Capture.Seq, Endpoint: o.Capture.Endpoint, ID: o.ID, By: o.By, Target: "https://a.example/" + hooked, Policy: "none",
		Signed: o.Sign != nil, Edited: o.Body != nil, Attempt: 1, Try: 1, Start: time.Now(), Status: 503, NextIn: new(time.Second),
	}
	tell(one)
	if strings.Contains(o.URL, "endless") {
		return errors.New("the replay took too long")
	}
	one.Attempt, one.Status, one.NextIn, one.Delivered = 2, 200, nil, true
	tell(one)
	return nil
}

func (*play) Policies() []string { return []string{"none", "langsmith-rules"} }

func playRelay(c *inspector.Config) { c.Relay = &play{} }

func TestReplay(t *testing.T) {
	t.Parallel()
	relay := &play{}
	r := newRig(t, func(c *inspector.Config) { c.Relay = relay })
	r.endpoint(t, "default", func(ep *webhook.Endpoint) { ep.Secret.Scheme = webhook.SchemeGitHub })
	c := r.capture(t, "default", `{"a":1}`)
	path := fmt.Sprintf("/api/v1/endpoints/default/captures/%d/", c.Seq)

	got := decoded[api.ReplayResult](t, r.call(t, "POST", path+"replay", `{"url":"https://a.example/?secret=t"}`), http.StatusOK)
	if !got.Delivered || len(got.Replays) != 2 || got.Problem != "" || got.Replays[0].Target != "https://a.example/•••" {
		t.Errorf("as it came: %+v", got)
	}
	order := relay.orders[0]
	if order.URL != "https://a.example/?secret=t" || order.Header != nil || order.Body != nil || order.Sign != nil ||
		!bytes.Equal(order.Capture.Request.Body, c.Request.Body) || !bytes.Equal(order.Capture.Request.Head, c.Request.Head) {
		t.Errorf("the order: %+v", order)
	}
	kept := get[api.Replays](t, r, path+"replays")
	if diff := cmp.Diff(got.Replays, kept.Replays, cmpopts.IgnoreFields(api.Replay{}, "Seq")); diff != "" {
		t.Errorf("answered and kept differ:\n%s", diff)
	}
	edited := `{"url":"https://a.example/","method":"PUT","headers":[["A","b"]],"body_base64":"AP8=","secret":"other","policy":"langsmith-rules"}`
	decoded[api.ReplayResult](t, r.call(t, "POST", path+"replay", edited), http.StatusOK)
	order = relay.orders[1]
	want := webhook.Order{
		Method: "PUT", Header: []webhook.Field{{Name: "A", Value: "b"}}, Body: []byte{0, 255}, Policy: "langsmith-rules",
		Sign: &webhook.SecretPolicy{Scheme: webhook.SchemeGitHub, Secrets: []string{"other"}},
	}
	if diff := cmp.Diff(want, order, cmpopts.IgnoreFields(webhook.Order{}, "ID", "By", "Capture", "URL")); diff != "" {
		t.Errorf("edited order (-want +got):\n%s", diff)
	}
	decoded[api.ReplayResult](t, r.call(t, "POST", path+"replay", `{"url":"https://a.example/","sign":true,"body":""}`), http.StatusOK)
	if order = relay.orders[2]; order.Sign == nil || order.Sign.Secrets[0] != hooked || order.Body == nil || len(order.Body) != 0 {
		t.Errorf("signed with the endpoint's own, with an empty body: %+v", order)
	}
	cut := decoded[api.ReplayResult](t, r.call(t, "POST", path+"replay", `{"url":"https://endless.example/"}`), http.StatusOK)
	if cut.Delivered || len(cut.Replays) != 1 || cut.Problem == "" {
		t.Errorf("cut off: %+v", cut)
	}
	for name, body := range map[string]string{
		"refused":       `{"url":"https://refused.example/"}`,
		"no url":        `{}`,
		"two bodies":    `{"url":"https://a.example/","body":"a","body_base64":"AA=="}`,
		"masked header": `{"url":"https://a.example/","headers":[["Authorization","Bearer •••"]]}`,
		"masked body":   `{"url":"https://a.example/","body":"•••"}`,
		"unknown field": `{"url":"https://a.example/","target":"x"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, r.call(t, "POST", path+"replay", body), http.StatusBadRequest, "invalid")
		})
	}
	refused(t, r.call(t, "POST", "/api/v1/endpoints/default/captures/99999/replay", `{"url":"https://a.example/"}`), http.StatusNotFound, "not_found")
}

func TestReplaySome(t *testing.T) {
	t.Parallel()
	relay := &play{}
	r := newRig(t, func(c *inspector.Config) { c.Relay = relay })
	r.endpoint(t, "default")
	var all []int64
	for i := range 4 {
		all = append(all, int64(r.capture(t, "default", fmt.Sprintf(`{"n":%d}`, i), func(c *webhook.Capture) {
			if i == 3 {
				c.Class, c.Reason = webhook.Rejected, webhook.SecretWrong
			}
		}).Seq))
	}
	for name, tt := range map[string]struct {
		body string
		want []int64
	}{
		"all accepted": {`{"url":"https://a.example/"}`, all[:3]},
		"a search":     {`{"url":"https://a.example/","q":"body.n:1"}`, all[1:2]},
		"a class":      {`{"url":"https://a.example/","class":["rejected"]}`, all[3:]},
		"those listed": {fmt.Sprintf(`{"url":"https://a.example/","captures":[%d,99999,%d]}`, all[2], all[0]), []int64{all[2], 99999, all[0]}},
		"bounds":       {fmt.Sprintf(`{"url":"https://a.example/","after":%d,"before":%d,"limit":1}`, all[0], all[2]), all[1:2]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := r.call(t, "POST", "/api/v1/endpoints/default/replay", tt.body)
			if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "application/x-ndjson" {
				t.Fatalf("answered %d: %s", a.StatusCode, a.text)
			}
			var got []int64
			for text := range bytes.Lines(a.text) {
				var one api.ReplayResult
				if err := json.Unmarshal(text, &one); err != nil {
					t.Fatal(err)
				}
				if got = append(got, one.Capture); one.Delivered == (one.Capture == 99999) {
					t.Errorf("capture %d: %+v", one.Capture, one)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("sent on (-want +got):\n%s", diff)
			}
		})
	}
	for name, body := range map[string]string{
		"no url":       `{}`,
		"both":         `{"url":"https://a.example/","captures":[1],"q":"x"}`,
		"a bad search": `{"url":"https://a.example/","q":"size:huge"}`,
		"a bad class":  `{"url":"https://a.example/","class":["all"]}`,
		"too many":     `{"url":"https://a.example/","limit":1001}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, r.call(t, "POST", "/api/v1/endpoints/default/replay", body), http.StatusBadRequest, "invalid")
		})
	}
}

// TestWhatAForwardDidNotDeliverIsFoundAndSentAgain finds it by a search, sends all that is found, and then finds it no more.
func TestWhatAForwardDidNotDeliverIsFoundAndSentAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, playRelay)
	r.endpoint(t, "default")
	lost, sent := r.capture(t, "default", `{"n":1}`), r.capture(t, "default", `{"n":2}`)
	r.capture(t, "default", `{"n":3}`)
	for _, c := range []webhook.Capture{lost, sent} {
		try := webhook.Replay{
			Capture: c.Seq, Endpoint: "default", ID: "01910000-0000-7000-8000-000000000001", By: webhook.ByEndpoint,
			Target: "https://a.example/" + hooked, Policy: "none", Attempt: 1, Try: 1, Start: time.Now(), Status: 503, Delivered: c.Seq == sent.Seq,
		}
		if err := r.store.RecordReplay(t.Context(), try); err != nil {
			t.Fatal(err)
		}
	}
	find := func(q string, want ...webhook.Seq) {
		t.Helper()
		var got []webhook.Seq
		for _, c := range get[api.Captures](t, r, captures+"?order=asc&q="+q).Captures {
			got = append(got, webhook.Seq(c.Seq))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", q, diff)
		}
	}
	find("forward:failed", lost.Seq)
	find("forward:delivered", sent.Seq)
	a := r.call(t, http.MethodPost, "/api/v1/endpoints/default/replay", `{"url":"https://a.example/x","q":"forward:failed"}`)
	if lines := bytes.Count(a.text, []byte("\n")); a.StatusCode != http.StatusOK || lines != 1 {
		t.Errorf("sent again: %d, %d lines: %s", a.StatusCode, lines, a.text)
	}
	find("forward:failed")
	find("forward:delivered", lost.Seq, sent.Seq)
}

func TestRecordReplayRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	c := r.capture(t, "default", "x")
	path := fmt.Sprintf("/api/v1/endpoints/default/captures/%d/replays", c.Seq)
	for name, edit := range map[string][2]string{
		"the server's":     {`"forward"`, `"server"`},
		"no id":            {"01910000-0000-7000-8000-000000000001", "x"},
		"a user":           {"http://", "http://u:p@"},
		"a query":          {"?•••", "?secret=s"},
		"attempt 0":        {`"attempt":1`, `"attempt":0`},
		"an odd status":    {"204", "2040"},
		"a negative time":  {"12.5", "-12.5"},
		"a negative wait":  {"12.5", `1,"next_in_ms":-1`},
		"an unknown field": {`"policy"`, `"plan"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, r.call(t, "POST", path, strings.Replace(replayed, edit[0], edit[1], 1)), http.StatusBadRequest, "invalid")
		})
	}
	refused(t, r.call(t, "POST", "/api/v1/endpoints/default/captures/99999/replays", replayed), http.StatusNotFound, "not_found")
	refused(t, r.call(t, "POST", fmt.Sprintf("/api/v1/endpoints/default/captures/%d/replay", c.Seq), `{"url":"https://a.example/"}`),
		http.StatusNotFound, "not_found")
}
