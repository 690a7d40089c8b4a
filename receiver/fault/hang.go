package fault

import (
	"context"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// hang never answers. It stays parked in the handler, which is cheaper than a connection taken
// over, and closes without a byte when its time has passed.
func (p *performance) hang(ctx context.Context) {
	plan := &p.job.Plan
	until := p.job.MaxWait
	if plan.For > 0 {
		until = plan.After + plan.For
	}
	if !p.wait(ctx, until) {
		if p.out.HungUp != nil {
			p.out.Fault = webhook.Hang
		}
		return
	}
	if s, ok := p.line.(Stream); ok {
		p.onStream(ctx, s)
		return
	}
	c, err := p.seize()
	if err != nil {
		p.fail(ctx, "hang cannot be ended without an answer: "+err.Error())
		return
	}
	p.out.Fault = webhook.Hang
	p.leave(c)
}
