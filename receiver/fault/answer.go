package fault

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	// sandbox keeps a body that a browser is shown from running anything.
	sandbox = "sandbox; default-src 'none'"
	// shutDownRetry is the Retry-After, in seconds, of answers given while shutting down.
	shutDownRetry = "10"
	// shutDownNote tells of them in the outcome.
	shutDownNote = "shut down while waiting"
	// largeBody is the size from which the head is flushed before the body, and the write has a
	// deadline.
	largeBody = 16 << 10
	// writeTimeout bounds one write to a sender that does not read, blockTimeout one of a large body's. Three of those
	// may pass until a sender is let go that reads very slowly, since the system takes bytes before it does.
	writeTimeout = 10 * time.Second
	blockTimeout = 5 * time.Second
	// swift is how long a write takes at most that did not wait for its sender.
	swift = 5 * time.Millisecond
	// reportDelay bounds the wait for the reader of a connection to say why a write failed.
	reportDelay = 100 * time.Millisecond
)

// answer sends a plain answer through net/http and flushes it, so that it has left when Perform
// returns.
func (p *performance) answer(ctx context.Context, plan *webhook.Plan) {
	if plan.Status < 200 || plan.Status > 599 {
		p.fail(ctx, "status "+strconv.Itoa(plan.Status)+" is no answer")
		return
	}
	body, mediaType := content(plan)
	fill(p.w.Header(), plan, body.size, mediaType)
	flush := http.NewResponseController(p.w)
	p.w.WriteHeader(plan.Status)
	var err error
	if body.size >= largeBody {
		p.bounded(flush)
		defer func() { _ = flush.SetWriteDeadline(time.Time{}) }()
		err = flush.Flush()
		if err == nil {
			p.out.Status = plan.Status
			p.begin(p.since())
		}
	}
	if err == nil && !p.send(ctx, body, body.size) {
		return
	}
	// A sender may close its side as soon as it has the last byte, which is before Flush returns.
	leaving := p.since()
	if err == nil {
		p.lastBytes(leaving)
		err = flush.Flush()
	}
	at := p.since()
	if took := at - leaving; took < swift || body.size < largeBody {
		// The system took it at once; the rest was waiting for a processor, while the sender may have gone on already.
		at = leaving
		if took >= swift {
			p.out.Unsure = took
		}
	}
	if err != nil {
		await(ctx)
		p.end(p.since())
		return
	}
	p.out.Status = plan.Status
	p.begin(at)
	p.out.Done = &at
	if when, by, gone := p.line.HungUp(); gone && when.Sub(p.job.ReceivedAt) < leaving {
		p.hungUp(when.Sub(p.job.ReceivedAt), by)
	}
}

// await gives net/http's reader, which ends ctx, the time to see what made a write fail.
func await(ctx context.Context) {
	timer := time.NewTimer(reportDelay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// fail answers 500 to a plan that cannot be carried out.
func (p *performance) fail(ctx context.Context, note string) {
	p.out.Note = note
	p.answer(ctx, &webhook.Plan{Status: http.StatusInternalServerError})
}

// shutDown answers a sender that was to wait longer than the receiver runs.
func (p *performance) shutDown(ctx context.Context) {
	p.out.Note = shutDownNote
	plan := shutDownPlan()
	p.answer(ctx, &plan)
}

func shutDownPlan() webhook.Plan {
	return webhook.Plan{
		Status: http.StatusServiceUnavailable,
		Header: []webhook.Field{{Name: "Retry-After", Value: shutDownRetry}},
		Close:  true,
	}
}

// headStatus is the status of a head: faults that send one default to 200.
func headStatus(plan *webhook.Plan) int {
	if plan.Status == 0 {
		return http.StatusOK
	}
	return plan.Status
}

// given says which of the receiver's own fields a plan sets by itself.
type given struct {
	mediaType, policy, sniff, date bool
}

func givenBy(plan *webhook.Plan) given {
	var g given
	for i := range plan.Header {
		name := plan.Header[i].Name
		g.mediaType = g.mediaType || strings.EqualFold(name, "Content-Type")
		g.policy = g.policy || strings.EqualFold(name, "Content-Security-Policy")
		g.sniff = g.sniff || strings.EqualFold(name, "X-Content-Type-Options")
		g.date = g.date || strings.EqualFold(name, "Date")
	}
	return g
}

// fill sets the header fields for net/http, the plan's names in the case in which they were
// written.
func fill(h http.Header, plan *webhook.Plan, length int, mediaType string) {
	// One array for all values: this runs once a request.
	values := make([]string, 0, 5+len(plan.Header))
	set := func(name, value string) {
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	own := givenBy(plan)
	if own.mediaType {
		h["Content-Type"] = nil // keeps net/http from adding its own when the name is written in another case
	} else if mediaType != "" {
		set("Content-Type", mediaType)
	}
	if own.date {
		h["Date"] = nil
	}
	if !own.policy {
		set("Content-Security-Policy", sandbox)
	}
	if !own.sniff {
		set("X-Content-Type-Options", "nosniff")
	}
	if plan.Status != http.StatusNoContent && plan.Status != http.StatusNotModified {
		set("Content-Length", strconv.Itoa(length))
	}
	if plan.Close {
		set("Connection", "close")
	}
	for i := range plan.Header {
		f := &plan.Header[i]
		if before := h[f.Name]; before != nil {
			h[f.Name] = append(before, f.Value)
			continue
		}
		set(f.Name, f.Value)
	}
}

// rawHead returns the head for a connection that was taken over, the plan's fields in their order.
func rawHead(plan *webhook.Plan, length int, mediaType string) []byte {
	status := headStatus(plan)
	own := givenBy(plan)
	out := make([]byte, 0, 512)
	field := func(name, value string) {
		out = append(append(append(append(out, name...), ": "...), value...), "\r\n"...)
	}
	out = append(out, "HTTP/1.1 "+strconv.Itoa(status)+" "+http.StatusText(status)+"\r\n"...)
	if !own.date {
		field("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	if !own.mediaType && mediaType != "" {
		field("Content-Type", mediaType)
	}
	if !own.policy {
		field("Content-Security-Policy", sandbox)
	}
	if !own.sniff {
		field("X-Content-Type-Options", "nosniff")
	}
	field("Content-Length", strconv.Itoa(length))
	field("Connection", "close")
	for _, f := range plan.Header {
		field(f.Name, f.Value)
	}
	return append(out, "\r\n"...)
}
