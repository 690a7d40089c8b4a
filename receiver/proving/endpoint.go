package proving

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/live"
	"github.com/hookrange/hookrange/receiver/secret"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// Endpoint is one that was lent or is kept. Its Return gives it back.
type Endpoint struct {
	house    *Range
	endpoint *webhook.Endpoint
	base     string
	secret   string
	bell     *live.Bell
	// kept outlives its cases: see Range.Keep.
	kept bool
}

// Name is the endpoint's in the store.
func (l *Endpoint) Name() string { return l.endpoint.Name }

// URL returns the hook URL; those after the first have a path below it.
func (l *Endpoint) URL(n int) string {
	hook := secret.HookURL(l.base, l.endpoint, false)
	if n <= 1 {
		return hook
	}
	path, query, found := strings.Cut(hook, "?")
	path += fmt.Sprintf("/%d", n)
	if found {
		path += "?" + query
	}
	return path
}

// Secret returns what the sender signs with.
func (l *Endpoint) Secret() string { return l.secret }

// Mask hides the endpoint's secret.
func (l *Endpoint) Mask() *secret.Mask { return secret.NewMask(l.endpoint) }

// Captures returns all captures so far, oldest first.
func (l *Endpoint) Captures(ctx context.Context, bodies bool) ([]webhook.Capture, error) {
	var all []webhook.Capture
	for {
		query := webhook.Query{Endpoint: l.endpoint.Name, Limit: 1000, Ascending: true, WithBody: bodies}
		if len(all) > 0 {
			query.After = all[len(all)-1].Seq
		}
		part, err := l.house.store.Captures(ctx, query)
		if err != nil || len(part) == 0 {
			slices.SortStableFunc(all, func(a, b webhook.Capture) int {
				return cmp.Or(a.ReceivedAt.Compare(b.ReceivedAt), cmp.Compare(a.Seq, b.Seq))
			})
			return all, err
		}
		all = append(all, part...)
	}
}

// Settle goes through the store's one writer, which has written by then what came before.
func (l *Endpoint) Settle(ctx context.Context) error {
	_, err := l.house.store.SaveEndpoint(ctx, *l.endpoint, false)
	return err
}

// Connections returns those that brought no request: the ended ones, and those that are open and have brought none yet.
func (l *Endpoint) Connections(ctx context.Context) ([]webhook.Connection, error) {
	switch {
	case l.house.cramped != nil:
		return nil, fmt.Errorf("%w: %w", webhook.ErrUnavailable, l.house.cramped)
	case l.endpoint.Listener == nil:
		return nil, fmt.Errorf("%w: the endpoint has no listener of its own, so connections without a request are not counted", webhook.ErrUnavailable)
	}
	var all []webhook.Connection
	for after := webhook.Seq(0); ; {
		part, err := l.house.store.Connections(ctx, webhook.Query{Endpoint: l.endpoint.Name, After: after, Limit: 1000, Ascending: true})
		if err != nil {
			return nil, err
		}
		if len(part) == 0 {
			break
		}
		after = part[len(part)-1].Seq
		all = append(all, part...)
	}
	all = append(all, l.house.edge.Open(l.endpoint.Name)...)
	slices.SortStableFunc(all, func(a, b webhook.Connection) int { return a.At.Compare(b.At) })
	// A try that was dropped first and accepted when the sender's system repeated it is one try.
	seen := map[netip.AddrPort]bool{}
	for i := range all {
		seen[all[i].Peer] = seen[all[i].Peer] || all[i].Requests > 0
	}
	return slices.DeleteFunc(all, func(c webhook.Connection) bool {
		done := seen[c.Peer]
		seen[c.Peer] = true
		return done
	}), nil
}

// Wait blocks until something new was seen.
func (l *Endpoint) Wait(ctx context.Context, after webhook.Seq) (webhook.Seq, error) {
	return l.bell.Wait(ctx, after)
}

// Replan changes the answers.
func (l *Endpoint) Replan(ctx context.Context, respond string) error {
	if err := l.house.edge.CheckRespond(respond); err != nil {
		return err
	}
	changed := *l.endpoint
	changed.Respond = respond
	saved, err := l.house.store.SaveEndpoint(ctx, changed, false)
	if err == nil {
		l.endpoint = saved
	}
	return err
}

// Return closes the port and, in a store of the range's own, deletes the endpoint with its captures. One that is kept
// answers 200 from then on. Calls after the first do nothing.
func (l *Endpoint) Return(ctx context.Context) error {
	l.house.mu.Lock()
	_, there := l.house.lent[l.endpoint.Name]
	delete(l.house.lent, l.endpoint.Name)
	l.house.mu.Unlock()
	if !there {
		return nil
	}
	if l.kept {
		return l.Replan(ctx, "200")
	}
	if l.house.dir == "" {
		kept := *l.endpoint
		kept.Respond, kept.Listener = "", nil
		_, err := l.house.store.SaveEndpoint(ctx, kept, false)
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return l.house.store.DeleteEndpoint(ctx, l.endpoint.Name)
}
