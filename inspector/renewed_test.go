package inspector_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/inspector"
	"github.com/hookrange/hookrange/inspector/access"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// TestTokensEndWithTheirEndpoint deletes an endpoint and makes another of its name: who had a token for the first does not
// read the second, by no route and by no call that is under way.
func TestTokensEndWithTheirEndpoint(t *testing.T) {
	t.Parallel()
	const secret = "a-long-random-value-of-mine"
	waiting := make(chan struct{}, 100)
	r := newRig(t, func(c *inspector.Config) { c.Bell = watchedBell{c.Bell, waiting} })
	r.endpoint(t, "mine")
	r.endpoint(t, "other")
	declared := access.Declared{Name: "ci", Role: webhook.RoleAdmin, Endpoints: []string{"mine"}, Secret: secret}
	kept, err := declared.Token(func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	if err = r.store.SaveToken(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	old := r.token(t, "old", webhook.RoleAdmin, "mine", "other")
	socket := dial(t, r, "")
	socket.hello(t, old.Key)
	polled := make(chan answer, 1)
	go func() {
		polled <- r.call(t, http.MethodGet, "/api/v1/endpoints/mine/wait?count=1&timeout=5m", "", by(old.Key))
	}()
	for range 2 { // the socket and the poll
		<-waiting
	}
	if a := r.call(t, http.MethodDelete, "/api/v1/endpoints/mine", ""); a.StatusCode != http.StatusNoContent {
		t.Fatalf("deleted: %d %s", a.StatusCode, a.text)
	}
	if e := socket.event(t); e.Fact != "deletion" || e.Endpoint != "mine" {
		t.Errorf("of the deletion the socket says %+v", e)
	}
	if detail := refused(t, r.call(t, http.MethodPost, "/api/v1/endpoints", `{"name":"mine"}`, by(old.Key)), 403, "forbidden"); !strings.Contains(detail, "was deleted") {
		t.Errorf("making it again: %s", detail)
	}
	r.made(t, "mine", secret)
	secondCapture := r.capture(t, "mine", "{}")
	refused(t, <-polled, 404, "not_found")
	otherCapture := r.capture(t, "other", "{}")
	for e := socket.event(t); e.Endpoint != "other"; e = socket.event(t) {
		t.Errorf("the socket shows %+v", e)
	}
	share := fmt.Sprintf("/api/v1/endpoints/mine/captures/%d/share", secondCapture.Seq)
	shared := decoded[api.NewShare](t, r.call(t, http.MethodPost, share, "{}"), http.StatusCreated)
	for _, path := range []string{"", "/captures", fmt.Sprintf("/captures/%d", secondCapture.Seq), "/export?format=jsonl", "/wait?timeout=0"} {
		refused(t, r.call(t, http.MethodGet, "/api/v1/endpoints/mine"+path, "", by(old.Key)), 404, "not_found")
		if a := r.call(t, http.MethodGet, "/api/v1/endpoints/mine"+path, "", by(secret)); a.StatusCode != http.StatusOK {
			t.Errorf("%s by a token of the file: %d %s", path, a.StatusCode, a.text)
		}
	}
	refused(t, r.call(t, http.MethodDelete, "/api/v1/shares/"+shared.ID, "", by(old.Key)), 404, "not_found")
	for _, path := range []string{"/api/v1/endpoints", "/api/v1/shares"} {
		if a := r.call(t, http.MethodGet, path, "", by(old.Key)); bytes.Contains(a.text, []byte(`"mine"`)) {
			t.Errorf("%s: %s", path, a.text)
		}
	}
	decoded[api.Capture](t, r.call(t, http.MethodGet, fmt.Sprintf("/api/v1/endpoints/other/captures/%d", otherCapture.Seq), "", by(old.Key)), http.StatusOK)
	gone := map[string][]string{}
	for _, token := range get[api.Tokens](t, r, "/api/v1/tokens").Tokens {
		gone[token.Name] = token.Gone
	}
	if diff := gocmp.Diff(map[string][]string{"old": {"mine"}, "ci": {}}, gone); diff != "" {
		t.Errorf("what is gone of the tokens' endpoints (-want +got):\n%s", diff)
	}
	// A token that is made now is for the endpoint that is there now.
	made := r.token(t, "new", webhook.RoleView, "mine")
	decoded[api.Endpoint](t, r.call(t, http.MethodGet, "/api/v1/endpoints/mine", "", by(made.Key)), http.StatusOK)
}

// made has an endpoint made by the bearer of a key.
func (r *rig) made(t *testing.T, name, key string) {
	t.Helper()
	body := fmt.Sprintf(`{"name":%q,"scheme":"none"}`, name)
	if a := r.call(t, http.MethodPost, "/api/v1/endpoints", body, by(key)); a.StatusCode != http.StatusCreated {
		t.Fatalf("made %s: %d %s", name, a.StatusCode, a.text)
	}
}
