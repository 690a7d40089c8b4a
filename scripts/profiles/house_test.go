// Package profiles_test proves the profiles: what each finds of senders that are known to be right or wrong.
package profiles_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/hookrange/hookrange/receiver/proving"
	"github.com/hookrange/hookrange/receiver/resolve/egress"
	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/bucket"
)

// house is a proving range as scripts see it, with an object store.
type house struct {
	*proving.Range
	objects *bucket.Store
	client  *egress.Client
}

// openHouse stands a range up for a test. It must leave no endpoint behind.
func openHouse(t *testing.T) house {
	t.Helper()
	log, dir := slog.New(slog.DiscardHandler), t.TempDir()
	own, err := proving.Open(t.Context(), proving.Config{Log: log, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	objects := new(bucket.Store)
	t.Cleanup(func() {
		ctx := context.Background()
		if err := errors.Join(objects.Close(), own.Close(ctx)); err != nil {
			t.Error(err)
		}
		db, err := store.Open(ctx, store.Config{Dir: dir, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		if left := db.Endpoints(); len(left) > 0 {
			err = errors.New("endpoints were left behind")
		}
		if err = errors.Join(err, db.Close()); err != nil {
			t.Error(err)
		}
	})
	return house{own, objects, egress.New(egress.Config{})}
}

// Fetch asks for presigned URLs, which the object store is private for.
func (h house) Fetch(ctx context.Context, url string) (status int, body []byte, err error) {
	got, err := h.client.Get(ctx, egress.Request{URL: url, Policy: webhook.FetchPolicy{Private: []string{h.objects.Address()}}})
	if err != nil {
		return 0, nil, err
	}
	return got.Status, got.Body, nil
}

func (h house) Lend(ctx context.Context, spec scripts.Spec) (scripts.Endpoint, error) {
	e, err := h.Range.Lend(ctx, proving.Spec(spec))
	return lent{e}, err
}

type lent struct{ *proving.Endpoint }

func (l lent) Mask() scripts.Mask { return l.Endpoint.Mask() }

// literal is a pattern that matches a case's id only.
func literal(id string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(id)
}
