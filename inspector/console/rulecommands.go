package console

import (
	"context"
	"io"

	"github.com/hookrange/hookrange/inspector/api"
)

type tryCommand struct {
	Name    string         `arg:"" help:"Name of the endpoint."`
	Capture api.CaptureRef `arg:"" name:"seq" optional:"" help:"Capture to try with, by its seq, or latest; without it, the request of the flags."`
	Rules   []byte         `help:"File with rules to try in place of the endpoint's." type:"filecontent" placeholder:"FILE"`
	Respond *string        `help:"Answers to try in place of the endpoint's own."`
	Method  string         `help:"Method of the request." default:"POST"`
	Path    string         `help:"What follows /hooks/NAME, with its query." default:"/"`
	Header  []string       `help:"Header of the request, as 'Name: value'." sep:"none"`
	Body    string         `help:"Body of the request."`
	Attempt int            `help:"Number of the attempt; the capture's, or 1." placeholder:"N"`
	shown
}

// Run prints what would be answered.
func (c *tryCommand) Run(ctx context.Context, client *Client, out io.Writer) error {
	return Try(ctx, client, TryOptions{
		Endpoint: c.Name, Capture: c.Capture, Method: c.Method, Path: c.Path, Body: c.Body, Headers: c.Header, Attempt: c.Attempt,
		Rules: c.Rules, Respond: c.Respond, Reveal: c.Reveal, JSON: c.JSON,
	}, out)
}

type importCommand struct {
	Name   string `arg:"" help:"Name of the endpoint."`
	File   []byte `arg:"" type:"filecontent" help:"OpenAPI 3 (YAML or JSON) or HAR 1.2."`
	Format string `help:"openapi or har; found out by default." enum:",openapi,har" default:""`
	On     bool   `help:"Switch the rules on; without it they are saved off."`
	Look   bool   `help:"Print the rules and save nothing."`
	JSON   bool   `help:"Print JSON." name:"json"`
}

// Run makes rules of the file.
func (c *importCommand) Run(ctx context.Context, client *Client, out io.Writer) error {
	return Import(ctx, client, ImportOptions{Endpoint: c.Name, Format: c.Format, Text: c.File, On: c.On, Look: c.Look, JSON: c.JSON}, out)
}

type presetsCommand struct {
	JSON bool `help:"Print JSON, one object a line." name:"json"`
}

// Run prints the presets.
func (c *presetsCommand) Run(ctx context.Context, client *Client, out io.Writer) error {
	return Presets(ctx, client, c.JSON, out)
}
