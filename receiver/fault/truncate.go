package fault

// truncate declares a longer body than it sends, then closes.
func (p *performance) truncate(c *seized) {
	p.half(c)
	p.leave(c)
}

// half sends the head and about half of the body that the head declares, at least one byte short.
func (p *performance) half(c *seized) bool {
	plan := &p.job.Plan
	body, mediaType := content(plan)
	declared := len(body)
	part := body[:declared/2]
	if declared < 2 {
		// Nothing to halve: what there is goes out, and more is promised.
		part, declared = body, declared+16
	}
	head := rawHead(plan, declared, mediaType)
	if !p.write(c, append(head, part...)) {
		return false
	}
	p.out.Status = headStatus(plan)
	return true
}
