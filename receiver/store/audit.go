package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Bounds of the audit log. Whichever is reached first, the oldest entries go.
const (
	maxAudit    = 50_000
	maxAuditAge = 365 * 24 * time.Hour
	// auditStep is how many old entries one new one takes away at most.
	auditStep = 20
	// foldTime is how long after the first one equal entries are counted up.
	foldTime = time.Minute
)

// auditConfig is the stored form of what of an entry has no column.
type auditConfig struct {
	Object  string               `json:"object,omitempty"`
	Peer    string               `json:"peer"`
	Outcome webhook.AuditOutcome `json:"outcome"`
	Details []auditDetail        `json:"details,omitempty"`
}

type auditDetail struct {
	Name string `json:"name"`
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// RecordAudit keeps an entry unless its request has one, and returns after the commit. The newest 50,000 of the last
// 365 days are kept. ErrUnavailable.
func (s *Store) RecordAudit(ctx context.Context, entry webhook.AuditEntry) error {
	if err := s.do(ctx, 0, func(t *tx) error { return t.audit(&entry) }); err != nil {
		return fmt.Errorf("store: record audit: %w", err)
	}
	return nil
}

func (t *tx) audit(e *webhook.AuditEntry) error {
	const (
		known  = `SELECT id FROM audit WHERE request = ?`
		equal  = `SELECT id FROM audit WHERE fold = ? AND at > ? ORDER BY at DESC LIMIT 1`
		again  = `UPDATE audit SET count = count + 1, last = ?, request = ? WHERE id = ?`
		insert = `INSERT INTO audit (at, request, who, token, action, endpoint, fold, count, last, config)
			VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?1, ?8)`
		newest = `SELECT last_insert_rowid()`
		prune  = `DELETE FROM audit WHERE id IN (SELECT id FROM audit ORDER BY id LIMIT ?3) AND (id <= ?1 OR at < ?2)`
	)
	if id, err := t.integer(known, e.Request); err != nil || id != 0 {
		return err
	}
	at := e.At.UnixNano()
	var fold any
	if e.Fold {
		// Which capture it was may differ, what was done with it may not.
		parts := []string{e.Who, e.Token, e.Action, e.Endpoint, e.Peer, string(e.Outcome)}
		for _, d := range e.Details {
			parts = append(parts, d.Name, d.From, d.To)
		}
		key := strings.Join(parts, "\x00")
		fold = key
		id, err := t.integer(equal, key, at-int64(foldTime))
		if err != nil {
			return err
		}
		if id != 0 {
			_, err = t.exec(again, at, e.Request, id)
			return err
		}
	}
	form := auditConfig{Object: e.Object, Peer: e.Peer, Outcome: e.Outcome}
	for _, d := range e.Details {
		form.Details = append(form.Details, auditDetail(d))
	}
	config, err := json.Marshal(form)
	if err != nil {
		return err
	}
	if _, err = t.exec(insert, at, e.Request, e.Who, e.Token, e.Action, e.Endpoint, fold, config); err != nil {
		return err
	}
	id, err := t.integer(newest)
	if err == nil {
		oldest := int64(math.MinInt64) // as long as the clock is not to be believed
		if t.w.steady.passed-t.w.steady.since >= t.w.s.config.Steady {
			oldest = t.w.s.config.Now().Add(-maxAuditAge).UnixNano()
		}
		_, err = t.exec(prune, id-maxAudit, oldest, int64(auditStep))
	}
	return err
}

// Audit lists entries, newest first. A Limit outside of 1 to 1000 is taken as 1000. ErrUnavailable.
func (s *Store) Audit(ctx context.Context, q webhook.AuditQuery) ([]webhook.AuditEntry, error) {
	const query = `SELECT id, at, request, who, token, action, endpoint, count, last, config FROM audit
		WHERE id < ?1 AND (?2 = '' OR who = ?2 OR token = ?2) AND (?3 = '' OR action = ?3) AND (?4 = '' OR endpoint = ?4)
		ORDER BY id DESC LIMIT ?5`
	if q.Before <= 0 {
		q.Before = math.MaxInt64
	}
	if q.Limit < 1 || q.Limit > maxLimit {
		q.Limit = maxLimit
	}
	var found []webhook.AuditEntry
	err := s.readers.each(ctx, query, func(r *sql.Rows) error {
		var e webhook.AuditEntry
		var at, last int64
		var config []byte
		err := r.Scan(&e.ID, &at, &e.Request, &e.Who, &e.Token, &e.Action, &e.Endpoint, &e.Count, &last, &config)
		if err != nil {
			return err
		}
		var kept auditConfig
		if err = json.Unmarshal(config, &kept); err != nil {
			s.quarantine.report(ctx, "audit", e.ID, err)
			return nil
		}
		e.At, e.Last = unixNano(at), unixNano(last)
		e.Object, e.Peer, e.Outcome = kept.Object, kept.Peer, kept.Outcome
		for _, d := range kept.Details {
			e.Details = append(e.Details, webhook.AuditDetail(d))
		}
		found = append(found, e)
		return nil
	}, q.Before, q.Who, q.Action, q.Endpoint, q.Limit)
	if err != nil {
		return nil, fmt.Errorf("store: audit: %w", err)
	}
	return found, nil
}
