package fault

import "context"

// truncate declares a longer body than it sends, then closes.
func (p *performance) truncate(ctx context.Context, c *seized) {
	p.half(ctx, c)
	p.leave(c)
}

// promise returns how much of a body is declared and how much of that is sent when it is to be cut: about half, at
// least one byte short.
func promise(body source) (declared, sent int) {
	if body.size < 2 {
		// Nothing to halve: what there is goes out, and more is promised.
		return body.size + 16, body.size
	}
	return body.size, body.size / 2
}

// half sends the head and a part of the body that the head declares.
func (p *performance) half(ctx context.Context, c *seized) bool {
	plan := &p.job.Plan
	body, mediaType := content(plan)
	declared, sent := promise(body)
	head := rawHead(plan, declared, mediaType)
	if sent <= largeBody {
		// In one piece, so that a reset behind it is not faster than a part.
		if !p.write(c, append(head, body.part(0, sent)...)) {
			return false
		}
		p.out.Status = headStatus(plan)
		return true
	}
	if !p.write(c, head) {
		return false
	}
	p.out.Status = headStatus(plan)
	return p.writeBody(ctx, c, body, sent)
}

// writeBody sends the first bytes of a body on a connection that was taken over, and reports whether they left.
func (p *performance) writeBody(ctx context.Context, c *seized, body source, until int) bool {
	for sent := 0; sent < until; {
		part := body.part(sent, until)
		if !p.sleep(ctx, c.gone, 0) || !p.write(c, part) {
			return false
		}
		sent += len(part)
	}
	return true
}
