package runs

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/hookrange/hookrange/fixtures/sender"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/report"
	"github.com/hookrange/hookrange/scripts/result"
	"github.com/hookrange/hookrange/scripts/trigger"
)

// List returns all runs, and what a new one can name.
func (t *Runs) List() api.Tests {
	out := api.Tests{Tests: []api.Test{}, Profiles: t.profiles, Senders: []string{}}
	for _, policy := range sender.Policies() {
		out.Senders = append(out.Senders, "builtin:"+policy.Name)
	}
	out.Senders = append(out.Senders, trigger.Manual)
	t.mu.Lock()
	defer t.mu.Unlock()
	out.Revision = t.revision
	for _, one := range t.newestFirst() {
		out.Tests = append(out.Tests, one.shown(false))
	}
	return out
}

// Get returns one run.
func (t *Runs) Get(id string) (api.Test, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one, err := t.find(id)
	if err != nil {
		return api.Test{}, err
	}
	return one.shown(true), nil
}

func (t *Runs) find(id string) (*run, error) {
	one := t.runs[id]
	if one == nil {
		return nil, fmt.Errorf("conformance run %q: %w", id, webhook.ErrNotFound)
	}
	return one, nil
}

// Report writes runs in a format. Warnings are failures where they are for any of them.
func (t *Runs) Report(w io.Writer, ids []string, format string) error {
	write, err := report.Named(format)
	if err != nil {
		return fmt.Errorf("%w: %w", webhook.ErrInvalid, err)
	}
	var all []result.Run
	var o report.Options
	t.mu.Lock()
	for _, id := range ids {
		one, err := t.find(id)
		if err != nil {
			t.mu.Unlock()
			return err
		}
		copied := one.Run
		copied.Cases = slices.Clone(copied.Cases)
		all, o.Strict = append(all, copied), o.Strict || one.Input.Strict
	}
	t.mu.Unlock()
	return write(w, all, o)
}

// shown is the run as the interface has it. What it shares with the run is not changed afterwards.
func (r *run) shown(all bool) api.Test {
	out := api.Test{
		ID: r.Run.ID, State: r.State, Revision: r.revision, Input: r.Input, Profile: r.Run.Profile, Sender: r.Run.Sender,
		Started: r.Run.Started, Total: len(r.Run.Cases), Counts: map[string]int{}, Error: r.Error,
	}
	if !r.Run.Ended.IsZero() {
		out.Ended, out.Verdict = &r.Run.Ended, string(r.Run.Verdict)
	}
	if !all {
		// A list need not repeat scripts.
		out.Input.Script = ""
	}
	out.Input.Sender = r.Run.Sender
	for i := range r.Run.Cases {
		if c := &r.Run.Cases[i]; c.State == "ended" {
			out.Counts[string(c.Verdict)]++
		}
	}
	if goesOn(r.State) && r.Input.Sender == trigger.Manual {
		about := api.TestManual{Endpoint: mainOf(r.Run.ID), Header: []api.Pair{}, Unmeasured: r.cannot}
		if r.goes != nil && r.goes.desk != nil {
			task := r.goes.desk.Task()
			about.Case, about.Title, about.Waiting, about.Delivery, about.Ignored = task.Case, task.Title, task.Waiting, task.Delivery, task.Ignored
			for _, h := range task.Header {
				about.Header = append(about.Header, h)
			}
		}
		if about.Unmeasured == nil {
			about.Unmeasured = map[string]string{}
		}
		out.Manual = &about
	}
	if !all {
		return out
	}
	whole := r.Run
	whole.Cases = slices.Clone(whole.Cases)
	out.Run = &whole
	for _, at := range slices.SortedFunc(maps.Keys(r.links), func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	}) {
		out.Captures = append(out.Captures, api.TestCaptures{Case: at[0], Name: at[1], Endpoint: r.links[at]})
	}
	return out
}
