package relay_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver/relay"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const head = "POST /hooks/default?secret=s HTTP/1.1\r\nHost: a\r\nX-Two: 1\r\nx-two: 2\r\nConnection: close, X-Hop\r\nX-Hop: h\r\n" +
	"Transfer-Encoding: chunked\r\nUpgrade: h2c\r\nExpect: 100-continue\r\nhookrange-replay: old\r\nContent-Type: text/plain\r\n\tfolded\r\n\r\n"

func captured() *webhook.Capture {
	return &webhook.Capture{
		Seq: 7, Endpoint: "default", Class: webhook.Accepted,
		Request: webhook.Request{Method: "POST", Head: []byte(head), Body: []byte("b\x00dy")},
	}
}

// sent runs one order and returns the message and the tries, which deliver makes.
func sent(t *testing.T, o webhook.Order, change ...func(*relay.Config)) (relay.Message, []webhook.Replay, error) {
	t.Helper()
	var got relay.Message
	cfg := relay.Config{
		Sign: func(p webhook.SecretPolicy, m relay.Message, _ time.Time) (relay.Message, error) {
			m.Header = append(m.Header, webhook.Field{Name: "X-Signed", Value: p.Secrets[0]})
			return m, nil
		},
		Deliver: func(_ context.Context, m relay.Message, _ string, tell func(webhook.Replay)) (bool, error) {
			got = m
			tell(webhook.Replay{Attempt: 1, Try: 1, Status: 503, NextIn: new(time.Second)})
			tell(webhook.Replay{Attempt: 2, Try: 1, Status: 204})
			return true, nil
		},
	}
	for _, f := range change {
		f(&cfg)
	}
	var tries []webhook.Replay
	err := relay.New(cfg).Send(t.Context(), o, func(r webhook.Replay) { tries = append(tries, r) })
	return got, tries, err
}

func TestSendAsItCame(t *testing.T) {
	t.Parallel()
	m, tries, err := sent(t, webhook.Order{ID: "id", By: webhook.ByServer, Capture: captured(), URL: "http://u:p@a.example/x?secret=t#f"})
	if err != nil {
		t.Fatal(err)
	}
	want := relay.Message{
		Method: "POST", URL: "http://u:p@a.example/x?secret=t#f", Body: []byte("b\x00dy"),
		Header: []webhook.Field{{"Host", "a"}, {"X-Two", "1"}, {"x-two", "2"}, {"Content-Type", "text/plain folded"}, {"Hookrange-Replay", "id"}},
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	first := webhook.Replay{
		Capture: 7, Endpoint: "default", ID: "id", By: webhook.ByServer, Target: "http://a.example/x?•••", Policy: "none",
		Attempt: 1, Try: 1, Status: 503, NextIn: new(time.Second),
	}
	second := first
	second.Attempt, second.Status, second.NextIn, second.Delivered = 2, 204, nil, true
	if diff := cmp.Diff([]webhook.Replay{first, second}, tries); diff != "" {
		t.Errorf("tries (-want +got):\n%s", diff)
	}
}

func TestSendEditedAndSigned(t *testing.T) {
	t.Parallel()
	m, tries, err := sent(t, webhook.Order{
		Capture: captured(), URL: "http://a.example/", Method: "PUT", Header: []webhook.Field{{"A", "b"}, {"Keep-Alive", "1"}}, Body: []byte{},
		Sign: &webhook.SecretPolicy{Secrets: []string{"s"}}, Policy: "langsmith-rules",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := relay.Message{
		Method: "PUT", URL: "http://a.example/", Body: []byte{},
		Header: []webhook.Field{{"A", "b"}, {"Hookrange-Replay", ""}, {"X-Signed", "s"}},
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	if last := tries[1]; !last.Edited || !last.Signed || last.Policy != "langsmith-rules" || last.Target != "http://a.example/" {
		t.Errorf("the try says %+v", last)
	}
}

func TestSendRefuses(t *testing.T) {
	t.Parallel()
	cut := captured()
	cut.Request.Truncated = true
	if _, tries, err := sent(t, webhook.Order{Capture: cut, URL: "http://a.example/"}); !errors.Is(err, webhook.ErrInvalid) || tries != nil {
		t.Errorf("a body that is cut: %v, %v", tries, err)
	}
	if _, _, err := sent(t, webhook.Order{Capture: cut, URL: "http://a.example/", Body: []byte("whole")}); err != nil {
		t.Errorf("with a body of its own: %v", err)
	}
	blocked := errors.New("blocked")
	_, tries, err := sent(t, webhook.Order{Capture: captured(), URL: "http://a.example/"}, func(c *relay.Config) {
		c.Permit = func(context.Context, string) error { return blocked }
	})
	if !errors.Is(err, blocked) || tries != nil {
		t.Errorf("not permitted: %v, %v", tries, err)
	}
}

func TestSendIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, tries, err := sent(t, webhook.Order{Capture: captured(), URL: "http://a.example/"}, func(c *relay.Config) {
			c.Limit = time.Minute
			c.Deliver = func(ctx context.Context, _ relay.Message, _ string, tell func(webhook.Replay)) (bool, error) {
				tell(webhook.Replay{Attempt: 1, NextIn: new(time.Hour)})
				<-ctx.Done()
				return false, ctx.Err()
			}
		})
		if !errors.Is(err, relay.ErrLimit) || len(tries) != 1 || time.Since(start) != time.Minute {
			t.Errorf("after %v: %v, %v", time.Since(start), tries, err)
		}
	})
}

func TestMarked(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{head: true, "GET / HTTP/1.1\r\nX: hookrange-replay: 1\r\n\r\n": false} {
		if relay.Marked([]byte(text)) != want {
			t.Errorf("%q is taken for marked: %v", text, !want)
		}
	}
}
