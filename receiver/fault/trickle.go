package fault

import "context"

// trickle sends the head little by little and the body at once, then closes.
func (p *performance) trickle(ctx context.Context, c *seized) {
	plan := &p.job.Plan
	body, mediaType := content(plan)
	if p.pour(ctx, c, rawHead(plan, len(body), mediaType)) {
		p.out.Status = headStatus(plan)
		if len(body) > 0 {
			p.write(c, body)
		}
	}
	p.leave(c)
}
