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
	if p.write(c, rawHead(plan, body.size, mediaType)) {
		p.out.Status = headStatus(plan)
		p.pour(ctx, c, body)
	}
	p.leave(c)
}

// way is where an answer leaves bit by bit.
type way interface {
	// send reports whether the bytes left.
	send(ctx context.Context, p *performance, data []byte) bool
	// ended is closed when the sender has hung up; nil where the request's context alone tells.
	ended() <-chan struct{}
}

// pour sends data at the plan's pace and reports whether all of it left. With For and no Rate the
// data is spread over For; with both, For is when to stop.
func (p *performance) pour(ctx context.Context, to way, data source) bool {
	if data.size == 0 {
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
		span, bytes = plan.For, data.size
	}
	chunk := min(blockSize, max(1, int(int64(dripTick)*int64(bytes)/int64(span))))
	start := time.Now()
	for sent := 0; sent < data.size; {
		next := min(sent+chunk, data.size)
		// Multiplied as numbers with a point: a long time by many bytes is more than an int64 holds.
		due := time.Duration(float64(span) * float64(next) / float64(bytes))
		late := due > limit
		if !p.sleep(ctx, to.ended(), min(due, limit)-time.Since(start)) {
			return false
		}
		if late {
			if limit == p.job.MaxWait {
				p.out.Note = "stopped after " + limit.String() + ", the longest wait of this receiver"
			}
			return false
		}
		if !to.send(ctx, p, data.part(sent, next)) {
			return false
		}
		sent = next
	}
	return true
}
