package inspector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"github.com/hookrange/hookrange/inspector/access"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// need is the least that a route asks of its caller: a role, and for "-all" a token for all endpoints. Where a path
// names an endpoint, the token must be good for it in any case.
type need string

const (
	// everyone needs no token; sharer needs the key of a share, and no token will do.
	everyone need = "everyone"
	sharer   need = "share"

	view    need = "view"
	operate need = "operate"
	admin   need = "admin"

	viewAll    need = "view-all"
	operateAll need = "operate-all"
	adminAll   need = "admin-all"
)

func (n need) role() webhook.Role { return webhook.Role(strings.TrimSuffix(string(n), "-all")) }

func (n need) whole() bool { return strings.HasSuffix(string(n), "-all") }

// whole tells whether a route is for tokens of all endpoints only: where it says so, and where its path names no endpoint,
// unless its handler keeps to the token's endpoints by itself, or tells of none.
func (known *route) whole() bool {
	if known.need.whole() {
		return true
	}
	switch known.name {
	case "listEndpoints", "createEndpoint", "listShares", "deleteShare", "live", "listPolicies", "listPresets", "importRules", "getInfo",
		"getContract":
		return false
	default:
		return !strings.Contains(known.path, "{endpoint}")
	}
}

// revealing is the role that may see secrets of a route. Who may send a capture on can send its exact bytes anywhere, so
// hiding them from that role would hide nothing; the settings of endpoints are another matter.
func (known *route) revealing() webhook.Role {
	if strings.HasPrefix(known.path, endpointPath+"/") || strings.HasPrefix(known.path, testsPath) {
		return webhook.RoleOperate
	}
	return webhook.RoleAdmin
}

// forbidden is the refusal of a caller whose token is good, but not for this.
type forbidden struct {
	grant *access.Grant
	role  webhook.Role
	what  string
	// why is an explanation beside what is needed, or "".
	why string
}

// Error says what is needed.
func (f *forbidden) Error() string {
	if !f.grant.Role.Includes(f.role) {
		return fmt.Sprintf("%s needs a token of role %s; this one has %s", f.what, f.role, f.grant.Role)
	}
	text := fmt.Sprintf("%s needs a token of role %s for all endpoints; this one is for %s",
		f.what, f.role, strings.Join(f.grant.Endpoints, ", "))
	if f.why != "" {
		text += ": " + f.why
	}
	return text
}

// Is makes it an errForbidden.
func (*forbidden) Is(target error) bool { return target == errForbidden }

type callerKey struct{}

// grantOf returns what the caller was granted, or nil where no token was asked for.
func grantOf(ctx context.Context) *access.Grant {
	g, _ := ctx.Value(callerKey{}).(*access.Grant)
	return g
}

// may tells whether the caller has a role.
func may(ctx context.Context, role webhook.Role) bool {
	g := grantOf(ctx)
	return g != nil && g.Role.Includes(role)
}

// authorize returns nil when the caller may call a route, ErrNotFound for an endpoint that its token is not good for,
// whether there is one or not, and errForbidden otherwise.
func (s *Server) authorize(known *route, r *http.Request) error {
	if known.need == everyone || known.need == sharer {
		return nil
	}
	g := grantOf(r.Context())
	if g == nil {
		if known.path == livePath {
			return nil // its first message brings the token
		}
		return errUnauthorized
	}
	if name, found := mux.Vars(r)["endpoint"]; found && !g.Covers(name) {
		s.denials.note(s, r, "scope")
		return fmt.Errorf("endpoint %q: %w", name, webhook.ErrNotFound)
	}
	if !g.Role.Includes(known.need.role()) || known.whole() && !g.Whole() {
		return &forbidden{grant: g, role: known.need.role(), what: known.name, why: known.whyWhole()}
	}
	return nil
}

// whyWhole says why a route is for tokens of all endpoints only, where that is not plain to see.
func (known *route) whyWhole() string {
	if strings.HasPrefix(known.path, testsPath) {
		return "a conformance run is sent to endpoints that it makes for itself and takes away again, so it concerns none of a token's own"
	}
	return ""
}

// grant returns what a token is good for, or nil. Digests are compared, in constant time, so that neither content nor
// length of a token can be timed.
func (s *Server) grant(text string) *access.Grant {
	if access.Same(access.Key{Text: text}.Hash(), s.token) {
		return access.All()
	}
	if key, ok := access.ParseKey(access.TokenKey, text); ok {
		t, err := s.store.Token(key.ID)
		if err == nil && access.Same(key.Hash(), t.Hash) && !s.over(t.Expires) {
			return access.Of(t)
		}
	}
	// The key of a declared token is any text and names no token.
	hash := access.Key{Text: text}.Hash()
	for _, t := range s.store.Tokens() {
		if t.Declared && access.Same(hash, t.Hash) {
			return access.Of(t)
		}
	}
	return nil
}

// scoped returns ErrNotFound when a call's token is not good for an endpoint, or not any more: its name can be another
// endpoint's while the call is under way.
func (s *Server) scoped(ctx context.Context, endpoint string) error {
	if !s.current(grantOf(ctx)).Covers(endpoint) {
		return fmt.Errorf("endpoint %q: %w", endpoint, webhook.ErrNotFound)
	}
	return nil
}

// current returns what a token is good for now, which a long call asks again after it has read: the endpoints of a page
// were there before. Of a token that is gone the call ends.
func (s *Server) current(g *access.Grant) *access.Grant {
	if g.Whole() {
		return g
	}
	t, err := s.store.Token(g.ID)
	if err != nil {
		return g
	}
	return access.Of(t)
}

func (s *Server) over(expires time.Time) bool {
	return !expires.IsZero() && !s.cfg.Now().Before(expires)
}

// enter registers a call of a grant. The context ends with errEnded when the token does. Leave must be called after a
// nil error.
func (s *Server) enter(ctx context.Context, g *access.Grant) (entered context.Context, leave func(), err error) {
	ctx = context.WithValue(ctx, callerKey{}, g)
	if g.ID == "" {
		return ctx, func() {}, nil
	}
	ctx, leave = s.calls.Enter(ctx, g.ID)
	// A token that was revoked before it was entered has not ended it.
	if _, err = s.store.Token(g.ID); err != nil {
		leave()
		return nil, nil, errUnauthorized
	}
	if !g.Expires.IsZero() {
		timed, cancel := context.WithDeadlineCause(ctx, g.Expires, errEnded)
		inner := leave
		ctx, leave = timed, func() { cancel(); inner() }
	}
	s.uses.Note(g.ID, s.cfg.Now())
	return ctx, leave, nil
}

// bearer returns the one bearer token of a request's head, or "".
func bearer(r *http.Request) string {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return ""
	}
	token, _ := afterBearer(values[0])
	return token
}

// afterBearer returns the token of "Bearer TOKEN", and whether the text is of that form.
func afterBearer(text string) (token string, found bool) {
	scheme, token, found := strings.Cut(text, " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimLeft(token, " "), true
}

// masking returns the view in whose terms a caller searches: nil for exact. Who may not see secrets must not find
// captures by them either, or would find out the secrets letter by letter.
func (s *Server) masking(ctx context.Context) *lens {
	if may(ctx, webhook.RoleOperate) {
		return nil
	}
	return s.lens(false)
}

// denials logs refused calls, at most one line in ten seconds, and counts each.
type denials struct {
	mu      sync.Mutex
	logged  time.Time
	skipped int
}

const denialPause = 10 * time.Second

func (d *denials) note(s *Server, r *http.Request, reason string) {
	s.metrics.denied.With(reason).Inc()
	now := s.cfg.Now()
	d.mu.Lock()
	if now.Sub(d.logged) < denialPause && !now.Before(d.logged) {
		d.skipped++
		d.mu.Unlock()
		return
	}
	skipped := d.skipped
	d.logged, d.skipped = now, 0
	d.mu.Unlock()
	attrs := []slog.Attr{
		slog.String("reason", reason), slog.String("peer", peer(r)), slog.String("request_id", requestID(r.Context())),
		slog.Int("not_logged", skipped),
	}
	if g := grantOf(r.Context()); g != nil {
		attrs = append(attrs, slog.String("who", g.Name), slog.String("token", g.ID))
	}
	s.cfg.Log.LogAttrs(r.Context(), slog.LevelWarn, "call refused", attrs...)
}

// denied counts a refusal that a handler made.
func (s *Server) denied(r *http.Request, err error) {
	switch {
	case errors.Is(err, errForbidden):
		s.denials.note(s, r, "role")
	case errors.Is(err, errUnauthorized):
		s.denials.note(s, r, "token")
	}
}

// operable are the settings of an endpoint that role operate may change: what it answers, and where captures are sent on.
func operable() []string { return []string{"respond", "rules", "forwards"} }

// checkChange refuses a change of settings that the caller's role may not make, whether it would change anything or not.
func checkChange(ctx context.Context, body []byte) error {
	if may(ctx, webhook.RoleAdmin) {
		return nil
	}
	var fields map[string]json.RawMessage
	if err := api.Decode(body, &fields); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(operable(), name) {
			return &forbidden{grant: grantOf(ctx), role: webhook.RoleAdmin, what: "changing " + name}
		}
	}
	return nil
}
