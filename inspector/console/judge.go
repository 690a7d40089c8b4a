package console

import (
	"context"
	"errors"
	"fmt"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/command"
	"github.com/hookrange/hookrange/scripts/manual"
	"github.com/hookrange/hookrange/scripts/result"
)

// Judge has the server carry a run out and prints it as it goes on. It returns webhook.ErrInvalid for what the server does
// not take, or could not carry out.
func Judge(ctx context.Context, client *Client, order command.Order, screen *command.Screen) (result.Run, error) {
	test, err := StartTest(ctx, client, api.TestInput{
		Profile: order.Profile, Script: order.Script, File: order.File, Sender: order.Sender, Cases: order.Cases,
		Jobs: order.Jobs, Scale: order.Scale, Strict: order.Strict, Set: order.Set,
	})
	if err != nil {
		if refused, ok := errors.AsType[*Error](err); ok && refused.Code == "invalid" {
			return result.Run{}, fmt.Errorf("%w: the server refused: %w", webhook.ErrInvalid, err)
		}
		return result.Run{}, err
	}
	if test.Manual != nil {
		// Only the first answer shows the secret.
		screen.Manual(test.Manual.URL, test.Manual.Unmeasured)
	}
	told := map[string]bool{}
	test, err = FollowTest(ctx, client, test, func(now api.Test) {
		for _, one := range now.Run.Cases {
			if one.State == "ended" && !told[one.ID] {
				told[one.ID] = true
				screen.Progress(one)
			}
		}
		if now.Manual != nil {
			screen.Next(taskOf(now.Manual), now.State == api.TestPaused)
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

func taskOf(m *api.TestManual) manual.Task {
	task := manual.Task{Case: m.Case, Title: m.Title, Waiting: m.Waiting, Delivery: m.Delivery, Ignored: m.Ignored, Header: [][2]string{}}
	for _, h := range m.Header {
		task.Header = append(task.Header, h)
	}
	return task
}
