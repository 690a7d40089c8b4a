package store

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// The bounds of what waits for the writer. Beyond them a capture is refused at once: a sender that gets a 503
// now is better served than one that waits past its time limit.
const (
	queueWorks = 4096
	queueBytes = 64 << 20
)

// work is something that the writer does inside a transaction.
type work interface {
	// write does it. An error of SQLite's rolls the whole transaction back; every other error refuses this
	// work alone, which must then have changed nothing and keep the error for whoever waits.
	write(t *tx) error
}

// batch is the works that are committed together.
type batch struct {
	works []work
	bytes int64
	// patient counts the works that nobody waits for.
	patient int
	// done is closed when the batch was committed or has failed; err says which and is set before.
	done chan struct{}
	err  error
}

// queue holds the works that wait for the writer.
type queue struct {
	mu sync.Mutex
	// next is the batch that new works join.
	next *batch
	// count is the number of works in next that someone waits for; enough holds a token once it has reached goal.
	count, goal atomic.Int64
	enough      chan struct{}
	// bytes counts those of next and of the batch being written.
	bytes  int64
	closed bool
	// room is closed and replaced whenever the writer has taken or ended a batch.
	room chan struct{}
	// ready holds a token while next has a work that someone waits for; late while it has others only.
	ready, late chan struct{}
}

func newQueue() *queue {
	return &queue{next: newBatch(), room: make(chan struct{}), ready: make(chan struct{}, 1), late: make(chan struct{}, 1), enough: make(chan struct{}, 1)}
}

func newBatch() *batch {
	return &batch{done: make(chan struct{})}
}

// put adds w and returns the batch it joined; it never blocks. ErrOverloaded when the queue is full,
// ErrUnavailable when the store is closed.
func (q *queue) put(w work, size int64) (*batch, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, fmt.Errorf("%w: the store is closed", webhook.ErrUnavailable)
	}
	b := q.next
	if len(b.works) >= queueWorks || (q.bytes > 0 && q.bytes+size > queueBytes) {
		return nil, fmt.Errorf("%w: %d works of %d bytes wait to be written", webhook.ErrOverloaded, len(b.works), q.bytes)
	}
	b.works = append(b.works, w)
	b.bytes += size
	q.bytes += size
	if _, ok := w.(*ending); ok {
		if b.patient++; b.patient == 1 {
			signal(q.late)
		}
		return b, nil
	}
	switch n := q.count.Add(1); n {
	case 1:
		signal(q.ready)
	case q.goal.Load():
		signal(q.enough)
	}
	return b, nil
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// putWait is put, but waits for room. It returns the cause of ctx's end when that comes first.
func (q *queue) putWait(ctx context.Context, w work, size int64) (*batch, error) {
	for {
		q.mu.Lock()
		room := q.room
		q.mu.Unlock()
		b, err := q.put(w, size)
		if err == nil || !isOverloaded(err) {
			return b, err
		}
		select {
		case <-room:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// fill waits until n works wait, but not longer than patience.
func (q *queue) fill(n int64, patience time.Duration) {
	select {
	case <-q.enough: // of an earlier goal
	default:
	}
	q.goal.Store(n)
	if q.count.Load() >= n {
		return
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-q.enough:
	case <-timer.C:
	}
}

// waiting returns the number of works that someone waits for, without locking anything.
func (q *queue) waiting() int { return int(q.count.Load()) }

// take returns all that waits, perhaps nothing.
func (q *queue) take() *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := q.next
	q.next = newBatch()
	q.next.works = make([]work, 0, len(b.works))
	q.count.Store(0)
	q.makeRoom()
	return b
}

// makeRoom wakes those who wait for room; q.mu is held.
func (q *queue) makeRoom() {
	close(q.room)
	q.room = make(chan struct{})
}

// finish answers everyone who waits for b.
func (q *queue) finish(b *batch, err error) {
	q.mu.Lock()
	q.bytes -= b.bytes
	q.makeRoom()
	q.mu.Unlock()
	b.err = err
	close(b.done)
}

// close refuses all further works; those that wait are still written.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}
