package inspector

import (
	"context"
	"slices"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	// outcomeTime is how long a reader waits for the outcomes of answers that have left already, outcomePause the first of
	// its pauses, each twice the one before.
	outcomeTime  = 250 * time.Millisecond
	outcomePause = 4 * time.Millisecond
	// recent is how old a capture may be whose outcome is still on its way to the disk.
	recent = 5 * time.Second
)

// ended looks until no capture that it returns lacks an outcome that is on its way to the disk: who reads right after an
// answer is told what became of it. Answers that are planned to take their time are not waited for.
func ended(ctx context.Context, look func(context.Context) ([]webhook.Capture, error)) error {
	start := time.Now()
	for pause := outcomePause; ; pause *= 2 {
		captures, err := look(ctx)
		if err != nil || time.Since(start) > outcomeTime || !slices.ContainsFunc(captures, func(c webhook.Capture) bool {
			atOnce := c.Plan.After == 0 && c.Plan.Fault == "" && c.Plan.Size == 0
			return c.Outcome == nil && atOnce && c.ReceivedAt.Before(start) && start.Sub(c.ReceivedAt) < recent
		}) {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}
