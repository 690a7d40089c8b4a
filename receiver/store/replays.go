package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// maxReplays bounds what is kept of one capture's replays; the oldest tries go without a fact.
const maxReplays = 500

// RecordReplay stores one try to send a capture on as a fact and returns after the commit. Of each capture the newest
// 500 tries are kept, and they go with it. ErrNotFound when the capture is gone, ErrUnavailable.
func (s *Store) RecordReplay(ctx context.Context, r webhook.Replay) error {
	packed := packReplay(&r)
	err := s.do(ctx, int64(len(packed.buf)+sealSize), func(t *tx) error { return t.replayed(&r, packed) })
	if err != nil {
		return fmt.Errorf("store: record replay of capture %d of %q: %w", r.Capture, r.Endpoint, err)
	}
	return nil
}

func (t *tx) replayed(r *webhook.Replay, packed packer) error {
	const (
		insert = `INSERT INTO replays (seq, capture, data) VALUES (?, ?, ?)`
		prune  = `DELETE FROM replays WHERE capture = ?1 AND seq <=
			(SELECT seq FROM replays WHERE capture = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)`
	)
	if _, err := t.laneOf(r.Endpoint, int64(r.Capture)); err != nil {
		return err
	}
	seq := t.next(tableReplays)
	if _, err := t.exec(insert, seq, int64(r.Capture), packed.sealRow(seqBytes(r.Capture), webhook.Seq(seq))); err != nil {
		return err
	}
	_, err := t.exec(prune, int64(r.Capture), int64(maxReplays))
	return err
}

// Replays returns the kept tries to send a capture on, oldest first. Damaged rows are left out and logged once.
// ErrNotFound when there is no such capture.
func (s *Store) Replays(ctx context.Context, endpoint string, capture webhook.Seq) ([]webhook.Replay, error) {
	const query = `SELECT seq, data FROM replays WHERE capture = ? ORDER BY seq LIMIT ?`
	if err := s.has(ctx, endpoint, capture); err != nil {
		return nil, fmt.Errorf("store: replays of capture %d of %q: %w", capture, endpoint, err)
	}
	var found []webhook.Replay
	err := s.readers.each(ctx, query, func(r *sql.Rows) error {
		var seq int64
		var data []byte
		if err := r.Scan(&seq, &data); err != nil {
			return err
		}
		if one, ok := s.replay(ctx, seq, int64(capture), data); ok {
			one.Endpoint = endpoint
			found = append(found, one)
		}
		return nil
	}, int64(capture), int64(math.MaxInt32))
	if err != nil {
		return nil, fmt.Errorf("store: replays of capture %d of %q: %w", capture, endpoint, err)
	}
	return found, nil
}

// replay reads a row; false when it is damaged.
func (s *Store) replay(ctx context.Context, seq, capture int64, data []byte) (webhook.Replay, bool) {
	r, err := unpackReplay(data, webhook.Seq(capture), webhook.Seq(seq))
	if err != nil {
		s.quarantine.report(ctx, "replay", seq, err)
	}
	return r, err == nil
}

func (w *window) replays(ctx context.Context) error {
	const query = `SELECT r.seq, r.capture, r.data, c.lane, '' FROM replays r JOIN captures c ON c.seq = r.capture
		WHERE r.seq > ? AND r.seq <= ? ORDER BY r.seq LIMIT ?`
	return w.ofCaptures(ctx, query, "replay", func(row *ofCapture, fact *webhook.Fact) error {
		replay, err := unpackReplay(row.data, fact.Of, fact.Seq)
		replay.Endpoint = fact.Endpoint
		fact.Kind, fact.Replay = webhook.FactReplay, &replay
		return err
	})
}

// packReplay packs a replay without seq and endpoint; it is sealed together with its capture and its seq.
func packReplay(r *webhook.Replay) packer {
	p := packer{buf: make([]byte, 0, 160)}
	p.raw([]byte{packing})
	p.string(r.ID)
	p.string(string(r.By))
	p.string(r.Target)
	p.string(r.Policy)
	p.bool(r.Edited)
	p.bool(r.Signed)
	p.int(int64(r.Attempt))
	p.int(int64(r.Try))
	p.int(int64(r.Hop))
	p.time(r.Start)
	p.int(int64(r.Duration))
	p.int(int64(r.Status))
	p.string(r.Failure)
	p.duration(r.NextIn)
	p.bool(r.Delivered)
	return p
}

func unpackReplay(data []byte, capture, seq webhook.Seq) (webhook.Replay, error) {
	r := webhook.Replay{Capture: capture, Seq: seq}
	u, err := unsealRow(data, seqBytes(capture), seq)
	if err != nil {
		return r, err
	}
	u.raw(1)
	r.ID, r.By, r.Target, r.Policy = u.string(), webhook.ReplayBy(u.string()), u.string(), u.string()
	r.Edited, r.Signed = u.bool(), u.bool()
	r.Attempt, r.Try, r.Hop = int(u.int()), int(u.int()), int(u.int())
	r.Start, r.Duration = u.time(), durationOf(u.int())
	r.Status, r.Failure = int(u.int()), u.string()
	r.NextIn, r.Delivered = u.duration(), u.bool()
	return r, u.err
}
