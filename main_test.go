package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
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
	var ready readyFile
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
