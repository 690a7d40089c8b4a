package console

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ExportOptions are those of Export.
type ExportOptions struct {
	Endpoint string
	// Format is har, jsonl, curl, csv, zip or dataset.
	Format string
	// Query and Classes as of the list; After, Before and Limit bound what is taken, nil is no bound.
	Query                string
	Classes              []string
	After, Before, Limit *int64
	Reveal               bool
	// Progress gets a line that is written over and over, or is nil.
	Progress io.Writer
}

// Exported says what an export holds.
type Exported struct {
	Bytes int64
	// Count of captures, or of a dataset's examples.
	Count int
	// LeftOut is how many the form cannot hold, and why, such as "0" or "3 (runs without inputs)".
	LeftOut string
}

// progressEvery is how often progress is shown.
const progressEvery = 200 * time.Millisecond

// Export writes captures to out in a format. When it returns an error, what was written is not whole.
func Export(ctx context.Context, c *Client, opts ExportOptions, out io.Writer) (Exported, error) {
	query := url.Values{"format": {opts.Format}}
	if opts.Query != "" {
		query.Set("q", opts.Query)
	}
	if len(opts.Classes) > 0 {
		query["class"] = opts.Classes
	}
	for name, n := range map[string]*int64{"after": opts.After, "before": opts.Before, "limit": opts.Limit} {
		if n != nil {
			query.Set(name, strconv.FormatInt(*n, 10))
		}
	}
	if opts.Reveal {
		query.Set("reveal", "true")
	}
	resp, err := c.open(ctx, call{method: http.MethodGet, path: endpointPath(opts.Endpoint) + "/export", query: query})
	if err != nil {
		return Exported{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // everything was read
	p := &progress{out: opts.Progress, start: time.Now()}
	n, err := io.Copy(io.MultiWriter(out, p), resp.Body)
	p.clear()
	done := Exported{Bytes: n, LeftOut: resp.Trailer.Get("Hookrange-Left-Out")}
	if err != nil {
		return done, &Error{text: fmt.Sprintf("the export broke off after %s: %v", size(n), err), hint: "what was written is not whole; try again", err: err}
	}
	if done.Count, err = strconv.Atoi(resp.Trailer.Get("Hookrange-Exported")); err != nil {
		return done, &Error{text: "the export broke off: the server did not say that it is whole", hint: "the server's log has the cause"}
	}
	return done, nil
}

// progress shows how much has come.
type progress struct {
	out   io.Writer
	start time.Time
	shown time.Time
	bytes int64
	width int
}

func (p *progress) Write(b []byte) (int, error) {
	p.bytes += int64(len(b))
	if p.out == nil || time.Since(p.shown) < progressEvery {
		return len(b), nil
	}
	p.shown = time.Now()
	text := size(p.bytes)
	if took := time.Since(p.start).Seconds(); took > 0 {
		text += ", " + size(int64(float64(p.bytes)/took)) + "/s"
	}
	p.show(text)
	return len(b), nil
}

func (p *progress) show(text string) {
	blank := strings.Repeat(" ", max(0, p.width-len(text)))
	p.width = len(text)
	// Nobody is helped by an error about progress.
	_, _ = io.WriteString(p.out, "\r"+text+blank)
}

func (p *progress) clear() {
	if p.out != nil && p.width > 0 {
		p.show("")
		_, _ = io.WriteString(p.out, "\r") // as above
	}
}
