package access

import (
	"sync"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// maxUses bounds the tokens and shares that are remembered between two calls of Take.
const maxUses = 10_000

// Uses counts uses of tokens and shares in memory, so that not each request is a write. The zero value is ready to use,
// by several goroutines.
type Uses struct {
	mu   sync.Mutex
	byID map[string]webhook.Use
}

// Note counts one use.
func (u *Uses) Note(id string, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.byID == nil {
		u.byID = map[string]webhook.Use{}
	}
	use, known := u.byID[id]
	if !known && len(u.byID) >= maxUses {
		return
	}
	u.byID[id] = webhook.Use{ID: id, Count: use.Count + 1, Last: now}
}

// Of returns what was counted for an id and not taken.
func (u *Uses) Of(id string) webhook.Use {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.byID[id]
}

// Take returns what was counted, in no order, and begins anew.
func (u *Uses) Take() []webhook.Use {
	u.mu.Lock()
	defer u.mu.Unlock()
	var out []webhook.Use
	for _, use := range u.byID {
		out = append(out, use)
	}
	u.byID = nil
	return out
}
