package runs_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/trigger"
)

// handScript has three cases that take no time of their own.
const handScript = `profile hand
case A 'the first' level=must
endpoint main 201
trigger main
wait main attempts=1 timeout=30s
expect main attempts >= 1
case B 'the second' level=must
endpoint main 202
trigger main times=2
wait main attempts=1 timeout=30s
expect main deliveries == 2
expect main secret
case C 'the third' level=must
endpoint main 203
trigger main
wait main attempts=1 timeout=30s
expect main method GET
case WIRE 'needs the wire' level=must
needs direct connection-faults
endpoint main 200
trigger main
wait main
expect main attempts == 1
`

// TestRunOfAServer: a run has endpoints of its own, its captures can be looked at until it ends, and then nothing of it
// is left but what is kept.
func TestRunOfAServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startTests(t, dir)
	test := s.begin(t, api.TestInput{Profile: "langsmith-rules", Sender: "builtin:langsmith-rules", Cases: "TIMEOUT-1", Scale: 0.2})
	if test.State != api.TestRunning || test.Total != 1 || len(test.Run.Cases) != 1 || test.Run.Cases[0].Expected != 200*time.Millisecond {
		t.Errorf("at first: %+v", test)
	}
	running := s.until(t, test.ID, "watched", func(test api.Test) bool { return len(test.Captures) > 0 || over(test) })
	if diff := cmp.Diff([]api.TestCaptures{{Case: "TIMEOUT-1", Name: "main", Endpoint: prefixOf(test.ID) + "1"}}, running.Captures); diff != "" {
		t.Errorf("captures (-want +got):\n%s", diff)
	}
	got := s.until(t, test.ID, "over", over)
	if got.State != api.TestEnded || got.Run.Cases[0].State != "ended" || got.Ended == nil || got.Captures != nil {
		t.Errorf("at the end: %+v", got)
	}
	if left := s.endpoints(); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	s.stop()
	again, err := startTests(t, dir).Get(test.ID)
	if err != nil {
		t.Fatal(err)
	}
	again.Revision = got.Revision
	if diff := cmp.Diff(got, again); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
}

// TestChanged: who follows a run, or all, is woken by every change and by nothing else.
func TestChanged(t *testing.T) {
	t.Parallel()
	s := startTests(t, t.TempDir())
	changed := func(id string, since int64) chan struct{} {
		woken := make(chan struct{})
		go func() {
			defer close(woken)
			s.Changed(t.Context(), id, since)
		}()
		return woken
	}
	wake := func(what string, woken chan struct{}) {
		t.Helper()
		select {
		case <-woken:
		case <-time.After(time.Minute):
			t.Fatalf("%s: not woken", what)
		}
	}
	before := s.List().Revision
	list := changed("", before)
	wake("another revision", changed("", before-1))
	wake("no such run", changed("nobody", 7))
	test := s.begin(t, api.TestInput{Script: handScript, Sender: trigger.Manual})
	wake("a run has begun", list)
	test = s.until(t, test.ID, "asked for A", asked("A"))
	one, all := changed(test.ID, test.Revision), changed("", s.List().Revision)
	other := s.begin(t, api.TestInput{Script: handScript, Sender: trigger.Manual})
	wake("another run has begun", all)
	s.until(t, other.ID, "asked for A", asked("A"))
	select {
	case <-one:
		if now, err := s.Get(test.ID); err != nil || now.Revision == test.Revision {
			t.Errorf("woken by another run: %v", err)
		}
	default:
	}
	if _, err := s.Pause(test.ID, true); err != nil {
		t.Fatal(err)
	}
	wake("paused", one)
	one = changed(other.ID, s.until(t, other.ID, "there", func(api.Test) bool { return true }).Revision)
	s.stop()
	wake("the server stops", one)
}

// TestManualRun: each delivery exercises the next case at the one URL; a restart, a pause, an old message, one without
// the secret, and what cannot be judged.
func TestManualRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startTests(t, dir)
	test := s.begin(t, api.TestInput{Script: handScript, Sender: trigger.Manual})
	if diff := cmp.Diff([]string{"Not judged with a sender that a person triggers: WIRE"}, test.Run.Notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	hook := s.hook(t, s.until(t, test.ID, "asked for A", asked("A")))
	deliver(t, 401, hook+"x", `{"n":0}`)
	s.until(t, test.ID, "ignoring a wrong secret", func(test api.Test) bool { return test.Manual.Ignored == 1 })
	deliver(t, 201, hook, `{"n":1}`)
	s.until(t, test.ID, "asked for B", asked("B"))

	s.stop()
	s = startTests(t, dir)
	test = s.until(t, test.ID, "asked for B after a restart", asked("B"))
	port, _, _ := strings.Cut(strings.TrimPrefix(hook, "http://127.0.0.1:"), "/")
	hook = strings.Replace(hook, "http://127.0.0.1:"+port, s.Base, 1)
	if now := s.hook(t, test); now != hook {
		t.Errorf("the URL is %s, and was %s", now, hook)
	}
	deliver(t, 202, hook, `{"n":1}`)
	s.until(t, test.ID, "ignoring an old message", func(test api.Test) bool { return test.Manual.Ignored == 1 && asked("B")(test) })
	deliver(t, 202, hook, `{"n":2}`)
	s.until(t, test.ID, "asked for the second of B", func(test api.Test) bool { return asked("B")(test) && test.Manual.Delivery == 2 })

	paused, err := s.Pause(test.ID, true)
	if err != nil || paused.State != api.TestPaused || paused.Counts["pass"] != 1 || paused.Run.Cases[1].State != "waiting" {
		t.Fatalf("paused: %v, %+v", err, paused)
	}
	deliver(t, 200, hook, `{"n":3}`)
	s.stop()
	s = startTests(t, dir)
	if got, err := s.Pause(test.ID, false); err != nil || got.State != api.TestRunning {
		t.Fatalf("resumed: %v, %+v", err, got)
	}
	test = s.until(t, test.ID, "asked for B again", asked("B"))
	hook = s.hook(t, test)
	deliver(t, 202, hook, `{"n":4}`)
	deliver(t, 202, hook, `{"n":5}`)
	s.until(t, test.ID, "asked for C", asked("C"))
	deliver(t, 203, hook, `{"n":6}`)
	got := s.until(t, test.ID, "over", over)
	want := map[string]int{"pass": 2, "fail": 1, "inconclusive": 1}
	if diff := cmp.Diff(want, got.Counts); diff != "" || got.State != api.TestEnded || got.Verdict != "fail" {
		t.Errorf("%s %s, counts (-want +got):\n%s\n%+v", got.State, got.Verdict, diff, got.Run.Cases)
	}
	if left := s.endpoints(); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// TestInterruptedRun: what a crash leaves of a run is removed, and the run says that it was interrupted.
func TestInterruptedRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startTests(t, dir)
	slow := api.TestInput{Profile: "langsmith-rules", Sender: "builtin:langsmith-rules", Cases: "OK-1-*", Scale: 10}
	test := s.begin(t, slow)
	s.until(t, test.ID, "sending", func(test api.Test) bool { return len(test.Captures) == 4 })
	// As a crash leaves it: the run goes on in its file, and its endpoints are there.
	raw, err := os.ReadFile(filepath.Join(s.dir, test.ID+".json"))
	if err != nil {
		t.Fatal(err)
	}
	s.stop()
	if got, err := s.Get(test.ID); err != nil || got.State != api.TestInterrupted || len(got.Run.Cases) != 4 {
		t.Errorf("a server that stops: %v, %+v", err, got)
	}
	if err = os.WriteFile(filepath.Join(s.dir, test.ID+".json"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{prefixOf(test.ID) + "1", "test-of-a-user"} {
		if _, err = db.SaveEndpoint(t.Context(), webhook.Endpoint{Name: name, Secret: webhook.SecretPolicy{Scheme: webhook.SchemeNone}}, true); err != nil {
			t.Fatal(err)
		}
	}
	if err = db.Close(); err != nil {
		t.Fatal(err)
	}
	if err = os.WriteFile(filepath.Join(s.dir, "01a20273-ff21-7413-82a6-077ad25833f1.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = startTests(t, dir)
	if diff := cmp.Diff([]string{"test-of-a-user"}, s.endpoints()); diff != "" {
		t.Errorf("endpoints (-want +got):\n%s", diff)
	}
	list := s.List().Tests
	if len(list) != 1 || list[0].State != api.TestInterrupted || list[0].Verdict != "inconclusive" || list[0].Run != nil {
		t.Errorf("runs: %+v", list)
	}
}

// TestAgentServerIsTold: a run notes what it was connected to, and a profile of the other kind of server is refused.
func TestAgentServerIsTold(t *testing.T) {
	t.Parallel()
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/info" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		_, _ = w.Write([]byte(`{"version":"1.5.1","context":"js","flags":{"crons":false}}`))
	}))
	defer agent.Close()
	s := startTests(t, t.TempDir())
	in := api.TestInput{Profile: "agent-server-python", Sender: "agent-server:" + agent.URL + "?assistant=agent", Cases: "OPERATION-1-wait-run"}
	if _, err := s.Start(t.Context(), in); !errors.Is(err, webhook.ErrInvalid) || !strings.Contains(fmt.Sprint(err), "about another server") {
		t.Errorf("another server: %v", err)
	}
	in.Profile = "agent-server-js"
	test := s.begin(t, in)
	if diff := cmp.Diff([]string{"the sender is an Agent Server (js) of version 1.5.1"}, test.Run.Notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if _, err := s.Drop(t.Context(), test.ID); err != nil {
		t.Error(err)
	}
}

// TestDrop: what goes on is cancelled and leaves nothing, what does not is deleted.
func TestDrop(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startTests(t, dir)
	for _, in := range []api.TestInput{
		{Profile: "langsmith-rules", Sender: "builtin:langsmith-rules", Cases: "OK-1-*", Scale: 10},
		{Script: handScript, Sender: trigger.Manual},
	} {
		test := s.begin(t, in)
		if in.Sender == trigger.Manual {
			if _, err := s.Pause(test.ID, true); err != nil {
				t.Fatal(err)
			}
		}
		if deleted, err := s.Drop(t.Context(), test.ID); err != nil || deleted {
			t.Errorf("cancel: %v, %v", deleted, err)
		}
		if got, err := s.Get(test.ID); err != nil || got.State != api.TestCancelled || got.Verdict != "inconclusive" {
			t.Errorf("cancelled: %v, %+v", err, got)
		}
		if left := s.endpoints(); len(left) > 0 {
			t.Errorf("left: %q", left)
		}
		if deleted, err := s.Drop(t.Context(), test.ID); err != nil || !deleted {
			t.Errorf("delete: %v, %v", deleted, err)
		}
		if _, err := s.Get(test.ID); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("deleted: %v", err)
		}
	}
	files, err := os.ReadDir(filepath.Join(dir, "tests"))
	if err != nil || len(files) > 0 {
		t.Errorf("files: %v, %v", files, err)
	}
}

// TestRefusedRuns: what a server does not take, in words.
func TestRefusedRuns(t *testing.T) {
	t.Parallel()
	s := startTests(t, t.TempDir())
	for _, tt := range []struct {
		in   api.TestInput
		says string
	}{
		{api.TestInput{Profile: "github", Sender: "curl $HOOKRANGE_URL"}, "It runs no shell commands"},
		{api.TestInput{Profile: "github", Sender: ""}, "a server takes builtin:NAME"},
		{api.TestInput{Profile: "github", Sender: "builtin:nobody"}, "nobody"},
		{api.TestInput{Profile: "gitlab", Sender: trigger.Manual}, "there are: agent-server-js"},
		{api.TestInput{Sender: trigger.Manual}, "give either profile"},
		{api.TestInput{Profile: "github", Script: handScript, Sender: trigger.Manual}, "give either profile"},
		{api.TestInput{Script: "profile x\nnonsense", File: "mine.txtar", Sender: trigger.Manual}, "mine.txtar:2"},
		{api.TestInput{Profile: "github", Sender: trigger.Manual, Cases: "NOPE-*"}, `no case matches "NOPE-*"`},
		{api.TestInput{Profile: "github", Sender: trigger.Manual, Cases: "["}, "cases"},
		{api.TestInput{Profile: "github", Sender: trigger.Manual, Jobs: 65}, "jobs is 65"},
		{api.TestInput{Profile: "github", Sender: trigger.Manual, Scale: 0.5}, "only with a builtin sender"},
		{api.TestInput{Profile: "github", Sender: trigger.Manual, Set: map[string]string{"nope": "1"}}, "set nope"},
	} {
		if _, err := s.Start(t.Context(), tt.in); !errors.Is(err, webhook.ErrInvalid) || !strings.Contains(fmt.Sprint(err), tt.says) {
			t.Errorf("%+v: %v, want an ErrInvalid that says %q", tt.in, err, tt.says)
		}
	}
	for range maxManual {
		s.begin(t, api.TestInput{Script: handScript, Sender: trigger.Manual})
	}
	if _, err := s.Start(t.Context(), api.TestInput{Script: handScript, Sender: trigger.Manual}); !errors.Is(err, webhook.ErrOverloaded) {
		t.Errorf("one run too many: %v", err)
	}
	if list := s.List().Tests; len(list) != maxManual || list[0].ID < list[1].ID {
		t.Errorf("%d runs, not newest first", len(list))
	}
	if left := len(s.endpoints()); left != maxManual {
		t.Errorf("%d endpoints for %d manual runs", left, maxManual)
	}
}
