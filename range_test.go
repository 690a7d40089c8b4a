package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/resolve/egress"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
)

// TestRange lends, receives, replans and leaves nothing behind.
func TestRange(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	house, err := openRange(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	lent, err := house.Lend(ctx, scripts.Spec{Case: "A", Name: "main", Respond: "503 200", Scheme: webhook.SchemeQuery, Param: "token"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(lent.URL(1), "?token="+lent.Secret()) || !strings.Contains(lent.URL(2), "/2?token=") {
		t.Errorf("URLs %s and %s", lent.URL(1), lent.URL(2))
	}
	if masked := lent.Mask().String(lent.URL(1)); strings.Contains(masked, lent.Secret()) {
		t.Errorf("not masked: %s", masked)
	}
	post := func(url string) int {
		t.Helper()
		resp, err := http.Post(url, "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	got := []int{post(lent.URL(1)), post(lent.URL(1)), post(lent.URL(2))}
	if got[0] != 503 || got[1] != 200 || got[2] != 503 {
		t.Errorf("answered %v, want 503 200 503: each trigger has its own sequence", got)
	}
	if _, err = lent.Wait(ctx, 0); err != nil {
		t.Error(err)
	}
	if err = lent.Settle(ctx); err != nil {
		t.Error(err)
	}
	captures, err := lent.Captures(ctx, true)
	if err != nil || len(captures) != 3 || string(captures[0].Request.Body) != "{}" {
		t.Errorf("%d captures, error %v", len(captures), err)
	}
	if err = lent.Replan(ctx, "418"); err != nil || post(lent.URL(1)) != 418 {
		t.Errorf("not replanned, error %v", err)
	}
	if _, err = house.Lend(ctx, scripts.Spec{Name: "main", Respond: "2000", Scheme: webhook.SchemeQuery}); err == nil {
		t.Error("a plan that cannot be was lent")
	}
	for range 2 {
		if err = lent.Return(ctx); err != nil {
			t.Error(err)
		}
	}
	if _, err = http.Post(lent.URL(1), "application/json", nil); err == nil {
		t.Error("the port is still open")
	}
	if left := house.store.Endpoints(); len(left) != 0 {
		t.Errorf("%d endpoints are left", len(left))
	}
	if err = house.close(ctx); err != nil {
		t.Error(err)
	}
	if _, err = os.Stat(house.dir); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
}

// TestGuardedFetcher asks private stores only where it may.
func TestGuardedFetcher(t *testing.T) {
	t.Parallel()
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"a":1}`)) }))
	defer store.Close()
	open := guardedFetcher{egress.New(egress.Config{}), webhook.FetchPolicy{Private: []string{strings.TrimPrefix(store.URL, "http://")}}, nil}
	if status, body, err := open.Fetch(t.Context(), store.URL+"/x"); err != nil || status != 200 || string(body) != `{"a":1}` {
		t.Errorf("status %d, body %s, error %v", status, body, err)
	}
	shut := guardedFetcher{egress.New(egress.Config{}), webhook.FetchPolicy{}, nil}
	if _, _, err := shut.Fetch(t.Context(), store.URL+"/x"); err == nil {
		t.Error("a private store was asked without leave")
	}
}
