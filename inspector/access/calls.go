package access

import (
	"context"
	"sync"
)

// Calls knows the calls that are under way by the token that each came with, so that they end with it. The zero value
// is ready to use, by several goroutines.
type Calls struct {
	mu   sync.Mutex
	open map[string]map[*context.CancelCauseFunc]struct{}
}

// Enter returns a context that also ends, with the cause, when End is called for a token. Leave must be called when the
// call is over.
func (c *Calls) Enter(ctx context.Context, token string) (entered context.Context, leave func()) {
	entered, cancel := context.WithCancelCause(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = map[string]map[*context.CancelCauseFunc]struct{}{}
	}
	if c.open[token] == nil {
		c.open[token] = map[*context.CancelCauseFunc]struct{}{}
	}
	c.open[token][&cancel] = struct{}{}
	return entered, func() {
		cancel(nil)
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.open[token], &cancel)
		if len(c.open[token]) == 0 {
			delete(c.open, token)
		}
	}
}

// End ends the calls of a token.
func (c *Calls) End(token string, cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for cancel := range c.open[token] {
		(*cancel)(cause)
	}
}
