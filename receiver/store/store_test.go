package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

var start = time.Date(2026, 11, 3, 9, 30, 0, 123456789, time.UTC)

// open opens a store with an endpoint "hook", and closes it at the test's end.
func open(tb testing.TB, config store.Config) *store.Store {
	tb.Helper()
	if config.Dir == "" {
		config.Dir = tb.TempDir()
	}
	if config.Now == nil {
		config.Now = func() time.Time { return start.Add(time.Minute) }
	}
	s, err := store.Open(tb.Context(), config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	if _, err := s.Endpoint("hook"); err != nil {
		endpoint(tb, s, webhook.Endpoint{Name: "hook"})
	}
	return s
}

func endpoint(tb testing.TB, s *store.Store, ep webhook.Endpoint) *webhook.Endpoint {
	tb.Helper()
	saved, err := s.SaveEndpoint(tb.Context(), ep, true)
	if err != nil {
		tb.Fatal(err)
	}
	return saved
}

// capture returns a capture of "hook" with every field set, and a body made of text.
func capture(arrival webhook.Arrival, text string) *webhook.Capture {
	body := []byte(text)
	return &webhook.Capture{
		Endpoint: "hook", ReceivedAt: start, Class: webhook.Accepted,
		Delivery: arrival.Delivery, DeliveryBy: "body", Attempt: arrival.Attempt, Gap: arrival.Gap,
		Request: webhook.Request{
			Peer: netip.MustParseAddrPort("[2001:db8::1]:4711"), Proto: "HTTP/1.1",
			TLS:    &webhook.TLS{Version: "1.3", Cipher: "TLS_AES_128_GCM_SHA256", ServerName: "h.example", ALPN: "http/1.1", Resumed: true},
			Method: "POST", Target: "/hooks/hook?secret=s%20s",
			Head: []byte("POST /hooks/hook?secret=s%20s HTTP/1.1\r\nHost: h.example\r\nX-A: 1\r\nx-a: 2\r\n\r\n"),
			Body: body, BodySHA256: sha256.Sum256(body), BodySize: int64(len(body)), Declared: int64(len(body)),
		},
		Plan: webhook.Plan{
			Text: "503/after=2s", Rule: "slow", Step: arrival.Step, Status: 503, Fault: webhook.Drip, After: 2 * time.Second, For: time.Minute,
			Rate: 7, Header: []webhook.Field{{Name: "Retry-After", Value: "1"}}, Body: []byte("later"), Seed: 1 << 63, Close: true,
		},
	}
}

func key(text string) webhook.DeliveryKey {
	sum := sha256.Sum256([]byte(text))
	return webhook.DeliveryKey{Sum: [16]byte(sum[:16]), By: "body"}
}

// record records a capture with a body as a delivery by that body.
func record(tb testing.TB, s *store.Store, text string, change ...func(*webhook.Capture)) webhook.Capture {
	tb.Helper()
	c := capture(s.Arrive("hook", key(text), true, start), text)
	for _, f := range change {
		f(c)
	}
	if _, err := s.Record(tb.Context(), c, false); err != nil {
		tb.Fatal(err)
	}
	return *c
}

func in(class webhook.Class) func(*webhook.Capture) {
	return func(c *webhook.Capture) { c.Class = class }
}

func to(endpoint string) func(*webhook.Capture) {
	return func(c *webhook.Capture) { c.Endpoint = endpoint }
}

// eventually waits for a condition without sleeping blindly: it rings with each commit or tick.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatalf("not within 30 s: %s", what)
		}
	}
}

func equal(tb testing.TB, what string, want, got any) {
	tb.Helper()
	options := cmp.Options{
		cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
		// Byte by byte is slow; nil and empty differ, as they do otherwise.
		cmp.Comparer(func(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }),
	}
	if diff := cmp.Diff(want, got, options); diff != "" {
		tb.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// mustFail checks the error's kind.
func mustFail(tb testing.TB, what string, err, want error) {
	tb.Helper()
	if !errors.Is(err, want) {
		tb.Errorf("%s: error %v, want one that is %v", what, err, want)
	}
}

// deliveryKey returns a key that no other n has.
func deliveryKey(n uint64) webhook.DeliveryKey {
	k := webhook.DeliveryKey{By: "id"}
	binary.BigEndian.PutUint64(k.Sum[:], n)
	return k
}
