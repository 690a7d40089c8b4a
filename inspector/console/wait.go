package console

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/hookrange/hookrange/inspector/api"
)

// maxSlice is the longest wait that the server takes at once.
const maxSlice = 10 * time.Minute

// WaitOptions are those of Wait.
type WaitOptions struct {
	Endpoint string
	// Count of captures to wait for. Defaults to 1.
	Count int
	// Match is an expression over method, path, header, query, body, attempt, class, kind and status.
	Match string
	// Within bounds the wait. Defaults to 30 seconds.
	Within time.Duration
	// None waits for the whole time and fails as soon as Count captures have come.
	None bool
	// After is a seq, or "now"; captures up to it do not count. Empty counts all that are kept.
	After string
	// Classes that count. Defaults to accepted.
	Classes []string
	Reveal  bool
	JSON    bool
	// Zone of printed times. Defaults to the local one.
	Zone *time.Location
}

// Wait blocks until Count captures match and prints them, or with None until Within has passed without
// them. It returns ErrNotMet if that was not so in the end; what did come is printed all the same.
func Wait(ctx context.Context, c *Client, opts WaitOptions, out io.Writer) error {
	if opts.Count == 0 {
		opts.Count = 1
	}
	if opts.Within == 0 {
		opts.Within = 30 * time.Second
	}
	if opts.Zone == nil {
		opts.Zone = time.Local
	}
	query := url.Values{"count": {strconv.Itoa(opts.Count)}, "class": opts.Classes}
	for name, value := range map[string]string{"match": opts.Match, "after": opts.After} {
		if value != "" {
			query.Set(name, value)
		}
	}
	for name, value := range map[string]bool{"none": opts.None, "reveal": opts.Reveal} {
		if value {
			query.Set(name, "true")
		}
	}
	got, err := c.waitAll(ctx, opts, query)
	if err != nil {
		return err
	}
	return printWait(out, opts, &got)
}

// waitAll waits in slices that the server takes. A "now" is the first slice's.
func (c *Client) waitAll(ctx context.Context, opts WaitOptions, query url.Values) (api.Wait, error) {
	if opts.After == "now" {
		var info api.Info
		if err := c.do(ctx, call{method: http.MethodGet, path: "/api/v1/info"}, &info); err != nil {
			return api.Wait{}, err
		}
		query.Set("after", strconv.FormatInt(info.LastSeq, 10))
	}
	end := time.Now().Add(opts.Within)
	for {
		slice := min(max(time.Until(end), 0), maxSlice)
		query.Set("timeout", slice.String())
		var got api.Wait
		in := call{
			method: http.MethodGet, path: endpointPath(opts.Endpoint) + "/wait",
			query: query, also: http.StatusRequestTimeout,
		}
		if err := c.do(ctx, in, &got); err != nil {
			return got, err
		}
		// Enough came: met, or with None not met. Either way more time changes nothing.
		if got.Met != opts.None || !time.Now().Before(end) {
			return got, nil
		}
	}
}

func printWait(out io.Writer, opts WaitOptions, got *api.Wait) error {
	for i := range got.Captures {
		one := &got.Captures[i]
		if err := printOne(out, opts.JSON, one, row(one, opts.Zone)); err != nil {
			return err
		}
	}
	if !opts.JSON {
		text := "met"
		if !got.Met {
			text = "not met"
		}
		what := fmt.Sprintf("%s: %d of %d captures", text, got.Count, opts.Count)
		if opts.None {
			what = fmt.Sprintf("%s: %d captures, fewer than %d expected", text, got.Count, opts.Count)
		}
		if err := printLine(out, what); err != nil {
			return err
		}
	}
	if !got.Met {
		return fmt.Errorf("wait for %s: %w: %d captures came within %s", opts.Endpoint, ErrNotMet, got.Count, opts.Within)
	}
	return nil
}
