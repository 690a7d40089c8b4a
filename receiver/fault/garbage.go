package fault

// notHTTP is no status line in any version of HTTP.
const notHTTP = "\x16\x03\x00\x00\xff\xfe this is not HTTP \x00\x7f\r\n\r\n"

// garbage answers with bytes that are not HTTP, then closes.
func (p *performance) garbage(c *seized) {
	data := p.job.Plan.Body
	if data == nil {
		data = []byte(notHTTP)
	}
	if len(data) > 0 {
		p.write(c, data)
	}
	p.leave(c)
}
