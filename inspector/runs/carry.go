package runs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hookrange/hookrange/fixtures"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/bucket"
	"github.com/hookrange/hookrange/scripts/manual"
	"github.com/hookrange/hookrange/scripts/result"
	"github.com/hookrange/hookrange/scripts/trigger"
)

// launch lets a run go on. Runs.mu is held.
func (t *Runs) launch(one *run) {
	ctx, cancel := context.WithCancelCause(t.life)
	one.State = api.TestRunning
	t.changed(one)
	one.goes = &going{cancel: cancel, done: make(chan struct{})}
	goes := one.goes
	t.all.Go(func() {
		defer close(goes.done)
		defer cancel(nil)
		err := t.carryOut(ctx, one)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.ended(one, err, context.Cause(ctx))
	})
}

// carryOut runs the cases of a run and leaves no endpoints behind, but those of a manual run that is to go on.
func (t *Runs) carryOut(ctx context.Context, one *run) (err error) {
	s, err := scriptOf(one.Input)
	if err != nil {
		return err
	}
	sending, err := t.sender(ctx, one.Input)
	if err != nil {
		return err
	}
	var objects bucket.Store
	defer func() { err = errors.Join(err, objects.Close()) }()
	fetcher, err := t.cfg.Fetcher(objects.Address)
	if err != nil {
		return err
	}
	in := one.Input
	config := scripts.Config{
		Scripts: []*scripts.Script{s}, Schema: fixtures.Schema, Fetcher: fetcher, Vars: in.Set, Case: in.Cases, Jobs: in.Jobs, Scale: in.Scale,
	}
	lends := t.cfg.House.Range(ctx, prefixOf(one.Run.ID))
	if sending == nil {
		defer lends.Stop()
		return t.byHand(ctx, one, lends, config)
	}
	defer func() { err = errors.Join(err, lends.Close(ctx)) }()
	config.Missing = sending.Missing()
	maps.Copy(config.Missing, lends.Missing())
	config.Sender, config.Range, config.Objects = sending.Trusting(lends.Authority()), linked{lends, t, one}, &objects
	config.Progress = func(c result.Case) { t.progress(one, c) }
	got, err := scripts.Run(ctx, config)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	one.Run.Cases = got.Cases
	return nil
}

// byHand runs the cases that a person triggers.
func (t *Runs) byHand(ctx context.Context, one *run, lends Range, config scripts.Config) error {
	var desk *manual.Desk
	desk = manual.NewDesk(lends, func() { t.watched(one, desk.Task()) })
	t.mu.Lock()
	one.goes.desk = desk
	cases := slices.Clone(one.Run.Cases)
	t.mu.Unlock()
	config.Sender, config.Range, config.Missing = desk, linked{desk, t, one}, manual.Needs(t.cfg.Base)
	return manual.Run(ctx, config, cases, func(c result.Case) { t.progress(one, c) })
}

// linked remembers where the captures of a run's cases are.
type linked struct {
	scripts.Range
	runs *Runs
	run  *run
}

// Lend lends an endpoint and notes its name.
func (l linked) Lend(ctx context.Context, spec scripts.Spec) (scripts.Endpoint, error) {
	lent, err := l.Range.Lend(ctx, spec)
	if err != nil {
		return nil, err
	}
	if named, ok := lent.(interface{ Name() string }); ok {
		l.runs.mu.Lock()
		defer l.runs.mu.Unlock()
		l.run.links[[2]string{spec.Case, spec.Name}] = named.Name()
		l.runs.changed(l.run)
	}
	return lent, nil
}

// watched takes what a person has to do. The time of a case begins with its delivery.
func (t *Runs) watched(one *run, task manual.Task) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range one.Run.Cases {
		if c := &one.Run.Cases[i]; c.ID == task.Case && c.State == "running" && !task.Waiting {
			c.Started = time.Now().UTC()
		}
	}
	t.changed(one)
}

// progress takes a case as it begins and ends, and keeps it.
func (t *Runs) progress(one *run, c result.Case) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range one.Run.Cases {
		if one.Run.Cases[i].ID != c.ID {
			continue
		}
		if c.State == "running" {
			// It is told of before its times are scaled.
			c.Expected = one.Run.Cases[i].Expected
		}
		one.Run.Cases[i] = c
	}
	t.changed(one)
	if c.State == "running" {
		return
	}
	if err := t.files.save(one.kept); err != nil {
		t.cfg.Log.Error("a conformance run cannot be kept", errAttr(err))
	}
}

// ended notes how a run ended. Runs.mu is held.
func (t *Runs) ended(one *run, failed, cause error) {
	byHand := one.Input.Sender == trigger.Manual
	one.goes = nil
	defer t.changed(one)
	switch {
	case errors.Is(cause, errCancelled):
		one.close(api.TestCancelled)
	case errors.Is(cause, errPaused):
		one.State = api.TestPaused
	case cause != nil && byHand:
		// The server stops. The run goes on when it starts again.
	case cause != nil:
		one.close(api.TestInterrupted)
	default:
		one.close(api.TestEnded)
	}
	if failed != nil {
		one.Error = t.cfg.Mask(failed.Error())
		one.Run.Verdict = result.Error
		if goesOn(one.State) {
			one.close(api.TestEnded)
			one.Run.Verdict = result.Error
		}
	}
	if byHand && !goesOn(one.State) {
		if err := t.cfg.House.Clear(t.life, prefixOf(one.Run.ID), ""); err != nil {
			one.Error = cmp.Or(one.Error, err.Error())
		}
	}
	if err := t.files.save(one.kept); err != nil {
		t.cfg.Log.Error("a conformance run cannot be kept", errAttr(err))
	}
}

// Pause stops a manual run after what it has, or lets it go on.
func (t *Runs) Pause(id string, paused bool) (api.Test, error) {
	t.mu.Lock()
	one, err := t.find(id)
	if err == nil && (one.Input.Sender != trigger.Manual || !goesOn(one.State)) {
		err = fmt.Errorf("%w: run %s is %s: only a manual run that is not over can be paused", webhook.ErrInvalid, id, one.State)
	}
	if err != nil {
		t.mu.Unlock()
		return api.Test{}, err
	}
	goes := one.goes
	if !paused && goes == nil && t.life.Err() == nil {
		t.launch(one)
	}
	t.mu.Unlock()
	if paused && goes != nil {
		goes.cancel(errPaused)
		<-goes.done
	}
	return t.Get(id)
}

// Drop cancels a run that goes on, or deletes one that does not.
func (t *Runs) Drop(ctx context.Context, id string) (deleted bool, err error) {
	t.mu.Lock()
	one, err := t.find(id)
	if err != nil {
		t.mu.Unlock()
		return false, err
	}
	switch goes := one.goes; {
	case goes != nil:
		t.mu.Unlock()
		goes.cancel(errCancelled)
		waiting, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		select {
		case <-goes.done:
			return false, nil
		case <-waiting.Done():
			return false, fmt.Errorf("cancel conformance run %s: %w", id, waiting.Err())
		}
	case goesOn(one.State):
		t.ended(one, nil, errCancelled)
		t.mu.Unlock()
		return false, nil
	}
	defer t.mu.Unlock()
	if err = t.files.remove(id); err != nil {
		return false, err
	}
	delete(t.runs, id)
	t.changed(one)
	return true, nil
}
