package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/google/uuid"

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

// byHand runs a script whose sender a person triggers, at one URL.
func (c *Test) byHand(ctx context.Context, t judging, config scripts.Config) (run result.Run, err error) {
	if len(t.scripts) != 1 {
		return run, fmt.Errorf("%w: a manual run has one profile or script, not %d", webhook.ErrInvalid, len(t.scripts))
	}
	cases, err := t.scripts[0].Chosen(c.Set, c.Case)
	if err != nil {
		return run, err
	}
	house, err := t.Open(ctx, Place{c.Listen, c.PublicURL})
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, house.Close(ctx)) }()
	run, script := config.About, t.scripts[0]
	cannot, err := manual.Unmeasured(script, c.Set, cases, house.Base())
	if err != nil {
		return run, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return run, err
	}
	run.ID, run.Started, run.Cases, run.Notes = id.String(), time.Now().UTC(), cases, append(run.Notes, manual.Notes(cannot)...)
	kept, err := house.Keep(ctx, manual.Spec(script, c.Set))
	if err != nil {
		return run, err
	}
	t.screen.Manual(kept.URL(1), cannot)
	var desk *manual.Desk
	desk = manual.NewDesk(house, func() { t.screen.Next(desk.Task(), false) })
	config.Range, config.Sender, config.Missing = desk, desk, manual.Needs(house.Base())
	err = manual.Run(ctx, config, slices.Clone(cases), func(one result.Case) {
		for i := range run.Cases {
			if run.Cases[i].ID == one.ID {
				run.Cases[i] = one
			}
		}
		t.screen.Progress(one)
	})
	run.Ended, run.Verdict = time.Now().UTC(), scripts.Verdict(run.Cases)
	return run, err
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
