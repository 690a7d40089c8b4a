package inspector_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"

	"github.com/hookrange/hookrange/inspector"
	"github.com/hookrange/hookrange/inspector/access"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func (r *rig) token(tb testing.TB, name string, role webhook.Role, endpoints ...string) api.NewToken {
	tb.Helper()
	body, err := json.Marshal(api.TokenInput{Name: name, Role: string(role), Endpoints: endpoints})
	if err != nil {
		tb.Fatal(err)
	}
	return decoded[api.NewToken](tb, r.call(tb, http.MethodPost, "/api/v1/tokens", string(body)), http.StatusCreated)
}

func by(key string) change { return with("Authorization", "Bearer "+key) }

// asked is what the contract says that a caller of an operation needs.
type asked struct {
	operation
	role  string
	whole bool
}

func (c contract) asked() []asked {
	var out []asked
	for path, item := range c.doc["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			if op, ok := op.(map[string]any); ok && method != "parameters" {
				role, _ := op["x-role"].(string)
				out = append(out, asked{operation{op["operationId"].(string), strings.ToUpper(method), path}, role, op["x-scope"] == "all"})
			}
		}
	}
	slices.SortFunc(out, func(a, b asked) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// census is a server with a token of each role and scope.
type census struct {
	*rig
	keys  map[holder]string
	share string
}

type holder struct{ role, scope string }

func newCensus(t *testing.T) *census {
	t.Helper()
	c := &census{rig: newRig(t, playTests, withListeners, playRelay), keys: map[holder]string{}}
	c.endpoint(t, "default")
	c.endpoint(t, "other")
	for _, scope := range []string{"", "default", "other"} {
		c.makeKeys(t, scope)
	}
	return c
}

// makeKeys makes a token of each role for an endpoint, or for all.
func (c *census) makeKeys(t *testing.T, scope string) {
	t.Helper()
	var endpoints []string
	if scope != "" {
		endpoints = []string{scope}
	}
	for _, role := range webhook.Roles() {
		c.keys[holder{string(role), scope}] = c.token(t, fmt.Sprintf("%s-%s-%d", role, scope, len(c.store.Tokens())), role, endpoints...).Key
	}
}

// place puts back what a call may have deleted and returns an operation's path.
func (c *census) place(t *testing.T, op asked) string {
	t.Helper()
	if _, err := c.store.Endpoint("default"); err != nil {
		c.endpoint(t, "default")
		c.makeKeys(t, "default") // the old ones were for the old one
	}
	seq := c.capture(t, "default", "{}").Seq
	body := c.call(t, http.MethodPost, fmt.Sprintf("%s/%d/share", captures, seq), "{}")
	c.share = decoded[api.NewShare](t, body, http.StatusCreated).Key
	return strings.NewReplacer("{endpoint}", "default", "{seq}", fmt.Sprint(seq), "{id}", "x", "{name}", "x").Replace(op.Path)
}

// TestEveryRouteAsksForItsRole calls each operation of the contract with each role, in and out of the token's scope, and
// with keys that are good for nothing here. What the contract says decides what the server has to answer.
func TestEveryRouteAsksForItsRole(t *testing.T) {
	t.Parallel()
	c, checked := newCensus(t), 0
	for _, op := range newContract(t).asked() {
		path := c.place(t, op)
		switch op.role {
		case "everyone":
			if a := c.call(t, op.Method, path, "", anonymous); a.StatusCode == http.StatusUnauthorized {
				t.Errorf("%s without a token: %d", op.ID, a.StatusCode)
			}
			continue
		case "share":
			for _, key := range []string{token, c.keys[holder{"admin", ""}], c.share + "x", strings.Replace(c.share, "hks", "hkr", 1)} {
				refused(t, c.call(t, op.Method, path, "", by(key)), http.StatusUnauthorized, "unauthorized")
			}
			if a := c.call(t, op.Method, path, "", by(c.share)); a.StatusCode == http.StatusUnauthorized || a.StatusCode == http.StatusForbidden {
				t.Errorf("%s with its key: %d", op.ID, a.StatusCode)
			}
			continue
		}
		refused(t, c.call(t, op.Method, path, "", by(c.share)), http.StatusUnauthorized, "unauthorized")
		for _, who := range slices.Collect(maps.Keys(c.keys)) {
			path = c.place(t, op)
			key := c.keys[who]
			// A body that no route takes: who is allowed is told that it is invalid.
			c.judge(t, op, who, c.call(t, op.Method, path, `{"surprise":1}`, by(key)))
			checked++
		}
	}
	if checked < 9*40 {
		t.Errorf("%d calls", checked)
	}
}

// judge checks the answer to a call against what the operation asks for.
func (*census) judge(t *testing.T, op asked, who holder, a answer) {
	t.Helper()
	ranks := map[string]int{"view": 1, "operate": 2, "admin": 3}
	if ranks[op.role] == 0 {
		t.Fatalf("x-role of %s is %q", op.ID, op.role)
	}
	var p api.ProblemDetails
	_ = json.Unmarshal(a.text, &p)
	missing := a.StatusCode == http.StatusNotFound && p.Detail == `endpoint "default": not found`
	denied := a.StatusCode == http.StatusForbidden && p.Code == "forbidden"
	switch {
	case strings.Contains(op.Path, "{endpoint}") && who.scope == "other":
		if !missing {
			t.Errorf("%s by %v: %d %s, want that the endpoint is not there", op.ID, who, a.StatusCode, a.text)
		}
	case ranks[who.role] < ranks[op.role], op.whole && who.scope != "":
		if !denied || p.Role != op.role {
			t.Errorf("%s by %v: %d %s, want 403 for want of %s", op.ID, who, a.StatusCode, a.text, op.role)
		}
	case op.ID == "changeEndpoint" && who.role == "operate":
		// It may, but not this field.
		if !denied || p.Role != "admin" {
			t.Errorf("%s by %v: %d %s, want 403 for the field", op.ID, who, a.StatusCode, a.text)
		}
	case missing, denied, a.StatusCode == http.StatusUnauthorized:
		t.Errorf("%s by %v: %d %s, want it allowed", op.ID, who, a.StatusCode, a.text)
	}
}

// TestScopeOfListsAndFeed looks for an endpoint that a token is not for in all that is not below one endpoint.
func TestScopeOfListsAndFeed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "mine")
	r.endpoint(t, "theirs")
	scoped := r.token(t, "scoped", webhook.RoleAdmin, "mine").Key
	first := r.capture(t, "theirs", "{}")
	mine := r.capture(t, "mine", "{}")
	r.settled(t)
	shares := map[string]api.NewShare{}
	for name, seq := range map[string]webhook.Seq{"mine": mine.Seq, "theirs": first.Seq} {
		path := fmt.Sprintf("/api/v1/endpoints/%s/captures/%d/share", name, seq)
		shares[name] = decoded[api.NewShare](t, r.call(t, http.MethodPost, path, "{}"), http.StatusCreated)
	}
	for _, path := range []string{"/api/v1/endpoints", "/api/v1/shares"} {
		if a := r.call(t, http.MethodGet, path, "", by(scoped)); bytes.Contains(a.text, []byte("theirs")) || !bytes.Contains(a.text, []byte("mine")) {
			t.Errorf("%s: %s", path, a.text)
		}
	}
	// A capture is not found below an endpoint that is not its own.
	refused(t, r.call(t, http.MethodGet, fmt.Sprintf("/api/v1/endpoints/mine/captures/%d", first.Seq), "", by(scoped)), 404, "not_found")
	refused(t, r.call(t, http.MethodDelete, "/api/v1/shares/"+shares["theirs"].ID, "", by(scoped)), 404, "not_found")
	refused(t, r.call(t, http.MethodPost, "/api/v1/endpoints", `{"name":"new"}`, by(scoped)), 403, "forbidden")
	for method, path := range map[string]string{http.MethodGet: "/api/v1/tests", http.MethodPost: "/api/v1/tests", http.MethodDelete: "/api/v1/tests/one"} {
		if detail := refused(t, r.call(t, method, path, "", by(scoped)), 403, "forbidden"); !strings.Contains(detail, "endpoints that it makes for itself") {
			t.Errorf("%s %s does not say why: %s", method, path, detail)
		}
	}
	for i, endpoint := range []string{"", "", "theirs", "theirs"} {
		made := r.token(t, fmt.Sprint("socket ", i), webhook.RoleView, "mine")
		var c client
		if i%2 == 0 {
			c = dial(t, r, "?after=0&endpoint="+endpoint, http.Header{"Authorization": {"Bearer " + made.Key}})
			c.event(t)
		} else {
			c = dial(t, r, "?after=0&endpoint="+endpoint)
			c.hello(t, made.Key)
		}
		for !bytes.Contains(r.call(t, http.MethodGet, "/metrics", "").text, []byte("hookrange_live_lag_facts 0\n")) {
			if t.Context().Err() != nil {
				t.Fatal("the feed does not come to its end")
			}
		}
		// The socket ends with its token; all that it had to say has then come.
		r.call(t, http.MethodDelete, "/api/v1/tokens/"+made.ID, "")
		seen := map[string]int{}
		for {
			_, text, err := c.ReadMessage()
			if err != nil {
				break
			}
			var e api.Event
			if err := json.Unmarshal(text, &e); err != nil {
				t.Fatal(err)
			}
			seen[e.Endpoint]++
		}
		if seen["theirs"] > 0 || (seen["mine"] > 0) != (endpoint == "") {
			t.Errorf("feed for %q shows %v", endpoint, seen)
		}
	}
}

func TestTokensAreShownOnceAndKeptHashed(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	r := newRig(t, func(c *inspector.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	r.endpoint(t, "default")
	made := r.token(t, "Anna's laptop", webhook.RoleOperate, "default")
	if !strings.HasPrefix(made.Key, "hkr_"+made.ID+"_") || len(made.Key) < 60 {
		t.Errorf("key %q of token %q", made.Key, made.ID)
	}
	secret := made.Key[len("hkr_"+made.ID+"_"):]
	info := decoded[api.Info](t, r.call(t, http.MethodGet, "/api/v1/info", "", by(made.Key)), http.StatusOK)
	want := api.Caller{ID: made.ID, Name: "Anna's laptop", Role: "operate", Endpoints: []string{"default"}}
	if diff := gocmp.Diff(want, info.Caller); diff != "" {
		t.Errorf("caller (-want +got):\n%s", diff)
	}
	// Tries that fail must not put it into the log either.
	r.call(t, http.MethodGet, "/api/v1/info", "", by(made.Key+"x"))
	r.call(t, http.MethodPost, "/api/v1/tokens", "{}", by(made.Key))
	list := r.call(t, http.MethodGet, "/api/v1/tokens", "")
	audit := r.call(t, http.MethodGet, "/api/v1/audit", "")
	metrics := r.call(t, http.MethodGet, "/metrics", "")
	for where, text := range map[string][]byte{"list": list.text, "audit": audit.text, "metrics": metrics.text, "log": log.Bytes()} {
		if bytes.Contains(text, []byte(secret[:12])) || bytes.Contains(text, []byte(token)) {
			t.Errorf("%s shows a key: %s", where, text)
		}
	}
	if !bytes.Contains(log.Bytes(), []byte("call refused")) || !bytes.Contains(metrics.text, []byte(`hookrange_inspector_denied_total{reason="role"} 1`)) {
		t.Errorf("log %s, metrics lack the refusal", log.String())
	}
	tokens := decoded[api.Tokens](t, list, http.StatusOK).Tokens
	if len(tokens) != 1 || tokens[0].UsedAt == nil || tokens[0].CreatedBy != access.BuiltIn {
		t.Errorf("tokens %+v", tokens)
	}
	if kept := r.store.Tokens()[0]; bytes.Contains(kept.Hash[:], []byte(secret)) || kept.Hash != (access.Key{Text: made.Key}).Hash() {
		t.Error("the store has not the key's SHA-256")
	}
	for name, body := range map[string]string{
		"role": `{"name":"a","role":"root"}`, "name": `{"name":"","role":"view"}`, "builtin": `{"name":"Start-up token","role":"view"}`,
		"line": `{"name":"a\nb","role":"view"}`, "endpoint": `{"name":"a","role":"view","endpoints":["nope"]}`, "life": `{"name":"a","role":"view","expires_in_ms":-1}`,
	} {
		if detail := refused(t, r.call(t, http.MethodPost, "/api/v1/tokens", body), http.StatusBadRequest, "invalid"); detail == "" {
			t.Errorf("%s: no detail", name)
		}
	}
}

// TestDeclaredTokens calls with the key of a token that the settings file declares, which nobody else can change.
func TestDeclaredTokens(t *testing.T) {
	t.Parallel()
	const secret = "a-long-random-value-of-mine"
	r := newRig(t)
	r.endpoint(t, "mine")
	r.endpoint(t, "theirs")
	declared := access.Declared{Name: "ci", Role: webhook.RoleView, Endpoints: []string{"mine"}, Secret: secret}
	kept, err := declared.Token(func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	if err = r.store.SaveToken(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	info := decoded[api.Info](t, r.call(t, http.MethodGet, "/api/v1/info", "", by(secret)), http.StatusOK)
	want := api.Caller{ID: kept.ID, Name: "ci", Role: "view", Endpoints: []string{"mine"}}
	if diff := gocmp.Diff(want, info.Caller); diff != "" {
		t.Errorf("caller (-want +got):\n%s", diff)
	}
	refused(t, r.call(t, http.MethodGet, "/api/v1/endpoints/theirs", "", by(secret)), 404, "not_found")
	refused(t, r.call(t, http.MethodPatch, "/api/v1/endpoints/mine", `{"respond":"503"}`, by(secret)), 403, "forbidden")
	refused(t, r.call(t, http.MethodGet, "/api/v1/info", "", by(secret+"x")), 401, "unauthorized")
	// Only the text itself opens, not what is known of it.
	refused(t, r.call(t, http.MethodGet, "/api/v1/info", "", by("hkr_"+kept.ID+"_"+secret)), 401, "unauthorized")
	c := dial(t, r, "")
	c.hello(t, secret)

	tokens := get[api.Tokens](t, r, "/api/v1/tokens").Tokens
	if len(tokens) != 1 || !tokens[0].Declared || tokens[0].CreatedBy != access.ByFile || tokens[0].UsedAt == nil {
		t.Errorf("tokens %+v", tokens)
	}
	if detail := refused(t, r.call(t, http.MethodDelete, "/api/v1/tokens/"+kept.ID, ""), 409, "declared"); !strings.Contains(detail, `take "ci" out of the file`) {
		t.Errorf("revoked: %s", detail)
	}
	if detail := refused(t, r.call(t, http.MethodPost, "/api/v1/tokens", `{"name":"ci","role":"admin"}`), 409, "declared"); !strings.Contains(detail, `"ci" is taken`) {
		t.Errorf("made: %s", detail)
	}
	refused(t, r.call(t, http.MethodPost, "/api/v1/tokens", `{"name":"settings file","role":"view"}`), 400, "invalid")
	r.call(t, http.MethodGet, "/api/v1/info", "", by(secret))
	for _, path := range []string{"/api/v1/tokens", "/api/v1/audit", "/metrics"} {
		if bytes.Contains(r.call(t, http.MethodGet, path, "").text, []byte(secret)) {
			t.Errorf("%s shows the secret", path)
		}
	}
}

// watchedBell tells when somebody waits.
type watchedBell struct {
	inspector.Bell
	waiting chan struct{}
}

func (b watchedBell) Wait(ctx context.Context, after webhook.Seq) (webhook.Seq, error) {
	select {
	case b.waiting <- struct{}{}:
	default:
	}
	return b.Bell.Wait(ctx, after)
}

// TestRevokedTokensEndAtOnce revokes a token, and lets one expire, under a live socket and a long poll.
func TestRevokedTokensEndAtOnce(t *testing.T) {
	t.Parallel()
	waiting := make(chan struct{}, 100)
	r := newRig(t, func(c *inspector.Config) { c.Bell = watchedBell{c.Bell, waiting} })
	r.endpoint(t, "default")
	for _, expires := range []bool{false, true} {
		body := `{"name":"revoked","role":"view"}`
		if expires {
			body = `{"name":"expiring","role":"view","expires_in_ms":3000}`
		}
		made := decoded[api.NewToken](t, r.call(t, http.MethodPost, "/api/v1/tokens", body), http.StatusCreated)
		first := dial(t, r, "")
		first.hello(t, made.Key)
		second := dial(t, r, "", http.Header{"Authorization": {"Bearer " + made.Key}})
		second.event(t)
		polled := make(chan answer, 1)
		go func() {
			polled <- r.call(t, http.MethodGet, waits+"?count=99&after=now&timeout=5m", "", by(made.Key))
		}()
		for range 3 { // two sockets and the poll
			<-waiting
		}
		if !expires {
			if a := r.call(t, http.MethodDelete, "/api/v1/tokens/"+made.ID, ""); a.StatusCode != http.StatusNoContent {
				t.Fatalf("revoked: %d %s", a.StatusCode, a.text)
			}
		}
		refused(t, <-polled, http.StatusUnauthorized, "unauthorized")
		for _, c := range []client{first, second} {
			if code, _ := c.closed(t); code != websocket.ClosePolicyViolation {
				t.Errorf("socket closed with %d, want 1008", code)
			}
		}
		refused(t, r.call(t, http.MethodGet, "/api/v1/info", "", by(made.Key)), http.StatusUnauthorized, "unauthorized")
		c := dial(t, r, "")
		_ = c.WriteJSON(map[string]string{"token": made.Key})
		if code, n := c.closed(t); code != websocket.ClosePolicyViolation || n > 0 {
			t.Errorf("a new socket: %d after %d messages", code, n)
		}
	}
}
