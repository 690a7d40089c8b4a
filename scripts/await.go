package scripts

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Awaiter is a Sender that somebody else must make send, such as a person.
type Awaiter interface {
	Sender
	// Await asks for a delivery and blocks until its first attempt has come, or ctx ends. It stands in for Trigger: the
	// case's waits begin when it has returned, however long that took.
	Await(ctx context.Context, in TriggerInput) error
}

// Grouper is an Endpoint whose URL is the same for all triggers, so that paths do not tell their deliveries apart.
type Grouper interface {
	Endpoint
	// Delivery names the delivery that a capture belongs to.
	Delivery(c *webhook.Capture) string
}

// Endpoint returns the first endpoint of a name that a case asks for, its plan as the script has it. vars are a user's
// values.
func (s *Script) Endpoint(name string, vars map[string]string) (Spec, bool) {
	all, err := s.scenarios(vars)
	if err != nil {
		return Spec{}, false
	}
	for _, sc := range all {
		for _, st := range sc.steps {
			if e, ok := st.(endpointStep); ok && e.spec.Name == name {
				return e.spec, true
			}
		}
	}
	return Spec{}, false
}

// Unmet says of each case that cannot be judged why, by its id, when these needs cannot be met: as a whole, or in the
// checks that are about the wire. vars are a user's values.
func (s *Script) Unmet(vars, missing map[string]string) (map[string]string, error) {
	all, err := s.scenarios(vars)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, sc := range all {
		byReason := map[string][]string{}
		for _, need := range slices.Compact(slices.Sorted(slices.Values(sc.needs))) {
			if why, ok := missing[need]; ok {
				byReason[why] = append(byReason[why], need)
			}
		}
		var reasons []string
		for _, why := range slices.Sorted(maps.Keys(byReason)) {
			reasons = append(reasons, strings.Join(byReason[why], ", ")+": "+why)
		}
		if why, ok := missing["direct"]; ok && len(reasons) == 0 {
			if kinds := sc.wired(); len(kinds) > 0 {
				reasons = append(reasons, strings.Join(kinds, ", ")+" only: "+why)
			}
		}
		if len(reasons) > 0 {
			out[sc.about.ID] = strings.Join(reasons, "; ")
		}
	}
	return out, nil
}

// wired returns the kinds of the scenario's checks that are about the wire.
func (sc *scenario) wired() []string {
	var out []string
	for _, st := range sc.steps {
		if check, ok := st.(*checkStep); ok {
			if kind, _ := kindOf(check.kind); kind.wire && !slices.Contains(out, check.kind) {
				out = append(out, check.kind)
			}
		}
	}
	return out
}
