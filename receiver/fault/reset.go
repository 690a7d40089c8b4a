package fault

import (
	"context"
	"time"
)

// resetPause lets the bytes before a reset leave: a reset throws away what is still queued.
const resetPause = 50 * time.Millisecond

// reset ends the connection by an RST, without a byte.
func (p *performance) reset(c *seized) {
	p.cut(c)
}

// resetBody resets in the middle of the body.
func (p *performance) resetBody(ctx context.Context, c *seized) {
	if !p.half(ctx, c) {
		p.leave(c)
		return
	}
	// A shutdown shortens the pause only.
	note := p.out.Note
	p.sleep(ctx, c.gone, resetPause)
	p.out.Note = note
	p.cut(c)
}
