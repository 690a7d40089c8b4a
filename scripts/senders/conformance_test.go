// Package senders_test judges webhook senders that others wrote, at real time, by hookrange test: the libraries that
// senders are made of, and both Agent Servers. known/NAME.yaml has what their documentation makes each of them deserve.
package senders_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/fixtures/agentserver"
	"github.com/hookrange/hookrange/scripts/result"
)

// Variables that make conformance sets.
const (
	// program is the built hookrange.
	program = "HOOKRANGE_CONFORMANCE"
	// installed is the folder with what the senders need.
	installed = "HOOKRANGE_CONFORMANCE_SENDERS"
)

// expected says how the cases of a profile end that do not pass: for each verdict, CASE:KIND with the reason, where
// CASE may be a pattern and KIND is the only kind of check that does not pass. What a profile leaves unstated is not
// expected to be one or the other, and what this machine cannot measure need not be as expected.
type expected map[result.Verdict]map[string]string

// libraries are the senders that are one command, with the verdicts in known/NAME.yaml.
func libraries() map[string]string {
	const send = `"$HOOKRANGE_PAYLOAD" "$HOOKRANGE_URL"`
	return map[string]string{
		"httpx-tenacity": `"$SENDERS/python/bin/python" python/langsmith_rules.py ` + send + ` "$HOOKRANGE_HEADERS"`,
		"curl": `curl --silent --show-error --max-time 5 --retry 2 --header 'Content-Type: application/json' ` +
			`--header "$HOOKRANGE_HEADERS" --data-binary "@$HOOKRANGE_PAYLOAD" "$HOOKRANGE_URL"`,
		"got":           `node "$SENDERS/js/got.mjs" ` + send,
		"superagent":    `node "$SENDERS/js/superagent.mjs" ` + send,
		"heimdall":      `"$SENDERS/go/heimdall" ` + send,
		"retryablehttp": `"$SENDERS/go/retryable" ` + send,
		"net-http":      `"$SENDERS/go/plain" ` + send,
	}
}

func TestLibraries(t *testing.T) {
	needs(t, program)
	senders := needs(t, installed)
	for name, command := range libraries() {
		t.Run(name, func(t *testing.T) {
			command = strings.ReplaceAll(command, "$SENDERS", senders)
			args := []string{"langsmith-rules", "--sender", command}
			run := test(t, append(args, "--jobs", "12")...)
			calmly(t, &run, args)
			check(t, name, run)
		})
	}
}

// TestAgentServers judges both by their profiles, with the inputs of the graph that ours serve.
func TestAgentServers(t *testing.T) {
	needs(t, program)
	dir := needs(t, agentserver.Variable)
	for kind, start := range map[string]func(context.Context, string, string, io.Writer) (*agentserver.Server, error){
		"js": agentserver.StartJS, "python": agentserver.StartPython,
	} {
		t.Run(kind, func(t *testing.T) {
			// Not t.Context, which has ended when cleanups run: the server is asked to stop, not killed.
			server, err := start(context.WithoutCancel(t.Context()), dir, t.TempDir(), io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := server.Stop(); err != nil {
					t.Error(err)
				}
			})
			check(t, "agent-server-"+kind, test(t, "agent-server-"+kind, "--sender", "agent-server:"+server.URL,
				"--set", `run={"mode":"ok","text":"hello"}`, "--set", `error={"mode":"error","text":"hello"}`,
				"--set", `interrupt={"mode":"interrupt","text":"hello"}`, "--set", `slow={"mode":"slow","ms":600000}`))
		})
	}
}

// calmly runs the cases once more, one by one, that a late machine has left open.
func calmly(t *testing.T, run *result.Run, args []string) {
	t.Helper()
	const late = 50 * time.Millisecond
	for i := range run.Cases {
		c := &run.Cases[i]
		if c.Verdict != result.Inconclusive || c.Lag < late {
			continue
		}
		t.Logf("%s is run again: this machine was up to %s late", c.ID, c.Lag)
		if again := test(t, append(slices.Clip(args), "--case", c.ID)...); len(again.Cases) == 1 {
			run.Cases[i] = again.Cases[0]
		}
	}
}

// needs returns a variable's value as an absolute path, or skips the test.
func needs(t *testing.T, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		t.Skipf("%s is not set: make conformance runs this, for minutes", variable)
	}
	value, err := filepath.Abs(value)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// test runs hookrange test and returns what came of it.
func test(t *testing.T, args ...string) result.Run {
	t.Helper()
	var out, complaints bytes.Buffer
	command := exec.CommandContext(t.Context(), needs(t, program), append([]string{"test", "--json"}, args...)...)
	command.Stdout, command.Stderr = &out, &complaints
	err := command.Run()
	// 1 is a failed run and 3 one that is not complete: the cases say more.
	if exited, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exited.ExitCode() != 1 && exited.ExitCode() != 3) {
		t.Fatalf("%v\n%s", err, &complaints)
	}
	// A case a line, then the run.
	lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	var run result.Run
	if err := json.Unmarshal(lines[len(lines)-1], &run); err != nil || len(run.Cases) == 0 {
		t.Fatalf("no run in what was printed: %v\n%s", err, &complaints)
	}
	return run
}

// check compares a run with what is expected of its sender.
func check(t *testing.T, name string, run result.Run) {
	t.Helper()
	var want expected
	raw, err := os.ReadFile(filepath.Join("known", name+".yaml"))
	if err == nil {
		err = yaml.UnmarshalWithOptions(raw, &want, yaml.Strict())
	}
	if err != nil {
		t.Fatal(err)
	}
	counts := map[result.Verdict]int{}
	found, wanted := map[string]string{}, map[string]string{}
	used := map[string]bool{}
	for i := range run.Cases {
		c := &run.Cases[i]
		verdict, kinds := noticed(c)
		counts[c.Verdict]++
		unmeasured := slices.Equal(kinds, []string{"needs"})
		for listed, entries := range want {
			for entry := range entries {
				pattern, kind, _ := strings.Cut(entry, ":")
				if ok, err := path.Match(pattern, c.ID); err != nil {
					t.Fatal(err)
				} else if ok {
					used[entry] = true
					wanted[c.ID] = string(listed) + " by " + kind
				}
			}
		}
		if unmeasured || c.Requirement.Level == result.Unstated {
			delete(wanted, c.ID)
			continue
		}
		if verdict != "" {
			found[c.ID] = string(verdict) + " by " + strings.Join(kinds, " ")
		}
	}
	for _, entries := range want {
		for entry := range entries {
			if !used[entry] {
				t.Errorf("known/%s.yaml: no case is named %s", name, entry)
			}
		}
	}
	t.Logf("%s: %v in %s", name, counts, run.Ended.Sub(run.Started))
	if diff := cmp.Diff(wanted, found); diff != "" {
		t.Errorf("cases that do not pass (-want +got):\n%s", diff)
		for i := range run.Cases {
			if c := &run.Cases[i]; found[c.ID] != wanted[c.ID] {
				t.Logf("%s on a machine that was up to %s late, said %q: %+v", c.ID, c.Lag, c.Trigger, c.Checks)
			}
		}
	}
}

// noticed returns a case's verdict and the kinds of checks behind it; none when it passes, is reported or is skipped.
func noticed(c *result.Case) (result.Verdict, []string) {
	var kinds []string
	for _, check := range c.Checks {
		switch check.Verdict {
		case result.Pass, result.Info, result.Skip:
			continue
		default:
		}
		kind := check.Text
		if words := strings.Fields(check.Text); words[0] == "needs" {
			kind = "needs"
		} else if len(words) > 2 {
			kind = words[2]
		}
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	if kinds == nil && c.Verdict != "" && c.State == "ended" {
		return "", nil
	}
	return c.Verdict, kinds
}
