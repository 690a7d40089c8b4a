package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// maxShares bounds the shares of one capture at one time.
const maxShares = 50

// shareConfig is the stored form of what of a share has no column.
type shareConfig struct {
	Endpoint string    `json:"endpoint"`
	Created  time.Time `json:"created"`
	Objects  bool      `json:"objects"`
	By       string    `json:"by"`
}

// SaveShare keeps a new share and returns after the commit. Expired shares go then. ErrNotFound when the capture is gone,
// ErrInvalid when it has 50 shares, ErrUnavailable.
func (s *Store) SaveShare(ctx context.Context, share webhook.Share) error {
	const (
		laneOf = `SELECT lane FROM captures WHERE seq = ?`
		prune  = `DELETE FROM shares WHERE expires < ?`
		count  = `SELECT count(*) FROM shares WHERE capture = ?`
		insert = `INSERT INTO shares (id, capture, hash, expires, opens, opened, config) VALUES (?, ?, ?, ?, 0, 0, ?)`
	)
	config, err := json.Marshal(shareConfig{share.Endpoint, share.Created, share.Objects, share.By})
	if err != nil {
		return fmt.Errorf("store: share capture %d: %w", share.Capture, err)
	}
	err = s.do(ctx, int64(len(config)), func(t *tx) error {
		laneID, err := t.integer(laneOf, int64(share.Capture))
		if err != nil {
			return err
		}
		e, ok := s.directory.Load().byName[share.Endpoint]
		if !ok || e.gone || laneID>>2 != e.id {
			return webhook.ErrNotFound
		}
		if _, err = t.exec(prune, s.config.Now().UnixNano()); err != nil {
			return err
		}
		n, err := t.integer(count, int64(share.Capture))
		if err != nil {
			return err
		}
		if n >= maxShares {
			return fmt.Errorf("%w: the capture has %d shares: revoke some first", webhook.ErrInvalid, n)
		}
		_, err = t.exec(insert, share.ID, int64(share.Capture), share.Hash[:], share.Expires.UnixNano(), config)
		return err
	})
	if err != nil {
		return fmt.Errorf("store: share capture %d of %q: %w", share.Capture, share.Endpoint, err)
	}
	return nil
}

// DeleteShare takes a share away. ErrNotFound, ErrUnavailable.
func (s *Store) DeleteShare(ctx context.Context, id string) error {
	const remove = `DELETE FROM shares WHERE id = ?`
	err := s.do(ctx, 0, func(t *tx) error {
		n, err := t.exec(remove, id)
		if err == nil && n == 0 {
			err = webhook.ErrNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("store: delete share %q: %w", id, err)
	}
	return nil
}

// Share returns a share, expired or not. ErrNotFound, also when its capture is gone.
func (s *Store) Share(ctx context.Context, id string) (webhook.Share, error) {
	const query = `SELECT s.id, s.capture, s.hash, s.expires, s.opens, s.opened, s.config, c.lane
		FROM shares s JOIN captures c ON c.seq = s.capture WHERE s.id = ?`
	found, err := s.shares(ctx, query, id)
	if err == nil && len(found) == 0 {
		err = webhook.ErrNotFound
	}
	if err != nil {
		return webhook.Share{}, fmt.Errorf("store: share %q: %w", id, err)
	}
	return found[0], nil
}

// Shares returns the shares of an endpoint's capture that have not expired, of all its captures for 0, of all endpoints
// for "", newest first and 1000 at most.
func (s *Store) Shares(ctx context.Context, endpoint string, capture webhook.Seq) ([]webhook.Share, error) {
	const query = `SELECT s.id, s.capture, s.hash, s.expires, s.opens, s.opened, s.config, c.lane
		FROM shares s JOIN captures c ON c.seq = s.capture
		WHERE s.expires >= ?1 AND (?2 = 0 OR s.capture = ?2) ORDER BY s.rowid DESC`
	found, err := s.shares(ctx, query, s.config.Now().UnixNano(), int64(capture))
	if err != nil {
		return nil, fmt.Errorf("store: shares: %w", err)
	}
	kept := found[:0]
	for i := range found {
		if (endpoint == "" || found[i].Endpoint == endpoint) && len(kept) < maxLimit {
			kept = append(kept, found[i])
		}
	}
	return kept, nil
}

func (s *Store) shares(ctx context.Context, query string, args ...any) ([]webhook.Share, error) {
	var found []webhook.Share
	directory := s.directory.Load()
	err := s.readers.each(ctx, query, func(r *sql.Rows) error {
		var share webhook.Share
		var capture, expires, opened, laneID int64
		var hash, config []byte
		if err := r.Scan(&share.ID, &capture, &hash, &expires, &share.Opens, &opened, &config, &laneID); err != nil {
			return err
		}
		var kept shareConfig
		if damaged := json.Unmarshal(config, &kept) != nil || len(hash) != sha256.Size; damaged {
			s.quarantine.report(ctx, "share of capture", capture, webhook.ErrDamaged)
			return nil
		}
		// A capture whose endpoint is gone waits to be swept.
		if name, known := directory.nameOf(laneID); !known || name != kept.Endpoint {
			return nil
		}
		share.Endpoint, share.Capture, share.Hash = kept.Endpoint, webhook.Seq(capture), [sha256.Size]byte(hash)
		share.Created, share.Expires, share.Objects, share.By = kept.Created, unixNano(expires), kept.Objects, kept.By
		share.Opened = timeOf(opened)
		found = append(found, share)
		return nil
	}, args...)
	return found, err
}
