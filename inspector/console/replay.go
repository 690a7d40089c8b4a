package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// ReplayOptions are those of Replay.
type ReplayOptions struct {
	Sending
	// Capture is SEQ, ENDPOINT/SEQ or ENDPOINT/latest; or ENDPOINT, for all of its captures that match Query and Classes.
	Capture string
	Query   string
	Classes []string
	// Server has the server send them, as far as its own settings allow.
	Server bool
	// Method, Set, Drop and Body change what goes out. Set fields are "Name: value" and take the place of those of that
	// name; a nil Body goes as it came.
	Method    string
	Set, Drop []string
	Body      []byte
}

// Replay sends captures on and prints each try. It returns ErrNotMet when one of them was not delivered.
func Replay(ctx context.Context, c *Client, opts ReplayOptions, out io.Writer) error {
	o, err := newOnward(c, opts.Sending, out)
	if err != nil {
		return err
	}
	endpoint, which, several := strings.Cut(opts.Capture, "/")
	several = !several && !isNumber(opts.Capture)
	if !several && (opts.Query != "" || len(opts.Classes) > 0) {
		return &Error{text: "a search needs an endpoint, not one capture", err: webhook.ErrInvalid, hint: "give the endpoint's name in the capture's place"}
	}
	failed := false
	one := func(endpoint string, seq int64) error {
		delivered, err := o.replay(ctx, endpoint, seq, &opts)
		failed = failed || !delivered
		return err
	}
	switch {
	case several:
		err = o.each(ctx, &opts, one)
	case isNumber(opts.Capture):
		endpoint, err = o.holder(ctx, opts.Capture)
		which = opts.Capture
		fallthrough
	default:
		var seq int64
		if err == nil {
			seq, err = o.seq(ctx, endpoint, which)
		}
		if err == nil {
			err = one(endpoint, seq)
		}
	}
	if err == nil && failed {
		err = ErrNotMet
	}
	return err
}

// noCapture tells how a command line names a capture.
func noCapture(text string) error {
	return &Error{text: fmt.Sprintf("capture %q: want a number, ENDPOINT/NUMBER or ENDPOINT/latest", text), err: webhook.ErrInvalid}
}

func isNumber(s string) bool {
	_, err := strconv.ParseInt(s, 10, 64)
	return err == nil
}

// holder finds the endpoint of a capture.
func (o *onward) holder(ctx context.Context, seq string) (string, error) {
	var list api.Endpoints
	if err := o.client.do(ctx, call{method: http.MethodGet, path: endpointsPath}, &list); err != nil {
		return "", err
	}
	for _, ep := range list.Endpoints {
		n, err := strconv.ParseInt(seq, 10, 64)
		if err != nil {
			return "", err
		}
		err = o.client.do(ctx, call{method: http.MethodGet, path: capturePath(ep.Name, n) + "/replays"}, nil)
		if err == nil {
			return ep.Name, nil
		}
		if !isStatus(err, http.StatusNotFound) {
			return "", err
		}
	}
	return "", &Error{text: fmt.Sprintf("no endpoint has a capture %s", seq), hint: "hookrange tail --after 0 shows what there is"}
}

func isStatus(err error, status int) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == status
}

func (o *onward) seq(ctx context.Context, endpoint, which string) (int64, error) {
	if which != "latest" {
		n, err := strconv.ParseInt(which, 10, 64)
		if err != nil {
			return 0, noCapture(which)
		}
		return n, nil
	}
	return newest(ctx, o.client, endpoint)
}

// newest returns the seq of an endpoint's newest capture.
func newest(ctx context.Context, c *Client, endpoint string) (int64, error) {
	var page api.Captures
	at := call{method: http.MethodGet, path: endpointPath(endpoint) + "/captures", query: url.Values{"limit": {"1"}}}
	if err := c.do(ctx, at, &page); err != nil {
		return 0, err
	}
	if len(page.Captures) == 0 {
		return 0, &Error{text: fmt.Sprintf("endpoint %q has no captures", endpoint)}
	}
	return page.Captures[0].Seq, nil
}

// each calls f for the captures that match, oldest first, up to the newest one now.
func (o *onward) each(ctx context.Context, opts *ReplayOptions, f func(endpoint string, seq int64) error) error {
	var info api.Info
	if err := o.client.do(ctx, call{method: http.MethodGet, path: "/api/v1/info"}, &info); err != nil {
		return err
	}
	query := url.Values{"order": {"asc"}, "limit": {"200"}, "before": {strconv.FormatInt(info.LastSeq+1, 10)}, "class": {"accepted"}}
	if len(opts.Classes) > 0 {
		query["class"] = opts.Classes
	}
	if opts.Query != "" {
		query.Set("q", opts.Query)
	}
	for count := 0; ; {
		var page api.Captures
		at := call{method: http.MethodGet, path: endpointPath(opts.Capture) + "/captures", query: query}
		if err := o.client.do(ctx, at, &page); err != nil {
			return err
		}
		for i := range page.Captures {
			count++
			if err := f(page.Captures[i].Endpoint, page.Captures[i].Seq); err != nil {
				return err
			}
		}
		if page.Next == nil {
			if count == 0 {
				return &Error{text: fmt.Sprintf("endpoint %q has no such captures", opts.Capture)}
			}
			return nil
		}
		query.Set("after", strconv.FormatInt(*page.Next, 10))
	}
}

// replay sends one capture on and says whether it was delivered.
func (o *onward) replay(ctx context.Context, endpoint string, seq int64, opts *ReplayOptions) (bool, error) {
	c, err := o.exact(ctx, endpoint, seq)
	if err != nil {
		return false, err
	}
	order := webhook.Order{By: webhook.ByClient, Capture: c, Method: opts.Method, Body: opts.Body}
	if len(opts.Set)+len(opts.Drop) > 0 {
		if order.Header, err = edited(webhook.Fields(c.Request.Head), opts.Set, opts.Drop); err != nil {
			return false, err
		}
	}
	if opts.Server {
		return o.byServer(ctx, &order)
	}
	last, err := o.send(ctx, order, func(webhook.Replay) bool { return true })
	return last != nil && last.Delivered, err
}

// edited returns fields with those of set in the place of the first of that name, or at the end, and without those of
// drop.
func edited(fields []webhook.Field, set, drop []string) ([]webhook.Field, error) {
	out := []webhook.Field{}
	without := map[string]bool{}
	for _, name := range drop {
		without[strings.ToLower(name)] = true
	}
	var added []webhook.Field
	for _, text := range set {
		name, value, ok := strings.Cut(text, ":")
		if !ok || name == "" {
			return nil, fmt.Errorf("%w: header %q: write 'Name: value'", webhook.ErrInvalid, name)
		}
		added = append(added, webhook.Field{Name: name, Value: strings.TrimSpace(value)})
		without[strings.ToLower(name)] = true
	}
	for _, f := range fields {
		if !without[strings.ToLower(f.Name)] {
			out = append(out, f)
			continue
		}
		for i := range added {
			if strings.EqualFold(added[i].Name, f.Name) {
				out = append(out, added[i])
				added = append(added[:i], added[i+1:]...)
				break
			}
		}
	}
	return append(out, added...), nil
}

// byServer has the server send a capture on.
func (o *onward) byServer(ctx context.Context, order *webhook.Order) (bool, error) {
	in := api.ReplayInput{URL: o.URL, Method: order.Method, BodyBase64: order.Body, Sign: o.Sign, Secret: o.Secret, Policy: o.Policy}
	for _, f := range order.Header {
		in.Headers = append(in.Headers, api.Pair{f.Name, f.Value})
	}
	var result api.ReplayResult
	at := call{
		method: http.MethodPost, path: capturePath(order.Capture.Endpoint, int64(order.Capture.Seq)) + "/replay", query: revealed(), body: in,
	}
	if err := o.client.do(ctx, at, &result); err != nil {
		return false, err
	}
	for i := range result.Replays {
		one := result.Replays[i].Noun()
		if err := o.print(&one); err != nil {
			return false, err
		}
	}
	if result.Problem != "" {
		return false, &Error{text: result.Problem}
	}
	return result.Delivered, nil
}
