package store

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// maxTokens bounds the tokens that there can be at one time.
const maxTokens = 1000

// tokenConfig is the stored form of what of a token has no column.
type tokenConfig struct {
	Role      webhook.Role `json:"role"`
	Endpoints []string     `json:"endpoints"`
	Gone      []string     `json:"gone,omitempty"`
	Created   time.Time    `json:"created"`
	Expires   time.Time    `json:"expires"`
	By        string       `json:"by"`
	Declared  bool         `json:"declared,omitempty"`
}

// Tokens returns all tokens, the oldest first, expired ones too. The slice is the caller's, what it points to is not
// changed by anyone.
func (s *Store) Tokens() []*webhook.Token {
	return slices.Clone(*s.tokens.Load())
}

// Token returns a token without locking anything, or ErrNotFound. It may have expired.
func (s *Store) Token(id string) (*webhook.Token, error) {
	for _, t := range *s.tokens.Load() {
		if t.ID == id {
			return t, nil
		}
	}
	return nil, fmt.Errorf("store: token %q: %w", id, webhook.ErrNotFound)
}

// SaveToken keeps a new token and returns after the commit. It checks the name to be free and the number of tokens only.
// ErrExists, ErrInvalid when there are 1000, ErrUnavailable.
func (s *Store) SaveToken(ctx context.Context, token webhook.Token) error {
	const insert = `INSERT INTO tokens (id, name, hash, used, config) VALUES (?, ?, ?, 0, ?)`
	token.Endpoints = slices.Clone(token.Endpoints)
	config, err := packToken(&token)
	if err != nil {
		return fmt.Errorf("store: save token %q: %w", token.Name, err)
	}
	err = s.do(ctx, int64(len(config)), func(t *tx) error {
		have, err := t.tokens()
		if err != nil {
			return err
		}
		if slices.ContainsFunc(have, func(o *webhook.Token) bool { return o.Name == token.Name || o.ID == token.ID }) {
			return webhook.ErrExists
		}
		if len(have) >= maxTokens {
			return fmt.Errorf("%w: there are %d tokens: revoke some first", webhook.ErrInvalid, len(have))
		}
		if _, err = t.exec(insert, token.ID, token.Name, token.Hash[:], config); err != nil {
			return err
		}
		t.publishTokens(append(have, &token))
		return nil
	})
	if err != nil {
		return fmt.Errorf("store: save token %q: %w", token.Name, err)
	}
	return nil
}

func packToken(t *webhook.Token) ([]byte, error) {
	return json.Marshal(tokenConfig{t.Role, t.Endpoints, t.Gone, t.Created, t.Expires, t.By, t.Declared})
}

// renewed tells the tokens that were made for an endpoint that the one of this name is another now.
func (t *tx) renewed(endpoint string) error {
	const update = `UPDATE tokens SET config = ? WHERE id = ?`
	have, err := t.tokens()
	if err != nil {
		return err
	}
	changed := false
	for _, token := range have {
		if token.Declared || !slices.Contains(token.Endpoints, endpoint) || slices.Contains(token.Gone, endpoint) {
			continue
		}
		token.Gone = append(token.Gone, endpoint)
		config, err := packToken(token)
		if err != nil {
			return err
		}
		if _, err = t.exec(update, config, token.ID); err != nil {
			return err
		}
		changed = true
	}
	if changed {
		t.publishTokens(have)
	}
	return nil
}

// DeleteToken takes a token away; after the commit nobody finds it. ErrNotFound, ErrUnavailable.
func (s *Store) DeleteToken(ctx context.Context, id string) error {
	const remove = `DELETE FROM tokens WHERE id = ?`
	err := s.do(ctx, 0, func(t *tx) error {
		have, err := t.tokens()
		if err != nil {
			return err
		}
		left := slices.DeleteFunc(slices.Clone(have), func(o *webhook.Token) bool { return o.ID == id })
		if len(left) == len(have) {
			return webhook.ErrNotFound
		}
		if _, err = t.exec(remove, id); err != nil {
			return err
		}
		t.publishTokens(left)
		return nil
	})
	if err != nil {
		return fmt.Errorf("store: delete token %q: %w", id, err)
	}
	return nil
}

// RecordUses keeps when tokens and shares were last used. Those that are gone are passed over. ErrUnavailable.
func (s *Store) RecordUses(ctx context.Context, uses []webhook.Use) error {
	const (
		held  = `UPDATE tokens SET used = max(used, ?1) WHERE id = ?2`
		share = `UPDATE shares SET opens = opens + ?1, opened = max(opened, ?2) WHERE id = ?3`
	)
	err := s.do(ctx, 0, func(t *tx) error {
		changed := int64(0)
		for _, u := range uses {
			n, err := t.exec(held, u.Last.UnixNano(), u.ID)
			if err != nil {
				return err
			}
			changed += n
			if n > 0 {
				continue
			}
			if _, err = t.exec(share, u.Count, u.Last.UnixNano(), u.ID); err != nil {
				return err
			}
		}
		if changed == 0 {
			return nil
		}
		have, err := t.tokens()
		if err != nil {
			return err
		}
		t.publishTokens(have)
		return nil
	})
	if err != nil {
		return fmt.Errorf("store: record uses: %w", err)
	}
	return nil
}

// publishTokens shows the tokens to everyone after the commit.
func (t *tx) publishTokens(tokens []*webhook.Token) {
	s := t.w.s
	t.onCommit(func() { s.tokens.Store(&tokens) })
}

// tokens reads all tokens, the oldest first.
func (c *conn) tokens() ([]*webhook.Token, error) {
	const query = `SELECT id, name, hash, used, config FROM tokens ORDER BY rowid`
	var found []*webhook.Token
	err := c.query(query, func(row []driver.Value) error {
		id, _ := row[0].(string)
		name, _ := row[1].(string)
		hash, _ := row[2].([]byte)
		config, _ := row[4].([]byte)
		var kept tokenConfig
		if err := json.Unmarshal(config, &kept); err != nil || len(hash) != sha256.Size {
			return fmt.Errorf("token %q: %w", name, webhook.ErrDamaged)
		}
		found = append(found, &webhook.Token{
			ID: id, Name: name, Role: kept.Role, Endpoints: kept.Endpoints, Gone: kept.Gone, Hash: [sha256.Size]byte(hash),
			Created: kept.Created, Expires: kept.Expires, Used: timeOf(number(row[3])), By: kept.By,
			Declared: kept.Declared,
		})
		return nil
	})
	return found, err
}

// timeOf returns a time of Unix nanoseconds, the zero time for 0.
func timeOf(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return unixNano(n)
}

func (s *Store) loadTokens(c *conn) error {
	tokens, err := c.tokens()
	if err == nil {
		s.tokens.Store(&tokens)
	}
	return err
}
