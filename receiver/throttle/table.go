package throttle

import (
	"sync"
	"time"
)

// Size is how many clients a Table remembers, in about 3 MB.
const Size = 1 << 14

// Table limits the rate of each client by a bucket of its own. It is safe for concurrent use; make one with NewTable.
//
// It remembers the Size clients that asked last. One that was forgotten starts again with a full bucket, so whoever has
// more addresses than that gets at most one bucket's worth more for each client that is forgotten, and Size others must
// have asked since. Where that took a second (or the time of one request, at a rate below one a second), the bucket was
// full again anyway, and nothing is gained.
type Table struct {
	pace pace
	born time.Time

	mu    sync.Mutex
	at    map[Key]int32
	held  []bucket
	first int32 // asked last
	last  int32 // to be forgotten next
}

// bucket is a client's. It has no pointers, which the garbage collector would follow.
type bucket struct {
	key          Key
	full         time.Duration
	newer, older int32
}

// none is no bucket's place.
const none = -1

// NewTable returns a table without clients, for so many requests a second of each, a rate that CheckRate lets through.
func NewTable(rate float64, now time.Time) *Table {
	return &Table{pace: newPace(rate), born: now, at: map[Key]int32{}, first: none, last: none}
}

// Take takes one request out of a client's bucket and returns 0, or how long it is until there is one.
func (t *Table) Take(client Key, now time.Time) (later time.Duration) {
	if t.pace.interval == 0 {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.bucket(client)
	b.full, later = t.pace.take(b.full, now.Sub(t.born))
	return later
}

// Len returns how many clients are remembered.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.at)
}

// bucket returns a client's, which is the one to be forgotten last from now on.
func (t *Table) bucket(client Key) *bucket {
	i, known := t.at[client]
	switch {
	case known:
		if i == t.first {
			return &t.held[i]
		}
		t.unlink(i)
	case len(t.held) < Size:
		i = int32(len(t.held)) //nolint:gosec // Size fits
		t.held = append(t.held, bucket{key: client})
		t.at[client] = i
	default:
		i = t.last
		t.unlink(i)
		delete(t.at, t.held[i].key)
		t.held[i] = bucket{key: client}
		t.at[client] = i
	}
	b := &t.held[i]
	b.newer, b.older = none, t.first
	if t.first != none {
		t.held[t.first].newer = i
	} else {
		t.last = i
	}
	t.first = i
	return b
}

func (t *Table) unlink(i int32) {
	b := &t.held[i]
	if b.newer != none {
		t.held[b.newer].older = b.older
	} else {
		t.first = b.older
	}
	if b.older != none {
		t.held[b.older].newer = b.newer
	} else {
		t.last = b.newer
	}
}
