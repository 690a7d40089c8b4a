package runs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/command"
	"github.com/hookrange/hookrange/scripts/result"
	"github.com/hookrange/hookrange/scripts/trigger"
)

// scriptOf reads the script that a run is to have.
func scriptOf(in api.TestInput) (*scripts.Script, error) {
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

// casesOf returns the cases that a run is to have.
func casesOf(s *scripts.Script, in api.TestInput) ([]result.Case, error) {
	if in.Jobs < 0 || in.Jobs > maxJobs {
		return nil, fmt.Errorf("%w: jobs is %d: give 1 to %d", webhook.ErrInvalid, in.Jobs, maxJobs)
	}
	if in.Scale < 0 || in.Scale > 10 || in.Scale != 0 && in.Scale != 1 && !strings.HasPrefix(in.Sender, "builtin:") {
		return nil, fmt.Errorf("%w: scale is %g: give more than 0 and at most 10, and only with a builtin sender", webhook.ErrInvalid, in.Scale)
	}
	all, err := s.Chosen(in.Set, in.Cases)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].Expected = time.Duration(float64(all[i].Expected) * cmp.Or(in.Scale, 1))
	}
	return all, nil
}

// sender returns the sender that a run is to have. Nil is a person.
func (t *Runs) sender(ctx context.Context, in api.TestInput) (trigger.Sender, error) {
	switch kind, _, _ := strings.Cut(in.Sender, ":"); {
	case in.Sender == trigger.Manual:
		return nil, nil
	case kind == "builtin", kind == "agent-server":
		return trigger.Named(ctx, in.Sender, t.cfg.Version)
	default:
		return nil, fmt.Errorf("%w: sender %q: a server takes builtin:NAME, manual and agent-server:URL. It runs no shell commands "+
			"for callers: whoever has its token would run programs on its machine. Run 'hookrange test --sender CMD' where the command is",
			webhook.ErrInvalid, t.cfg.Mask(in.Sender))
	}
}

// reproduce is the command line of the same run.
func (t *Runs) reproduce(s *scripts.Script, in api.TestInput) string {
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
	return t.cfg.Mask("hookrange " + command.Quote(words))
}

func number[N int | float64](n N) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}
