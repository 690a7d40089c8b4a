package scripts_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/result"
)

// operationHead is a case about an operation of the sender.
const operationHead = "profile p\nset in '{\"text\": \"hello\"}'\ncase A 'title' level=must\nendpoint main 200\n" +
	"trigger main operation=wait-run input=$in times=2\nwait main quiet=3s\nexpect main attempts == 1\n"

// TestOperation: the sender is told which operation to use, and on what.
func TestOperation(t *testing.T) {
	t.Parallel()
	p := &played{tries: []try{{}}}
	run := play(t, operationHead, p, nil)
	if run.Verdict != result.Pass {
		t.Errorf("verdict %s: %+v", run.Verdict, run.Cases[0].Checks)
	}
	var got []string
	for _, in := range p.inputs {
		got = append(got, fmt.Sprintf("%s %s", in.Operation, in.Input))
	}
	want := []string{`wait-run {"text": "hello"}`, `wait-run {"text": "hello"}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	p = &played{tries: []try{{}}}
	play(t, head+"expect main attempts == 1\n", p, nil)
	if in := p.inputs[0]; in.Operation != "" || len(in.Input) != 0 {
		t.Errorf("a trigger that names neither told %q on %q", in.Operation, in.Input)
	}
}

// TestNoOperation: a sender without the operation is not judged by it.
func TestNoOperation(t *testing.T) {
	t.Parallel()
	reasons := func(run result.Run) []string {
		var out []string
		for _, check := range run.Cases[0].Checks {
			out = append(out, string(check.Verdict)+" "+check.Text+": "+check.Reason)
		}
		return out
	}
	answered := fmt.Errorf("%w: 500 Not implemented at ?secret=s3cret-of-the-case", scripts.ErrNoOperation)
	run := play(t, operationHead, &played{fails: answered}, nil)
	want := []string{"skip trigger main: the sender has no such operation: 500 Not implemented at ?secret=•••"}
	if diff := cmp.Diff(want, reasons(run)); diff != "" || run.Cases[0].Verdict != result.Skip {
		t.Errorf("%s (-want +got):\n%s", run.Cases[0].Verdict, diff)
	}
	// What it sends all the same is judged.
	run = play(t, operationHead, &played{fails: answered, tries: []try{{}, {}}}, nil)
	if run.Cases[0].Verdict != result.Fail {
		t.Errorf("a sender that says no and sends: %s", run.Cases[0].Verdict)
	}
	run = play(t, operationHead, &played{tries: []try{{}}}, func(c *scripts.Config) {
		c.Missing = map[string]string{"operations": "it only sends"}
	})
	if diff := cmp.Diff([]string{"skip needs operations: it only sends"}, reasons(run)); diff != "" {
		t.Errorf("a sender of no operations (-want +got):\n%s", diff)
	}
}

func TestOperationProblems(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ script, want string }{
		"unknown":  {"trigger main operation=wait-runs", `"operation=wait-runs": no such operation; did you mean "wait-run"?`},
		"no JSON":  {"trigger main input='{text: hello}'", "want JSON"},
		"no input": {"trigger main operation=create-run input=$none", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := "profile p\nset none ''\ncase A t level=must\nendpoint main 200\n" + test.script + "\nwait main\nexpect main secret\n"
			script, err := scripts.Parse("f.txtar", []byte(text))
			if err == nil {
				err = scripts.Lint(script, nil)
			}
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q in it", err, test.want)
			default:
			}
		})
	}
}

// explained is a sender that knows why nothing came.
type explained struct{ *played }

func (explained) Silence() string { return "its webhooks are turned off" }

// TestExplainer: the sender's own explanation is told when it was started and nothing came.
func TestExplainer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fails error
		want  string
	}{
		"started":     {nil, "no delivery came: its webhooks are turned off"},
		"not started": {errPlayed, "no delivery came: line 4: " + errPlayed.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &played{fails: test.fails}
			run := play(t, head+"expect main secret\n", p, func(c *scripts.Config) { c.Sender = explained{p} })
			if got := run.Cases[0].Checks[0].Reason; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestCountOfNothing: an endpoint that nothing came to has no attempts, which is not to say that it has as many as wanted.
func TestCountOfNothing(t *testing.T) {
	t.Parallel()
	for expect, want := range map[string]result.Verdict{
		"attempts == 1": result.Fail, "attempts <= 1": result.Pass, "attempts == 0": result.Pass, "deliveries == 1": result.Fail,
	} {
		t.Run(expect, func(t *testing.T) {
			t.Parallel()
			run := play(t, "profile p\ncase A t level=must\nendpoint landing 200\nendpoint main 302/to={landing}\n"+
				"trigger main\nwait main quiet=1s\nwait landing quiet=1s\nexpect landing "+expect+"\n", &played{tries: []try{{}}}, nil)
			if got := run.Cases[0].Verdict; got != want {
				t.Errorf("got %s, want %s: %+v", got, want, run.Cases[0].Checks)
			}
		})
	}
}
