package api

import (
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Caller is who calls: the bearer of a token. ID is empty for the start-up token, Endpoints for all endpoints.
type Caller struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Role      string     `json:"role"`
	Endpoints []string   `json:"endpoints"`
	ExpiresAt *time.Time `json:"expires_at"`
}

// Token is a named right to call the server, without its key. An empty list of endpoints is all.
type Token struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Role      string   `json:"role"`
	Endpoints []string `json:"endpoints"`
	// Gone are those of Endpoints that were deleted.
	Gone      []string   `json:"gone"`
	CreatedAt time.Time  `json:"created_at"`
	CreatedBy string     `json:"created_by"`
	ExpiresAt *time.Time `json:"expires_at"`
	Expired   bool       `json:"expired"`
	UsedAt    *time.Time `json:"used_at"`
	// Declared tokens are the settings file's to change and to take away.
	Declared bool `json:"declared"`
}

// Tokens is the answer of the list of tokens.
type Tokens struct {
	Tokens []Token `json:"tokens"`
}

// TokenInput asks for a token. Life 0 is for ever.
type TokenInput struct {
	Name      string   `json:"name"`
	Role      string   `json:"role"`
	Endpoints []string `json:"endpoints"`
	Life      Millis   `json:"expires_in_ms"`
}

// NewToken is a token with its key, which is shown this once.
type NewToken struct {
	Token

	Key string `json:"key"`
}

// Share is a right to see one capture, without its key.
type Share struct {
	ID        string     `json:"id"`
	Endpoint  string     `json:"endpoint"`
	Capture   int64      `json:"capture"`
	Objects   bool       `json:"objects"`
	CreatedAt time.Time  `json:"created_at"`
	CreatedBy string     `json:"created_by"`
	ExpiresAt time.Time  `json:"expires_at"`
	Opens     int64      `json:"opens"`
	OpenedAt  *time.Time `json:"opened_at"`
}

// Shares is the answer of the lists of shares.
type Shares struct {
	Shares []Share `json:"shares"`
}

// ShareInput asks for a share. Life 0 is a day.
type ShareInput struct {
	Life    Millis `json:"expires_in_ms"`
	Objects bool   `json:"objects"`
}

// NewShare is a share with its key and the link that has it; both are shown this once.
type NewShare struct {
	Share

	Key string `json:"key"`
	URL string `json:"url"`
}

// Shared is what the bearer of a share's key sees.
type Shared struct {
	Capture   Capture   `json:"capture"`
	Objects   bool      `json:"objects"`
	ExpiresAt time.Time `json:"expires_at"`
	Version   string    `json:"version"`
}

// AuditEntry says who changed what. It stands for Count equal changes from At to Last.
type AuditEntry struct {
	ID       int64         `json:"id"`
	At       time.Time     `json:"at"`
	Last     time.Time     `json:"last_at"`
	Count    int           `json:"count"`
	Request  string        `json:"request_id"`
	Who      string        `json:"who"`
	Token    string        `json:"token"`
	Action   string        `json:"action"`
	Endpoint string        `json:"endpoint"`
	Object   string        `json:"object"`
	Peer     string        `json:"peer"`
	Outcome  string        `json:"outcome"`
	Details  []AuditDetail `json:"details"`
}

// AuditDetail is one thing that a change concerned, masked.
type AuditDetail struct {
	Name string `json:"name"`
	From string `json:"from"`
	To   string `json:"to"`
}

// Audit is a page of the audit log, newest first. Next is the following page's before, or null.
type Audit struct {
	Entries []AuditEntry `json:"entries"`
	Next    *int64       `json:"next"`
}

// TokenForm returns the form of a token.
func TokenForm(t *webhook.Token) Token {
	return Token{
		ID: t.ID, Name: t.Name, Role: string(t.Role), Endpoints: append([]string{}, t.Endpoints...), Gone: append([]string{}, t.Gone...),
		CreatedAt: t.Created.UTC(), CreatedBy: t.By, ExpiresAt: given(t.Expires), UsedAt: given(t.Used), Declared: t.Declared,
	}
}

// ShareForm returns the form of a share.
func ShareForm(s *webhook.Share) Share {
	return Share{
		ID: s.ID, Endpoint: s.Endpoint, Capture: int64(s.Capture), Objects: s.Objects, CreatedAt: s.Created.UTC(), CreatedBy: s.By,
		ExpiresAt: s.Expires.UTC(), Opens: s.Opens, OpenedAt: given(s.Opened),
	}
}

// AuditForm returns the form of an entry.
func AuditForm(e *webhook.AuditEntry) AuditEntry {
	out := AuditEntry{
		ID: e.ID, At: e.At.UTC(), Last: e.Last.UTC(), Count: e.Count, Request: e.Request, Who: e.Who, Token: e.Token,
		Action: e.Action, Endpoint: e.Endpoint, Object: e.Object, Peer: e.Peer, Outcome: string(e.Outcome), Details: []AuditDetail{},
	}
	for _, d := range e.Details {
		out.Details = append(out.Details, AuditDetail(d))
	}
	return out
}

// given returns a time, or nil for none.
func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}
