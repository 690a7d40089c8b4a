// Package relay sends captures on: as they came or changed, proved anew or not, to a URL that a person names.
//
// It makes the request; who delivers it, and through which way out, is the caller's: the server hands in the guarded
// one, a command on the user's own machine a plain one.
//
//	capture -> edits -> hop-by-hop fields out, marker in -> proof -> permit -> deliver -> tries
package relay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Message is a request to deliver.
type Message struct {
	Method, URL string
	// Header in its order, without the fields that concern one connection only.
	Header []webhook.Field
	Body   []byte
}

// Config is what New needs. Every field without a default must be set.
type Config struct {
	// Sign returns a message with the policy's proof made anew, or an ErrInvalid.
	Sign func(webhook.SecretPolicy, Message, time.Time) (Message, error)
	// Permit refuses a URL before anything is tried. Defaults to permitting all.
	Permit func(ctx context.Context, url string) error
	// Deliver delivers by a named policy and tells each try when it has ended: Attempt, Try, Hop, Start, Duration, Status,
	// Failure and NextIn. It returns whether the policy counts the last answer as success, and an ErrInvalid when the
	// message or the policy's name cannot be.
	Deliver func(ctx context.Context, m Message, policy string, tell func(webhook.Replay)) (bool, error)
	// Limit bounds one replay with all its waits. Defaults to 5 minutes.
	Limit time.Duration
	// Now defaults to time.Now.
	Now func() time.Time
}

// Relay sends captures on. It is safe for concurrent use.
type Relay struct{ cfg Config }

// ErrLimit means that a replay was ended by Config.Limit before its policy had.
var ErrLimit = errors.New("the replay took too long and was ended")

// New returns a Relay.
func New(cfg Config) *Relay {
	if cfg.Permit == nil {
		cfg.Permit = func(context.Context, string) error { return nil }
	}
	if cfg.Limit <= 0 {
		cfg.Limit = 5 * time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Relay{cfg}
}

// Send sends a capture on and tells each try when it has ended, the last one with Delivered. It returns an ErrInvalid
// when the order cannot be carried out, what Permit refused with, ErrLimit, or ctx's error; nothing but the tries says
// what the target answered.
func (r *Relay) Send(ctx context.Context, o webhook.Order, tell func(webhook.Replay)) error {
	m, err := r.message(&o)
	if err != nil {
		return err
	}
	if err = r.cfg.Permit(ctx, m.URL); err != nil {
		return err
	}
	stamp := webhook.Replay{
		Capture: o.Capture.Seq, Endpoint: o.Capture.Endpoint, ID: o.ID, By: o.By, Target: webhook.ShownURL(o.URL), Policy: policy(&o),
		Edited: o.Method != "" || o.Header != nil || o.Body != nil, Signed: o.Sign != nil,
	}
	limited, cancel := context.WithTimeoutCause(ctx, r.cfg.Limit, ErrLimit)
	defer cancel()
	// The last try is held back until it is known whether it counts as success.
	var last *webhook.Replay
	delivered, err := r.cfg.Deliver(limited, m, policy(&o), func(try webhook.Replay) {
		one := stamp
		one.Attempt, one.Try, one.Hop, one.Start, one.Duration = try.Attempt, try.Try, try.Hop, try.Start, try.Duration
		one.Status, one.Failure, one.NextIn = try.Status, try.Failure, try.NextIn
		if one.NextIn != nil {
			tell(one)
			return
		}
		last = &one
	})
	if last != nil {
		last.Delivered = delivered
		tell(*last)
	}
	switch {
	case errors.Is(err, webhook.ErrInvalid):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil && !delivered:
		return fmt.Errorf("relay: %w after %v", ErrLimit, r.cfg.Limit)
	}
	return nil
}

// Permit returns what Config.Permit says of a URL.
func (r *Relay) Permit(ctx context.Context, target string) error { return r.cfg.Permit(ctx, target) }

func policy(o *webhook.Order) string {
	if o.Policy == "" {
		return "none"
	}
	return o.Policy
}

// message makes the request to deliver.
func (r *Relay) message(o *webhook.Order) (Message, error) {
	req := &o.Capture.Request
	m := Message{Method: o.Method, URL: o.URL, Header: o.Header, Body: o.Body}
	if m.Method == "" {
		m.Method = req.Method
	}
	if m.Header == nil {
		m.Header = webhook.Fields(req.Head)
	}
	if m.Body == nil {
		if req.Truncated || o.Capture.Class == webhook.Incomplete {
			return Message{}, fmt.Errorf("%w: capture %d is incomplete, its body was not read whole: give a body to send it with",
				webhook.ErrInvalid, o.Capture.Seq)
		}
		m.Body = req.Body
	}
	m.Header = append(EndToEnd(m.Header), webhook.Field{Name: webhook.ReplayMarker, Value: o.ID})
	if o.Sign == nil {
		return m, nil
	}
	return r.cfg.Sign(*o.Sign, m, r.cfg.Now())
}

// Marked says whether a capture is one that was sent on by a Relay.
func Marked(head []byte) bool {
	for _, f := range webhook.Fields(head) {
		if strings.EqualFold(f.Name, webhook.ReplayMarker) {
			return true
		}
	}
	return false
}
