package scripts

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Spec is an endpoint that a case asks for.
type Spec struct {
	// Case is the case's id, Name the endpoint's name within it.
	Case, Name string
	// Respond is a valid plan text.
	Respond string
	// Scheme is never empty; Param is empty for the scheme's default.
	Scheme webhook.Scheme
	Param  string
	// Secret is what the endpoint's is to be; empty for a random one.
	Secret string
	// TLS and H2 say what the listener must speak.
	TLS, H2 bool
}

// Range lends endpoints, each with a port of its own.
type Range interface {
	// Lend opens an endpoint. The caller gives it back by Return.
	Lend(ctx context.Context, spec Spec) (Endpoint, error)
}

// Endpoint is one that was lent.
type Endpoint interface {
	// URL is the hook URL with its secret for the n-th trigger, from 1. Each has a path of its own.
	URL(n int) string
	// Secret is what the sender signs with.
	Secret() string
	// Mask hides the endpoint's secret.
	Mask() Mask
	// Captures returns all captures so far, oldest first, with outcomes, and with bodies if asked.
	Captures(ctx context.Context, bodies bool) ([]webhook.Capture, error)
	// Settle returns once everything that had arrived before the call can be read: a request that waits for the disk is
	// no silence.
	Settle(ctx context.Context) error
	// Connections returns those that brought no request, oldest first. It returns an error that wraps
	// webhook.ErrUnavailable, with the reason, when they are not counted here.
	Connections(ctx context.Context) ([]webhook.Connection, error)
	// Wait blocks until something new was seen after a seq, or ctx ends.
	Wait(ctx context.Context, after webhook.Seq) (webhook.Seq, error)
	// Replan changes the answers from now on.
	Replan(ctx context.Context, respond string) error
	// Return closes the port and deletes everything. Calls after the first do nothing.
	Return(ctx context.Context) error
}

// Mask hides secrets in what is shown.
type Mask interface {
	String(text string) string
	Target(text string) string
	Field(name, value string) string
}

// Sender makes the sender under test send.
type Sender interface {
	// Trigger makes it send once, and may block until it has done so. An error means that it could not be started;
	// what a started sender makes of the answers is not one. One that wraps ErrNoOperation skips the case.
	Trigger(ctx context.Context, in TriggerInput) error
}

// Spawner is a Sender that starts a program for each trigger. Its clock may run before anything arrives, and on a busy
// machine it is some while until something does.
type Spawner interface {
	Sender
	// Spawns tells whether it does so.
	Spawns() bool
}

// ErrNoOperation: the sender does not have the operation that a trigger names; the wrapping text has its answer.
var ErrNoOperation = errors.New("the sender has no such operation")

// Explainer is a Sender that knows why nothing may come though it was started.
type Explainer interface {
	// Silence says what to look at, as a clause that follows a colon.
	Silence() string
}

// TriggerInput is what one trigger is for.
type TriggerInput struct {
	// Case is the case's id, Title its title, for a person who must act.
	Case, Title string
	// URL is where to send, with its secret.
	URL string
	// Secret is what to sign with; Scheme says how.
	Secret string
	Scheme webhook.Scheme
	// Payload names a fixture to send. Body, when not nil, is the script's own file of that name.
	Payload string
	Body    []byte
	// Header is to be sent beside the sender's own.
	Header []webhook.Field
	// Operation is one of Operations, or empty for the sender's usual one. Input is what to run it on as JSON; it is
	// empty when the script does not care.
	Operation string
	Input     []byte
	// Manual is what a person is to do for this trigger, beside sending; mostly empty.
	Manual string
	// N numbers the triggers of the endpoint, from 1.
	N int
	// Scale is what all times of the sender's policy are to be multiplied with.
	Scale float64
	// Log gets what the sender says.
	Log io.Writer
}

// Fetcher asks for the objects behind presigned URLs, through a guarded client.
type Fetcher interface {
	// Fetch returns the status and the object.
	Fetch(ctx context.Context, url string) (status int, body []byte, err error)
}

// scaled multiplies a time of the script.
func scaled(d time.Duration, scale float64) time.Duration {
	return time.Duration(float64(d) * scale)
}
