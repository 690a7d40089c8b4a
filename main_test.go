package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
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
		code := run(ctx, process{args: os.Args[1:], out: os.Stdout, err: os.Stderr})
		stop()
		os.Exit(code)
	}})
}

// TestCommandLine runs each script in testdata/cli. Beside testscript's commands there are:
//
//	ready FILE [NAME]     waits until a server has written FILE and sets $RECEIVER, $INSPECTOR, $TOKEN and,
//	                      for each endpoint, $URL_name
//	post STATUS URL BODY  posts a webhook and checks the answer's status
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
			"ready": scriptReady, "post": scriptPost, "jsonlines": scriptJSONLines,
		},
	})
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

// TestManualInTheTerminal: one URL is printed, then what to do for each case, and the verdicts.
func TestManualInTheTerminal(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "hand.txtar")
	if err := os.WriteFile(file, []byte(handScript), 0o600); err != nil {
		t.Fatal(err)
	}
	reader, writer := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(t.Context(), process{args: []string{"test", file, "--sender", "manual", "--listen", "127.0.0.1:0"}, out: writer, err: writer})
		_ = writer.Close()
	}()
	var lines []string
	hook, n := "", 0
	for scan := bufio.NewScanner(reader); scan.Scan(); {
		line := scan.Text()
		lines = append(lines, line)
		if strings.HasPrefix(line, "    http://") {
			hook = strings.TrimSpace(line)
		}
		if strings.HasPrefix(line, "next: ") {
			n++
			resp, err := http.Post(hook, "application/json", strings.NewReader(fmt.Sprintf(`{"n":%d}`, n)))
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if want := []int{0, 201, 202, 202, 203}[n]; resp.StatusCode != want {
				t.Errorf("answered %d, want %d", resp.StatusCode, want)
			}
		}
	}
	text := strings.Join(lines, "\n")
	if code := <-ended; code != exitWrong || n != 4 {
		t.Errorf("ended with %d after %d deliveries:\n%s", code, n, text)
	}
	for _, want := range []string{
		"Not judged this way:\n    WIRE ", "next: make the sender send once, for B (the second), delivery 2 of it", "watching C; do not send yet",
		"fail: " + "hand against manual: 2 pass, 1 inconclusive, 1 fail",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("not printed: %q in\n%s", want, text)
		}
	}
}

// TestFetcher asks private stores only where it may.
func TestFetcher(t *testing.T) {
	t.Parallel()
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"a":1}`)) }))
	defer store.Close()
	for name, private := range map[string][]string{"open": {strings.TrimPrefix(store.URL, "http://")}, "shut": nil} {
		objects, err := newFetcher(webhook.FetchPolicy{Private: private})
		if err != nil {
			t.Fatal(err)
		}
		status, body, err := objects.Fetch(t.Context(), store.URL+"/x")
		if got := err == nil && status == 200 && string(body) == `{"a":1}`; got != (name == "open") {
			t.Errorf("%s: status %d, body %s, error %v", name, status, body, err)
		}
	}
}
