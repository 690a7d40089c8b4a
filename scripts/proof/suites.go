package proof

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

//go:embed suites.yaml
var suitesFile []byte

// suite is an experiment that is tests of one of the product's packages.
type suite struct {
	Name     string   `yaml:"name"`
	Promise  string   `yaml:"promise"`
	Folder   string   `yaml:"folder"`
	Run      string   `yaml:"run"`
	Goal     int64    `yaml:"goal"`
	Needs    string   `yaml:"needs"`
	Controls []string `yaml:"controls"`
	// limit bounds one run.
	limit time.Duration
}

func suites() ([]Experiment, error) {
	var list []suite
	if err := yaml.UnmarshalWithOptions(suitesFile, &list, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("suites.yaml: %w", err)
	}
	experiments := make([]Experiment, 0, len(list))
	for _, s := range list {
		s.limit = 3 * time.Minute
		e := Experiment{Name: s.Name, Promise: s.Promise, Unit: "tests", Goal: s.Goal, Controls: s.Controls, Certain: true, Elsewhere: true, Try: s.try}
		if s.Needs != "" {
			e.Needs = needsTool(s.Needs)
		}
		experiments = append(experiments, e)
	}
	return experiments, nil
}

// ended is a line that tells how a test or a sub-test ended.
var ended = regexp.MustCompile(`(?m)^ *--- (PASS|FAIL|SKIP): (\S+)`)

// try runs the tests once and counts those that have no sub-tests.
func (s *suite) try(ctx context.Context, b *Build) (Count, error) {
	var count Count
	tests, err := b.Tests(ctx, s.Folder)
	if err != nil {
		return count, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	//nolint:gosec // the tests that were built
	cmd := exec.CommandContext(ctx, tests, "-test.run="+s.Run, "-test.v", "-test.count=1", "-test.shuffle=on", "-test.timeout="+s.limit.String())
	cmd.Dir = filepath.Join(b.lab.source, filepath.FromSlash(s.Folder))
	cmd.Env = b.environment(cmd.Environ())
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	ownGroup(cmd)
	out, err := cmd.CombinedOutput()
	if exited := new(exec.ExitError); err != nil && !errors.As(err, &exited) {
		return count, err
	}
	results := ended.FindAllStringSubmatch(string(out), -1)
	parents := make(map[string]bool)
	for _, r := range results {
		for i := range r[2] {
			if r[2][i] == '/' {
				parents[r[2][:i]] = true
			}
		}
	}
	for _, r := range results {
		switch {
		case r[1] == "SKIP":
			count.Sum("skipped", 1)
		case r[1] == "FAIL" && !parents[r[2]]:
			count.Tried++
			count.Break("%s fails", r[2])
		case !parents[r[2]]:
			count.Tried++
		}
	}
	if err != nil && count.Broken == 0 {
		count.Tried++
		count.Break("the tests end with %v: %s", err, lastLine(out))
	}
	if count.Tried == 0 {
		return count, fmt.Errorf("no test of %s matches %s", s.Folder, s.Run)
	}
	return count, nil
}

func lastLine(out []byte) string {
	text := strings.TrimSpace(string(out))
	return text[strings.LastIndexByte(text, '\n')+1:]
}
