package inspector

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/gorilla/mux"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	// auditTime is how long keeping an entry may take that no change of the store took along.
	auditTime = 10 * time.Second
	// maxAuditText bounds a value in an entry, in characters.
	maxAuditText = 200
)

// AccessStore keeps tokens, shares and the audit log. A context that carries a webhook.Audit has its entry kept in the
// transaction of the first change that is made with it.
type AccessStore interface {
	// Tokens returns all tokens, the oldest first, expired ones too.
	Tokens() []*webhook.Token
	// Token returns one, or ErrNotFound.
	Token(id string) (*webhook.Token, error)
	// SaveToken keeps a new one; ErrExists when its name is taken.
	SaveToken(ctx context.Context, t webhook.Token) error
	// DeleteToken returns ErrNotFound if there is none.
	DeleteToken(ctx context.Context, id string) error
	// SaveShare keeps a new one; ErrNotFound when its capture is gone.
	SaveShare(ctx context.Context, share webhook.Share) error
	// Share returns one, expired or not, or ErrNotFound, also when its capture is gone.
	Share(ctx context.Context, id string) (webhook.Share, error)
	// Shares lists those that have not expired, of a capture (0 is all) of an endpoint ("" is all), newest first.
	Shares(ctx context.Context, endpoint string, capture webhook.Seq) ([]webhook.Share, error)
	// DeleteShare returns ErrNotFound if there is none.
	DeleteShare(ctx context.Context, id string) error
	// RecordUses keeps when tokens and shares were used.
	RecordUses(ctx context.Context, uses []webhook.Use) error
	// RecordAudit keeps an entry unless its request has one.
	RecordAudit(ctx context.Context, e webhook.AuditEntry) error
	// Audit lists entries, newest first.
	Audit(ctx context.Context, q webhook.AuditQuery) ([]webhook.AuditEntry, error)
}

// computes tells whether a route that is called with a body only works something out of it, and changes and sends
// nothing.
func (known *route) computes() bool {
	return slices.Contains([]string{"dryRun", "importRules", "explainSignature"}, known.name)
}

// audits tells whether calls of a route are kept in the audit log. What only reads is kept when it shows secrets, see
// viewOf.
func (known *route) audits(r *http.Request) bool {
	switch {
	case known.need == everyone, known.need == sharer, known.computes():
		return false
	case known.name == "getExport":
		return r.Method != http.MethodHead
	default:
		return r.Method != http.MethodGet && r.Method != http.MethodHead
	}
}

// folds tells whether equal entries of a route are counted up, whichever captures they concern: a command that forwards
// captures reads and reports each of them.
func (known *route) folds(r *http.Request) bool {
	return known.name == "recordReplay" || !known.audits(r)
}

// auditing is the entry of a call under way. It is kept if it is wanted.
type auditing struct {
	webhook.Audit
	wanted bool
}

// audited answers a call and keeps who made it.
func (s *Server) audited(known *route, w http.ResponseWriter, r *http.Request) (err error) {
	g, x := grantOf(r.Context()), exchangeOf(r.Context())
	if g == nil || x == nil {
		return known.answer(w, r)
	}
	vars := mux.Vars(r)
	a := &auditing{wanted: known.audits(r)}
	a.AuditEntry = webhook.AuditEntry{
		At: s.cfg.Now(), Request: x.id, Who: g.Name, Token: g.ID, Action: known.name, Endpoint: vars["endpoint"],
		Object: vars["seq"] + vars["id"], Peer: peer(r), Outcome: webhook.AuditDone, Fold: known.folds(r),
	}
	x.audit = a
	ended := false
	defer func() { //nolint:contextcheck // the request carries it
		// Also when the handler panicked.
		s.keepAudit(r.Context(), a, x.status, err, ended)
	}()
	err = known.answer(w, r.WithContext(webhook.WithAudit(r.Context(), &a.Audit)))
	ended = true
	return err
}

// keepAudit keeps an entry that no change of the store took along.
func (s *Server) keepAudit(ctx context.Context, a *auditing, status int, err error, ended bool) {
	if !a.wanted || a.Kept() || errors.Is(err, errForbidden) {
		return
	}
	if err != nil {
		status = problemOf(err).status
	}
	switch {
	case !ended || status >= http.StatusInternalServerError:
		a.Outcome, a.Fold = webhook.AuditFailed, true
	case status >= http.StatusBadRequest:
		a.Outcome, a.Fold = webhook.AuditRefused, true
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTime)
	defer cancel()
	if err := s.store.RecordAudit(ctx, a.AuditEntry); err != nil {
		s.log.failed(ctx, "audit", err)
	}
}

// noting adds to the audit entry of a call what it concerns. Nothing of it may be a secret.
func noting(ctx context.Context, details ...webhook.AuditDetail) {
	if a := webhook.AuditOf(ctx); a != nil {
		a.Details = append(a.Details, details...)
	}
}

// about names what the audit entry of a call is about.
func about(ctx context.Context, endpoint, object string) {
	if a := webhook.AuditOf(ctx); a != nil {
		a.Endpoint, a.Object = endpoint, object
	}
}

// fact is a detail with a value.
func fact(name, value string) webhook.AuditDetail {
	return webhook.AuditDetail{Name: name, To: cut(value)}
}

func cut(text string) string {
	if utf8.RuneCountInString(text) <= maxAuditText {
		return text
	}
	return string([]rune(text)[:maxAuditText-1]) + "…"
}

// changes lists the settings in which two versions of an endpoint differ, masked. The older may be nil.
func (s *Server) changes(before, after *webhook.Endpoint) []webhook.AuditDetail {
	known := append(s.store.Endpoints(), after)
	exact := api.View{Mask: api.Exact{}, HookURL: s.hookURL}
	masked := api.View{Mask: s.cfg.Mask(known...), HookURL: s.hookURL}
	if before == nil {
		return []webhook.AuditDetail{fact("respond", masked.Endpoint(after).Respond)}
	}
	was, is := settingsOf(exact.Endpoint(before)), settingsOf(exact.Endpoint(after))
	wasShown, isShown := settingsOf(masked.Endpoint(before)), settingsOf(masked.Endpoint(after))
	var out []webhook.AuditDetail
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if !bytes.Equal(was[name], is[name]) {
			out = append(out, webhook.AuditDetail{Name: name, From: cut(plainJSON(wasShown[name])), To: cut(plainJSON(isShown[name]))})
		}
	}
	return out
}

// settingsOf returns the settings of an endpoint, without what is worked out from them.
func settingsOf(form api.Endpoint) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	text, err := json.Marshal(form) //nolint:gosec // what is shown of it is masked
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		return map[string]json.RawMessage{}
	}
	for _, name := range []string{"url", "urls", "counts", "last_seq", "created_at", "updated_at"} {
		delete(out, name)
	}
	return out
}

// plainJSON shows a string without its quotation marks.
func plainJSON(text json.RawMessage) string {
	var s string
	if json.Unmarshal(text, &s) == nil {
		return s
	}
	return string(text)
}

func (s *Server) listAudit(w http.ResponseWriter, r *http.Request) error {
	q, err := params(r, "who", "action", "endpoint", "before", "limit")
	if err != nil {
		return err
	}
	before, limit, err := q.page()
	if err != nil {
		return err
	}
	list, err := s.store.Audit(r.Context(), webhook.AuditQuery{
		Who: q.text("who"), Action: q.text("action"), Endpoint: q.text("endpoint"), Before: before, Limit: limit,
	})
	if err != nil {
		return err
	}
	out := api.Audit{Entries: make([]api.AuditEntry, len(list))}
	for i := range list {
		out.Entries[i] = api.AuditForm(&list[i])
	}
	// A full page may be the last one; the next is then empty.
	if len(list) == limit {
		out.Next = new(list[len(list)-1].ID)
	}
	return writeJSON(w, http.StatusOK, out)
}

func seqText(seq webhook.Seq) string { return strconv.FormatInt(int64(seq), 10) }
