// Package profiles_test proves the profiles: what each finds of senders that are known to be right or wrong.
package profiles_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/hookrange/hookrange/receiver/proving"
	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/scripts"
)

// house is a proving range as scripts see it.
type house struct{ *proving.Range }

// openHouse stands a range up for a test. It must leave no endpoint behind.
func openHouse(t *testing.T) house {
	t.Helper()
	log, dir := slog.New(slog.DiscardHandler), t.TempDir()
	own, err := proving.Open(t.Context(), proving.Config{Log: log, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		if err := own.Close(ctx); err != nil {
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
	return house{own}
}

func (h house) Lend(ctx context.Context, spec scripts.Spec) (scripts.Endpoint, error) {
	e, err := h.Range.Lend(ctx, proving.Spec(spec))
	return lent{e}, err
}

type lent struct{ *proving.Endpoint }

func (l lent) Mask() scripts.Mask { return l.Endpoint.Mask() }
