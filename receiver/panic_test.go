package receiver_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/hookrange/hookrange/receiver"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// crashing is a store with a defect that quotes what it was given.
type crashing struct{ full }

func (crashing) Record(_ context.Context, c *webhook.Capture, _ bool) (webhook.Ticket, error) {
	panic("cannot store " + string(c.Request.Body))
}

type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// TestPanicsTellNoSecret: a defect answers nobody with a success, ends one connection only, and the log does not quote
// what was sent.
func TestPanicsTellNoSecret(t *testing.T) {
	t.Parallel()
	const canary = "canary-in-a-body-5512"
	log := new(lockedBuffer)
	e := newEdge(t, receiver.Config{
		Store: crashing{}, Log: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	// All bodies together may be smaller than these.
	body := strings.Repeat(canary, 1<<20/len(canary))
	for range 3 {
		if resp, err := http.Post(e.base+"/hooks/rules", "text/plain", strings.NewReader(body)); err == nil {
			_ = resp.Body.Close()
			t.Errorf("answered %s", resp.Status)
		}
	}
	if status, _, _ := e.post(t, "/hooks/nobody", "x"); status != http.StatusNotFound {
		t.Errorf("afterwards answered %d", status)
	}
	e.stop()
	if err := <-e.stopped; err != nil {
		t.Error(err)
	}
	e.stopped <- nil
	text := log.String()
	if strings.Contains(text, canary) || strings.Count(text, "a value of type string") != 3 || !strings.Contains(text, "panic_test.go") {
		t.Errorf("the log has %.2000s", text)
	}
}

func TestPanicWords(t *testing.T) {
	t.Parallel()
	caught := func(f func()) (words string) {
		defer func() { words = webhook.PanicWords(recover()) }()
		f()
		return ""
	}
	var none *webhook.Capture
	list := []string{"a"}
	for want, f := range map[string]func(){
		"a value of type string":                                           func() { panic("secret") },
		"runtime error: index out of range [1] with length 1":              func() { _ = list[len(list)] },
		"a value of type *errors.errorString":                              func() { panic(webhook.ErrInvalid) },
		"runtime error: invalid memory address or nil pointer dereference": func() { _ = none.Endpoint },
	} {
		if got := caught(f); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
