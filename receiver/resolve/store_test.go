package resolve_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is the resolver's side of a store, in memory, with its bell.
type memory struct {
	mu       sync.Mutex
	changed  chan struct{}
	seq      webhook.Seq
	captures map[webhook.Seq]webhook.Capture
	planned  map[webhook.Seq]bool
	objects  []webhook.Object
	// settles counts calls; refuse makes them fail while it returns an error.
	settles int
	refuse  func(webhook.Object) error
}

func newMemory() *memory {
	return &memory{
		changed: make(chan struct{}), captures: map[webhook.Seq]webhook.Capture{}, planned: map[webhook.Seq]bool{},
		refuse: func(webhook.Object) error { return nil },
	}
}

// ring is called with the lock held.
func (m *memory) ring() {
	m.seq++
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *memory) Wait(ctx context.Context, after webhook.Seq) (webhook.Seq, error) {
	for {
		m.mu.Lock()
		seq, changed := m.seq, m.changed
		m.mu.Unlock()
		if seq > after {
			return seq, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-changed:
		}
	}
}

// record stores an accepted capture whose body is its references, one a line: "name url".
func (m *memory) record(body string) webhook.Seq {
	return m.recordAs(webhook.Accepted, body)
}

func (m *memory) recordAs(class webhook.Class, body string) webhook.Seq {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ring()
	m.captures[m.seq] = webhook.Capture{
		Seq: m.seq, Endpoint: "default", Class: class, Request: webhook.Request{Body: []byte(body)},
	}
	return m.seq
}

func (m *memory) Unplanned(_ context.Context, limit int) ([]webhook.Capture, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []webhook.Capture
	for seq, c := range m.captures {
		if !m.planned[seq] {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b webhook.Capture) int { return cmp.Compare(a.Seq, b.Seq) })
	return list[:min(limit, len(list))], nil
}

func (m *memory) PlanObjects(_ context.Context, capture webhook.Seq, objects []webhook.Object) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.planned[capture] {
		return fmt.Errorf("capture %d is planned already", capture)
	}
	m.planned[capture] = true
	m.objects = append(m.objects, objects...)
	m.ring()
	return nil
}

func (m *memory) Due(_ context.Context, now time.Time, limit int) ([]webhook.Object, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var due []webhook.Object
	for _, o := range m.objects {
		if o.State == webhook.Pending && !o.NextTry.After(now) {
			due = append(due, o)
		}
	}
	slices.SortStableFunc(due, func(a, b webhook.Object) int {
		if a.ExpiresAt.IsZero() != b.ExpiresAt.IsZero() {
			if a.ExpiresAt.IsZero() {
				return 1
			}
			return -1
		}
		return a.ExpiresAt.Compare(b.ExpiresAt)
	})
	return due[:min(limit, len(due))], nil
}

func (m *memory) Settle(ctx context.Context, o webhook.Object) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settles++
	if err := m.refuse(o); err != nil {
		return err
	}
	for i := range m.objects {
		if m.objects[i].Capture == o.Capture && m.objects[i].Name == o.Name {
			m.objects[i] = o
			m.ring()
			return nil
		}
	}
	return fmt.Errorf("settle: %w", webhook.ErrNotFound)
}

// all returns the objects by name.
func (m *memory) all() map[string]webhook.Object {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := map[string]webhook.Object{}
	for _, o := range m.objects {
		all[o.Name] = o
	}
	return all
}

// settled waits until n objects are listed and none is pending, and returns them by name.
func (m *memory) settled(t *testing.T, n int) map[string]webhook.Object {
	t.Helper()
	for {
		m.mu.Lock()
		changed, final := m.changed, 0
		for _, o := range m.objects {
			if o.State != webhook.Pending {
				final++
			}
		}
		m.mu.Unlock()
		if final >= n {
			return m.all()
		}
		select {
		case <-changed:
		case <-t.Context().Done():
			t.Fatalf("%d objects settled, want %d", final, n)
		}
	}
}
