package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/netip"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// The bounds of what is kept of an endpoint's connections, unless its retention says otherwise. They go without a fact:
// a watcher counts what it has seen.
const (
	maxConnections = 10_000
	connectionAge  = 7 * 24 * time.Hour
	// pruneConnections is how many are added to an endpoint before the oldest are looked for.
	pruneConnections = 64
)

// RecordConnection stores a connection, or a try to make one, as a fact. It returns when it is queued, not when it is
// on disk, and waits only while the queue is full. What the endpoint's
// retention does not bound is bounded to the newest 10 000, for 7 days. A connection of an endpoint that is gone
// meanwhile is dropped. ErrNotFound, ErrUnavailable.
func (s *Store) RecordConnection(ctx context.Context, c webhook.Connection) error {
	e, err := s.find(c.Endpoint)
	if err != nil {
		return fmt.Errorf("store: record connection: %w", err)
	}
	w := &connecting{place: e.place, at: c.At.UnixNano(), packed: packConnection(&c)}
	if _, err := s.queue.putWait(ctx, w, int64(len(w.packed.buf)+sealSize)); err != nil {
		return fmt.Errorf("store: record connection of %q: %w", c.Endpoint, err)
	}
	return nil
}

// connecting is a connection on its way to the disk.
type connecting struct {
	place  *place
	at     int64
	packed packer
}

func (w *connecting) write(t *tx) error {
	const (
		insert = `INSERT INTO connections (seq, endpoint, at, data) VALUES (?, ?, ?, ?)`
		prune  = `DELETE FROM connections WHERE endpoint = ?1 AND seq <=
			(SELECT seq FROM connections WHERE endpoint = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)`
	)
	if w.place.gone {
		return nil
	}
	seq := t.next(tableConnections)
	sealed := w.packed.sealRow(seqBytes(webhook.Seq(w.place.id)), webhook.Seq(seq))
	if _, err := t.exec(insert, seq, w.place.id, w.at, sealed); err != nil {
		return err
	}
	w.place.connections++
	if bound := w.place.kept.Count; bound >= 0 && w.place.connections%min(pruneConnections, max(bound/4, 1)) == 0 {
		_, err := t.exec(prune, w.place.id, max(bound, 1))
		return err
	}
	return nil
}

// trimConnections deletes connections that are too old, some at a time, but not the newest fact of its kind: no seq
// may be given out twice.
func (w *writer) trimConnections(now time.Time) {
	const (
		// Not that of the oldest: a clock that had jumped may have noted it.
		oldest = `SELECT coalesce(min(at), ?3) FROM (SELECT at FROM connections WHERE endpoint = ?1 ORDER BY seq LIMIT ?2)`
		remove = `DELETE FROM connections WHERE seq IN (SELECT seq FROM connections WHERE endpoint = ?1 AND seq <
			(SELECT max(seq) FROM connections) ORDER BY seq LIMIT ?2) AND at < ?3`
	)
	for _, e := range w.s.directory.Load().byID {
		for bound := now.Add(-e.kept.Age).UnixNano(); e.kept.Age > 0; {
			if w.s.queue.waiting() > 0 {
				return
			}
			at, err := w.conn.integer(oldest, e.id, int64(trimRows), bound)
			if err != nil || at >= bound || !w.step(func(t *tx) (int, error) {
				n, err := t.exec(remove, e.id, int64(trimRows), bound)
				return int(n), err
			}) {
				break
			}
		}
	}
}

// DeleteConnections deletes the connections of an endpoint up to a seq and overwrites them in the file; through 0 means
// all that are there now. It goes in bounded steps, of which the last tells in a fact, and returns how many it deleted.
// ErrNotFound, ErrUnavailable.
func (s *Store) DeleteConnections(ctx context.Context, endpoint string, through webhook.Seq) (int, error) {
	const remove = `DELETE FROM connections WHERE seq IN
		(SELECT seq FROM connections WHERE endpoint = ? AND seq <= ? ORDER BY seq LIMIT ?)`
	if through <= 0 {
		through = s.Last()
	}
	total := 0
	for more := true; more; {
		step := make(chan int, 1)
		err := s.do(ctx, 0, func(t *tx) error {
			e, err := t.find(endpoint)
			if err != nil {
				return err
			}
			if err := t.secure(); err != nil {
				return err
			}
			n, err := t.exec(remove, e.id, int64(through), int64(trimRows))
			step <- int(n)
			if err != nil || n == trimRows || total+int(n) == 0 {
				return err
			}
			return t.deleted(endpoint, nil, &webhook.Deletion{Connections: true, Through: through})
		})
		if err != nil {
			return total, fmt.Errorf("store: delete connections of %q: %w", endpoint, err)
		}
		count := <-step
		total, more = total+count, count == trimRows
	}
	return total, nil
}

// Connections returns connections of an endpoint, newest first unless the query is ascending, at most its limit (1 to
// 1000). Damaged rows are left out and logged once. ErrNotFound.
func (s *Store) Connections(ctx context.Context, q webhook.Query) ([]webhook.Connection, error) {
	const (
		ascending  = `SELECT seq, data FROM connections WHERE endpoint = ? AND seq > ? AND seq < ? ORDER BY seq LIMIT ?`
		descending = `SELECT seq, data FROM connections WHERE endpoint = ? AND seq > ? AND seq < ? ORDER BY seq DESC LIMIT ?`
	)
	limit, query := q.Limit, descending
	if limit < 1 || limit > maxLimit {
		limit = maxLimit
	}
	if q.Ascending {
		query = ascending
	}
	e, err := s.find(q.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("store: connections: %w", err)
	}
	before := s.Last() + 1
	if q.Before > 0 {
		before = min(before, q.Before)
	}
	var found []webhook.Connection
	err = s.readers.each(ctx, query, func(r *sql.Rows) error {
		var seq int64
		var data []byte
		if err := r.Scan(&seq, &data); err != nil {
			return err
		}
		if c, ok := s.connection(ctx, seq, e.id, data); ok {
			c.Endpoint = q.Endpoint
			found = append(found, c)
		}
		return nil
	}, e.id, int64(q.After), int64(before), limit)
	if err != nil {
		return nil, fmt.Errorf("store: connections of %q: %w", q.Endpoint, err)
	}
	return found, nil
}

// connection reads a row; false when it is damaged.
func (s *Store) connection(ctx context.Context, seq, id int64, data []byte) (webhook.Connection, bool) {
	c, err := unpackConnection(data, id, webhook.Seq(seq))
	if err != nil {
		s.quarantine.report(ctx, "connection", seq, err)
	}
	return c, err == nil
}

func (w *window) connections(ctx context.Context) error {
	const query = `SELECT seq, endpoint, data FROM connections WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?`
	return w.read(ctx, query, func(r *sql.Rows) (int64, error) {
		var seq, id int64
		var data []byte
		if err := r.Scan(&seq, &id, &data); err != nil {
			return seq, err
		}
		name, there := w.directory.nameOf(id << 2)
		if !there {
			return seq, nil
		}
		if c, ok := w.s.connection(ctx, seq, id, data); ok {
			c.Endpoint = name
			w.facts = append(w.facts, webhook.Fact{Seq: c.Seq, Kind: webhook.FactConnection, Endpoint: name, Connection: &c})
		}
		return seq, nil
	})
}

// packConnection packs a connection without seq and endpoint; it is sealed together with its seq and the endpoint's id.
func packConnection(c *webhook.Connection) packer {
	p := packer{buf: make([]byte, 0, 96)}
	p.raw([]byte{packing})
	peer, _ := c.Peer.MarshalBinary()
	p.bytes(peer)
	p.time(c.At)
	p.string(string(c.Reached))
	p.string(string(c.Fault))
	p.string(c.Step)
	p.bool(c.Handshake != nil)
	if h := c.Handshake; h != nil {
		p.int(int64(h.Done))
		p.string(h.Version)
		p.string(h.ServerName)
		p.string(h.Protocol)
		p.string(h.Err)
	}
	p.int(int64(c.Requests))
	p.duration(c.Ended)
	p.string(string(c.EndedBy))
	p.bool(c.Reset)
	return p
}

func unpackConnection(data []byte, endpoint int64, seq webhook.Seq) (webhook.Connection, error) {
	c := webhook.Connection{Seq: seq}
	u, err := unsealRow(data, seqBytes(webhook.Seq(endpoint)), seq)
	if err != nil {
		return c, err
	}
	u.raw(1)
	var peer netip.AddrPort
	if err := peer.UnmarshalBinary(u.bytes()); err == nil {
		c.Peer = peer
	}
	c.At = u.time()
	c.Reached = webhook.Reached(u.string())
	c.Fault = webhook.Fault(u.string())
	c.Step = u.string()
	if u.bool() {
		c.Handshake = &webhook.Handshake{
			Done: durationOf(u.int()), Version: u.string(), ServerName: u.string(), Protocol: u.string(), Err: u.string(),
		}
	}
	c.Requests = int(u.int())
	c.Ended = u.duration()
	c.EndedBy = webhook.HangUp(u.string())
	if len(u.buf) > 0 { // a row of an earlier version ends here
		c.Reset = u.bool()
	}
	return c, u.err
}
