package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/hookrange/hookrange/inspector/console"
)

type endpointCommands struct {
	Create createCommand `cmd:"" help:"Make an endpoint and print it with its URL and its secret."`
	List   listCommand   `cmd:"" help:"Print all endpoints."`
	Show   showCommand   `cmd:"" help:"Print one endpoint."`
	Update updateCommand `cmd:"" help:"Change the settings that are given; the next request gets them."`
	Delete deleteCommand `cmd:"" help:"Delete an endpoint with its captures."`
}

// shown are the flags of commands that print endpoints or captures.
type shown struct {
	Reveal bool `help:"Show secrets."`
	JSON   bool `help:"Print JSON, one object a line." name:"json"`
}

type createCommand struct {
	Name string `arg:"" help:"Name: a-z, 0-9 and -, at most 63."`
	console.Settings
	JSON bool `help:"Print JSON." name:"json"`
}

// Run makes an endpoint.
func (c *createCommand) Run(ctx context.Context, cli *grammar, p *process) error {
	client, err := cli.client()
	if err != nil {
		return err
	}
	return console.CreateEndpoint(ctx, client, console.EndpointOptions{Name: c.Name, Settings: c.Settings, JSON: c.JSON}, p.out)
}

type listCommand struct{ shown }

// Run prints all endpoints.
func (c *listCommand) Run(ctx context.Context, cli *grammar, p *process) error {
	client, err := cli.client()
	if err != nil {
		return err
	}
	return console.ListEndpoints(ctx, client, console.ListOptions{Reveal: c.Reveal, JSON: c.JSON}, p.out)
}

type showCommand struct {
	Name string `arg:"" help:"Name of the endpoint."`
	shown
}

// Run prints one endpoint.
func (c *showCommand) Run(ctx context.Context, cli *grammar, p *process) error {
	client, err := cli.client()
	if err != nil {
		return err
	}
	return console.ShowEndpoint(ctx, client, console.NameOptions{Name: c.Name, Reveal: c.Reveal, JSON: c.JSON}, p.out)
}

type updateCommand struct {
	Name string `arg:"" help:"Name of the endpoint."`
	console.Settings
	shown
}

// Run changes one endpoint.
func (c *updateCommand) Run(ctx context.Context, cli *grammar, p *process) error {
	client, err := cli.client()
	if err != nil {
		return err
	}
	options := console.EndpointOptions{Name: c.Name, Settings: c.Settings, Reveal: c.Reveal, JSON: c.JSON}
	return console.UpdateEndpoint(ctx, client, options, p.out)
}

type deleteCommand struct {
	Name string `arg:"" help:"Name of the endpoint."`
	JSON bool   `help:"Print JSON." name:"json"`
}

// Run deletes one endpoint.
func (c *deleteCommand) Run(ctx context.Context, cli *grammar, p *process) error {
	client, err := cli.client()
	if err != nil {
		return err
	}
	return console.DeleteEndpoint(ctx, client, console.NameOptions{Name: c.Name, JSON: c.JSON}, p.out)
}

type tailCommand struct {
	Endpoint string `arg:"" optional:"" help:"Endpoint to follow; without it, all."`
	After    *int64 `help:"Begin after this seq; 0 begins with the oldest capture. Without it, begin now." placeholder:"SEQ"`
	JSON     bool   `help:"Print the messages of the live feed, one a line." name:"json"`
}

// Run prints captures until ctx ends.
func (c *tailCommand) Run(ctx context.Context, cli *grammar, p *process) error {
	client, err := cli.client()
	if err != nil {
		return err
	}
	return console.Tail(ctx, client, console.TailOptions{Endpoint: c.Endpoint, After: c.After, JSON: c.JSON}, p.out)
}

type waitCommand struct {
	Endpoint string        `arg:"" help:"Endpoint to watch."`
	Count    int           `help:"How many captures must match." default:"1"`
	Match    string        `help:"Expression over method, path, header, query, body, attempt, class, kind and status." placeholder:"EXPR"`
	Within   time.Duration `help:"Longest wait." default:"30s"`
	None     bool          `help:"Prove that fewer came: wait for the whole time, fail as soon as --count have come."`
	After    string        `help:"Count captures after this seq only, or after now." placeholder:"SEQ"`
	Class    []string      `help:"Classes that count: accepted, rejected, incomplete." default:"accepted"`
	shown
}

// Run waits.
func (c *waitCommand) Run(ctx context.Context, cli *grammar, p *process) error {
	client, err := cli.client()
	if err != nil {
		return err
	}
	return console.Wait(ctx, client, console.WaitOptions{
		Endpoint: c.Endpoint, Count: c.Count, Match: c.Match, Within: c.Within, None: c.None, After: c.After,
		Classes: c.Class, Reveal: c.Reveal, JSON: c.JSON,
	}, p.out)
}

type signatureCommand struct {
	Endpoint string `arg:"" help:"Endpoint of the capture."`
	Seq      int64  `arg:"" help:"The capture's seq."`
	console.Proof
	JSON bool `help:"Print JSON." name:"json"`
}

// Run explains a capture's signature.
func (c *signatureCommand) Run(ctx context.Context, cli *grammar, p *process) error {
	client, err := cli.client()
	if err != nil {
		return err
	}
	options := console.SignatureOptions{Endpoint: c.Endpoint, Seq: c.Seq, Proof: c.Proof, JSON: c.JSON}
	return console.Signature(ctx, client, options, p.out)
}

type healthcheckCommand struct{}

// Run asks the server whether it is ready.
func (*healthcheckCommand) Run(ctx context.Context, cli *grammar, p *process) error {
	client, err := cli.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	return console.Healthcheck(ctx, client, p.out)
}

// client returns a client of the server that --server and --token name, or else of the one whose ready file
// is in the data folder.
func (g *grammar) client() (*console.Client, error) {
	client := &console.Client{Base: g.Server, Token: g.Token}
	if client.Base != "" && client.Token != "" {
		return client, nil
	}
	path := filepath.Join(g.Data, readyName)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if client.Base != "" {
			return client, nil
		}
		return nil, hint(fmt.Errorf("no server is running on the data folder %s", g.Data),
			"start one with hookrange serve, name its folder with --data before the command, or name it with --server and --token")
	}
	if err != nil {
		return nil, fmt.Errorf("find the server: %w", err)
	}
	var ready readyFile
	if err = json.Unmarshal(raw, &ready); err != nil {
		return nil, hint(fmt.Errorf("find the server: %s is no ready file: %w", path, err), "remove it and start hookrange serve again")
	}
	// The token of one server is never told to another.
	if client.Base == "" {
		client.Base = ready.Inspector
	}
	if client.Token == "" && client.Base == ready.Inspector {
		client.Token = ready.Token
	}
	return client, nil
}
