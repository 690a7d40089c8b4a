package store

import (
	"math"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// index recognises the attempts of a delivery. It is in memory, bounded and loaded from the newest captures at
// Open. It is safe for concurrent use.
type index struct {
	window int64

	mu    sync.Mutex
	byKey *recent[indexKey, *known]
	byID  map[[16]byte]*known
}

type indexKey struct {
	endpoint string
	sum      [16]byte
	by       string
}

// known is a delivery that the index recognises. Times are Unix nanoseconds.
type known struct {
	key indexKey
	id  [16]byte
	// attempts counts all attempts, steps the accepted ones since the answers became what they are.
	attempts, steps int
	answers         uint64
	// last is the newest attempt's arrival, end its end; stillOpen while it has not ended. It is about to while leaving is
	// set.
	last, end int64
	leaving   bool
}

const stillOpen = math.MinInt64

func newIndex(limit int, window time.Duration) *index {
	x := &index{window: int64(window), byKey: newRecent[indexKey, *known](limit), byID: make(map[[16]byte]*known)}
	x.byKey.dropped = func(k *known) { delete(x.byID, k.id) }
	return x
}

// Arrive says which delivery an attempt belongs to and its number there. It is in memory and never blocks.
//
// An attempt whose key was seen at this endpoint within Config.DeliveryWindow of its latest attempt joins that
// delivery; otherwise, and always for a key by "none", it begins a new one. An attempt that is not accepted joins a
// delivery, but does not advance its Step, and the next attempt does not recognise a delivery that it began: nobody
// without the secret can make others' attempts join. Gap is nil while the previous attempt has not ended, because
// how far the two overlap is not known then.
func (s *Store) Arrive(endpoint string, key webhook.DeliveryKey, accepted bool, at time.Time) webhook.Arrival {
	answers := uint64(0)
	if e, err := s.find(endpoint); err == nil {
		answers = e.answers
	}
	return s.index.arrive(indexKey{endpoint: endpoint, sum: key.Sum, by: key.By}, answers, accepted, at.UnixNano())
}

func (x *index) arrive(key indexKey, answers uint64, accepted bool, at int64) webhook.Arrival {
	recognised := key.by != "" && key.by != "none"
	x.mu.Lock()
	defer x.mu.Unlock()
	if recognised {
		if k, ok := x.byKey.get(key); ok {
			if at-k.last <= x.window {
				return k.join(answers, accepted, at)
			}
			x.byKey.remove(key)
		}
	}
	k := &known{key: key, id: uuid.Must(uuid.NewV7()), answers: answers, end: stillOpen}
	if recognised && accepted {
		x.add(k)
	}
	return k.join(answers, accepted, at)
}

func (x *index) add(k *known) {
	x.byKey.put(k.key, k)
	x.byID[k.id] = k
}

func (k *known) join(answers uint64, accepted bool, at int64) webhook.Arrival {
	if k.answers != answers {
		k.answers, k.steps = answers, 0
	}
	a := webhook.Arrival{Delivery: uuid.UUID(k.id).String(), Attempt: k.attempts + 1, Step: k.steps}
	if k.attempts > 0 && k.end != stillOpen {
		gap := time.Duration(at - k.end)
		if k.leaving {
			gap = max(gap, 0)
		}
		a.Gap = &gap
	}
	k.attempts++
	if accepted {
		k.steps++
	}
	k.last, k.end, k.leaving = at, stillOpen, false
	return a
}

// trace returns what a capture of the delivery must carry for the index to know it after a restart.
func (x *index) trace(id [16]byte) trace {
	x.mu.Lock()
	defer x.mu.Unlock()
	k, ok := x.byID[id]
	if !ok {
		return trace{}
	}
	return trace{known: true, key: webhook.DeliveryKey{Sum: k.key.sum, By: k.key.by}, steps: k.steps, answers: k.answers}
}

// Leaving notes that the last bytes of an answer are about to leave, this long after arrival: its sender may try again
// before Finish is called.
func (s *Store) Leaving(ticket webhook.Ticket, at time.Duration) {
	s.index.end(ticket, ticket.ReceivedAt.UnixNano()+int64(at), true)
}

// end notes the end of an attempt, for the gap to the next one, or that it is leaving.
func (x *index) end(ticket webhook.Ticket, at int64, leaving bool) {
	id, err := uuid.Parse(ticket.Delivery)
	if err != nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if k, ok := x.byID[id]; ok && k.attempts == ticket.Attempt && (k.end == stillOpen || k.leaving) {
		k.end, k.leaving = at, leaving
	}
}

// endOf returns when an attempt ended for its sender: with the answer, or earlier when the sender hung up.
func endOf(receivedAt time.Time, o *webhook.Outcome) int64 {
	at := receivedAt.UnixNano()
	switch {
	case o.HungUp != nil && (o.Done == nil || *o.HungUp < *o.Done):
		return at + int64(*o.HungUp)
	case o.Done != nil:
		return at + int64(*o.Done)
	default:
		return stillOpen
	}
}

// forget takes back an attempt that could not be recorded, unless another has arrived since.
func (x *index) forget(c *webhook.Capture) {
	id, err := uuid.Parse(c.Delivery)
	if err != nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	k, ok := x.byID[id]
	if !ok || k.attempts != c.Attempt {
		return
	}
	if k.attempts == 1 {
		x.byKey.remove(k.key)
		return
	}
	k.attempts--
	if c.Class == webhook.Accepted {
		k.steps--
	}
}

// drop forgets the deliveries of an endpoint that was deleted.
func (x *index) drop(endpoint string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, k := range x.byID {
		if k.key.endpoint == endpoint {
			x.byKey.remove(k.key)
		}
	}
}
