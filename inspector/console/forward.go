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
	"time"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// ForwardOptions are those of Forward.
type ForwardOptions struct {
	Sending
	Endpoint string
	// After is a seq to begin after; nil begins now.
	After *int64
	// Classes that are sent on. Defaults to accepted.
	Classes []string
	// GoOn sends the next capture when the target cannot be reached, instead of trying this one until it can.
	GoOn bool
	// Keep is called with the seq up to which everything was sent on. Defaults to nothing.
	Keep func(seq int64) error
}

// forwardWait bounds one long poll.
const forwardWait = 30 * time.Second

// Forward sends the captures of an endpoint on as they come, one after another in their order, and prints each try. It
// reads them by cursor, so none is left out while the target or the server is away. It returns when ctx ends, with nil.
func Forward(ctx context.Context, c *Client, opts ForwardOptions, out io.Writer) error {
	o, err := newOnward(c, opts.Sending, out)
	if err != nil {
		return err
	}
	f := &forward{onward: o, opts: opts}
	if f.after, err = f.start(ctx); err != nil {
		return err
	}
	if opts.Keep != nil {
		// So that what comes before the first is sent on is not lost when this ends, and a file that cannot be kept is told of now.
		if err = opts.Keep(f.after); err != nil {
			return err
		}
	}
	pause := firstPause
	for {
		if err = f.page(ctx); err == nil {
			pause = firstPause
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		default:
		}
		if !away(err) {
			return err
		}
		if !wait(ctx, pause) {
			return nil
		}
		pause = min(2*pause, lastPause)
	}
}

// away says whether the server may come back.
func away(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Status == 0 && e.err != nil && !errors.Is(err, webhook.ErrInvalid) || e.Status >= http.StatusInternalServerError)
}

func wait(ctx context.Context, pause time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}

type forward struct {
	*onward
	opts ForwardOptions
	// after is the seq up to which everything was sent on.
	after int64
}

// start checks that the endpoint is there and returns the seq to begin after.
func (f *forward) start(ctx context.Context) (int64, error) {
	var ep api.Endpoint
	if err := f.client.do(ctx, call{method: http.MethodGet, path: endpointPath(f.opts.Endpoint)}, &ep); err != nil {
		return 0, err
	}
	if f.opts.After != nil {
		return *f.opts.After, nil
	}
	var info api.Info
	err := f.client.do(ctx, call{method: http.MethodGet, path: "/api/v1/info"}, &info)
	return info.LastSeq, err
}

// page waits for captures and sends those that there are.
func (f *forward) page(ctx context.Context) error {
	classes := f.opts.Classes
	if len(classes) == 0 {
		classes = []string{string(webhook.Accepted)}
	}
	base := endpointPath(f.opts.Endpoint)
	after := strconv.FormatInt(f.after, 10)
	var came api.Wait
	query := url.Values{"after": {after}, "class": classes, "timeout": {forwardWait.String()}}
	at := call{method: http.MethodGet, path: base + "/wait", query: query, also: http.StatusRequestTimeout}
	if err := f.client.do(ctx, at, &came); err != nil || !came.Met {
		return err
	}
	var page api.Captures
	query = url.Values{"after": {after}, "class": classes, "order": {"asc"}, "limit": {"100"}}
	if err := f.client.do(ctx, call{method: http.MethodGet, path: base + "/captures", query: query}, &page); err != nil {
		return err
	}
	for i := range page.Captures {
		if err := f.one(ctx, page.Captures[i].Seq); err != nil {
			return err
		}
		f.after = page.Captures[i].Seq
		if f.opts.Keep != nil {
			if err := f.opts.Keep(f.after); err != nil {
				return err
			}
		}
	}
	return nil
}

// one sends a capture on, again and again while the target cannot be reached.
func (f *forward) one(ctx context.Context, seq int64) error {
	c, err := f.exact(ctx, f.opts.Endpoint, seq)
	switch {
	case isStatus(err, http.StatusNotFound):
		return f.skip(seq, "deleted meanwhile")
	case err != nil:
		return err
	}
	for _, field := range webhook.Fields(c.Request.Head) {
		if strings.EqualFold(field.Name, webhook.ReplayMarker) {
			return f.skip(seq, "it was sent on before: a loop")
		}
	}
	pause, waiting := firstPause, false
	for {
		last, err := f.send(ctx, webhook.Order{By: webhook.ByForward, Capture: c}, func(r webhook.Replay) bool {
			// Of the tries of a target that is away only the first is of interest.
			return !waiting || r.Status != 0
		})
		switch {
		case errors.Is(err, webhook.ErrInvalid) && (c.Request.Truncated || c.Class == webhook.Incomplete):
			return f.skip(seq, "its body was not read whole")
		case err != nil:
			return err
		case last == nil || last.Status != 0 || f.opts.GoOn || !unreached(last):
			return nil
		}
		if !waiting {
			waiting = true
			if err := f.say("target away, trying again until it is there: capture %d waits", seq); err != nil {
				return err
			}
		}
		if !wait(ctx, pause) {
			return ctx.Err()
		}
		pause = min(2*pause, lastPause)
	}
}

// unreached says whether a try got no further than connecting, so that the target saw nothing.
func unreached(r *webhook.Replay) bool { return strings.HasPrefix(r.Failure, "cannot connect") }

func (f *forward) skip(seq int64, why string) error {
	if f.JSON {
		return printJSON(f.out, map[string]any{"capture": seq, "skipped": why})
	}
	return printLine(f.out, fmt.Sprintf("capture %d  not sent on: %s", seq, why))
}

// say prints a note, which has no place among JSON lines.
func (f *forward) say(format string, args ...any) error {
	if f.JSON {
		return nil
	}
	return printLine(f.out, fmt.Sprintf(format, args...))
}
