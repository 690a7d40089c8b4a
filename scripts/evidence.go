package scripts

import (
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/lag"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/result"
)

// evidence is what one endpoint saw, as the checks look at it.
type evidence struct {
	deliveries []delivery
	// connections brought no request; uncounted says why they are not known.
	connections []webhook.Connection
	uncounted   string
	// until is when the watching ended: what had not happened then may have happened since.
	until time.Time
	// watched is for how long after the last event, quiet for how long it should have been at least.
	watched, quiet time.Duration
	// atWork is true when a sender had not come back when the watching ended.
	atWork bool
	// lag is how late the machine was at worst, clock how late it was when.
	lag   time.Duration
	clock *lag.Watch
	scale float64
	vars  map[string]string
	// spawned is when the program behind a path's first attempt was started; empty for senders that run already.
	spawned map[string]time.Time
}

// delivery is all attempts of one message.
type delivery struct {
	id, by   string
	attempts []attempt
}

// attempt is one capture with what is derived from it.
type attempt struct {
	webhook.Capture
	n      int
	fields []webhook.Field
	// gap is from the end of the attempt before to this one's arrival; it may be shorter by unsure.
	gap    *time.Duration
	unsure time.Duration
}

// end is when the attempt ended: the last byte answered, our close, or the sender's hang-up.
func end(c *webhook.Capture) (time.Time, bool) {
	switch o := c.Outcome; {
	case o == nil:
		return time.Time{}, false
	case o.HungUp != nil:
		return c.ReceivedAt.Add(*o.HungUp), true
	case o.Done != nil:
		return c.ReceivedAt.Add(*o.Done), true
	default:
		return c.ReceivedAt, true
	}
}

// group makes deliveries of captures, oldest first. Captures of one trigger's path belong together, also when the
// sender changed the message between two attempts.
func group(captures []webhook.Capture, tell func(*webhook.Capture) string) []delivery {
	var out []delivery
	place := map[string]int{}
	for _, c := range captures {
		key := tell(&c)
		i, seen := place[key]
		if !seen {
			i = len(out)
			place[key] = i
			out = append(out, delivery{id: c.Delivery, by: c.DeliveryBy})
		}
		d := &out[i]
		if d.id != c.Delivery {
			d.by = "trigger"
		}
		a := attempt{Capture: c, n: len(d.attempts) + 1, fields: webhook.Fields(c.Request.Head)}
		if len(d.attempts) > 0 {
			if before, ok := end(&d.attempts[len(d.attempts)-1].Capture); ok {
				gap := c.ReceivedAt.Sub(before)
				a.gap, a.unsure = &gap, d.attempts[len(d.attempts)-1].Outcome.Unsure
			}
		}
		d.attempts = append(d.attempts, a)
	}
	return out
}

// impatient counts the attempts that came so long after the request before that its sender may have given that up by
// then, though its answer had begun.
func (d *delivery) impatient(patience time.Duration) int {
	n := 0
	for i := 1; i < len(d.attempts); i++ {
		before := &d.attempts[i-1]
		if before.Outcome != nil && before.Outcome.FirstByte != nil && d.attempts[i].ReceivedAt.Sub(before.ReceivedAt) >= patience {
			n++
		}
	}
	return n
}

// byPath tells deliveries apart by the path that each trigger has.
func byPath(c *webhook.Capture) string {
	path, _, _ := strings.Cut(c.Request.Target, "?")
	return path
}

// group makes deliveries of an endpoint's captures.
func (l *lentEndpoint) group(captures []webhook.Capture) []delivery {
	if own, ok := l.Endpoint.(Grouper); ok {
		return group(captures, own.Delivery)
	}
	return group(captures, byPath)
}

// all returns every attempt, delivery by delivery.
func (e *evidence) all() []*attempt {
	var out []*attempt
	for i := range e.deliveries {
		for j := range e.deliveries[i].attempts {
			out = append(out, &e.deliveries[i].attempts[j])
		}
	}
	return out
}

// seqs returns the captures of attempts.
func seqs(attempts []*attempt) []webhook.Seq {
	out := make([]webhook.Seq, len(attempts))
	for i, a := range attempts {
		out[i] = a.Seq
	}
	slices.Sort(out)
	return out
}

// messages counts the deliveries by what the messages themselves say.
func (e *evidence) messages() int {
	ids := map[string]bool{}
	for _, a := range e.all() {
		ids[a.Delivery] = true
	}
	return len(ids)
}

// rejected returns the attempts that did not prove their sender or were not whole: the plan was not for them.
func (e *evidence) rejected() []*attempt {
	return slices.DeleteFunc(e.all(), func(a *attempt) bool { return a.Class == webhook.Accepted })
}

// late returns the attempts that got no answer before the sender hung up though their plan had come to it: the
// receiver was slow, so what the sender did then says nothing.
func (e *evidence) late() []*attempt {
	return slices.DeleteFunc(e.all(), func(a *attempt) bool {
		o := a.Outcome
		return o == nil || o.HungUp == nil || o.FirstByte != nil || a.Plan.Fault != "" || *o.HungUp < a.Plan.After
	})
}

// doubt is by how much the time between two moments may be wrong.
func (e *evidence) doubt(from, to time.Time) time.Duration {
	return e.clock.At(from) + e.clock.At(to)
}

// doubtOf is by how much the gap before an attempt may be wrong, or longer than its sender meant it: one on this machine
// sees the answer late when the machine stands still just then.
func (e *evidence) doubtOf(a *attempt) time.Duration {
	before := a.ReceivedAt.Add(-*a.gap)
	return e.doubt(before, a.ReceivedAt) + e.clock.After(before) + a.unsure
}

// unfinished says why more may have come, had the watching not ended, or "".
func (e *evidence) unfinished() string {
	switch {
	case e.atWork:
		return "the sender's command had not ended when the wait's timeout came, so it may yet have sent"
	case e.watched < e.quiet:
		return "watched for less than " + short(e.quiet) + ": the wait's timeout came first"
	default:
		return ""
	}
}

// calm is how late a machine may be on which nothing but itself keeps a program from starting.
const calm = 50 * time.Millisecond

// ahead is by how much the sender's clock may be ahead of an attempt's arrival, by what its program takes to start.
func (e *evidence) ahead(a *attempt, limit time.Duration) time.Duration {
	at, ok := e.spawned[byPath(&a.Capture)]
	if !ok || a.n > 1 {
		return 0
	}
	return startedAhead(a.ReceivedAt.Sub(at), limit, e.lag)
}

// startedAhead is what a program's start may have taken of its own limit. One that takes longer than the time it is to
// wait does other things first, which say nothing of its clock, unless the machine was too busy to let it start.
func startedAhead(start, limit, late time.Duration) time.Duration {
	if start > limit && late <= calm {
		return 0
	}
	return min(max(start, 0), limit)
}

// swamped tells whether a machine is so late that a program on it that has something to compute, such as one that only
// begins to run, may be late by any time: the canary, which sleeps most of the time, is let run before those that do not.
func swamped(late time.Duration) bool { return late >= 200*time.Millisecond }

// starved tells whether a program that sent this may have been kept from it by the machine; busy begins the reason.
func (e *evidence) starved() bool { return len(e.spawned) > 0 && swamped(e.lag) }

func (e *evidence) busy() string {
	return "this machine was so busy, up to " + short(e.lag) + " late, that "
}

// lateness is how much later than planned the slowest answer began.
func lateness(attempts []*attempt) time.Duration {
	var worst time.Duration
	for _, a := range attempts {
		if o := a.Outcome; o != nil && a.Plan.Fault == "" && o.FirstByte != nil {
			worst = max(worst, *o.FirstByte-a.Plan.After)
		}
	}
	return worst
}

// field returns the value of the first header field of a name, in any case.
func (a *attempt) field(name string) (string, bool) {
	for _, f := range a.fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value, true
		}
	}
	return "", false
}

// body returns the parsed body; ok is false when it is not JSON.
func (a *attempt) body() (value any, ok bool) {
	return value, json.Unmarshal(a.Request.Body, &value) == nil
}

// shown is the endpoint as the reports have it, secrets masked.
func (e *evidence) shown(spec Spec, mask Mask) result.Endpoint {
	out := result.Endpoint{Name: spec.Name, Respond: spec.Respond, Watched: e.watched, Deliveries: []result.Delivery{}}
	for _, d := range e.deliveries {
		shown := result.Delivery{ID: d.id, By: d.by}
		for i := range d.attempts {
			shown.Attempts = append(shown.Attempts, d.attempts[i].shown(mask))
		}
		out.Deliveries = append(out.Deliveries, shown)
	}
	out.Connections = tries(e.connections, mask)
	return out
}

// tries are connections as the reports have them.
func tries(all []webhook.Connection, mask Mask) []result.Connection {
	var out []result.Connection
	for i := range all {
		c := &all[i]
		note := string(c.Reached)
		if c.Handshake != nil && c.Handshake.Err != "" {
			note += "; TLS: " + c.Handshake.Err
		}
		out = append(out, result.Connection{Seq: c.Seq, At: c.At, Peer: c.Peer.String(), Fault: c.Fault, Note: mask.String(note)})
	}
	return out
}

func (a *attempt) shown(mask Mask) result.Attempt {
	out := result.Attempt{
		Seq: a.Seq, N: a.n, At: a.ReceivedAt, Gap: a.gap, Class: a.Class, Method: a.Request.Method,
		Target: mask.Target(a.Request.Target), BodySize: a.Request.BodySize, BodySHA256: hex.EncodeToString(a.Request.BodySHA256[:]),
		Plan: mask.String(a.Plan.Text), Headers: []webhook.Field{},
	}
	for _, f := range a.fields {
		out.Headers = append(out.Headers, webhook.Field{Name: f.Name, Value: mask.Field(f.Name, f.Value)})
	}
	if o := a.Outcome; o != nil {
		out.Status, out.Fault, out.FirstByte, out.Done = o.Status, o.Fault, o.FirstByte, o.Done
		out.HungUp, out.HungUpBy = o.HungUp, o.HungUpBy
	}
	return out
}
