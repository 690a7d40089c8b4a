package throttle

import "sync"

// Waiting counts what each client has waiting, up to a limit. It remembers only clients that have something. It is safe
// for concurrent use; make one with NewWaiting.
type Waiting struct {
	limit int64

	mu   sync.Mutex
	held map[Key]int64
}

// NewWaiting returns an empty count; limit 0 is none.
func NewWaiting(limit int64) *Waiting { return &Waiting{limit: limit, held: map[Key]int64{}} }

// Take counts one more of a client's, unless that would pass the limit. What was taken must be given back.
func (w *Waiting) Take(client Key) bool {
	if w.limit == 0 {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held[client] >= w.limit {
		return false
	}
	w.held[client]++
	return true
}

// Give gives one back.
func (w *Waiting) Give(client Key) {
	if w.limit == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held[client]--; w.held[client] <= 0 {
		delete(w.held, client)
	}
}
