package webhook

import (
	"context"
	"sync/atomic"
	"time"
)

// AuditOutcome is how a change that somebody asked for ended.
type AuditOutcome string

// The outcomes.
const (
	// AuditDone: it was carried out.
	AuditDone AuditOutcome = "done"
	// AuditRefused: what was asked for is not possible, and nothing was changed.
	AuditRefused AuditOutcome = "refused"
	// AuditFailed: the server could not, or broke off.
	AuditFailed AuditOutcome = "failed"
)

// AuditEntry says who changed what. It never holds a secret.
type AuditEntry struct {
	// ID is set by the store; later entries have greater ones.
	ID int64
	// At is when it happened; for one that stands for several, the first time, and Last the last.
	At, Last time.Time
	// Count is how many equal changes the entry stands for, at least 1.
	Count int
	// Request is the id of the request, under which the server's log may have more. A request has one entry.
	Request string
	// Who is the token's name, Token its id; the start-up token has none.
	Who, Token string
	// Action is the operation's id in the contract.
	Action string
	// Endpoint is the name of the endpoint concerned, Object what else is: a capture's seq, a token's or a run's id.
	Endpoint, Object string
	// Peer is the address that the request came from.
	Peer    string
	Outcome AuditOutcome
	// Details are what was changed, masked.
	Details []AuditDetail
	// Fold lets the store count an equal entry up that is less than a minute old, instead of keeping this one too.
	Fold bool
}

// AuditDetail is one thing that a change concerned. From and To are masked and may be empty.
type AuditDetail struct {
	Name string
	From string
	To   string
}

// AuditQuery selects entries, newest first. Empty fields select all.
type AuditQuery struct {
	// Who is a name or the id of a token.
	Who, Action, Endpoint string
	// Before bounds the ids; 0 does not.
	Before int64
	Limit  int
}

// Audit is an entry on its way to the store, which keeps it in the transaction of the change that it describes.
// One goroutine fills the entry in; Kept may be asked by any.
type Audit struct {
	AuditEntry
	kept atomic.Bool
}

// Kept tells whether the entry is on disk.
func (a *Audit) Kept() bool { return a.kept.Load() }

// Keep notes that the entry is on disk. It is the store's to call.
func (a *Audit) Keep() { a.kept.Store(true) }

type auditKey struct{}

// WithAudit returns a context whose first change of the store is to be kept together with an entry, or without one for
// nil.
func WithAudit(ctx context.Context, a *Audit) context.Context {
	return context.WithValue(ctx, auditKey{}, a)
}

// AuditOf returns the context's entry, or nil.
func AuditOf(ctx context.Context) *Audit {
	a, _ := ctx.Value(auditKey{}).(*Audit)
	return a
}
