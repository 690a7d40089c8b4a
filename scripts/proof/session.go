package proof

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/durable"
)

// Why an experiment is not tried further is decided by these.
const (
	// failures are how often a control must fail before it is believed.
	failures = 3
	// usual is how often a control is tried when its experiment does not say.
	usual = 10
	// troubles in a row end an experiment.
	troubles = 3
)

// Session runs experiments for a while, and goes on where the last session of the same sources stopped.
type Session struct {
	lab  *Lab
	out  io.Writer
	path string
	// Kept are the results by name.
	kept kept
}

// kept is the file of results. Those of other sources are worth nothing.
type kept struct {
	Sources string             `json:"sources"`
	Results map[string]*Result `json:"results"`
}

// NewSession returns a session whose progress goes to out.
func NewSession(ctx context.Context, lab *Lab, out io.Writer) (*Session, error) {
	s := &Session{lab: lab, out: out, path: filepath.Join(lab.cache, "results.json")}
	sources, err := fingerprint(ctx, lab.source)
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(s.path)
	if err == nil {
		err = json.Unmarshal(raw, &s.kept)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read %s, which may be deleted: %w", s.path, err)
	}
	if s.kept.Sources != sources || s.kept.Results == nil {
		s.kept = kept{Sources: sources, Results: make(map[string]*Result)}
	}
	return s, nil
}

// fingerprint is over all files that git knows and that are no prose.
func fingerprint(ctx context.Context, source string) (string, error) {
	names, err := sources(ctx, source)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(source, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d\n%s", name, len(content), content)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// sources lists these files.
func sources(ctx context.Context, source string) ([]string, error) {
	list := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ".", ":!*.md", ":!inspector/ui/screenshots")
	list.Dir = source
	names, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("list the sources: %w", err)
	}
	return strings.Split(strings.TrimRight(string(names), "\x00"), "\x00"), nil
}

// Run gives each experiment its share of the time, again and again, until all have reached their goals, time is over or
// ctx ends. It returns the results in order.
func (s *Session) Run(ctx context.Context, experiments []Experiment, limit time.Duration) ([]*Result, error) {
	deadline := time.Now().Add(limit)
	results := make([]*Result, len(experiments))
	for i := range experiments {
		results[i] = s.result(ctx, &experiments[i])
	}
	for {
		var open []int
		for i := range experiments {
			if r := results[i]; !r.Halted && r.Why == "" && !s.reached(&experiments[i], r) {
				open = append(open, i)
			}
		}
		if len(open) == 0 || ctx.Err() != nil || time.Now().After(deadline) {
			return results, ctx.Err()
		}
		for n, i := range open {
			share := time.Until(deadline) / time.Duration(len(open)-n)
			if err := s.slice(ctx, &experiments[i], results[i], share); err != nil {
				return results, err
			}
		}
	}
}

// result returns what is known of an experiment, and whether it can run.
func (s *Session) result(ctx context.Context, e *Experiment) *Result {
	r := s.kept.Results[e.Name]
	if r == nil {
		r = &Result{Name: e.Name, Controls: make(map[string]Count)}
		s.kept.Results[e.Name] = r
	}
	if r.Controls == nil {
		r.Controls = make(map[string]Count)
	}
	r.Why = ""
	if e.Needs != nil {
		if err := e.Needs(); err != nil {
			r.Why = strings.TrimPrefix(err.Error(), ErrNotHere.Error()+": ")
			r.stamp(ctx, s.lab.source)
			fmt.Fprintf(s.out, "%-14s not run: %s\n", e.Name, r.Why)
		}
	}
	return r
}

// stamp notes when, and of which commit, a result is.
func (r *Result) stamp(ctx context.Context, source string) {
	r.Date = time.Now().UTC().Format(time.DateOnly)
	show := exec.CommandContext(context.WithoutCancel(ctx), "git", "describe", "--always", "--dirty", "--exclude=*", "--abbrev=9")
	show.Dir = source
	if out, err := show.Output(); err == nil {
		r.Commit = strings.TrimSpace(string(out))
	}
}

// reached tells whether there is nothing left to try: the goal, and every control as often as is wanted.
func (*Session) reached(e *Experiment, r *Result) bool {
	if r.Count.Tried < e.Goal {
		return false
	}
	for _, name := range e.Controls {
		if c := r.Controls[name]; wanting(e, c) {
			return false
		}
	}
	return true
}

// wanting tells whether a control must be tried again.
func wanting(e *Experiment, c Count) bool {
	tries := e.Tries
	if tries == 0 {
		tries = usual
	}
	if e.Certain {
		return c.Tried == 0
	}
	return c.Broken < failures && c.Tried < int64(tries)
}

// slice tries one experiment for a while: first its controls, for without them the rest is worth nothing.
func (s *Session) slice(ctx context.Context, e *Experiment, r *Result, share time.Duration) error {
	end := time.Now().Add(share)
	for _, name := range e.Controls {
		for wanting(e, r.Controls[name]) && !r.Halted && ctx.Err() == nil && time.Now().Before(end) {
			b, err := s.lab.Without(name)
			if err != nil {
				return err
			}
			total := r.Controls[name]
			s.try(ctx, e, r, b, &total)
			r.Controls[name] = total
			s.tell(e, "control "+name, &total)
		}
	}
	for told := time.Now(); r.Count.Tried < e.Goal && !r.Halted && ctx.Err() == nil && time.Now().Before(end); {
		s.try(ctx, e, r, s.lab.Whole(), &r.Count)
		if time.Since(told) > 2*time.Second || r.Count.Broken > 0 {
			told = time.Now()
			s.tell(e, "", &r.Count)
		}
	}
	if r.Count.Tried > 0 {
		s.tell(e, "", &r.Count)
	}
	r.stamp(ctx, s.lab.source)
	return s.save()
}

// try tries once and adds what came of it to total. Trouble is tried again, and then halts the experiment.
func (s *Session) try(ctx context.Context, e *Experiment, r *Result, b *Build, total *Count) {
	for n := 1; ; n++ {
		count, err := e.Try(ctx, b)
		if ctx.Err() != nil {
			return // it was cut off, so it says nothing
		}
		if err == nil {
			total.Add(count)
			return
		}
		fmt.Fprintf(s.out, "%-14s trouble: %v\n", e.Name, err)
		if n == troubles {
			r.Halted, r.Why = true, err.Error()
			return
		}
	}
}

func (s *Session) tell(e *Experiment, what string, c *Count) {
	fmt.Fprintf(s.out, "%-14s %s %s", e.Name, what, c.figures(e.Unit, max(e.Goal, c.Tried)))
	if c.Seen != "" {
		fmt.Fprintf(s.out, ": %s", c.Seen)
	}
	fmt.Fprintln(s.out)
}

func (s *Session) save() error {
	raw, err := json.MarshalIndent(s.kept, "", "\t")
	if err != nil {
		return err
	}
	return durable.Replace(s.path, raw)
}
