// Package live holds the bell that wakes watchers of the store.
//
// The bell says only that there is something up to a seq. What it is, each watcher reads from the store
// with its own cursor, so a watcher that is slow, or gone for a while, loses and repeats nothing and holds
// up nobody.
package live

import (
	"context"
	"sync"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Bell wakes everyone who waits for a seq. It is safe for concurrent use; make one with New.
type Bell struct {
	mu   sync.Mutex
	last webhook.Seq
	// rung is closed by the next Ring that raises last, which wakes all waiters at once. It is nil while
	// nobody waits, so that ringing for nobody costs no allocation.
	rung chan struct{}
}

// New returns a bell that was not rung yet: Last is 0.
func New() *Bell {
	return &Bell{}
}

// Ring tells that everything up to seq can be read now. It never blocks. A seq that is not beyond Last
// wakes nobody, so rings may come in any order.
func (b *Bell) Ring(seq webhook.Seq) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if seq <= b.last {
		return
	}
	b.last = seq
	if b.rung != nil {
		close(b.rung)
		b.rung = nil
	}
}

// Last returns the newest seq that was rung.
func (b *Bell) Last() webhook.Seq {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}

// Wait blocks until a seq beyond after was rung and returns the newest one, at once if that has happened
// already. It returns the cause of ctx's end together with the newest seq when ctx ends first.
func (b *Bell) Wait(ctx context.Context, after webhook.Seq) (webhook.Seq, error) {
	for {
		b.mu.Lock()
		last := b.last
		if last > after {
			b.mu.Unlock()
			return last, nil
		}
		if b.rung == nil {
			b.rung = make(chan struct{})
		}
		rung := b.rung
		b.mu.Unlock()

		select {
		case <-rung:
		case <-ctx.Done():
			return b.Last(), context.Cause(ctx)
		}
	}
}
