package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hookrange/hookrange/fixtures"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/resolve/egress"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/result"
)

// launch lets a run go on. testRuns.mu is held.
func (t *testRuns) launch(run *testRun) {
	ctx, cancel := context.WithCancelCause(t.life)
	run.State = api.TestRunning
	run.revision++
	run.goes = &going{cancel: cancel, done: make(chan struct{})}
	goes := run.goes
	t.all.Go(func() {
		defer close(goes.done)
		defer cancel(nil)
		err := t.carryOut(ctx, run, goes)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.ended(run, err, context.Cause(ctx))
	})
}

// carryOut runs the cases of a run and leaves no endpoints behind, but those of a manual run that is to go on.
func (t *testRuns) carryOut(ctx context.Context, run *testRun, goes *going) (err error) {
	s, err := testScript(run.Input)
	if err != nil {
		return err
	}
	sending, missing, err := t.sender(ctx, run.Input)
	if err != nil {
		return err
	}
	in := run.Input
	config := scripts.Config{
		Scripts: []*scripts.Script{s}, Schema: fixtures.Schema, Vars: in.Set, Case: in.Cases, Jobs: in.Jobs, Scale: in.Scale, Missing: missing,
	}
	house := shareRange(ctx, t.house, testPrefix(run.Run.ID))
	if sending == nil {
		defer house.stop()
		return t.manual(ctx, run, goes, house, config)
	}
	defer func() { err = errors.Join(err, house.close(ctx)) }()
	config.Missing = with(house.missing(), missing)
	config.Objects = &house.objects
	config.Fetcher = guardedFetcher{client: egress.New(egress.Config{Version: version}), objects: &house.objects}
	config.Sender, config.Range = trusting(sending, house), linked{house, t, run}
	config.Progress = func(c result.Case) { t.progress(run, c) }
	got, err := scripts.Run(ctx, config)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	run.Run.Cases = got.Cases
	return nil
}

// manual runs the cases that a person triggers.
func (t *testRuns) manual(ctx context.Context, run *testRun, goes *going, house *provingRange, config scripts.Config) error {
	var desk *manualDesk
	desk = newManualDesk(house, t.house.base, run.cannot, func() { t.watched(run, desk.now()) })
	t.mu.Lock()
	goes.desk = desk
	cases := append([]result.Case(nil), run.Run.Cases...)
	t.mu.Unlock()
	config.Sender, config.Range = desk, linked{desk, t, run}
	return oneByOne(ctx, config, cases, func(c result.Case) { t.progress(run, c) })
}

// linked remembers where the captures of a run's cases are.
type linked struct {
	scripts.Range
	tests *testRuns
	run   *testRun
}

// Lend lends an endpoint and notes its name.
func (l linked) Lend(ctx context.Context, spec scripts.Spec) (scripts.Endpoint, error) {
	lent, err := l.Range.Lend(ctx, spec)
	if err != nil {
		return nil, err
	}
	name := ""
	switch e := lent.(type) {
	case *lentEndpoint:
		name = e.endpoint.Name
	case *manualEndpoint:
		name = e.endpoint.Name
	}
	l.tests.mu.Lock()
	defer l.tests.mu.Unlock()
	l.run.links[[2]string{spec.Case, spec.Name}] = name
	return lent, nil
}

// watched takes what a person has to do. The time of a case begins with its delivery.
func (t *testRuns) watched(run *testRun, about api.TestManual) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range run.Run.Cases {
		if c := &run.Run.Cases[i]; c.ID == about.Case && c.State == "running" && !about.Waiting {
			c.Started = time.Now().UTC()
		}
	}
	run.revision++
}

// progress takes a case as it begins and ends, and keeps it.
func (t *testRuns) progress(run *testRun, c result.Case) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range run.Run.Cases {
		if run.Run.Cases[i].ID != c.ID {
			continue
		}
		if c.State == "running" {
			// It is told of before its times are scaled.
			c.Expected = run.Run.Cases[i].Expected
		}
		run.Run.Cases[i] = c
	}
	run.revision++
	if c.State == "running" {
		return
	}
	if err := t.files.save(run.keptTest); err != nil {
		t.house.log.Error("a conformance run cannot be kept", errAttr(err))
	}
}

// ended notes how a run ended. testRuns.mu is held.
func (t *testRuns) ended(run *testRun, failed, cause error) {
	manual := run.Input.Sender == manualSender
	run.goes = nil
	switch {
	case errors.Is(cause, errTestCancelled):
		run.close(api.TestCancelled)
	case errors.Is(cause, errTestPaused):
		run.State = api.TestPaused
		run.revision++
	case cause != nil && manual:
		// The server stops. The run goes on when it starts again.
	case cause != nil:
		run.close(api.TestInterrupted)
	default:
		run.close(api.TestEnded)
	}
	if failed != nil {
		run.Error = mask().String(failed.Error())
		run.Run.Verdict = result.Error
		if goesOn(run.State) {
			run.close(api.TestEnded)
			run.Run.Verdict = result.Error
		}
	}
	if manual && !goesOn(run.State) {
		if err := deleteEndpoints(t.life, t.house.store, testPrefix(run.Run.ID), ""); err != nil {
			run.Error = cmp.Or(run.Error, err.Error())
		}
	}
	if err := t.files.save(run.keptTest); err != nil {
		t.house.log.Error("a conformance run cannot be kept", errAttr(err))
	}
}

// Pause stops a manual run after what it has, or lets it go on.
func (t *testRuns) Pause(id string, paused bool) (api.Test, error) {
	t.mu.Lock()
	run, err := t.find(id)
	if err == nil && (run.Input.Sender != manualSender || !goesOn(run.State)) {
		err = fmt.Errorf("%w: run %s is %s: only a manual run that is not over can be paused", webhook.ErrInvalid, id, run.State)
	}
	if err != nil {
		t.mu.Unlock()
		return api.Test{}, err
	}
	goes := run.goes
	if !paused && goes == nil && t.life.Err() == nil {
		t.launch(run)
	}
	t.mu.Unlock()
	if paused && goes != nil {
		goes.cancel(errTestPaused)
		<-goes.done
	}
	return t.Get(id)
}

// Drop cancels a run that goes on, or deletes one that does not.
func (t *testRuns) Drop(ctx context.Context, id string) (deleted bool, err error) {
	t.mu.Lock()
	run, err := t.find(id)
	if err != nil {
		t.mu.Unlock()
		return false, err
	}
	switch goes := run.goes; {
	case goes != nil:
		t.mu.Unlock()
		goes.cancel(errTestCancelled)
		waiting, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		select {
		case <-goes.done:
			return false, nil
		case <-waiting.Done():
			return false, fmt.Errorf("cancel conformance run %s: %w", id, waiting.Err())
		}
	case goesOn(run.State):
		t.ended(run, nil, errTestCancelled)
		t.mu.Unlock()
		return false, nil
	}
	defer t.mu.Unlock()
	if err = t.files.remove(id); err != nil {
		return false, err
	}
	delete(t.runs, id)
	return true, nil
}
