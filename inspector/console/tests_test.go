package console_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/inspector/console"
)

// playedRun answers for a run that is over at the third look, unless it is manual.
type playedRun struct {
	manual bool

	mu    sync.Mutex
	calls []string
}

func (p *playedRun) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, r.Method+" "+r.URL.RequestURI())
	test := api.Test{ID: "one", State: api.TestRunning, Revision: int64(len(p.calls))}
	if p.manual {
		test.Manual = &api.TestManual{}
	}
	if len(p.calls) >= 3 {
		test.State = api.TestEnded
	}
	_ = json.NewEncoder(w).Encode(test)
}

// TestFollowTest: a run is followed until it is over, and cancelled when nobody follows it any more, but not a manual one.
func TestFollowTest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		manual      bool
		interrupted bool
		want        []string
	}{
		{"to the end", false, false, []string{"POST /api/v1/tests", "GET /api/v1/tests/one?since=1&timeout=30s", "GET /api/v1/tests/one?since=2&timeout=30s"}},
		{"interrupted", false, true, []string{"POST /api/v1/tests", "DELETE /api/v1/tests/one"}},
		{"manual, interrupted", true, true, []string{"POST /api/v1/tests"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := &playedRun{manual: tt.manual}
			listening := httptest.NewServer(server)
			defer listening.Close()
			client := &console.Client{Base: listening.URL, Token: "t"}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			test, err := console.StartTest(ctx, client, api.TestInput{Sender: "manual"})
			if err != nil {
				t.Fatal(err)
			}
			got, err := console.FollowTest(ctx, client, test, func(api.Test) {
				if tt.interrupted {
					cancel()
				}
			})
			if tt.interrupted != errors.Is(err, context.Canceled) || !tt.interrupted && (err != nil || got.State != api.TestEnded) {
				t.Errorf("ended %+v with %v", got, err)
			}
			server.mu.Lock()
			defer server.mu.Unlock()
			if diff := cmp.Diff(tt.want, server.calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}
