package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/hookrange/hookrange/inspector/access"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// declaring returns a context with which the audit log tells of an endpoint that the settings file makes or changes.
// Held is the endpoint as it is, or nil.
func declaring(ctx context.Context, held, declared *webhook.Endpoint) context.Context {
	action := "createEndpoint"
	if held != nil {
		action = "changeEndpoint"
		if sameSettings(*held, *declared) {
			return ctx
		}
	}
	return byFile(ctx, webhook.AuditEntry{Action: action, Endpoint: declared.Name})
}

// byFile returns a context with which the audit log tells of a change that the settings file makes.
func byFile(ctx context.Context, e webhook.AuditEntry) context.Context {
	e.At, e.Request, e.Who, e.Outcome = time.Now(), rand.Text(), access.ByFile, webhook.AuditDone
	return webhook.WithAudit(ctx, &webhook.Audit{AuditEntry: e})
}

// sameSettings compares endpoints as they are stored.
func sameSettings(a, b webhook.Endpoint) bool {
	b.Created, b.Updated = a.Created, a.Updated
	one, err := json.Marshal(a)        //nolint:musttag // only compared
	other, otherErr := json.Marshal(b) //nolint:musttag // as above
	return err == nil && otherErr == nil && bytes.Equal(one, other)
}

// declareTokens makes the declared tokens of a store those of the settings file: no more and no less. One that a user made
// gives way to one of its name.
func (h *house) declareTokens(ctx context.Context, file *settingsFile) error {
	wanted, err := h.wantedTokens(file)
	if err != nil {
		return err
	}
	for _, held := range h.store.Tokens() {
		at := slices.IndexFunc(wanted, func(t webhook.Token) bool { return t.Name == held.Name })
		switch {
		case at < 0 && !held.Declared:
			continue
		case at >= 0 && sameToken(held, &wanted[at]):
			wanted = slices.Delete(wanted, at, at+1)
			continue
		case at >= 0:
			// Who used it stays the same for the audit log.
			wanted[at].ID = held.ID
		}
		if err = h.store.DeleteToken(byFile(ctx, tokenEntry("deleteToken", held)), held.ID); err != nil {
			return err
		}
	}
	for i := range wanted {
		t := &wanted[i]
		t.Created = time.Now().UTC()
		if err = h.store.SaveToken(byFile(ctx, tokenEntry("createToken", t)), *t); err != nil {
			return fmt.Errorf("settings file: token %q: %w", t.Name, err)
		}
	}
	return nil
}

// wantedTokens returns the tokens of the settings file, which differ in name and secret.
func (h *house) wantedTokens(file *settingsFile) ([]webhook.Token, error) {
	startUp := access.Key{Text: h.token}.Hash()
	var wanted []webhook.Token
	for i := range file.tokens {
		t, err := file.tokens[i].Token(file.lookup)
		if err != nil {
			return nil, fmt.Errorf("settings file: tokens: number %d: %w", i+1, err)
		}
		for _, other := range wanted {
			if other.Name == t.Name {
				return nil, fmt.Errorf("%w: settings file: tokens: there are two of the name %q", webhook.ErrInvalid, t.Name)
			}
			if access.Same(other.Hash, t.Hash) {
				return nil, fmt.Errorf("%w: settings file: tokens: %q and %q have the same secret", webhook.ErrInvalid, other.Name, t.Name)
			}
		}
		if access.Same(startUp, t.Hash) {
			return nil, fmt.Errorf("%w: settings file: tokens: %q has the secret of the start-up token, which may do everything", webhook.ErrInvalid, t.Name)
		}
		for _, name := range t.Endpoints {
			if _, err = h.store.Endpoint(name); errors.Is(err, webhook.ErrNotFound) {
				h.log.Warn("a declared token names an endpoint that is not there", slog.String("token", t.Name), slog.String("endpoint", name))
			}
		}
		wanted = append(wanted, t)
	}
	return wanted, nil
}

func sameToken(a, b *webhook.Token) bool {
	return a.Declared == b.Declared && a.Role == b.Role && slices.Equal(a.Endpoints, b.Endpoints) && access.Same(a.Hash, b.Hash)
}

func tokenEntry(action string, t *webhook.Token) webhook.AuditEntry {
	return webhook.AuditEntry{Action: action, Object: t.ID, Details: []webhook.AuditDetail{
		{Name: "name", To: t.Name}, {Name: "role", To: string(t.Role)}, {Name: "endpoints", To: strings.Join(t.Endpoints, ", ")},
	}}
}
