package scripts

import (
	"fmt"
	"path"
	"slices"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/result"
)

// Chosen returns the cases whose ids match a path.Match pattern, as they are before they run. An empty pattern matches
// all; it returns webhook.ErrInvalid for a pattern that is none or matches nothing.
func (s *Script) Chosen(vars map[string]string, pattern string) ([]result.Case, error) {
	all, err := s.Cases(vars)
	if err != nil {
		return nil, err
	}
	if pattern != "" {
		if _, err = path.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("%w: cases %q: %w", webhook.ErrInvalid, pattern, err)
		}
		all = slices.DeleteFunc(all, func(c result.Case) bool {
			ok, _ := path.Match(pattern, c.ID)
			return !ok
		})
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: no case matches %q", webhook.ErrInvalid, pattern)
	}
	for i := range all {
		all[i].State, all[i].Checks, all[i].Endpoints = "waiting", []result.Check{}, []result.Endpoint{}
	}
	return all, nil
}
