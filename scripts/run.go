package scripts

import (
	"context"
	"fmt"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/hookrange/hookrange/receiver/lag"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/result"
)

// Config of a run. Scripts, Range and Sender are required.
type Config struct {
	Scripts []*Script
	Range   Range
	Sender  Sender
	// Fetcher asks for presigned URLs. Without one, cases that need it are inconclusive.
	Fetcher Fetcher
	// Objects keeps the objects of presigned URLs. Without one, cases that need it are inconclusive.
	Objects Objects
	// Schema returns the JSON Schema of a name. Defaults to none.
	Schema func(name string) ([]byte, error)
	// Vars are a user's values of variables that a script sets.
	Vars map[string]string
	// Case selects cases by a path.Match pattern over their ids. Empty means all.
	Case string
	// Jobs bounds the cases under way at once. Defaults to 8.
	Jobs int
	// Scale multiplies all times, the sender's too: only for a sender that obeys TriggerInput.Scale. Defaults to 1.
	Scale float64
	// Again bounds how often a case is run again because the machine was too late to judge. Defaults to 2; -1 is never.
	Again int
	// Missing says, for each need that cannot be met here, why.
	Missing map[string]string
	// Progress is told of each case when it begins and when it has ended, one call at a time. May be nil.
	Progress func(result.Case)
	// now is the canary's clock; nil is time.Now.
	now func() time.Time
	// About is copied into the run: profile, sender, version, platform, notes, command line.
	About result.Run
}

// Run runs the cases and blocks until all have ended or ctx ends; those that had not begun by then stay waiting, and the
// run is inconclusive. What senders do wrong is in the run; an error is about the scripts or the configuration, and then
// nothing ran.
func Run(ctx context.Context, config Config) (result.Run, error) {
	all, err := config.prepare()
	if err != nil {
		return result.Run{}, err
	}
	run := config.About
	id, err := uuid.NewV7()
	if err != nil {
		return result.Run{}, fmt.Errorf("scripts: run: %w", err)
	}
	run.ID, run.Started = id.String(), time.Now().UTC()
	run.Cases = make([]result.Case, len(all))
	for i, sc := range all {
		run.Cases[i] = sc.about
		run.Cases[i].Checks, run.Cases[i].Endpoints = []result.Check{}, []result.Endpoint{}
	}
	runAll(ctx, &config, all, run.Cases)
	run.Ended = time.Now().UTC()
	run.Verdict = Verdict(run.Cases)
	return run, nil
}

// prepare checks the configuration and selects the cases.
func (config *Config) prepare() ([]*scenario, error) {
	if config.Range == nil || config.Sender == nil {
		return nil, fmt.Errorf("%w: a run needs a range and a sender", webhook.ErrInvalid)
	}
	if config.Jobs <= 0 {
		config.Jobs = 8
	}
	if config.Scale <= 0 {
		config.Scale = 1
	}
	if config.Again == 0 {
		config.Again = 2
	}
	var out []*scenario
	for _, s := range config.Scripts {
		all, err := s.scenarios(config.Vars)
		if err != nil {
			return nil, err
		}
		for _, sc := range all {
			ok, err := selected(config.Case, sc.about.ID)
			if err != nil {
				return nil, err
			}
			if ok {
				out = append(out, sc)
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: no case matches %q", webhook.ErrInvalid, config.Case)
	}
	return out, config.schemas(out)
}

func selected(pattern, id string) (bool, error) {
	if pattern == "" {
		return true, nil
	}
	ok, err := path.Match(pattern, id)
	if err != nil {
		return false, fmt.Errorf("%w: case pattern %q: %w", webhook.ErrInvalid, pattern, err)
	}
	return ok, nil
}

// schemas loads the schemas that the cases name.
func (config *Config) schemas(all []*scenario) error {
	for _, sc := range all {
		for _, st := range sc.steps {
			named, ok := st.(*checkStep)
			if !ok {
				continue
			}
			c, ok := named.check.(*schema)
			if !ok || c.compiled != nil {
				continue
			}
			var source []byte
			err := webhook.ErrNotFound
			if config.Schema != nil {
				source, err = config.Schema(c.name)
			}
			if err == nil {
				err = c.load(source)
			}
			if err != nil {
				return sc.script.at(named.line, &lexError{c.name, "no such schema: " + err.Error()})
			}
		}
	}
	return nil
}

// runAll runs the cases, Jobs at once, and fills their places.
func runAll(ctx context.Context, config *Config, all []*scenario, places []result.Case) {
	birds := lag.New(config.now)
	watching, stop := context.WithCancel(ctx)
	var watched sync.WaitGroup
	watched.Go(func() { birds.Run(watching) })
	defer watched.Wait()
	defer stop()
	var mu sync.Mutex
	tell := func(i int, c result.Case) {
		mu.Lock()
		defer mu.Unlock()
		places[i] = c
		if config.Progress != nil {
			config.Progress(c)
		}
	}
	todo := make([]int, len(all))
	for i := range all {
		todo[i] = i
	}
	for again := 0; len(todo) > 0 && ctx.Err() == nil; again++ {
		// What makes a machine late is often the run itself: fewer at once the next time.
		todo = runSome(ctx, todo, max(1, config.Jobs>>again), func(i int) bool {
			if again == 0 {
				begun := places[i]
				begun.State, begun.Started = "running", time.Now().UTC()
				tell(i, begun)
			}
			c, lagged := runCase(ctx, config, all[i], birds)
			if lagged && again < config.Again {
				return false
			}
			tell(i, c)
			return true
		})
	}
}

// runSome runs cases, so many at once, and returns those that are to run again.
func runSome(ctx context.Context, todo []int, jobs int, one func(i int) (sure bool)) []int {
	var mu sync.Mutex
	var unsure []int
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(jobs, len(todo)) {
		wg.Go(func() {
			for i := range next {
				if one(i) {
					continue
				}
				mu.Lock()
				unsure = append(unsure, i)
				mu.Unlock()
			}
		})
	}
	for _, i := range todo {
		select {
		case next <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	wg.Wait()
	slices.Sort(unsure)
	return unsure
}

// Verdict is that of a run: the worst of its cases', but those that are known to fail count as warnings. A run in which
// nothing passed is inconclusive, whatever was skipped.
func Verdict(cases []result.Case) result.Verdict {
	var worst result.Verdict
	passed := false
	for _, c := range cases {
		v := c.Verdict
		switch {
		case c.State != "ended":
			v = result.Inconclusive
		case c.Known:
			v = result.Warning
		}
		passed = passed || v == result.Pass || v == result.Warning || c.Known
		worst = result.Worst(worst, v)
	}
	if !passed {
		worst = result.Worst(worst, result.Inconclusive)
	}
	return worst
}
