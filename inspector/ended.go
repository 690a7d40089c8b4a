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

// outcomes completes captures whose outcome was on its way to the disk when they were read: who reads right after an
// answer is told what became of it.
func (s *Server) outcomes(ctx context.Context, captures []webhook.Capture) error {
	return ended(ctx, captures, func(c *webhook.Capture) error {
		page, err := s.store.Captures(ctx, webhook.Query{Endpoint: c.Endpoint, After: c.Seq - 1, Before: c.Seq + 1, Limit: 1})
		if err == nil && len(page) == 1 {
			c.Outcome = page[0].Outcome
		}
		return err
	})
}

// ended looks again at captures until none lacks an outcome that is on its way to the disk. Answers that are planned to
// take their time are not waited for.
func ended(ctx context.Context, captures []webhook.Capture, look func(*webhook.Capture) error) error {
	start := time.Now()
	due := func(c *webhook.Capture) bool {
		atOnce := c.Plan.After == 0 && c.Plan.Fault == "" && c.Plan.Size == 0
		return c.Outcome == nil && atOnce && c.ReceivedAt.Before(start) && start.Sub(c.ReceivedAt) < recent
	}
	for pause := outcomePause; time.Since(start) <= outcomeTime; pause *= 2 {
		if !slices.ContainsFunc(captures, func(c webhook.Capture) bool { return due(&c) }) {
			return nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		for i := range captures {
			if due(&captures[i]) {
				if err := look(&captures[i]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
