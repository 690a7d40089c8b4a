package proof

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/goccy/go-yaml"
)

//go:embed guards.yaml
var guardsFile []byte

// watch is a test that must fail without a guard.
type watch struct{ folder, test string }

// guards is the experiment that takes each guard out and looks whether a test notices.
func guards() ([]Experiment, error) {
	// Folder, test, guards.
	var listed map[string]map[string][]string
	if err := yaml.UnmarshalWithOptions(guardsFile, &listed, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("guards.yaml: %w", err)
	}
	by := make(map[string]watch)
	var tests []watch
	for _, folder := range slices.Sorted(maps.Keys(listed)) {
		for _, test := range slices.Sorted(maps.Keys(listed[folder])) {
			tests = append(tests, watch{folder, test})
			for _, control := range listed[folder][test] {
				if _, twice := by[control]; twice {
					return nil, fmt.Errorf("guards.yaml: %s is there twice", control)
				}
				by[control] = watch{folder, test}
			}
		}
	}
	return []Experiment{{
		Name:      "guards",
		Promise:   "Each guard of the code has a test that fails without it",
		Unit:      "tests with all guards in place",
		Goal:      int64(len(tests)),
		Controls:  slices.Sorted(maps.Keys(by)),
		Certain:   true,
		Elsewhere: true,
		Try: func(ctx context.Context, b *Build) (count Count, err error) {
			if b.Whole() {
				count.Sum("guards taken out one by one", int64(len(by)))
				for _, w := range tests {
					if err = w.try(ctx, b, &count); err != nil {
						return count, err
					}
				}
				return count, nil
			}
			if err = by[b.control].try(ctx, b, &count); err != nil {
				return count, err
			}
			return count, b.forget()
		},
	}}, nil
}

// try runs the test once.
func (w watch) try(ctx context.Context, b *Build, total *Count) error {
	// A test that hangs without its guard has noticed too.
	one := suite{Folder: w.folder, Run: "^" + w.test + "$", limit: 90 * time.Second}
	count, err := one.try(ctx, b)
	if err != nil {
		return err
	}
	total.Tried++
	if count.Broken > 0 {
		total.Break("%s: %s", w.folder, count.Seen)
	}
	return nil
}
