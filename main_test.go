package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hookrange/hookrange/inspector/console"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// TestMain lets the test binary stand in for hookrange in the scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hookrange": func() {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		code := run(ctx, process{args: os.Args[1:], out: os.Stdout, err: os.Stderr, terminal: ownTerminal()})
		stop()
		os.Exit(code)
	}})
}

// TestCommandLine runs each script in testdata/cli. Beside testscript's commands there are:
//
//	ready FILE [NAME]     waits until a server has written FILE and sets $RECEIVER, $INSPECTOR, $TOKEN and,
//	                      for each endpoint, $URL_name
//	post STATUS URL BODY  posts a webhook and checks the answer's status
//	exits STATUS ARG...   runs hookrange and checks its exit status
//	full ARG...           runs hookrange with a standard output that is full, which must fail and say so
//	jsonlines FILE N      checks that a file (or stdout) is N lines of JSON, an object each
func TestCommandLine(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "cli"),
		Setup: func(env *testscript.Env) error {
			env.Setenv("XDG_DATA_HOME", filepath.Join(env.WorkDir, "data"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready": scriptReady, "post": scriptPost, "exits": scriptExits, "full": scriptFull, "jsonlines": scriptJSONLines,
		},
	})
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { interrupt() }))
	defer receiver.Close()
	var out, notes bytes.Buffer
	code := run(ctx, process{args: []string{"send", "langsmith-rule", receiver.URL, "--count", "2", "--rate", "0.001"}, out: &out, err: &notes})
	if want := "hookrange: error: interrupted\n"; code != exitWrong || notes.String() != want {
		t.Errorf("status %d, said %q, want %q", code, notes.String(), want)
	}
}

func scriptReady(ts *testscript.TestScript, _ bool, args []string) {
	var ready console.Ready
	deadline := time.Now().Add(time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		raw, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil {
			ts.Check(json.Unmarshal(raw, &ready))
			break
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no ready file within a minute: %v", err)
		}
		<-tick.C
	}
	ts.Setenv("RECEIVER", ready.Receiver)
	ts.Setenv("INSPECTOR", ready.Inspector)
	ts.Setenv("TOKEN", ready.Token)
	for _, ep := range ready.Endpoints {
		ts.Setenv("URL_"+strings.ReplaceAll(ep.Name, "-", "_"), ep.URL)
	}
}

func scriptPost(ts *testscript.TestScript, neg bool, args []string) {
	resp, err := http.Post(args[1], "application/json", strings.NewReader(args[2]))
	ts.Check(err)
	_ = resp.Body.Close()
	if got := resp.Status[:3]; (got == args[0]) == neg {
		ts.Fatalf("answered %s, want %s", got, args[0])
	}
}

func scriptExits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec("hookrange", args[1:]...)
	code := 0
	if exited, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exited.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit status %d, want %s", code, args[0])
	}
}

func scriptFull(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec("sh", append([]string{"-c", `exec hookrange "$@" >/dev/full`, "sh"}, args...)...)
	exited, ok := errors.AsType[*exec.ExitError](err)
	if said := ts.ReadFile("stderr"); !ok || exited.ExitCode() != exitWrong || !strings.Contains(said, "no space left on device") {
		ts.Fatalf("%v, want exit status 1; said: %s", err, said)
	}
}

func scriptJSONLines(ts *testscript.TestScript, neg bool, args []string) {
	lines := strings.Split(strings.TrimSuffix(ts.ReadFile(args[0]), "\n"), "\n")
	if (strconv.Itoa(len(lines)) == args[1]) == neg {
		ts.Fatalf("%d lines, want %s", len(lines), args[1])
	}
	for _, line := range lines {
		var object map[string]any
		ts.Check(json.Unmarshal([]byte(line), &object))
	}
}

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

// terminal is a manual run as a person has it on a terminal.
type terminal struct {
	lines []string
	// hook is the URL that was printed, sent counts the deliveries, resume is the run's id.
	hook, resume string
	sent         int
}

// run runs the command and makes the sender send whenever that is asked for, until stop says to press Ctrl-C.
func (m *terminal) run(t *testing.T, stop func(line string) bool, args ...string) int {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	reader, writer := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, process{args: args, out: writer, err: writer})
		_ = writer.Close()
	}()
	for scan := bufio.NewScanner(reader); scan.Scan(); {
		line := scan.Text()
		m.lines = append(m.lines, line)
		if strings.HasPrefix(line, "    http://") {
			if hook := strings.TrimSpace(line); m.hook != "" && hook != m.hook {
				t.Errorf("the URL was %s and is %s", m.hook, hook)
			} else {
				m.hook = hook
			}
		}
		if _, id, ok := strings.Cut(line, "go on with: hookrange test --resume "); ok {
			m.resume = id
		}
		switch {
		case stop != nil && stop(line):
			interrupt()
		case strings.HasPrefix(line, "next: "):
			m.send(t)
		}
	}
	return <-ended
}

// send sends the next message, and checks that the answer is that of the case that it is for.
func (m *terminal) send(t *testing.T) {
	t.Helper()
	m.sent++
	resp, err := http.Post(m.hook, "application/json", strings.NewReader(fmt.Sprintf(`{"n":%d}`, m.sent)))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if want := []int{0, 201, 202, 202, 203}[m.sent]; resp.StatusCode != want {
		t.Errorf("delivery %d was answered %d, want %d", m.sent, resp.StatusCode, want)
	}
}

// TestManualInTheTerminal: one URL is printed, then what to do for each case, and the verdicts. The command may be ended
// and go on later, at the same URL and with what it had.
func TestManualInTheTerminal(t *testing.T) {
	t.Parallel()
	data, file := t.TempDir(), filepath.Join(t.TempDir(), "hand.txtar")
	if err := os.WriteFile(file, []byte(handScript), 0o600); err != nil {
		t.Fatal(err)
	}
	var m terminal
	askedForB := func(line string) bool { return strings.HasPrefix(line, "next: ") && strings.Contains(line, " B ") }
	code := m.run(t, askedForB, "--data", data, "test", file, "--sender", "manual", "--listen", "127.0.0.1:0")
	if code != exitIncomplete || m.sent != 1 || m.resume == "" {
		t.Fatalf("ended with %d after %d deliveries:\n%s", code, m.sent, strings.Join(m.lines, "\n"))
	}
	// The script is not needed again.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	// As a crash leaves it: the case that was under way is on disk as such.
	kept := filepath.Join(data, "manual", m.resume, "run.json")
	raw, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	raw = bytes.Replace(raw, []byte(`"state":"waiting"`), []byte(`"state":"running"`), 1)
	if err = os.WriteFile(kept, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if code = m.run(t, nil, "--data", data, "test", "--resume", "nobody"); code != exitUsage {
		t.Errorf("an unknown run: ended with %d", code)
	}
	code = m.run(t, nil, "--data", data, "test", "--resume", m.resume)
	text := strings.Join(m.lines, "\n")
	if code != exitWrong || m.sent != 4 {
		t.Errorf("ended with %d after %d deliveries:\n%s", code, m.sent, text)
	}
	for _, want := range []string{
		"Not judged this way:\n    WIRE ", "next: make the sender send once, for B (the second), delivery 2 of it", "watching C; do not send yet",
		"inconclusive: " + "hand against manual: 1 pass, 3 inconclusive",
		"hookrange: hint: there are: " + m.resume,
		"fail: " + "hand against manual: 2 pass, 1 inconclusive, 1 fail",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("not printed: %q in\n%s", want, text)
		}
	}
	if left, err := filepath.Glob(filepath.Join(data, "*")); err != nil || len(left) > 0 {
		t.Errorf("left in the data folder: %q, error %v", left, err)
	}
}

// TestFetcher asks private stores only where it may.
func TestFetcher(t *testing.T) {
	t.Parallel()
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"a":1}`)) }))
	defer store.Close()
	for name, private := range map[string][]string{"open": {strings.TrimPrefix(store.URL, "http://")}, "shut": nil} {
		objects, err := newFetcher(webhook.FetchPolicy{Private: private}, func() string { return "" })
		if err != nil {
			t.Fatal(err)
		}
		status, body, err := objects.Fetch(t.Context(), store.URL+"/x")
		if got := err == nil && status == 200 && string(body) == `{"a":1}`; got != (name == "open") {
			t.Errorf("%s: status %d, body %s, error %v", name, status, body, err)
		}
	}
}
