package inspector

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestEndedWaitsForOutcomesThatAreOnTheirWay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		plan webhook.Plan
		// age is how old the capture is, comes when its outcome is there.
		age, comes time.Duration
		waits      bool
		has        bool
	}{
		"there already":           {comes: 0, has: true},
		"on its way":              {comes: 30 * time.Millisecond, waits: true, has: true},
		"too long on its way":     {comes: time.Minute, waits: true},
		"planned to wait":         {plan: webhook.Plan{After: time.Second}, comes: 30 * time.Millisecond},
		"planned to hang":         {plan: webhook.Plan{Fault: webhook.Hang}, comes: 30 * time.Millisecond},
		"the process was stopped": {age: time.Minute, comes: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				read := []webhook.Capture{{ReceivedAt: start.Add(-test.age - time.Millisecond), Plan: test.plan}}
				look := func(c *webhook.Capture) error {
					if time.Since(start) >= test.comes {
						c.Outcome = &webhook.Outcome{Status: 200}
					}
					return nil
				}
				if test.comes == 0 {
					read[0].Outcome = &webhook.Outcome{Status: 200}
				}
				err := ended(t.Context(), read, look)
				c, took := read[0], time.Since(start)
				if err != nil || (c.Outcome != nil) != test.has || (took > 0) != test.waits || took > 3*outcomeTime {
					t.Errorf("outcome %v after %v, %v", c.Outcome, took, err)
				}
			})
		})
	}
}
