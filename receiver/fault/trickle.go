package fault

import "context"

// trickle sends the head little by little and the body at once, then closes.
func (p *performance) trickle(ctx context.Context, c *seized) {
	plan := &p.job.Plan
	body, mediaType := content(plan)
	head := rawHead(plan, body.size, mediaType)
	if p.pour(ctx, c, source{size: len(head), given: head}) {
		p.out.Status = headStatus(plan)
		p.writeBody(ctx, c, body, body.size)
	}
	p.leave(c)
}
