package api

import (
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Replay is one try of ours to send a capture on. Target has no user, query or fragment; "?•••" stands for a query.
type Replay struct {
	Seq       int64     `json:"seq"`
	Capture   int64     `json:"capture"`
	Endpoint  string    `json:"endpoint"`
	ID        string    `json:"id"`
	By        string    `json:"by"`
	Target    string    `json:"target"`
	Policy    string    `json:"policy"`
	Edited    bool      `json:"edited"`
	Signed    bool      `json:"signed"`
	Attempt   int       `json:"attempt"`
	Try       int       `json:"try"`
	Hop       int       `json:"hop"`
	StartedAt time.Time `json:"started_at"`
	Duration  Millis    `json:"duration_ms"`
	Status    int       `json:"status"`
	Failure   string    `json:"failure"`
	NextIn    *Millis   `json:"next_in_ms"`
	Delivered bool      `json:"delivered"`
}

// Replays are the kept tries to send one capture on, oldest first.
type Replays struct {
	Replays []Replay `json:"replays"`
}

// ReplayInput asks for a capture to be sent on. What is left out goes as it came.
type ReplayInput struct {
	URL    string `json:"url"`
	Method string `json:"method"`
	// Headers replace all fields. Body is text, BodyBase64 any bytes; at most one of them.
	Headers    []Pair  `json:"headers"`
	Body       *string `json:"body"`
	BodyBase64 []byte  `json:"body_base64"`
	// Sign makes the proof anew as the endpoint's scheme has it, with Secret or else with the endpoint's own.
	Sign   bool   `json:"sign"`
	Secret string `json:"secret"`
	// Policy names the delivery policy; empty tries once.
	Policy string `json:"policy"`
}

// ReplaysInput asks for several captures to be sent on: those listed, or those that match.
type ReplaysInput struct {
	URL      string   `json:"url"`
	Sign     bool     `json:"sign"`
	Secret   string   `json:"secret"`
	Policy   string   `json:"policy"`
	Captures []int64  `json:"captures"`
	Q        string   `json:"q"`
	Class    []string `json:"class"`
	Before   int64    `json:"before"`
	After    int64    `json:"after"`
	Limit    int      `json:"limit"`
}

// ReplayResult is how one replay ended. Problem says why it was not carried out whole, or is empty.
type ReplayResult struct {
	ID        string   `json:"id"`
	Capture   int64    `json:"capture"`
	Delivered bool     `json:"delivered"`
	Problem   string   `json:"problem"`
	Replays   []Replay `json:"replays"`
}

// Replay returns a try's JSON form.
func (v View) Replay(r *webhook.Replay) Replay {
	return Replay{
		Seq: int64(r.Seq), Capture: int64(r.Capture), Endpoint: r.Endpoint, ID: r.ID, By: string(r.By), Target: v.Mask.String(r.Target),
		Policy: r.Policy, Edited: r.Edited, Signed: r.Signed, Attempt: r.Attempt, Try: r.Try, Hop: r.Hop, StartedAt: r.Start.UTC(),
		Duration: Millis(r.Duration), Status: r.Status, Failure: v.Mask.String(r.Failure), NextIn: millis(r.NextIn), Delivered: r.Delivered,
	}
}

// Noun returns the try that a JSON form stands for.
func (r *Replay) Noun() webhook.Replay {
	out := webhook.Replay{
		Capture: webhook.Seq(r.Capture), Endpoint: r.Endpoint, ID: r.ID, By: webhook.ReplayBy(r.By), Target: r.Target, Policy: r.Policy,
		Edited: r.Edited, Signed: r.Signed, Attempt: r.Attempt, Try: r.Try, Hop: r.Hop, Start: r.StartedAt.UTC(), Duration: r.Duration.Duration(),
		Status: r.Status, Failure: r.Failure, Delivered: r.Delivered,
	}
	if r.NextIn != nil {
		out.NextIn = new(r.NextIn.Duration())
	}
	return out
}
