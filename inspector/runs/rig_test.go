package runs_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/inspector/runs"
	"github.com/hookrange/hookrange/receiver"
	"github.com/hookrange/hookrange/receiver/live"
	"github.com/hookrange/hookrange/receiver/proving"
	"github.com/hookrange/hookrange/receiver/secret"
	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/manual"
)

// maxManual is how many manual runs a server has at once.
const maxManual = 10

// testServer is what a server has of conformance runs: a store, a receiver and the runs.
type testServer struct {
	*runs.Runs
	proving.Server
	dir  string
	stop func()
}

// startTests starts one on a folder. It ends with the test, if not before.
func startTests(t *testing.T, dir string) *testServer {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &testServer{dir: filepath.Join(dir, "tests")}
	s.Server = proving.Server{Bell: live.New(), Log: slog.New(slog.DiscardHandler), Base: "http://" + listener.Addr().String()}
	if s.Store, err = store.Open(t.Context(), store.Config{Dir: dir, Bell: s.Bell, Log: s.Log}); err != nil {
		t.Fatal(err)
	}
	s.Edge = receiver.New(receiver.Config{Store: s.Store, Log: s.Log})
	s.Runs, err = runs.Open(t.Context(), runs.Config{
		House: s, Base: s.Base, Dir: s.dir, Version: "test", Mask: secret.NewMask().String, Log: s.Log,
		Fetcher: func(func() string) (scripts.Fetcher, error) { return nil, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- s.Run(ctx) }()
	go func() { ended <- s.Edge.Run(ctx, listener) }()
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-ended, <-ended, s.Store.Close()); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(s.stop)
	return s
}

func (s *testServer) Range(ctx context.Context, prefix string) runs.Range {
	return lender{proving.Share(ctx, s.Server, prefix)}
}

func (s *testServer) Clear(ctx context.Context, prefix, but string) error {
	return proving.Clear(ctx, s.Store, prefix, but)
}

// lender is a proving range as scripts see it.
type lender struct{ *proving.Range }

func (l lender) Lend(ctx context.Context, spec scripts.Spec) (scripts.Endpoint, error) {
	e, err := l.Range.Lend(ctx, proving.Spec(spec))
	return lent{e}, err
}

func (l lender) Keep(ctx context.Context, spec scripts.Spec) (manual.Endpoint, error) {
	e, err := l.Range.Keep(ctx, proving.Spec(spec))
	return lent{e}, err
}

type lent struct{ *proving.Endpoint }

func (l lent) Mask() scripts.Mask { return l.Endpoint.Mask() }

// prefixOf begins the names of a run's endpoints.
func prefixOf(id string) string { return "test-" + strings.ReplaceAll(id, "-", "") + "-" }

func (s *testServer) begin(t *testing.T, in api.TestInput) api.Test {
	t.Helper()
	test, err := s.Start(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return test
}

// until waits until a run is as wanted.
func (s *testServer) until(t *testing.T, id, what string, met func(api.Test) bool) api.Test {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		test, err := s.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		if met(test) {
			return test
		}
		if time.Now().After(deadline) {
			t.Fatalf("not %s within a minute: %+v\n%+v", what, test, test.Manual)
		}
		<-tick.C
	}
}

func over(test api.Test) bool { return test.State != api.TestRunning && test.State != api.TestPaused }

func asked(id string) func(api.Test) bool {
	return func(test api.Test) bool {
		return test.Manual != nil && test.Manual.Waiting && (id == "" || test.Manual.Case == id)
	}
}

// endpoints returns the names of the runs' endpoints.
func (s *testServer) endpoints() []string {
	out := []string{}
	for _, ep := range s.Store.Endpoints() {
		out = append(out, ep.Name)
	}
	return out
}

// hook returns the URL of a manual run.
func (s *testServer) hook(t *testing.T, test api.Test) string {
	t.Helper()
	ep, err := s.Store.Endpoint(test.Manual.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return secret.HookURL(s.Base, ep, false)
}

func deliver(t *testing.T, want int, hook, body string) {
	t.Helper()
	resp, err := http.Post(hook, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != want {
		t.Errorf("answered %d, want %d", resp.StatusCode, want)
	}
}
