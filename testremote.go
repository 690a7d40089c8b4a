package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hookrange/hookrange/fixtures"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/inspector/console"
	"github.com/hookrange/hookrange/receiver"
	"github.com/hookrange/hookrange/receiver/secret"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/result"
)

// remote runs a script on the server that --server names and prints it as it goes on.
func (c *testCommand) remote(ctx context.Context, cli *grammar, screen *testScreen) (result.Run, error) {
	in := api.TestInput{Sender: c.Sender, Cases: c.Case, Jobs: c.Jobs, Strict: c.Strict, Set: c.Set}
	if c.Scale != 1 {
		in.Scale = c.Scale
	}
	if len(c.Scripts) != 1 {
		return result.Run{}, fmt.Errorf("%w: with --server give one profile or script, not %d", webhook.ErrInvalid, len(c.Scripts))
	}
	if name := c.Scripts[0]; slices.Contains(scripts.Profiles(), name) {
		in.Profile = name
	} else {
		raw, err := os.ReadFile(name)
		if err != nil {
			return result.Run{}, err
		}
		in.Script, in.File = string(raw), name
	}
	client, err := cli.client()
	if err != nil {
		return result.Run{}, err
	}
	test, err := console.StartTest(ctx, client, in)
	if err != nil {
		if refused, ok := errors.AsType[*console.Error](err); ok && refused.Code == "invalid" {
			return result.Run{}, fmt.Errorf("%w: the server refused: %w", webhook.ErrInvalid, err)
		}
		return result.Run{}, err
	}
	if test.Manual != nil {
		// Only the first answer shows the secret.
		screen.manual(test.Manual.URL, test.Manual.Unmeasured)
	}
	told := map[string]bool{}
	test, err = console.FollowTest(ctx, client, test, func(now api.Test) {
		for _, one := range now.Run.Cases {
			if one.State == "ended" && !told[one.ID] {
				told[one.ID] = true
				screen.progress(one)
			}
		}
		if now.Manual != nil {
			screen.toDo(*now.Manual, now.State)
		}
	})
	if err != nil {
		return result.Run{}, err
	}
	if test.Error != "" {
		return result.Run{}, fmt.Errorf("%w: the server could not carry the run out: %s", webhook.ErrInvalid, test.Error)
	}
	return *test.Run, nil
}

// byHand runs a script whose sender a person triggers, at one URL that a receiver of the command's own serves.
func (c *testCommand) byHand(ctx context.Context, house *provingRange, t judging) (run result.Run, err error) {
	if len(t.scripts) != 1 {
		return run, fmt.Errorf("%w: a manual run has one profile or script, not %d", webhook.ErrInvalid, len(t.scripts))
	}
	if err = checkBase(c.PublicURL); err != nil {
		return run, err
	}
	listener, err := listen(ctx, "listen", c.Listen)
	if err != nil {
		return run, err
	}
	base := strings.TrimSuffix(c.PublicURL, "/")
	if base == "" {
		base = reachable(listener.Addr())
	}
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- receiver.New(receiver.Config{Store: house.store, Log: house.log}).Run(serving, listener)
	}()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()
	return c.checklist(ctx, house, t, base)
}

// checklist goes through the cases of a manual run.
func (c *testCommand) checklist(ctx context.Context, house *provingRange, t judging, base string) (result.Run, error) {
	run, script := c.about(t.process, t.scripts), t.scripts[0]
	cases, err := testCases(script, api.TestInput{Sender: manualSender, Cases: c.Case, Set: c.Set})
	if err != nil {
		return run, err
	}
	cannot, err := unmeasured(script, c.Set, cases, base)
	if err != nil {
		return run, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return run, err
	}
	run.ID, run.Started, run.Cases, run.Notes = id.String(), time.Now().UTC(), cases, notesOf(cannot)
	var desk *manualDesk
	desk = newManualDesk(house, base, cannot, func() { t.screen.toDo(desk.now(), api.TestRunning) })
	saved, _, err := saveManual(ctx, house.store, desk.name, manualSpec(script, c.Set))
	if err != nil {
		return run, err
	}
	t.screen.manual(secret.HookURL(base, saved, false), cannot)
	err = oneByOne(ctx, scripts.Config{
		Scripts: t.scripts, Range: desk, Sender: desk, Schema: fixtures.Schema, Vars: c.Set, Missing: manualNeeds(base),
	}, slices.Clone(cases), func(one result.Case) {
		for i := range run.Cases {
			if run.Cases[i].ID == one.ID {
				run.Cases[i] = one
			}
		}
		t.screen.progress(one)
	})
	run.Ended, run.Verdict = time.Now().UTC(), scripts.Verdict(run.Cases)
	return run, err
}

// manual prints the one URL, and what cannot be judged with it.
func (s *testScreen) manual(hook string, unmeasured map[string]string) {
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
		fmt.Fprintf(s.out, "    %-26s %s\n", id, oneLine(unmeasured[id]))
	}
	fmt.Fprintln(s.out)
}

// toDo prints what a person has to do, when that has changed.
func (s *testScreen) toDo(about api.TestManual, state string) {
	text := ""
	switch {
	case about.Case == "" || s.json && !about.Waiting:
	case state == api.TestPaused:
		text = "paused: resume it on the server's page"
	case about.Waiting && about.Ignored > 0:
		text = fmt.Sprintf("%d came that count for no case: a message that an earlier case had, or without the secret; send a new one", about.Ignored)
	case about.Waiting:
		text = fmt.Sprintf("next: make the sender send once, for %s (%s)", about.Case, oneLine(about.Title))
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
