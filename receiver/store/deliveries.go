package store

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/google/uuid"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// maxAttempts bounds the attempts that are returned with one delivery, the first ones.
const maxAttempts = 1000

// Deliveries lists the deliveries of an endpoint, newest first by the seq of their first attempt; before, if not 0,
// is the seq of a first attempt and excluded. Attempts are in arrival order, without bodies, and at most 1000. A
// delivery whose first attempt was deleted is not listed; Delivery still finds it. A limit outside of 1 to 1000 is
// taken as 1000. ErrNotFound when there is no such endpoint.
func (s *Store) Deliveries(ctx context.Context, endpoint string, before webhook.Seq, limit int) ([]webhook.Delivery, error) {
	const (
		first = `SELECT seq FROM captures WHERE lane = ? AND seq < ? AND attempt = 1 ORDER BY seq DESC LIMIT ?`
		ids   = `SELECT seq FROM captures WHERE delivery = (SELECT delivery FROM captures WHERE seq = ?) ORDER BY seq LIMIT ?`
	)
	e, err := s.find(endpoint)
	if err != nil {
		return nil, fmt.Errorf("store: list deliveries: %w", err)
	}
	if limit < 1 || limit > maxLimit {
		limit = maxLimit
	}
	if before <= 0 {
		before = math.MaxInt64
	}
	var firsts []int64
	for _, l := range e.lanes {
		more, err := s.readers.integers(ctx, first, l.id, int64(before), limit)
		if err != nil {
			return nil, fmt.Errorf("store: list deliveries: %w", err)
		}
		firsts = append(firsts, more...)
	}
	slices.Sort(firsts)
	slices.Reverse(firsts)
	firsts = firsts[:min(len(firsts), limit)]
	deliveries := make([]webhook.Delivery, 0, len(firsts))
	for _, seq := range firsts {
		d, err := s.delivery(ctx, e, ids, seq)
		if err != nil {
			return nil, fmt.Errorf("store: list deliveries: %w", err)
		}
		if len(d.Attempts) > 0 {
			deliveries = append(deliveries, d)
		}
	}
	return deliveries, nil
}

// Delivery returns a delivery with its attempts in arrival order, without bodies, at most 1000. ErrNotFound.
func (s *Store) Delivery(ctx context.Context, endpoint, id string) (webhook.Delivery, error) {
	const ids = `SELECT seq FROM captures WHERE delivery = ? ORDER BY seq LIMIT ?`
	e, err := s.find(endpoint)
	if err != nil {
		return webhook.Delivery{}, fmt.Errorf("store: delivery: %w", err)
	}
	parsed, err := uuid.Parse(id)
	if err != nil {
		return webhook.Delivery{}, fmt.Errorf("store: delivery %q: %w", id, webhook.ErrNotFound)
	}
	d, err := s.delivery(ctx, e, ids, parsed[:])
	if err == nil && len(d.Attempts) == 0 {
		err = webhook.ErrNotFound
	}
	if err != nil {
		return webhook.Delivery{}, fmt.Errorf("store: delivery %s of %q: %w", id, endpoint, err)
	}
	return d, nil
}

// delivery loads the captures of e whose seqs a query finds.
func (s *Store) delivery(ctx context.Context, e *entry, query string, of any) (webhook.Delivery, error) {
	seqs, err := s.readers.integers(ctx, query, of, maxAttempts)
	if err != nil {
		return webhook.Delivery{}, err
	}
	budget := int64(math.MaxInt64)
	attempts, err := s.load(ctx, seqs, false, &budget)
	if err != nil {
		return webhook.Delivery{}, err
	}
	attempts = slices.DeleteFunc(attempts, func(c webhook.Capture) bool { return c.Endpoint != e.name })
	d := webhook.Delivery{Endpoint: e.name, Attempts: attempts}
	if len(attempts) > 0 {
		d.ID = attempts[0].Delivery
	}
	return d, nil
}
