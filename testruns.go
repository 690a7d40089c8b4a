package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/hookrange/hookrange/fixtures/sender"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/report"
	"github.com/hookrange/hookrange/scripts/result"
)

const (
	// maxTestRuns bounds the runs that are kept, maxTestsAtOnce and maxManualTests those that go on.
	maxTestRuns    = 100
	maxTestsAtOnce = 4
	maxManualTests = 10
	maxTestJobs    = 64
)

// Why a run was ended before its last case.
var (
	errTestCancelled = errors.New("cancelled by a user")
	errTestPaused    = errors.New("paused by a user")
)

// testRuns runs conformance scripts in a server and keeps what came of them in a folder. It is an inspector.Tests.
type testRuns struct {
	house *house
	files testFiles
	// life is that of the runs; all of them are waited for.
	life context.Context //nolint:containedctx // the runs' own life, which no caller's context must end
	ends context.CancelFunc
	all  sync.WaitGroup

	// profiles are those that come with the program.
	profiles []api.TestProfile

	mu   sync.Mutex
	runs map[string]*testRun
}

// testRun is one run; testRuns.mu guards it.
type testRun struct {
	keptTest
	revision int64
	// goes is set while its goroutine runs.
	goes *going
	// links has the server's endpoint for each case and endpoint.
	links map[[2]string]string
	// cannot says of each case that a manual run cannot judge why.
	cannot map[string]string
}

// going is a run that goes on.
type going struct {
	cancel context.CancelCauseFunc
	done   chan struct{}
	desk   *manualDesk
}

// openTests reads the runs that are kept and removes what a crash left of them.
func openTests(ctx context.Context, h *house, dir string) (*testRuns, error) {
	t := &testRuns{house: h, files: testFiles(dir), runs: map[string]*testRun{}}
	t.life, t.ends = context.WithCancel(context.WithoutCancel(ctx))
	for _, name := range scripts.Profiles() {
		s, err := scripts.Profile(name)
		if err != nil {
			return nil, err
		}
		cases, err := s.Cases(nil)
		if err != nil {
			return nil, err
		}
		t.profiles = append(t.profiles, api.TestProfile{Name: name, Title: s.Title, Cases: len(cases)})
	}
	kept, err := t.files.load(h.log)
	if err != nil {
		return nil, err
	}
	for _, k := range kept {
		run := &testRun{keptTest: k, links: map[[2]string]string{}}
		but := ""
		switch {
		case !goesOn(k.State):
		case k.Input.Sender == manualSender:
			but = manualName(testPrefix(k.Run.ID))
			if s, err := testScript(k.Input); err == nil {
				// The run itself fails and says why when this does.
				run.cannot, _ = unmeasured(s, k.Input.Set, k.Run.Cases, h.base)
			}
			for i := range run.Run.Cases {
				if c := &run.Run.Cases[i]; c.State == "ended" {
					run.links[[2]string{c.ID, "main"}] = but
				}
			}
		default:
			run.close(api.TestInterrupted)
			if err = t.files.save(run.keptTest); err != nil {
				return nil, err
			}
		}
		if err = deleteEndpoints(ctx, h.store, testPrefix(k.Run.ID), but); err != nil {
			return nil, fmt.Errorf("tests: what run %s left: %w", k.Run.ID, err)
		}
		t.runs[k.Run.ID] = run
	}
	return t, nil
}

// goesOn tells whether a run in this state is not over.
func goesOn(state string) bool { return state == api.TestRunning || state == api.TestPaused }

// testPrefix begins the names of a run's endpoints.
func testPrefix(id string) string { return "test-" + strings.ReplaceAll(id, "-", "") + "-" }

// close notes the end of a run.
func (r *testRun) close(state string) {
	r.State, r.Run.Ended = state, time.Now().UTC()
	for i := range r.Run.Cases {
		if c := &r.Run.Cases[i]; c.State == "running" {
			c.State = "waiting"
		}
	}
	r.Run.Verdict = scripts.Verdict(r.Run.Cases)
	r.links = nil
	r.revision++
}

// Run lets manual runs go on and blocks until ctx has ended and all runs with it.
func (t *testRuns) Run(ctx context.Context) error {
	t.mu.Lock()
	for _, run := range t.runs {
		if run.State == api.TestRunning && run.goes == nil {
			t.launch(run) //nolint:contextcheck // runs have a life of their own, which Run ends
		}
	}
	t.mu.Unlock()
	<-ctx.Done()
	t.ends()
	t.all.Wait()
	return nil
}

// Start begins a run.
func (t *testRuns) Start(ctx context.Context, in api.TestInput) (api.Test, error) {
	s, err := testScript(in)
	if err != nil {
		return api.Test{}, err
	}
	if _, _, err = t.sender(ctx, in); err != nil {
		return api.Test{}, err
	}
	cases, err := testCases(s, in)
	if err != nil {
		return api.Test{}, err
	}
	var cannot map[string]string
	if in.Sender == manualSender {
		if cannot, err = unmeasured(s, in.Set, cases, t.house.base); err != nil {
			return api.Test{}, err
		}
	}
	id, err := uuid.NewV7()
	if err != nil {
		return api.Test{}, fmt.Errorf("tests: %w", err)
	}
	run := &testRun{links: map[[2]string]string{}, cannot: cannot, keptTest: keptTest{Input: in, State: api.TestRunning, Run: result.Run{
		ID: id.String(), Profile: s.Name, Sender: mask().String(in.Sender), Version: version,
		Platform: fmt.Sprintf("%s/%s, %d cores", runtime.GOOS, runtime.GOARCH, runtime.NumCPU()),
		Started:  time.Now().UTC(), Cases: cases, Notes: notesOf(cannot), Reproduce: reproduce(s, in),
	}}}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.life.Err() != nil {
		return api.Test{}, fmt.Errorf("tests: the server stops: %w", webhook.ErrUnavailable)
	}
	if err = t.room(in.Sender == manualSender); err != nil {
		return api.Test{}, err
	}
	if err = t.files.save(run.keptTest); err != nil {
		return api.Test{}, err
	}
	if in.Sender == manualSender {
		// The first answer has the URL.
		if _, _, err = saveManual(ctx, t.house.store, manualName(testPrefix(run.Run.ID)), manualSpec(s, in.Set)); err != nil {
			return api.Test{}, errors.Join(err, t.files.remove(run.Run.ID))
		}
	}
	t.runs[run.Run.ID] = run
	t.launch(run) //nolint:contextcheck // as above
	t.forgetOld()
	return run.shown(true), nil
}

// testScript reads the script that a run is to have.
func testScript(in api.TestInput) (*scripts.Script, error) {
	var s *scripts.Script
	var err error
	switch {
	case (in.Profile == "") == (in.Script == ""):
		return nil, fmt.Errorf("%w: give either profile, one of %s, or script, the text of one", webhook.ErrInvalid, strings.Join(scripts.Profiles(), ", "))
	case in.Profile != "":
		if s, err = scripts.Profile(in.Profile); errors.Is(err, webhook.ErrNotFound) {
			// The route is there, so what is wrong is the value.
			return nil, fmt.Errorf("%w: %s", webhook.ErrInvalid, strings.TrimPrefix(err.Error(), webhook.ErrNotFound.Error()+": "))
		}
	default:
		s, err = scripts.Parse(cmp.Or(in.File, "script"), []byte(in.Script))
	}
	if err != nil {
		return nil, err
	}
	for name := range in.Set {
		if _, known := s.Vars()[name]; !known {
			return nil, fmt.Errorf("%w: set %s: the script has no such variable; it has: %s", webhook.ErrInvalid, name,
				strings.Join(slices.Sorted(maps.Keys(s.Vars())), ", "))
		}
	}
	return s, scripts.Lint(s, in.Set)
}

// testCases returns the cases that a run is to have.
func testCases(s *scripts.Script, in api.TestInput) ([]result.Case, error) {
	if in.Jobs < 0 || in.Jobs > maxTestJobs {
		return nil, fmt.Errorf("%w: jobs is %d: give 1 to %d", webhook.ErrInvalid, in.Jobs, maxTestJobs)
	}
	if in.Scale < 0 || in.Scale > 10 || in.Scale != 0 && in.Scale != 1 && !strings.HasPrefix(in.Sender, "builtin:") {
		return nil, fmt.Errorf("%w: scale is %g: give more than 0 and at most 10, and only with a builtin sender", webhook.ErrInvalid, in.Scale)
	}
	all, err := s.Cases(in.Set)
	if err != nil {
		return nil, err
	}
	if in.Cases != "" {
		if _, err = path.Match(in.Cases, ""); err != nil {
			return nil, fmt.Errorf("%w: cases %q: %w", webhook.ErrInvalid, in.Cases, err)
		}
		all = slices.DeleteFunc(all, func(c result.Case) bool {
			ok, _ := path.Match(in.Cases, c.ID)
			return !ok
		})
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: no case matches %q", webhook.ErrInvalid, in.Cases)
	}
	for i := range all {
		all[i].State, all[i].Checks, all[i].Endpoints = "waiting", []result.Check{}, []result.Endpoint{}
		all[i].Expected = time.Duration(float64(all[i].Expected) * cmp.Or(in.Scale, 1))
	}
	return all, nil
}

// sender returns the sender that a run is to have, and what cases cannot have with it. Nil is a person.
func (t *testRuns) sender(ctx context.Context, in api.TestInput) (scripts.Sender, map[string]string, error) {
	switch kind, _, _ := strings.Cut(in.Sender, ":"); {
	case in.Sender == manualSender:
		return nil, manualNeeds(t.house.base), nil
	case kind == "builtin", kind == "agent-server":
		return senderFor(ctx, in.Sender)
	default:
		return nil, nil, fmt.Errorf("%w: sender %q: a server takes builtin:NAME, manual and agent-server:URL. It runs no shell commands "+
			"for callers: whoever has its token would run programs on its machine. Run 'hookrange test --sender CMD' where the command is",
			webhook.ErrInvalid, mask().String(in.Sender))
	}
}

// reproduce is the command line of the same run.
func reproduce(s *scripts.Script, in api.TestInput) string {
	words := []string{"test", cmp.Or(in.Profile, in.File, s.Name+".txtar"), "--sender", in.Sender}
	for _, flag := range []struct {
		name, value string
	}{{"--case", in.Cases}, {"--jobs", number(in.Jobs)}, {"--scale", number(in.Scale)}} {
		if flag.value != "" {
			words = append(words, flag.name, flag.value)
		}
	}
	if in.Strict {
		words = append(words, "--strict")
	}
	for _, name := range slices.Sorted(maps.Keys(in.Set)) {
		words = append(words, "--set", name+"="+in.Set[name])
	}
	return mask().String("hookrange " + quoteAll(words))
}

func number[N int | float64](n N) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// room refuses a run when too many go on.
func (t *testRuns) room(manual bool) error {
	going, limit := 0, maxTestsAtOnce
	if manual {
		limit = maxManualTests
	}
	for _, run := range t.runs {
		if goesOn(run.State) && (run.Input.Sender == manualSender) == manual {
			going++
		}
	}
	if going >= limit {
		return fmt.Errorf("tests: %d runs go on already: %w", going, webhook.ErrOverloaded)
	}
	return nil
}

// newestFirst returns the runs. Their ids are in the order of time.
func (t *testRuns) newestFirst() []*testRun {
	return slices.SortedFunc(maps.Values(t.runs), func(a, b *testRun) int { return cmp.Compare(b.Run.ID, a.Run.ID) })
}

// forgetOld deletes the oldest runs that are over, beyond those that are kept.
func (t *testRuns) forgetOld() {
	all := t.newestFirst()
	for _, run := range all[min(len(all), maxTestRuns):] {
		if goesOn(run.State) {
			continue
		}
		if err := t.files.remove(run.Run.ID); err != nil {
			t.house.log.Error("an old run cannot be deleted", errAttr(err))
			continue
		}
		delete(t.runs, run.Run.ID)
	}
}

// List returns all runs, and what a new one can name.
func (t *testRuns) List() api.Tests {
	out := api.Tests{Tests: []api.Test{}, Profiles: t.profiles, Senders: []string{}}
	for _, policy := range sender.Policies() {
		out.Senders = append(out.Senders, "builtin:"+policy.Name)
	}
	out.Senders = append(out.Senders, manualSender)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, run := range t.newestFirst() {
		out.Tests = append(out.Tests, run.shown(false))
	}
	return out
}

// Get returns one run.
func (t *testRuns) Get(id string) (api.Test, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	run, err := t.find(id)
	if err != nil {
		return api.Test{}, err
	}
	return run.shown(true), nil
}

func (t *testRuns) find(id string) (*testRun, error) {
	run := t.runs[id]
	if run == nil {
		return nil, fmt.Errorf("conformance run %q: %w", id, webhook.ErrNotFound)
	}
	return run, nil
}

// Report writes a run in a format.
func (t *testRuns) Report(w io.Writer, id, format string) error {
	write, err := report.Named(format)
	if err != nil {
		return fmt.Errorf("%w: %w", webhook.ErrInvalid, err)
	}
	t.mu.Lock()
	run, err := t.find(id)
	if err != nil {
		t.mu.Unlock()
		return err
	}
	copied, strict := run.Run, run.Input.Strict
	copied.Cases = slices.Clone(copied.Cases)
	t.mu.Unlock()
	return write(w, []result.Run{copied}, report.Options{Strict: strict})
}

// shown is the run as the interface has it. What it shares with the run is not changed afterwards.
func (r *testRun) shown(whole bool) api.Test {
	out := api.Test{
		ID: r.Run.ID, State: r.State, Revision: r.revision, Input: r.Input, Profile: r.Run.Profile, Sender: r.Run.Sender,
		Started: r.Run.Started, Total: len(r.Run.Cases), Counts: map[string]int{}, Error: r.Error,
	}
	if !r.Run.Ended.IsZero() {
		out.Ended, out.Verdict = &r.Run.Ended, string(r.Run.Verdict)
	}
	if !whole {
		// A list need not repeat scripts.
		out.Input.Script = ""
	}
	out.Input.Sender = r.Run.Sender
	for i := range r.Run.Cases {
		if c := &r.Run.Cases[i]; c.State == "ended" {
			out.Counts[string(c.Verdict)]++
		}
	}
	if goesOn(r.State) && r.Input.Sender == manualSender {
		about := api.TestManual{Endpoint: manualName(testPrefix(r.Run.ID)), Header: []api.Pair{}, Unmeasured: r.cannot}
		if r.goes != nil && r.goes.desk != nil {
			about = r.goes.desk.now()
		}
		if about.Unmeasured == nil {
			about.Unmeasured = map[string]string{}
		}
		out.Manual = &about
	}
	if !whole {
		return out
	}
	run := r.Run
	run.Cases = slices.Clone(run.Cases)
	out.Run = &run
	for _, at := range slices.SortedFunc(maps.Keys(r.links), func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	}) {
		out.Captures = append(out.Captures, api.TestCaptures{Case: at[0], Name: at[1], Endpoint: r.links[at]})
	}
	return out
}
