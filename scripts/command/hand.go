package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/manual"
	"github.com/hookrange/hookrange/scripts/result"
)

// order is the run as a server takes it.
func (c *Test) order() (Order, error) {
	order := Order{Sender: c.Sender, Cases: c.Case, Jobs: c.Jobs, Strict: c.Strict, Set: c.Set}
	if c.Scale != 1 {
		order.Scale = c.Scale
	}
	if len(c.Scripts) != 1 {
		return order, fmt.Errorf("%w: with --server give one profile or script, not %d", webhook.ErrInvalid, len(c.Scripts))
	}
	if name := c.Scripts[0]; slices.Contains(scripts.Profiles(), name) {
		order.Profile = name
	} else {
		raw, err := os.ReadFile(name)
		if err != nil {
			return order, err
		}
		order.Script, order.File = string(raw), name
	}
	return order, nil
}

// byHand runs a script whose sender a person triggers, at one URL. While cases are left the run is on disk, and an end of
// the command, however sudden, is a pause.
func (c *Test) byHand(ctx context.Context, t judging, config scripts.Config) (run result.Run, err error) {
	one := t.before
	if one == nil {
		if one, err = c.newKept(t, config.About); err != nil {
			return run, err
		}
	}
	house, err := t.Open(ctx, one.Place)
	if err != nil {
		return run, errors.Join(err, one.unused())
	}
	defer func() {
		err = errors.Join(err, house.Close(ctx))
		if one.over() {
			err = errors.Join(err, one.remove())
		}
	}()
	// The URL is to stay the same though any free port was asked for.
	one.Place.Listen = house.Address()
	cannot, err := manual.Unmeasured(t.scripts[0], c.Set, one.Run.Cases, house.Base())
	if err != nil {
		return run, err
	}
	if t.before == nil {
		one.Run.Notes = append(one.Run.Notes, manual.Notes(cannot)...)
	}
	main, err := house.Keep(ctx, manual.Spec(t.scripts[0], c.Set))
	if err == nil {
		err = one.save()
	}
	if err != nil {
		return run, err
	}
	t.screen.Manual(main.URL(1), cannot)
	t.screen.pausable(one.Run.ID)
	var desk *manual.Desk
	desk = manual.NewDesk(house, func() { t.screen.Next(desk.Task(), false) })
	config.Range, config.Sender, config.Missing = desk, desk, manual.Needs(house.Base())
	var failed error
	err = manual.Run(ctx, config, slices.Clone(one.Run.Cases), func(now result.Case) {
		failed = errors.Join(failed, one.progress(now))
		t.screen.Progress(now)
	})
	if !one.over() {
		t.screen.pausable(one.Run.ID)
	}
	one.Run.Ended, one.Run.Verdict = time.Now().UTC(), scripts.Verdict(one.Run.Cases)
	return one.Run, errors.Join(err, failed)
}

// Manual prints the one URL, and what cannot be judged with it.
func (s *Screen) Manual(hook string, unmeasured map[string]string) {
	if s.json {
		s.encode(map[string]any{"manual": map[string]any{"url": hook, "unmeasured": unmeasured}})
		return
	}
	fmt.Fprintf(s.out, "Give this URL to the sender, once; all cases use it:\n\n    %s\n\n", hook)
	if len(unmeasured) == 0 {
		return
	}
	fmt.Fprintf(s.out, "Not judged this way:\n")
	for _, id := range slices.Sorted(maps.Keys(unmeasured)) {
		fmt.Fprintf(s.out, "    %-26s %s\n", id, OneLine(unmeasured[id]))
	}
	fmt.Fprintln(s.out)
}

// Next prints what a person has to do, when that has changed.
func (s *Screen) Next(about manual.Task, paused bool) {
	text := ""
	switch {
	case about.Case == "" || s.json && !about.Waiting:
	case paused:
		text = "paused: resume it on the server's page"
	case about.Waiting && about.Ignored > 0:
		text = fmt.Sprintf("%d came that count for no case: a message that an earlier case had, or without the secret; send a new one", about.Ignored)
	case about.Waiting:
		text = fmt.Sprintf("next: make the sender send once, for %s (%s)", about.Case, OneLine(about.Title))
		if about.Delivery > 1 {
			text += fmt.Sprintf(", delivery %d of it", about.Delivery)
		}
	default:
		text = "watching " + about.Case + "; do not send yet"
	}
	if text == "" || text == s.said {
		return
	}
	s.said = text
	if s.json {
		s.encode(map[string]any{"next": about})
		return
	}
	fmt.Fprintln(s.out, text)
}

// pausable says how to go on with a manual run.
func (s *Screen) pausable(id string) {
	if s.json {
		s.encode(map[string]any{"resume": id})
		return
	}
	fmt.Fprintf(s.out, "If you stop before the last case, go on with: hookrange test --resume %s\n\n", id)
}
