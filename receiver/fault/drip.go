package fault

import (
	"context"
	"time"
)

const (
	// dripEvery is the pause before each byte when a plan says nothing about it.
	dripEvery = 500 * time.Millisecond
	// dripTick is the shortest pause: faster drips send more bytes at a time.
	dripTick = 10 * time.Millisecond
)

// drip sends the head at once and the body little by little, then closes.
func (p *performance) drip(ctx context.Context, c *seized) {
	plan := &p.job.Plan
	body, mediaType := content(plan)
	if p.write(c, rawHead(plan, len(body), mediaType)) {
		p.out.Status = headStatus(plan)
		p.pour(ctx, c, body)
	}
	p.leave(c)
}

// pour sends data at the plan's pace and reports whether all of it left. With For and no Rate the
// data is spread over For; with both, For is when to stop.
func (p *performance) pour(ctx context.Context, c *seized, data []byte) bool {
	if len(data) == 0 {
		return true
	}
	plan := &p.job.Plan
	// A span of time lets so many bytes go.
	span, bytes := dripEvery, 1
	limit := p.job.MaxWait
	switch {
	case plan.Rate > 0:
		span, bytes = time.Second, plan.Rate
		if plan.For > 0 {
			limit = min(limit, plan.For)
		}
	case plan.For > 0:
		span, bytes = plan.For, len(data)
	}
	chunk := max(1, int(int64(dripTick)*int64(bytes)/int64(span)))
	start := time.Now()
	for sent := 0; sent < len(data); {
		next := min(sent+chunk, len(data))
		due := span * time.Duration(next) / time.Duration(bytes)
		late := due > limit
		if !p.sleep(ctx, c, min(due, limit)-time.Since(start)) {
			return false
		}
		if late {
			if limit == p.job.MaxWait {
				p.out.Note = "stopped after " + limit.String() + ", the longest wait of this receiver"
			}
			return false
		}
		if !p.write(c, data[sent:next]) {
			return false
		}
		sent = next
	}
	return true
}
