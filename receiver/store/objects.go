package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"math"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Unplanned lists captures that were recorded with hasRefs and whose objects are not listed yet, oldest first, with
// bodies. Like Captures with bodies it ends early at Config.ListBytes.
func (s *Store) Unplanned(ctx context.Context, limit int) ([]webhook.Capture, error) {
	const query = `SELECT seq FROM captures WHERE refs = 1 AND seq > ? ORDER BY seq LIMIT ?`
	var found []webhook.Capture
	budget, after := s.config.ListBytes, int64(0)
	for len(found) < limit && budget > 0 {
		seqs, err := s.readers.integers(ctx, query, after, limit-len(found))
		if err != nil {
			return nil, fmt.Errorf("store: list captures to resolve: %w", err)
		}
		if len(seqs) == 0 {
			break
		}
		more, err := s.load(ctx, seqs, true, &budget)
		if err != nil {
			return nil, fmt.Errorf("store: list captures to resolve: %w", err)
		}
		found = append(found, more...)
		after = seqs[len(seqs)-1]
	}
	return found, nil
}

// PlanObjects lists the objects that a capture names, perhaps none, in one transaction with one fact for each. Of
// objects with the same name the first counts. Listing a capture's objects again changes nothing. ErrNotFound when
// the capture is gone, ErrUnavailable.
func (s *Store) PlanObjects(ctx context.Context, capture webhook.Seq, objects []webhook.Object) error {
	p := &planning{capture: capture, objects: objects}
	if err := s.do(ctx, int64(512*len(objects)), p.write); err != nil {
		return fmt.Errorf("store: list objects of capture %d: %w", capture, err)
	}
	return nil
}

type planning struct {
	capture webhook.Seq
	objects []webhook.Object
}

func (p *planning) write(t *tx) error {
	const (
		find   = `SELECT lane, refs FROM captures WHERE seq = ?`
		listed = `UPDATE captures SET refs = 2 WHERE seq = ?`
		insert = `INSERT OR IGNORE INTO objects (capture, name, place, seq, due, expires, size, data, content)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
	)
	var lane, refs int64
	err := t.query(find, func(row []driver.Value) error {
		lane, refs = number(row[0]), number(row[1])
		return nil
	}, int64(p.capture))
	switch {
	case err != nil:
		return err
	case lane == 0:
		return webhook.ErrNotFound
	case refs == refsListed:
		return nil
	}
	if _, err := t.exec(listed, int64(p.capture)); err != nil {
		return err
	}
	for place := range p.objects {
		o := p.objects[place]
		o.Capture = p.capture
		seq := t.next(tableObjects)
		_, err := t.exec(insert, int64(o.Capture), o.Name, int64(place), seq, dueOf(&o), orZero(o.ExpiresAt, math.MaxInt64),
			int64(len(o.Data)), packObject(&o, webhook.Seq(seq)), contentOf(&o))
		if err != nil {
			return err
		}
		if err := t.grow(&o, 0); err != nil {
			return err
		}
	}
	return nil
}

// grow counts an object's content for its capture's lane, so that retention bounds it too.
func (t *tx) grow(o *webhook.Object, before int64) error {
	const (
		update = `UPDATE captures SET size = size + ? WHERE seq = ?`
		laneOf = `SELECT lane FROM captures WHERE seq = ?`
	)
	more := int64(len(o.Data)) - before
	if more == 0 {
		return nil
	}
	if _, err := t.exec(update, more, int64(o.Capture)); err != nil {
		return err
	}
	id, err := t.integer(laneOf, int64(o.Capture))
	if l := t.lane(id); l != nil {
		t.touch(l)
		l.bytes += more
	}
	return err
}

// Settle stores a new state of a listed object, with its data if there is some, as a new fact; its place, name and URL
// are as they were listed. It returns after the commit. ErrNotFound when the object or its capture is gone, so that it
// needs no more work; ErrUnavailable.
func (s *Store) Settle(ctx context.Context, o webhook.Object) error {
	err := s.do(ctx, int64(len(o.Data)), func(t *tx) error { return t.settle(&o) })
	if err != nil {
		return fmt.Errorf("store: settle object %s of capture %d: %w", o.Name, o.Capture, err)
	}
	return nil
}

func (t *tx) settle(o *webhook.Object) error {
	const (
		find   = `SELECT size FROM objects WHERE capture = ? AND name = ?`
		update = `UPDATE objects SET seq = ?, due = ?, expires = ?, size = ?, data = ?, content = ? WHERE capture = ? AND name = ?`
	)
	before := int64(-1)
	err := t.query(find, func(row []driver.Value) error {
		before = number(row[0])
		return nil
	}, int64(o.Capture), o.Name)
	if err != nil {
		return err
	}
	if before < 0 {
		return webhook.ErrNotFound
	}
	seq := t.next(tableObjects)
	_, err = t.exec(update, seq, dueOf(o), orZero(o.ExpiresAt, math.MaxInt64), int64(len(o.Data)), packObject(o, webhook.Seq(seq)), contentOf(o),
		int64(o.Capture), o.Name)
	if err != nil {
		return err
	}
	return t.grow(o, before)
}

// Due lists pending objects whose next try has come, soonest expiry first, those without one last.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) ([]webhook.Object, error) {
	const query = `SELECT o.capture, o.name, o.seq, o.size, o.data, c.lane
		FROM objects o JOIN captures c ON c.seq = o.capture
		WHERE o.due IS NOT NULL AND o.due <= ? ORDER BY o.expires LIMIT ?`
	found, err := s.objects(ctx, query, now.UnixNano(), limit)
	if err != nil {
		return nil, fmt.Errorf("store: list due objects: %w", err)
	}
	return found, nil
}

// Object returns a listed object with its data. ErrNotFound, or ErrDamaged when the data does not match its checksum.
func (s *Store) Object(ctx context.Context, endpoint string, capture webhook.Seq, name string) (webhook.Object, error) {
	const (
		one     = `SELECT o.capture, o.name, o.seq, o.size, o.data, c.lane FROM objects o JOIN captures c ON c.seq = o.capture WHERE o.capture = ? AND o.name = ?`
		content = `SELECT content FROM objects WHERE capture = ? AND name = ?`
	)
	found, err := s.objects(ctx, one, int64(capture), name)
	if err == nil && (len(found) == 0 || found[0].Endpoint != endpoint) {
		err = webhook.ErrNotFound
	}
	if err != nil {
		return webhook.Object{}, fmt.Errorf("store: object %s of capture %d of %q: %w", name, capture, endpoint, err)
	}
	o := found[0]
	err = s.readers.each(ctx, content, func(r *sql.Rows) error { return r.Scan(&o.Data) }, int64(capture), name)
	if err == nil && o.Size > 0 && sha256.Sum256(o.Data) != o.SHA256 {
		err = webhook.ErrDamaged
	}
	if err != nil {
		return webhook.Object{}, fmt.Errorf("store: object %s of capture %d: %w", name, capture, err)
	}
	return o, nil
}

// objects runs a query for capture, name, seq, size, data and lane. Damaged rows, and those of deleted endpoints, are
// left out.
func (s *Store) objects(ctx context.Context, query string, args ...any) ([]webhook.Object, error) {
	directory := s.directory.Load()
	var found []webhook.Object
	err := s.readers.each(ctx, query, func(r *sql.Rows) error {
		var capture, seq, size, laneID int64
		var name string
		var data []byte
		if err := r.Scan(&capture, &name, &seq, &size, &data, &laneID); err != nil {
			return err
		}
		endpoint, ok := directory.nameOf(laneID)
		if !ok {
			return nil
		}
		o, err := unpackObject(data, webhook.Seq(capture), webhook.Seq(seq), name)
		if err != nil {
			s.quarantine.report(ctx, "object", seq, err)
			return nil
		}
		o.Seq, o.Endpoint = webhook.Seq(seq), endpoint
		found = append(found, o)
		return nil
	}, args...)
	return found, err
}

// loadObjects adds the objects of captures to them.
func (s *Store) loadObjects(ctx context.Context, captures []int64, into map[int64]*opened) error {
	const query = `SELECT o.capture, o.name, o.seq, o.size, o.data, c.lane
		FROM objects o JOIN captures c ON c.seq = o.capture
		WHERE o.capture IN (SELECT value FROM json_each(?)) ORDER BY o.capture, o.place`
	if len(captures) == 0 {
		return nil
	}
	found, err := s.objects(ctx, query, list(captures))
	for _, o := range found {
		c := &into[int64(o.Capture)].capture
		c.Objects = append(c.Objects, o)
	}
	return err
}

func dueOf(o *webhook.Object) any {
	if o.State != webhook.Pending {
		return nil
	}
	return orZero(o.NextTry, 0)
}

func contentOf(o *webhook.Object) any {
	if len(o.Data) == 0 {
		return nil
	}
	return o.Data
}

// packObject returns an object without its data and seqs, sealed together with its name, its capture and its own seq.
func packObject(o *webhook.Object, seq webhook.Seq) []byte {
	var p packer
	p.raw([]byte{packing})
	p.string(o.URL)
	p.string(string(o.State))
	p.string(o.Code)
	p.string(o.Message)
	p.time(o.ExpiresAt)
	p.int(int64(o.Tries))
	p.time(o.NextTry)
	p.int(int64(o.Status))
	p.string(o.ContentType)
	size, sum := o.Size, o.SHA256
	if len(o.Data) > 0 {
		size, sum = int64(len(o.Data)), sha256.Sum256(o.Data)
	}
	p.int(size)
	p.raw(sum[:])
	p.time(o.DoneAt)
	return p.sealRow(append(seqBytes(o.Capture), o.Name...), seq)
}

func unpackObject(data []byte, capture, seq webhook.Seq, name string) (webhook.Object, error) {
	u, err := unsealRow(data, append(seqBytes(capture), name...), seq)
	if err != nil {
		return webhook.Object{}, err
	}
	u.raw(1)
	o := webhook.Object{Capture: capture}
	o.Name = name
	o.URL = u.string()
	o.State = webhook.State(u.string())
	o.Code = u.string()
	o.Message = u.string()
	o.ExpiresAt = u.time()
	o.Tries = int(u.int())
	o.NextTry = u.time()
	o.Status = int(u.int())
	o.ContentType = u.string()
	o.Size = u.int()
	copy(o.SHA256[:], u.raw(sha256.Size))
	o.DoneAt = u.time()
	return o, u.err
}
