package console

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// EndpointCommands manage the endpoints of a running server.
type EndpointCommands struct {
	Create createCommand `cmd:"" help:"Make an endpoint and print it with its URL and its secret."`
	List   listCommand   `cmd:"" help:"Print all endpoints."`
	Show   showCommand   `cmd:"" help:"Print one endpoint."`
	Update updateCommand `cmd:"" help:"Change the settings that are given; the next request gets them."`
	Delete deleteCommand `cmd:"" help:"Delete an endpoint with its captures and connections."`

	Try     tryCommand     `cmd:"" help:"Say what an endpoint would answer to a capture or a request, and why. Nothing is sent."`
	Import  importCommand  `cmd:"" help:"Make rules of an OpenAPI 3 document or a HAR."`
	Presets presetsCommand `cmd:"" help:"Print the answers to begin with."`
}

// shown are the flags of commands that print endpoints or captures.
type shown struct {
	Reveal bool `help:"Show secrets."`
	JSON   bool `help:"Print JSON, one object a line." name:"json"`
}

type createCommand struct {
	Name string `arg:"" help:"Name: a-z, 0-9 and -, at most 63."`
	Settings
	JSON bool `help:"Print JSON." name:"json"`
}

// Run makes an endpoint.
func (c *createCommand) Run(ctx context.Context, client *Client, out io.Writer) error {
	return CreateEndpoint(ctx, client, EndpointOptions{Name: c.Name, Settings: c.Settings, JSON: c.JSON}, out)
}

type listCommand struct{ shown }

// Run prints all endpoints.
func (c *listCommand) Run(ctx context.Context, client *Client, out io.Writer) error {
	return ListEndpoints(ctx, client, ListOptions{Reveal: c.Reveal, JSON: c.JSON}, out)
}

type showCommand struct {
	Name string `arg:"" help:"Name of the endpoint."`
	shown
}

// Run prints one endpoint.
func (c *showCommand) Run(ctx context.Context, client *Client, out io.Writer) error {
	return ShowEndpoint(ctx, client, NameOptions{Name: c.Name, Reveal: c.Reveal, JSON: c.JSON}, out)
}

type updateCommand struct {
	Name string `arg:"" help:"Name of the endpoint."`
	Settings
	shown
}

// Run changes one endpoint.
func (c *updateCommand) Run(ctx context.Context, client *Client, out io.Writer) error {
	options := EndpointOptions{Name: c.Name, Settings: c.Settings, Reveal: c.Reveal, JSON: c.JSON}
	return UpdateEndpoint(ctx, client, options, out)
}

type deleteCommand struct {
	Name string `arg:"" help:"Name of the endpoint."`
	JSON bool   `help:"Print JSON." name:"json"`
}

// Run deletes one endpoint.
func (c *deleteCommand) Run(ctx context.Context, client *Client, out io.Writer) error {
	return DeleteEndpoint(ctx, client, NameOptions{Name: c.Name, JSON: c.JSON}, out)
}

// TailCommand prints captures as they arrive.
type TailCommand struct {
	Endpoint string `arg:"" optional:"" help:"Endpoint to follow; without it, all."`
	After    *int64 `help:"Begin after this seq; 0 begins with the oldest capture. Without it, begin now." placeholder:"SEQ"`
	JSON     bool   `help:"Print JSON, one capture a line." name:"json"`
	Facts    bool   `help:"Print all messages of the live feed as JSON, one a line: arrivals, outcomes, fetched objects, connections, deletions."`
	Lines    bool   `help:"Print lines on a terminal too, in place of a list with keys."`
}

// Run shows captures until ctx ends: as a list with keys on a terminal, else as lines.
func (c *TailCommand) Run(ctx context.Context, client *Client, way Way, out io.Writer) error {
	if way.Terminal.There() && !c.JSON && !c.Facts && !c.Lines && c.After == nil {
		return Screen(ctx, client, ScreenOptions{Endpoint: c.Endpoint, Relay: way.Relay}, way.Terminal)
	}
	return Tail(ctx, client, TailOptions{Endpoint: c.Endpoint, After: c.After, JSON: c.JSON, Facts: c.Facts}, out)
}

// WaitCommand waits for captures.
type WaitCommand struct {
	Endpoint string        `arg:"" help:"Endpoint to watch."`
	Count    int           `help:"How many captures must match." default:"1"`
	Match    string        `help:"Expression over method, path, header, query, body, attempt, class, kind and status." placeholder:"EXPR"`
	Within   time.Duration `help:"Longest wait." default:"30s"`
	None     bool          `help:"Prove that fewer came: wait for the whole time, fail as soon as --count have come."`
	After    string        `help:"Count captures after this seq only, or after now." placeholder:"SEQ"`
	Class    []string      `help:"Classes that count: accepted, rejected, incomplete. Without it accepted, but all with --none and where --match asks for class."`
	shown
}

// Run waits.
func (c *WaitCommand) Run(ctx context.Context, client *Client, out io.Writer) error {
	if c.Count < 1 || c.Within <= 0 {
		return fmt.Errorf("%w: --count %d, --within %s: give a count from 1 and a time above 0", webhook.ErrInvalid, c.Count, c.Within)
	}
	return Wait(ctx, client, WaitOptions{
		Endpoint: c.Endpoint, Count: c.Count, Match: c.Match, Within: c.Within, None: c.None, After: c.After,
		Classes: c.Class, Reveal: c.Reveal, JSON: c.JSON,
	}, out)
}

// SignatureCommand explains a capture's signature.
type SignatureCommand struct {
	Endpoint string         `arg:"" help:"Endpoint of the capture."`
	Capture  api.CaptureRef `arg:"" name:"seq" help:"The capture's seq, or latest."`
	Proof
	JSON bool `help:"Print JSON." name:"json"`
}

// Run explains a capture's signature.
func (c *SignatureCommand) Run(ctx context.Context, client *Client, out io.Writer) error {
	return Signature(ctx, client, SignatureOptions{Endpoint: c.Endpoint, Capture: c.Capture, Proof: c.Proof, JSON: c.JSON}, out)
}

// HealthcheckCommand asks a server whether it is ready.
type HealthcheckCommand struct {
	JSON bool `help:"Print JSON." name:"json"`
}

// Run asks the server whether it is ready.
func (c *HealthcheckCommand) Run(ctx context.Context, client *Client, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	return Healthcheck(ctx, client, c.JSON, out)
}
