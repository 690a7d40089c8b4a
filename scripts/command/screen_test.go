package command_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/command"
	"github.com/hookrange/hookrange/scripts/manual"
	"github.com/hookrange/hookrange/scripts/result"
)

// TestQuote: what is printed as the way to do it again means the same to a shell.
func TestQuote(t *testing.T) {
	t.Parallel()
	for want, words := range map[string][]string{
		"test langsmith-rules --jobs 8":       {"test", "langsmith-rules", "--jobs", "8"},
		"--sender './send.sh \"$URL\"'":       {"--sender", `./send.sh "$URL"`},
		`--set 'a=it'\''s' ''`:                {"--set", "a=it's", ""},
		"--case '5XX-*' 'a;b' 'c|d' '~' '#x'": {"--case", "5XX-*", "a;b", "c|d", "~", "#x"},
	} {
		if got := command.Quote(words); got != want {
			t.Errorf("%q are %s, want %s", words, got, want)
		}
	}
}

// TestNext: a person is told what to do once, and again when it is something else.
func TestNext(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	screen := command.NewScreen(&out, false)
	asked := manual.Task{Case: "A", Title: "the\nfirst", Waiting: true, Delivery: 1}
	second, ignored, watched := asked, asked, asked
	second.Delivery, ignored.Ignored, watched.Waiting = 2, 3, false
	for _, task := range []manual.Task{{}, asked, asked, ignored, watched, watched, second} {
		screen.Next(task, false)
	}
	screen.Next(second, true)
	want := []string{
		"next: make the sender send once, for A (the first)",
		"3 came that count for no case: a message that an earlier case had, or without the secret; send a new one",
		"watching A; do not send yet",
		"next: make the sender send once, for A (the first), delivery 2 of it",
		"paused: resume it on the server's page",
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(out.String()), "\n")); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
}

// TestProgress: a case that has ended is a line, with what was found and the sentence that it is about; one that goes on is
// none.
func TestProgress(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	screen := command.NewScreen(&out, false)
	at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	c := result.Case{
		ID: "A", Title: "a\x1btitle", File: "own.txtar", State: "running", Verdict: result.Fail, Started: at, Ended: at.Add(1500 * time.Millisecond),
		Expected: time.Second, Requirement: result.Requirement{Quote: "It is so.", Source: "https://example.com", Level: result.Must},
		Checks: []result.Check{{
			Text: "expect x", Line: 7, Verdict: result.Fail, Expected: "1", Actual: "2",
			Connections: []result.Connection{{Seq: 3, At: at, Note: "refused"}, {At: at.Add(time.Second), Fault: webhook.TLSAlert, Note: "accepted\x1b"}},
		}, {Text: "expect y", Verdict: result.Pass}},
	}
	screen.Progress(c)
	if out.Len() > 0 {
		t.Errorf("a running case printed %q", out.String())
	}
	c.State = "ended"
	screen.Progress(c)
	want := "fail          A                          a title  1.5s of about 1s\n" +
		"    own.txtar:7: fail: expect x\n        expected: 1\n        actual:   2\n" +
		"        connections: seq 3 09:00:00.000 refused; 09:00:01.000 tls-alert: accepted \n    must: \"It is so.\"\n        https://example.com\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
}
