package receiver

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hookrange/hookrange/receiver/fault"
	"github.com/hookrange/hookrange/receiver/gate"
	"github.com/hookrange/hookrange/receiver/payload"
	"github.com/hookrange/hookrange/receiver/plan"
	"github.com/hookrange/hookrange/receiver/throttle"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/receiver/wire"
)

// hook takes one webhook from its first byte to its outcome.
func (s *Server) hook(w http.ResponseWriter, r *http.Request) {
	client := throttle.KeyOf(s.config.Throttle.Trusted.Client(r.RemoteAddr, r.Header))
	if later := s.rates.Take(client, time.Now()); later > 0 {
		s.count.clientRate.Inc()
		sayAfter(w, r, later, "Over --client-rate, the requests a second that one client may send. Nothing was recorded; please retry.")
		return
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/hooks/"), "/")
	d, err := s.desk(name)
	if err != nil {
		if !errors.Is(err, webhook.ErrNotFound) {
			s.config.Log.ErrorContext(r.Context(), "endpoint cannot answer", slog.String("endpoint", name), slog.Any("error", err))
			sayLater(w, "This endpoint's settings cannot be used.")
			return
		}
		s.nowhere(w, r)
		return
	}
	if later := d.rate.Take(time.Now()); later > 0 {
		s.count.endpointRate.Inc()
		sayAfter(w, r, later, "Over --endpoint-rate, the requests a second that this endpoint takes. Nothing was recorded; please retry.")
		return
	}
	body := &counted{ReadCloser: r.Body, all: &s.bodies, held: min(max(r.ContentLength, 0), s.config.Limits.Body)}
	if !s.bodies.take(body.held) {
		s.count.overloaded.Inc()
		sayLater(w, "Too many bytes are being received. Nothing was recorded; please retry.")
		return
	}
	r.Body = body
	job, ticket, err := s.recordCounted(w, r, d, client)
	r.Body = body.ReadCloser
	if err != nil {
		s.refuse(r.Context(), w, err)
		return
	}
	s.answer(w, r, job, ticket)
}

// recordCounted is record, after which the body does not count any more, also when it panics.
func (s *Server) recordCounted(w http.ResponseWriter, r *http.Request, d *desk, client throttle.Key) (task, webhook.Ticket, error) {
	if body, ok := r.Body.(*counted); ok {
		defer body.give()
	}
	return s.record(w, r, d, client)
}

// task is a recorded capture's answer: all that is needed to carry it out, and no body.
type task struct {
	fault.Job
	reason webhook.Reason
	// waiting is the endpoint's counter, held while the answer waits; nil for an answer that does not.
	waiting *counter
	// client is who waits.
	client throttle.Key
}

// record reads the request, decides what it gets and puts it on disk.
func (s *Server) record(w http.ResponseWriter, r *http.Request, d *desk, client throttle.Key) (task, webhook.Ticket, error) {
	in := s.config.Limits.Read(w, r)
	if body, ok := r.Body.(*counted); ok && body.full {
		return task{}, webhook.Ticket{}, webhook.ErrOverloaded
	}
	c := &webhook.Capture{
		Endpoint:   d.endpoint.Name,
		ReceivedAt: in.ReceivedAt,
		Class:      webhook.Accepted,
		Reason:     in.Reason,
		Request:    in.Request,
	}
	id, err := uuid.NewV7()
	if err != nil {
		return task{}, webhook.Ticket{}, err
	}
	c.ID = id.String()
	fields := webhook.Fields(in.Head)
	if in.Reason != "" {
		c.Class = webhook.Incomplete
	} else if d.cors.IsPreflight(c.Request.Method, fields) {
		c.Class, c.Reason = webhook.Rejected, webhook.Preflight
	} else if c.Reason = prove(d, c, fields); c.Reason != "" {
		c.Class = webhook.Rejected
	}
	key := webhook.DeliveryKey{By: "none"}
	if c.Class != webhook.Incomplete && c.Reason != webhook.Preflight {
		key = payload.Key(c.Request.Method, r.URL.EscapedPath(), fields, c.Request.Body, c.Request.BodySHA256)
	}
	arrival := s.config.Store.Arrive(c.Endpoint, key, c.Class == webhook.Accepted, c.ReceivedAt)
	c.Delivery, c.DeliveryBy, c.Attempt, c.Gap = arrival.Delivery, key.By, arrival.Attempt, arrival.Gap
	t := task{reason: in.Reason, client: client}
	if c.Reason == webhook.Preflight {
		c.Plan = d.cors.Preflight(fields)
	} else {
		c.Plan, t.waiting = s.plan(d, c, arrival, r.URL.EscapedPath(), client)
		c.Plan = d.cors.Answer(c.Plan, fields)
	}
	t.Job = fault.Job{Plan: c.Plan, ReceivedAt: c.ReceivedAt, MaxWait: s.config.MaxWait}
	start := time.Now()
	// A capture's way to the disk does not depend on its sender: one that hangs up is recorded too.
	ticket, err := s.config.Store.Record(context.WithoutCancel(r.Context()), c, c.Class == webhook.Accepted && mayHaveRefs(fields, c.Request.Body))
	if err != nil {
		s.release(t)
		return task{}, webhook.Ticket{}, err
	}
	s.count.seconds.Since(start)
	s.count.captures[c.Class].Inc()
	s.config.Log.LogAttrs(r.Context(), slog.LevelDebug, "captured",
		slog.String("endpoint", c.Endpoint), slog.Int64("seq", int64(ticket.Seq)), slog.String("class", string(c.Class)),
		slog.String("reason", string(c.Reason)), slog.Int("attempt", c.Attempt), slog.Int64("body_size", c.Request.BodySize))
	return t, ticket, nil
}

// mayHaveRefs tells whether the resolver must look at a body. An encoded one is decoded later, after the answer.
func mayHaveRefs(fields []webhook.Field, body []byte) bool {
	for _, f := range fields {
		if strings.EqualFold(f.Name, "Content-Encoding") {
			return true
		}
	}
	return payload.MayHaveRefs(body)
}

func prove(d *desk, c *webhook.Capture, fields []webhook.Field) webhook.Reason {
	if reason := d.verifier.Verify(&c.Request, c.ReceivedAt); reason != "" {
		return reason
	}
	return d.verifier.Expected(fields)
}

// plan decides the answer. An answer that waits takes a place, which release gives back.
func (s *Server) plan(
	d *desk, c *webhook.Capture, arrival webhook.Arrival, path string, client throttle.Key,
) (webhook.Plan, *counter) {
	switch c.Class {
	case webhook.Rejected:
		return d.refusal, nil
	case webhook.Incomplete:
		return limitAnswer(c.Reason), nil
	default:
	}
	step, connects := arrival.Step, false
	if d.connects {
		if own := s.gates.of(d.endpoint.Name); own != nil {
			step, connects = own.Request()
		}
	}
	//nolint:gosec // the seed chooses among planned answers
	p := d.program.For(plan.Arrival{
		Step: step, RuleStep: arrival.Step, Attempt: arrival.Attempt, Seed: rand.Uint64(), Request: &c.Request, Path: path,
		At: c.ReceivedAt, Delivery: arrival.Delivery,
	})
	p.Close = p.Close || connects
	if !waits(p) {
		return p, nil
	}
	if s.waiting.take(1) {
		if d.waiting.take(1) {
			if s.clients.Take(client) {
				return p, d.waiting
			}
			d.waiting.give(1)
		}
		s.waiting.give(1)
	}
	return limitPlan(http.StatusServiceUnavailable,
		[]webhook.Field{{Name: "Retry-After", Value: "1"}, {Name: "Content-Type", Value: "application/json"}},
		`{"detail":"Too many answers are waiting; the planned answer was replaced."}`), nil
}

func waits(p webhook.Plan) bool {
	switch p.Fault {
	case webhook.Hang, webhook.Drip, webhook.TrickleHead:
		return true
	default:
		return p.After > 0 || p.Size > 0
	}
}

func (s *Server) release(t task) {
	if t.waiting != nil {
		s.clients.Give(t.client)
		t.waiting.give(1)
		s.waiting.give(1)
	}
}

// limitAnswer is what a request gets that was not read whole: never a 2xx.
func limitAnswer(reason webhook.Reason) webhook.Plan {
	status, detail := http.StatusBadRequest, "The request was not received whole."
	switch reason {
	case webhook.BodyTooLarge:
		status, detail = http.StatusRequestEntityTooLarge, "The body is larger than this receiver accepts."
	case webhook.HeadTooLarge:
		status, detail = http.StatusRequestHeaderFieldsTooLarge, "The request's head is larger than this receiver accepts."
	case webhook.BodySlow:
		status, detail = http.StatusRequestTimeout, "The body came too slowly."
	case webhook.AmbiguousFraming:
		detail = "Content-Length and Transfer-Encoding, or HTTP/1.0 with Transfer-Encoding, do not say where the body ends."
	default:
	}
	p := limitPlan(status, []webhook.Field{{Name: "Content-Type", Value: "application/json"}}, `{"detail":"`+detail+`"}`)
	p.Close = true
	return p
}

// refuse answers for a capture that could not be put on disk.
func (s *Server) refuse(ctx context.Context, w http.ResponseWriter, err error) {
	if errors.Is(err, webhook.ErrOverloaded) {
		s.count.overloaded.Inc()
		sayLater(w, "Too many webhooks are being recorded. Nothing was recorded; please retry.")
		return
	}
	s.count.refusedNow.Inc()
	level := slog.LevelError
	if errors.Is(err, webhook.ErrUnavailable) {
		level = slog.LevelDebug // the store says once that it cannot write
	}
	s.config.Log.LogAttrs(ctx, level, "capture not recorded", slog.Any("error", err))
	sayLater(w, "The store cannot write now. Nothing was recorded; please retry.")
}

// answer carries the plan out and notes what came of it. A hanging answer goes on after it has returned.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, t task, ticket webhook.Ticket) {
	line := s.line(r)
	if parked := fault.Park(w, line, t.Job); parked != nil {
		//nolint:contextcheck // the answer outlives its request
		s.parked.Go(func() { s.finish(context.WithoutCancel(s.closing), t, ticket, parked.Wait(s.closing)) })
		return
	}
	ctx := r.Context()
	if t.waiting != nil {
		joined, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.closing, cancel)() //nolint:contextcheck // the server's end is another's than the request's
		ctx = joined
	}
	if t.reason != "" {
		// The rest of the body is still coming: answer first, then read on for a while, so that the answer is
		// not lost to a reset.
		//nolint:errcheck // without full duplex the answer may be lost, no more
		http.NewResponseController(w).EnableFullDuplex()
	}
	t.Leaving = func(at time.Duration) { s.config.Store.Leaving(ticket, at) }
	outcome := fault.Perform(ctx, w, line, t.Job)
	s.finish(context.WithoutCancel(ctx), t, ticket, outcome)
	if h2, ok := line.(*stream); ok && (outcome.Status == 0 || h2.aborts) {
		panic(http.ErrAbortHandler) // how net/http is told to reset a stream
	}
	if t.reason == "" {
		return
	}
	leaveBody(w)
	if t.reason == webhook.BodyTooLarge {
		_, _ = io.CopyN(io.Discard, r.Body, 64<<20)
	}
}

// finish notes what came of an answer, and gives its place back.
func (s *Server) finish(ctx context.Context, t task, ticket webhook.Ticket, outcome webhook.Outcome) {
	s.release(t)
	if err := s.config.Store.Finish(ctx, ticket, outcome); err != nil {
		s.config.Log.ErrorContext(ctx, "outcome not recorded", slog.Int64("seq", int64(ticket.Seq)), slog.Any("error", err))
	}
}

// line is what the wire knows of r's connection.
func (*Server) line(r *http.Request) fault.Line {
	if conn := wire.From(r.Context()); conn != nil {
		return conn
	}
	if conn := gate.From(r.Context()); conn != nil {
		return newStream(r, conn)
	}
	return noLine{}
}

// noLine stands in for a connection that no wire.Listener accepted.
type noLine struct{}

// HungUp is never known.
func (noLine) HungUp() (at time.Time, by webhook.HangUp, ok bool) { return time.Time{}, "", false }

// Written is not counted.
func (noLine) Written() int64 { return 0 }

// Reset cannot be done.
func (noLine) Reset() error { return errors.New("receiver: no connection to reset") }
