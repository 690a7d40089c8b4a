package proving_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver"
	"github.com/hookrange/hookrange/receiver/live"
	"github.com/hookrange/hookrange/receiver/proving"
	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// TestRange lends, receives, replans and leaves nothing behind.
func TestRange(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	house, err := proving.Open(ctx, proving.Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	lent, err := house.Lend(ctx, proving.Spec{Case: "A", Name: "main", Respond: "503 200", Scheme: webhook.SchemeQuery, Param: "token"})
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
	if _, err = house.Lend(ctx, proving.Spec{Name: "main", Respond: "2000", Scheme: webhook.SchemeQuery}); err == nil {
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
	if err = house.Close(ctx); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left: %v, error %v", left, err)
	}
}

// TestKeep: an endpoint that is kept has the same URL for one case after the other, also in another range on the same
// folder, and between two cases it answers 200.
func TestKeep(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir, at, path := t.TempDir(), "127.0.0.1:0", ""
	for n, respond := range []string{"503", "418"} {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		house, err := proving.Open(ctx, proving.Config{Log: slog.New(slog.DiscardHandler), Listener: listener, Dir: dir, Base: "http://" + listener.Addr().String() + "/"})
		if err != nil {
			t.Fatal(err)
		}
		kept, err := house.Keep(ctx, proving.Spec{Name: "main", Respond: respond, Scheme: webhook.SchemeQuery})
		if err != nil {
			t.Fatal(err)
		}
		_, now, _ := strings.Cut(kept.URL(1), "/hooks/")
		if n > 0 && now != path || kept.Name() != "main" {
			t.Errorf("the URL ends with %s, and ended with %s", now, path)
		}
		path = now
		for _, want := range []string{respond, "200"} {
			resp, err := http.Post(kept.URL(1), "application/json", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.Status[:3] != want {
				t.Errorf("answered %s, want %s", resp.Status, want)
			}
			if err = kept.Return(ctx); err != nil {
				t.Error(err)
			}
		}
		captures, err := kept.Captures(ctx, false)
		if err != nil || len(captures) != 2*(n+1) {
			t.Errorf("%d captures in range %d, error %v", len(captures), n, err)
		}
		open, err := house.Keep(ctx, proving.Spec{Name: "main", Respond: "200", Scheme: webhook.SchemeNone})
		if err != nil || strings.Contains(open.URL(1), "?") {
			t.Errorf("without a secret: %v", err)
		}
		if _, err = house.Keep(ctx, proving.Spec{Name: "wire", Respond: "refuse", Scheme: webhook.SchemeQuery}); err == nil {
			t.Error("an endpoint without a listener refuses connections")
		}
		if err = house.Close(ctx); err != nil {
			t.Error(err)
		}
	}
}

// TestShare: what is lent of a server's store keeps its captures until the range is closed, and nothing else is touched.
func TestShare(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	bell, log := live.New(), slog.New(slog.DiscardHandler)
	db, err := store.Open(ctx, store.Config{Dir: t.TempDir(), Bell: bell, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	own := webhook.Endpoint{Name: "own", Secret: webhook.SecretPolicy{Scheme: webhook.SchemeNone}}
	if _, err = db.SaveEndpoint(ctx, own, true); err != nil {
		t.Fatal(err)
	}
	edge := receiver.New(receiver.Config{Store: db, Log: log})
	house := proving.Share(ctx, proving.Server{Store: db, Bell: bell, Edge: edge, Base: "http://127.0.0.1:1", Log: log}, "test-1-")
	lent, err := house.Lend(ctx, proving.Spec{Name: "main", Respond: "200", Scheme: webhook.SchemeQuery})
	if err != nil {
		t.Fatal(err)
	}
	if lent.Name() != "test-1-1" || !strings.HasPrefix(lent.URL(1), "http://127.0.0.1:1/hooks/test-1-1?") {
		t.Errorf("%s at %s", lent.Name(), lent.URL(1))
	}
	if pem, file := house.Authority(); pem != nil || file != "" || house.Missing()["tls"] == "" {
		t.Errorf("a receiver without listeners has an authority, or no reason")
	}
	if err = lent.Return(ctx); err != nil {
		t.Error(err)
	}
	if n := len(db.Endpoints()); n != 2 {
		t.Errorf("%d endpoints, want 2 until the range is closed", n)
	}
	if err = house.Close(ctx); err != nil {
		t.Error(err)
	}
	if left := db.Endpoints(); len(left) != 1 || left[0].Name != "own" {
		t.Errorf("%d endpoints are left", len(left))
	}
}
