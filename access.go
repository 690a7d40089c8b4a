package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"time"

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
	return webhook.WithAudit(ctx, &webhook.Audit{AuditEntry: webhook.AuditEntry{
		At: time.Now(), Request: rand.Text(), Who: "settings file", Action: action, Endpoint: declared.Name, Outcome: webhook.AuditDone,
	}})
}

// sameSettings compares endpoints as they are stored.
func sameSettings(a, b webhook.Endpoint) bool {
	b.Created, b.Updated = a.Created, a.Updated
	one, err := json.Marshal(a)        //nolint:musttag // only compared
	other, otherErr := json.Marshal(b) //nolint:musttag // as above
	return err == nil && otherErr == nil && bytes.Equal(one, other)
}
