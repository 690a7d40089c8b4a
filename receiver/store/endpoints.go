package store

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Endpoints returns all endpoints, sorted by name. The slice is the caller's, what it points to is not changed by
// anyone.
func (s *Store) Endpoints() []*webhook.Endpoint {
	return slices.Clone(s.directory.Load().sorted)
}

// Changed returns a channel that is closed when an endpoint is created, changed or deleted after this call.
func (s *Store) Changed() <-chan struct{} { return s.changed.wait() }

// change wakes all who wait for a change of the endpoints.
type change struct {
	mu   sync.Mutex
	next chan struct{}
}

func (c *change) wait() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = make(chan struct{})
	}
	return c.next
}

func (c *change) ring() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next != nil {
		close(c.next)
		c.next = nil
	}
}

// Endpoint returns an endpoint without locking anything, or ErrNotFound.
func (s *Store) Endpoint(name string) (*webhook.Endpoint, error) {
	e, err := s.find(name)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return e.endpoint, nil
}

// SaveEndpoint creates an endpoint, or replaces the settings of one, and returns it after the commit. Created is kept
// and Updated set. Tokens for an earlier endpoint of a new one's name are not for it: see webhook.Token. It checks the
// name only; the other settings are their packages' to check. ErrInvalid for the name, ErrExists when create and the
// name is taken, ErrNotFound when not create and there is none, ErrUnavailable.
func (s *Store) SaveEndpoint(ctx context.Context, ep webhook.Endpoint, create bool) (*webhook.Endpoint, error) {
	if err := webhook.CheckName(ep.Name); err != nil {
		return nil, fmt.Errorf("store: save endpoint: %w", err)
	}
	config, err := packEndpoint(&ep)
	if err != nil {
		return nil, fmt.Errorf("store: save endpoint %q: %w", ep.Name, err)
	}
	// A copy that shares nothing with the caller's.
	saved, err := unpackEndpoint(config)
	if err != nil {
		return nil, fmt.Errorf("store: save endpoint %q: %w", ep.Name, err)
	}
	saving := &saving{s: s, endpoint: saved, create: create}
	if err := s.do(ctx, int64(len(config)), saving.write); err != nil {
		return nil, fmt.Errorf("store: save endpoint %q: %w", ep.Name, err)
	}
	return saved, nil
}

// The stored form of an endpoint has the names of the Go fields: a field that a version does not know is passed over.
func packEndpoint(ep *webhook.Endpoint) ([]byte, error) {
	return json.Marshal(ep) //nolint:musttag // see above
}

func unpackEndpoint(config []byte) (*webhook.Endpoint, error) {
	ep := new(webhook.Endpoint)
	return ep, json.Unmarshal(config, ep) //nolint:musttag // see packEndpoint
}

type saving struct {
	s        *Store
	endpoint *webhook.Endpoint
	create   bool
}

func (v *saving) write(t *tx) error {
	const (
		find   = `SELECT id, config FROM endpoints WHERE name = ?`
		insert = `INSERT INTO endpoints (name, config) VALUES (?, ?)`
		update = `UPDATE endpoints SET config = ? WHERE id = ?`
	)
	ep := v.endpoint
	var id int64
	var before *webhook.Endpoint
	err := t.query(find, func(row []driver.Value) (err error) {
		id = number(row[0])
		config, _ := row[1].([]byte)
		before, err = unpackEndpoint(config)
		return err
	}, ep.Name)
	switch {
	case err != nil:
		return err
	case v.create && id != 0:
		return webhook.ErrExists
	case !v.create && id == 0:
		return webhook.ErrNotFound
	}
	ep.Updated = v.s.config.Now().UTC().Round(0)
	ep.Created = ep.Updated
	if !v.create {
		ep.Created = before.Created
	}
	config, err := packEndpoint(ep)
	if err != nil {
		return err
	}
	if v.create {
		if _, err = t.exec(insert, ep.Name, config); err == nil {
			id, err = t.integer(`SELECT last_insert_rowid()`)
		}
		if err == nil {
			// Before the endpoint is published: none of its captures is there for a token that is not for it.
			err = t.renewed(ep.Name)
		}
	} else {
		// The old settings have the old secret.
		if err = t.secure(); err == nil {
			_, err = t.exec(update, config, id)
		}
	}
	if err != nil {
		return err
	}
	t.onCommit(func() { v.s.publish(id, ep) })
	return nil
}

// publish shows a new version of an endpoint; it runs on the writer.
func (s *Store) publish(id int64, ep *webhook.Endpoint) {
	old := s.directory.Load()
	before, ok := old.byID[id]
	if !ok {
		before = &entry{place: newPlace(id, ep.Name)}
		for _, l := range before.lanes {
			s.writer.lanes[l.id] = l
		}
	}
	e := newEntry(before.place, ep)
	e.setQuotas(ep)
	for _, l := range e.lanes {
		if l.over() {
			s.writer.crowded[l] = struct{}{}
		}
	}
	byName := maps.Clone(old.byName)
	byName[ep.Name] = e
	s.directory.Store(newDirectory(byName))
	s.changed.ring()
}

func newDirectory(byName map[string]*entry) *directory {
	d := &directory{byName: byName, byID: make(map[int64]*entry, len(byName))}
	for _, e := range byName {
		d.byID[e.id] = e
		d.sorted = append(d.sorted, e.endpoint)
	}
	slices.SortFunc(d.sorted, func(a, b *webhook.Endpoint) int { return strings.Compare(a.Name, b.Name) })
	return d
}

// DeleteEndpoint deletes an endpoint with everything that it captured. It vanishes in one commit, with one deletion
// fact; then its captures are overwritten in bounded steps. When ctx ends in between, or the process does, the rest
// is deleted later. ErrNotFound, ErrUnavailable.
func (s *Store) DeleteEndpoint(ctx context.Context, name string) error {
	var swept []*lane
	err := s.do(ctx, 0, func(t *tx) error {
		lanes, err := t.deleteEndpoint(name)
		swept = lanes
		return err
	})
	if err != nil {
		return fmt.Errorf("store: delete endpoint %q: %w", name, err)
	}
	for more := true; more; {
		err := s.do(ctx, 0, func(t *tx) error {
			more = slices.ContainsFunc(t.w.orphans, func(l *lane) bool { return slices.Contains(swept, l) })
			if !more {
				return nil
			}
			_, err := t.sweep()
			return err
		})
		if err != nil {
			return fmt.Errorf("store: delete endpoint %q: %w", name, err)
		}
	}
	return nil
}

func (t *tx) deleteEndpoint(name string) ([]*lane, error) {
	const (
		remove = `DELETE FROM endpoints WHERE id = ?`
		older  = `DELETE FROM deletions WHERE endpoint = ?`
		conns  = `DELETE FROM connections WHERE endpoint = ?`
	)
	s := t.w.s
	e, err := t.find(name)
	if err != nil {
		return nil, err
	}
	if err := t.secure(); err != nil {
		return nil, err
	}
	if _, err := t.exec(remove, e.id); err != nil {
		return nil, err
	}
	if _, err := t.exec(conns, e.id); err != nil {
		return nil, err
	}
	n, err := t.exec(older, name)
	if err != nil {
		return nil, err
	}
	t.countDeletions(-n)
	if err := t.deleted(name, nil, &webhook.Deletion{Endpoint: true}); err != nil {
		return nil, err
	}
	e.gone = true
	t.onRollback(func() { e.gone = false })
	t.onCommit(func() {
		byName := maps.Clone(s.directory.Load().byName)
		delete(byName, name)
		s.directory.Store(newDirectory(byName))
		s.changed.ring()
		s.index.drop(name)
		t.w.orphans = append(t.w.orphans, e.lanes[:]...)
		for _, l := range e.lanes {
			delete(t.w.crowded, l)
		}
	})
	return e.lanes[:], nil
}
