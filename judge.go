package main

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/hookrange/hookrange/inspector/console"
	"github.com/hookrange/hookrange/inspector/imports"
	"github.com/hookrange/hookrange/inspector/runs"
	"github.com/hookrange/hookrange/receiver/plan"
	"github.com/hookrange/hookrange/receiver/proving"
	"github.com/hookrange/hookrange/receiver/resolve/egress"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/command"
	"github.com/hookrange/hookrange/scripts/manual"
	"github.com/hookrange/hookrange/scripts/result"
)

// lender is a proving range as scripts see it.
type lender struct{ *proving.Range }

// Lend opens an endpoint.
func (l lender) Lend(ctx context.Context, spec scripts.Spec) (scripts.Endpoint, error) {
	e, err := l.Range.Lend(ctx, proving.Spec(spec))
	if err != nil {
		return nil, err
	}
	return lent{e}, nil
}

// Keep lends the endpoint of a name again.
func (l lender) Keep(ctx context.Context, spec scripts.Spec) (manual.Endpoint, error) {
	e, err := l.Range.Keep(ctx, proving.Spec(spec))
	if err != nil {
		return nil, err
	}
	return lent{e}, nil
}

// lent is a lent endpoint as scripts see it.
type lent struct{ *proving.Endpoint }

// Mask hides the endpoint's secret.
func (l lent) Mask() scripts.Mask { return l.Endpoint.Mask() }

// fetcher asks for presigned URLs as the resolver does.
type fetcher struct {
	client *egress.Client
	policy webhook.FetchPolicy
	// own is where the run's own object store is, which may be asked though it is private; empty while there is none.
	own func() string
}

func newFetcher(policy webhook.FetchPolicy, own func() string) (scripts.Fetcher, error) {
	return fetcher{egress.New(egress.Config{Version: version}), policy, own}, egress.CheckPolicy(policy)
}

// Fetch returns the status and the object.
func (f fetcher) Fetch(ctx context.Context, url string) (status int, body []byte, err error) {
	policy := f.policy
	if own := f.own(); own != "" {
		policy.Private = append(slices.Clone(policy.Private), own)
	}
	got, err := f.client.Get(ctx, egress.Request{URL: url, Policy: policy})
	if err != nil {
		return 0, nil, err
	}
	return got.Status, got.Body, nil
}

// client returns a client of the server that --server and --token name, or else of the one whose ready file is in the
// data folder.
func (g *grammar) client() (*console.Client, error) { return console.Find(g.Data, g.Server, g.Token) }

// program is what the commands about senders have of this one.
func (g *grammar) program(p process, out io.Writer) (*command.Program, error) {
	program := &command.Program{
		Out: out, Args: p.args, Version: version, Data: g.Data, Mask: mask().String, Fetcher: newFetcher, Examples: examples,
		Open: func(ctx context.Context, place command.Place) (command.House, error) { return g.open(ctx, p, place) },
	}
	if g.Server != "" {
		program.Remote = func(ctx context.Context, order command.Order, screen *command.Screen) (result.Run, error) {
			client, err := g.client()
			if err != nil {
				return result.Run{}, err
			}
			return console.Judge(ctx, client, order, screen)
		}
	}
	return program, nil
}

// examples returns the requests of a document that can be sent.
func examples(document []byte) ([]command.Example, error) {
	got, err := imports.Read("", document, plan.Write)
	if err != nil {
		return nil, err
	}
	out := make([]command.Example, 0, len(got.Examples))
	for _, e := range got.Examples {
		out = append(out, command.Example{Name: e.Name, Method: e.Method, Path: e.Path, Header: e.Header, Body: e.Body})
	}
	return out, nil
}

// open stands up a range for one run.
func (g *grammar) open(ctx context.Context, p process, place command.Place) (command.House, error) {
	level := g.Log
	if level == "info" {
		// The receiver's ordinary news would be in the midst of what the run prints.
		level = "error"
	}
	config := proving.Config{Base: strings.TrimSuffix(place.PublicURL, "/"), Dir: place.Dir}
	var err error
	if config.Log, err = newLog(p.err, level); err != nil {
		return nil, err
	}
	if place.Listen != "" {
		if err = checkBase(place.PublicURL); err != nil {
			return nil, err
		}
		if config.Listener, err = listen(ctx, "listen", place.Listen); err != nil {
			return nil, err
		}
		config.Base = base(place.PublicURL, config.Listener.Addr())
	}
	own, err := proving.Open(ctx, config)
	if err != nil {
		return nil, err
	}
	return lender{own}, nil
}

// openRuns makes what carries a server's conformance runs out.
func (h *house) openRuns(ctx context.Context, dir string) (*runs.Runs, error) {
	objects := func(own func() string) (scripts.Fetcher, error) { return newFetcher(webhook.FetchPolicy{}, own) }
	return runs.Open(ctx, runs.Config{House: h, Base: h.base, Dir: dir, Version: version, Fetcher: objects, Mask: mask().String, Log: h.log})
}

// Range lends endpoints whose names begin with a prefix.
func (h *house) Range(ctx context.Context, prefix string) runs.Range {
	return lender{proving.Share(ctx, proving.Server{Store: h.store, Bell: h.bell, Edge: h.edge, Base: h.base, Log: h.log}, prefix)}
}

// Clear deletes the endpoints whose names begin with a prefix, but one.
func (h *house) Clear(ctx context.Context, prefix, but string) error {
	return proving.Clear(ctx, h.store, prefix, but)
}
