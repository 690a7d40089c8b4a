package api

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// View turns nouns into their JSON forms. It is safe for concurrent use if its Mask is.
type View struct {
	// Mask hides secrets; Exact shows them.
	Mask Masker
	// HookURL returns the URL to give to a sender, with its secret or masked.
	HookURL func(ep *webhook.Endpoint, masked bool) string
}

func scheme(ep *webhook.Endpoint) webhook.Scheme {
	if ep.Secret.Scheme == "" {
		return webhook.SchemeQuery
	}
	return ep.Secret.Scheme
}

// Exact reports whether the view shows secrets.
func (v View) Exact() bool {
	_, exact := v.Mask.(Exact)
	return exact
}

// Endpoint returns an endpoint's JSON form. URLs, Listener.Problem, Counts and LastSeq are left to the caller.
func (v View) Endpoint(ep *webhook.Endpoint) Endpoint {
	out := Endpoint{
		Name: ep.Name, URL: v.HookURL(ep, !v.Exact()), URLs: []Way{}, Listener: listener(ep.Listener),
		Scheme: string(scheme(ep)), Param: ep.Secret.Param, Header: ep.Secret.Header, Prefix: ep.Secret.Prefix,
		Encoding: ep.Secret.Encoding, Hash: ep.Secret.Hash, Timestamp: ep.Secret.Timestamp, Tolerance: Millis(ep.Secret.Tolerance),
		Expect: []Expectation{}, Respond: v.Mask.String(ep.Respond), Refusal: v.refusal(ep.Refusal),
		Rules: v.AnswerRules(ep.Rules), CORS: cors(ep.CORS),
		Fetch: Fetch{
			Off: ep.Fetch.Off, Hosts: list(ep.Fetch.Hosts), Private: list(ep.Fetch.Private),
			BaseURL: v.Mask.String(ep.Fetch.BaseURL), MaxBytes: ep.Fetch.MaxBytes,
		},
		Forwards: v.forwards(ep.Forwards),
		Retention: Retention{
			Accepted: quota(ep.Retention.Accepted), Rejected: quota(ep.Retention.Rejected),
			Incomplete: quota(ep.Retention.Incomplete), Connections: connectionQuota(ep.Retention.Connections),
		},
		Declared: ep.Declared, CreatedAt: ep.Created.UTC(), UpdatedAt: ep.Updated.UTC(),
		Counts: map[string]int64{},
	}
	for _, e := range ep.Expect {
		out.Expect = append(out.Expect, Expectation{Name: e.Name, Value: v.Mask.String(e.Value)})
	}
	if len(ep.Secret.Secrets) > 0 {
		out.Secret = v.secret(ep.Secret.Secrets[0])
	}
	if len(ep.Secret.Secrets) > 1 {
		out.PreviousSecret = v.secret(ep.Secret.Secrets[1])
	}
	return out
}

func (v View) secret(s string) string {
	if s == "" || v.Exact() {
		return s
	}
	return Hidden
}

func (v View) refusal(r webhook.Refusal) Refusal {
	if r.Status == 0 {
		r = webhook.DefaultRefusal()
	}
	return Refusal{Status: r.Status, Headers: v.pairs(r.Header), Body: v.Mask.String(r.Body)}
}

func quota(q webhook.Quota) Quota {
	if q.Age < 0 {
		q.Age = -time.Millisecond
	}
	return Quota{Count: q.Count, Age: Millis(q.Age), Bytes: q.Bytes}
}

func connectionQuota(q webhook.Quota) ConnectionQuota {
	shown := quota(q)
	return ConnectionQuota{Count: shown.Count, Age: shown.Age}
}

func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// pairs masks each line as a whole, because some values are secret by their name.
func (v View) pairs(fields []webhook.Field) []Pair {
	out := make([]Pair, len(fields))
	for i, f := range fields {
		out[i] = Pair{f.Name, v.value(f)}
	}
	return out
}

func (v View) value(f webhook.Field) string {
	lead := f.Name + ": "
	value, found := strings.CutPrefix(v.Mask.String(lead+f.Value), lead)
	if !found {
		return Hidden
	}
	return value
}

// Capture returns a capture's JSON form with what is known of its payload.
func (v View) Capture(c *webhook.Capture, p Payload) Capture {
	fields := webhook.Fields(v.Mask.Bytes(c.Request.Head))
	target := v.Mask.String(c.Request.Target)
	path, query := SplitTarget(target)
	out := Capture{
		Seq: int64(c.Seq), ID: c.ID, Endpoint: c.Endpoint, ReceivedAt: c.ReceivedAt.UTC(),
		Class: string(c.Class), Reason: string(c.Reason), Proto: c.Request.Proto, TLS: connTLS(c.Request.TLS),
		Method: c.Request.Method, Target: target, Path: path, Query: query, Headers: pairs(fields),
		BodySize: c.Request.BodySize, BodySHA256: hex.EncodeToString(c.Request.BodySHA256[:]),
		ContentType: Header(fields, "Content-Type"), Truncated: c.Request.Truncated,
		Delivery: c.Delivery, DeliveryBy: c.DeliveryBy, Attempt: c.Attempt, Gap: millis(c.Gap),
		Plan: v.plan(&c.Plan), Outcome: v.Outcome(c.Outcome), Payload: p, Resolved: v.Objects(c.Objects),
		Note: v.Note(c.Note),
	}
	if c.Request.Peer.IsValid() {
		out.RemoteAddr = c.Request.Peer.String()
	}
	if c.Request.Declared >= 0 {
		out.Declared = new(c.Request.Declared)
	}
	return out
}

func connTLS(t *webhook.TLS) *TLS {
	if t == nil {
		return nil
	}
	return &TLS{Version: t.Version, Cipher: t.Cipher, ServerName: t.ServerName, ALPN: t.ALPN, Resumed: t.Resumed}
}

func (v View) plan(p *webhook.Plan) Plan {
	return Plan{
		Text: v.Mask.String(p.Text), Rule: v.Mask.String(p.Rule), Step: p.Step, Status: p.Status, Fault: string(p.Fault),
		After: Millis(p.After), For: Millis(p.For), Rate: p.Rate, Headers: v.pairs(p.Header),
		Body: string(v.Mask.Bytes(p.Body)), Seed: strconv.FormatUint(p.Seed, 10), Close: p.Close,
	}
}

// Outcome returns an outcome's JSON form, or nil for nil.
func (v View) Outcome(o *webhook.Outcome) *Outcome {
	if o == nil {
		return nil
	}
	return &Outcome{
		Seq: int64(o.Seq), Status: o.Status, Fault: string(o.Fault), Bytes: o.Bytes,
		FirstByte: millis(o.FirstByte), Done: millis(o.Done), HungUp: millis(o.HungUp),
		HungUpBy: string(o.HungUpBy), Note: v.Mask.String(o.Note),
	}
}

// Objects returns the JSON forms of stored objects, without their data.
func (v View) Objects(objects []webhook.Object) []Resolved {
	out := make([]Resolved, len(objects))
	for i := range objects {
		out[i] = v.Object(&objects[i])
	}
	return out
}

// Object returns a stored object's JSON form, without its data.
func (v View) Object(o *webhook.Object) Resolved {
	out := Resolved{
		Seq: int64(o.Seq), Capture: int64(o.Capture), Name: o.Name, URL: v.Mask.String(o.URL),
		State: string(o.State), Status: string(o.State), HTTPStatus: o.Status, Code: o.Code,
		Message: v.Mask.String(o.Message), Size: o.Size, ContentType: o.ContentType, Tries: o.Tries,
		ExpiresAt: instant(o.ExpiresAt), NextTryAt: instant(o.NextTry), DoneAt: instant(o.DoneAt),
	}
	if o.State == webhook.Resolved {
		out.SHA256 = hex.EncodeToString(o.SHA256[:])
	}
	return out
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}

// Fact returns the live feed's message for a fact. Capture is the JSON form of an arrival's capture.
func (v View) Fact(f *webhook.Fact, capture *Capture) Event {
	out := Event{
		Type: "fact", Seq: int64(f.Seq), Fact: string(f.Kind), Endpoint: f.Endpoint, Of: int64(f.Of),
		Capture: capture, Outcome: v.Outcome(f.Outcome), Note: v.Note(f.Note),
	}
	if f.Object != nil {
		out.Object = new(v.Object(f.Object))
	}
	if f.Connection != nil {
		out.Connection = new(v.Connection(f.Connection))
	}
	if f.Replay != nil {
		out.Replay = new(v.Replay(f.Replay))
	}
	if d := f.Deletion; d != nil {
		out.Deletion = &Deletion{
			Captures: make([]int64, len(d.Captures)), Class: string(d.Class), Through: int64(d.Through),
			Endpoint: d.Endpoint, Connections: d.Connections,
		}
		for i, seq := range d.Captures {
			out.Deletion.Captures[i] = int64(seq)
		}
	}
	return out
}

// raw masks a JSON value. A value that is no JSON any more is shown as a string.
func (v View) raw(b json.RawMessage) json.RawMessage {
	if len(b) == 0 {
		return nil
	}
	masked := bytes.ToValidUTF8(v.Mask.Bytes(b), []byte("\uFFFD"))
	if json.Valid(masked) {
		return masked
	}
	text, err := json.Marshal(string(masked))
	if err != nil {
		return nil
	}
	return text
}
