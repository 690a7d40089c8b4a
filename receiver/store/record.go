package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/hookrange/hookrange/receiver/webhook"
)

func isOverloaded(err error) bool { return errors.Is(err, webhook.ErrOverloaded) }

// recording is a capture on its way to the disk.
type recording struct {
	columns
	lane    *lane
	place   *place
	refs    int64
	record  []byte
	framed  []byte
	body    []byte
	sum     [32]byte
	refusal error
}

func (r *recording) size() int64 {
	return int64(len(r.record) + len(r.framed) + len(r.body))
}

// Record puts a capture on disk and returns after the commit: what it returned nil for survives a crash and a
// power cut. It sets c.Seq, and c.ID where that is empty. hasRefs marks a capture whose presigned URLs are to be
// listed with PlanObjects.
//
// Once the capture is queued, Record waits for the commit whatever becomes of ctx, because the writer reads c's
// slices; how much can be ahead of it is bounded. It returns ErrNotFound when the endpoint is gone, ErrInvalid for a
// class or an id that cannot be, ErrOverloaded at once when too much waits, and ErrUnavailable when the disk is full
// or failed; nothing was kept then, and the delivery counts as if this attempt had not arrived.
func (s *Store) Record(ctx context.Context, c *webhook.Capture, hasRefs bool) (webhook.Ticket, error) {
	r, err := s.prepare(ctx, c, hasRefs)
	if err == nil {
		err = s.commit(r)
	}
	if err != nil {
		s.index.forget(c)
		return webhook.Ticket{}, fmt.Errorf("store: record capture: %w", err)
	}
	c.Seq = webhook.Seq(r.seq)
	return webhook.Ticket{Seq: c.Seq, Endpoint: c.Endpoint, Delivery: c.Delivery, Attempt: c.Attempt, ReceivedAt: c.ReceivedAt}, nil
}

func (s *Store) prepare(ctx context.Context, c *webhook.Capture, hasRefs bool) (*recording, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	e, err := s.find(c.Endpoint)
	if err != nil {
		return nil, err
	}
	class, ok := classNumber(c.Class)
	if !ok {
		return nil, fmt.Errorf("%w: class %q: use accepted, rejected or incomplete", webhook.ErrInvalid, c.Class)
	}
	delivery, err := uuid.Parse(c.Delivery)
	if err != nil {
		return nil, fmt.Errorf("%w: delivery %q is no UUID", webhook.ErrInvalid, c.Delivery)
	}
	if c.ID == "" {
		id, idErr := uuid.NewV7()
		if idErr != nil {
			return nil, idErr
		}
		c.ID = id.String()
	}
	id, err := uuid.Parse(c.ID)
	if err != nil {
		return nil, fmt.Errorf("%w: capture id %q is no UUID", webhook.ErrInvalid, c.ID)
	}
	r := &recording{
		columns: columns{
			lane: e.lanes[class].id, receivedAt: c.ReceivedAt.UnixNano(),
			attempt: int64(c.Attempt), delivery: delivery,
		},
		lane: e.lanes[class], place: e.place,
		framed: c.Request.Framed, body: c.Request.Body, sum: c.Request.BodySHA256,
	}
	if hasRefs {
		r.refs = refsUnlisted
	}
	r.record = packCapture(c, id, s.index.trace(delivery), &r.columns)
	return r, nil
}

func (s *Store) commit(r *recording) error {
	if why := s.writer.unready.Load(); why != nil && errors.Is(*why, webhook.ErrUnavailable) {
		return *why
	}
	b, err := s.queue.put(r, r.size())
	if err != nil {
		return err
	}
	<-b.done
	if b.err != nil {
		return b.err
	}
	return r.refusal
}

// The values of the column refs.
const (
	refsUnlisted = 1
	refsListed   = 2
)

func (r *recording) write(t *tx) error {
	const insert = `INSERT INTO captures
		(seq, lane, received_at, delivery, attempt, refs, share, size, record, framed, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	switch {
	case r.place.gone:
		r.refusal = fmt.Errorf("endpoint %q: %w", r.place.name, webhook.ErrNotFound)
		return r.refusal
	case t.full:
		r.refusal = fmt.Errorf("%w: the disk is too full for captures", webhook.ErrUnavailable)
		return r.refusal
	}
	r.seq = t.next(tableCaptures)
	stamp(r.record, r.seq)
	var share, body, framed any
	size := r.size()
	if len(r.body) > 0 {
		if group := t.w.holders.find(r.delivery, r.sum); group != 0 {
			share = group
			size -= int64(len(r.body))
		} else {
			body = r.body
			t.w.holders.put(r.delivery, holder{sum: r.sum, group: r.seq, lane: r.lane})
		}
	}
	if len(r.framed) > 0 {
		framed = r.framed
	}
	_, err := t.exec(insert, r.seq, r.columns.lane, r.receivedAt, r.delivery[:], r.attempt, r.refs, share, size,
		r.record, framed, body)
	if err != nil {
		return err
	}
	if group, ok := share.(int64); ok {
		t.w.holders.shared[group] = struct{}{}
	}
	t.touch(r.lane)
	r.lane.count++
	r.lane.bytes += size
	return nil
}

// Finish stores what really happened on the wire. It returns when the outcome is queued, not when it is on disk,
// and waits only while the queue is full. A second outcome of a capture, and that of a deleted one, are dropped.
func (s *Store) Finish(ctx context.Context, ticket webhook.Ticket, o webhook.Outcome) error {
	s.index.end(ticket, endOf(ticket.ReceivedAt, &o), false)
	e := &ending{capture: ticket.Seq, packed: packOutcome(&o)}
	if _, err := s.queue.putWait(ctx, e, int64(len(e.packed.buf)+sealSize)); err != nil {
		return fmt.Errorf("store: finish capture %d: %w", ticket.Seq, err)
	}
	return nil
}

// ending is an outcome on its way to the disk.
type ending struct {
	capture webhook.Seq
	packed  packer
}

func (e *ending) write(t *tx) error {
	// A capture that is gone makes seq NULL, which the table does not take. INSERT ... SELECT would say this better, but
	// keeps a copy of each page that it changes, in case it must be undone after some of its rows.
	const insert = `INSERT OR IGNORE INTO outcomes (capture, seq, data)
		VALUES (?1, (SELECT ?2 FROM captures WHERE seq = ?1), ?3)`
	seq := t.next(tableOutcomes)
	_, err := t.exec(insert, int64(e.capture), seq, e.packed.sealRow(seqBytes(e.capture), webhook.Seq(seq)))
	return err
}

// holder says which capture was the first of its delivery to bring a body.
type holder struct {
	sum [32]byte
	// group is that capture's seq. It names the captures that share the body, also after it was deleted.
	group int64
	// lane is that capture's.
	lane *lane
}

// holders finds the stored body that an attempt repeats. It is the writer's, bounded, and may forget: a body is
// then stored again.
type holders struct {
	recent *recent[[16]byte, holder]
	// shared has every group that more than its first capture may belong to.
	shared map[int64]struct{}
}

func newHolders(limit int) *holders {
	return &holders{recent: newRecent[[16]byte, holder](limit), shared: make(map[int64]struct{})}
}

func (h *holders) find(delivery [16]byte, sum [32]byte) int64 {
	if found, ok := h.recent.get(delivery); ok && found.sum == sum && found.group > found.lane.through {
		return found.group
	}
	return 0
}

func (h *holders) put(delivery [16]byte, of holder) { h.recent.put(delivery, of) }

// drop forgets a group whose last body is deleted.
func (h *holders) drop(delivery [16]byte, group int64) {
	if found, ok := h.recent.get(delivery); ok && found.group == group {
		h.recent.remove(delivery)
	}
}

// forget forgets all bodies, after a rollback: which of them are on disk is not known any more.
func (h *holders) forget() { h.recent.clear() }
