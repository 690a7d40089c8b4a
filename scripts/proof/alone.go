package proof

import (
	"context"
	"strings"
	"time"
)

// alone is the experiment with two programs and one data folder.
func alone() []Experiment {
	return []Experiment{{
		Name: "two-programs",
		Promise: "A second program that is started on the data folder of one under load ends and says why, and the first goes on; " +
			"the one that is started after `kill -9` has all that was answered with a 2xx",
		Unit:     "second starts",
		Goal:     100,
		Controls: []string{"no-lock"},
		Certain:  true,
		Try:      crashing(startTwice),
	}}
}

// startTwice starts a second program beside one under load, which it kills then.
func startTwice(ctx context.Context, r *rig) error {
	if err := r.program.start(ctx); err != nil {
		return err
	}
	senders := r.ledger.send(ctx, r.program.hook("default"), load)
	defer senders.end()
	wait(ctx, 50*time.Millisecond, 300*time.Millisecond)
	second, err := r.program.another("second")
	if err != nil {
		return err
	}
	second.data = r.program.data
	err = second.start(ctx)
	if killErr := second.kill(); killErr != nil {
		return killErr
	}
	switch said := second.log.String(); {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		r.count.Break("a second program serves the same folder")
	case !strings.Contains(said, "another hookrange process has the data folder"):
		r.count.Break("the second program ends and says: %s", second.log.tail())
	}
	before := r.ledger.count()
	r.program.eventually(ctx, 5*time.Second, func() bool { return r.ledger.count() > before })
	if r.ledger.count() == before && ctx.Err() == nil {
		r.count.Break("the first program answers no 2xx any more")
	}
	return r.program.kill()
}
