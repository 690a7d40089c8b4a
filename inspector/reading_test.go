package inspector_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/inspector/api"
)

// used is when somebody last came, which reading may note.
var used = regexp.MustCompile(`"(opens|opened_at|used_at|last_used_at|uses|server_time|uptime_ms)":[^,}]*`)

// state is all that the inspector would show to somebody who may see everything.
func (c *census) state(t *testing.T) string {
	t.Helper()
	out := fmt.Sprintln(c.store.Last())
	for _, path := range []string{"/api/v1/endpoints", "/api/v1/tokens", "/api/v1/shares", captures, "/api/v1/tests"} {
		a := c.call(t, http.MethodGet, path, "")
		if a.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", path, a.StatusCode, a.text)
		}
		out += used.ReplaceAllString(string(a.text), "") + "\n"
	}
	return out
}

// TestReadingChangesNothing calls every route there is by GET and HEAD, whatever methods it has, also under other
// spellings of its path and with the fields by which some servers take another method.
func TestReadingChangesNothing(t *testing.T) {
	t.Parallel()
	c := newCensus(t)
	seq := c.capture(t, "default", "{}").Seq
	share := decoded[api.NewShare](t, c.call(t, http.MethodPost, fmt.Sprintf("%s/%d/share", captures, seq), "{}"), http.StatusCreated)
	tokens := get[api.Tokens](t, c.rig, "/api/v1/tokens")
	before := c.state(t)
	paths := map[string]bool{}
	for _, op := range newContract(t).asked() {
		id := "x"
		switch {
		case strings.HasPrefix(op.Path, "/api/v1/shares"):
			id = share.ID
		case strings.HasPrefix(op.Path, "/api/v1/tokens"):
			id = tokens.Tokens[0].ID
		}
		paths[strings.NewReplacer("{endpoint}", "default", "{seq}", fmt.Sprint(seq), "{id}", id, "{name}", "x").Replace(op.Path)] = true
	}
	if len(paths) < 30 {
		t.Fatalf("%d paths", len(paths))
	}
	for path := range paths {
		t.Run(path, func(t *testing.T) {
			for _, spelled := range spellings(path) {
				for _, method := range []string{http.MethodGet, http.MethodHead} {
					c.call(t, method, spelled, "", with("X-HTTP-Method-Override", "DELETE"), with("X-Method-Override", "DELETE"))
					if spelled == path {
						c.call(t, method, spelled+"?_method=DELETE", "")
					}
				}
			}
			if after := c.state(t); after != before {
				t.Errorf("-before +after:\n%s", cmp.Diff(before, after))
			}
		})
	}
}
