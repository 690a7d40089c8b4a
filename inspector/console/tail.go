package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/gorilla/websocket"

	"github.com/hookrange/hookrange/inspector/api"
)

const (
	firstPause = 200 * time.Millisecond
	lastPause  = 5 * time.Second
	// patience is how long a capture without an outcome is kept back.
	patience = time.Second
	maxEvent = 64 << 20
	// maxWaiting captures are kept back at most; the receiver has no more under way.
	maxWaiting = 10_000
	quiet      = 70 * time.Second
)

// TailOptions are those of Tail.
type TailOptions struct {
	// Endpoint to follow; empty follows all.
	Endpoint string
	// After is a seq to begin after; nil begins now.
	After *int64
	// JSON prints captures as JSON, one a line; Facts prints the messages of the live feed as they come in place of them.
	JSON, Facts bool
	// Zone of printed times. Defaults to the local one.
	Zone *time.Location

	// event gets the facts in place of out, and connected whether there is a connection. Defaults to printing.
	event     func(*api.Event) error
	connected func(bool)
}

// Tail prints captures as they arrive, one line each once their answer has ended; one that takes longer than
// a second to answer is printed before and after. A connection that brought no request is a line too, but for JSON. It
// reconnects when the server restarts and goes on where it was. It returns when ctx ends, with nil, or with an
// *Error when the server cannot be reached at first or refuses the token.
func Tail(ctx context.Context, c *Client, opts TailOptions, out io.Writer) error {
	if opts.Zone == nil {
		opts.Zone = time.Local
	}
	if opts.connected == nil {
		opts.connected = func(bool) {}
	}
	if opts.Endpoint != "" {
		// The feed of an endpoint that is not there says nothing.
		in := call{method: http.MethodGet, path: endpointPath(opts.Endpoint)}
		if err := c.do(ctx, in, new(api.Endpoint)); err != nil {
			return err
		}
	}
	t := &tail{client: c, opts: opts, out: out, waiting: map[int64]*held{}}
	pause := firstPause
	for {
		err := t.follow(ctx)
		select {
		case <-ctx.Done():
			return nil
		default:
		}
		if _, final := errors.AsType[*Error](err); final && !t.retry(err) {
			return err
		}
		if t.failed != nil {
			return t.failed
		}
		if t.fresh {
			pause, t.fresh = firstPause, false
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
			pause = min(2*pause, lastPause)
		}
	}
}

// tail is where a Tail stands, over all its connections.
type tail struct {
	client *Client
	opts   TailOptions
	out    io.Writer
	// waiting are captures whose outcome has not come, by seq.
	waiting map[int64]*held
	// known is true once a server has answered, fresh since the last connection.
	known, fresh bool
	// failed is the first error of out.
	failed error
}

// held is a capture that waits for its outcome.
type held struct {
	capture api.Capture
	since   time.Time
	shown   bool
}

// retry reports whether an error may pass: the server was there before, and did not refuse us.
func (t *tail) retry(err error) bool {
	e, _ := errors.AsType[*Error](err)
	return t.known && (e.Status == 0 || e.Status >= http.StatusInternalServerError)
}

// follow prints one connection's messages until it ends.
func (t *tail) follow(ctx context.Context) error {
	conn, err := t.client.live(ctx, t.opts)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	messages := make(chan []byte)
	ended := make(chan error, 1)
	go func() { ended <- read(ctx, conn, messages) }()
	t.opts.connected(true)
	defer func() {
		t.opts.connected(false)
		cancel()
		_ = conn.Close()
		<-ended //nolint:errcheck // the reader ends with its connection; its reason was seen or matters no more
	}()
	tick := time.NewTicker(patience)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case text := <-messages:
			if err := t.message(text); err != nil {
				t.failed = err
				return err
			}
		case <-tick.C:
			if err := t.late(); err != nil {
				t.failed = err
				return err
			}
		case err := <-ended:
			ended <- err
			return refusedSocket(err)
		}
	}
}

// refusedSocket tells a refused token from a connection that broke.
func refusedSocket(err error) error {
	if websocket.IsCloseError(err, websocket.ClosePolicyViolation) {
		return refused(http.StatusUnauthorized, []byte(`{"detail":"token"}`))
	}
	return err
}

func read(ctx context.Context, conn *websocket.Conn, messages chan<- []byte) error {
	conn.SetReadLimit(maxEvent)
	alive := func() error { return conn.SetReadDeadline(time.Now().Add(quiet)) }
	answer := conn.PingHandler()
	conn.SetPingHandler(func(text string) error {
		if err := alive(); err != nil {
			return err
		}
		return answer(text)
	})
	for {
		if err := alive(); err != nil {
			return err
		}
		_, text, err := conn.ReadMessage()
		if err != nil {
			return err
		}
		select {
		case messages <- text:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// live opens a live socket.
func (c *Client) live(ctx context.Context, opts TailOptions) (*websocket.Conn, error) {
	query := url.Values{}
	if opts.Endpoint != "" {
		query.Set("endpoint", opts.Endpoint)
	}
	if opts.After != nil {
		query.Set("after", strconv.FormatInt(*opts.After, 10))
	}
	u, err := c.address("/api/v1/live", query)
	if err != nil {
		return nil, err
	}
	u.Scheme = map[string]string{"http": "ws", "https": "wss"}[u.Scheme]
	dialer := websocket.Dialer{HandshakeTimeout: 10 * time.Second}
	conn, resp, err := dialer.DialContext(ctx, u.String(), http.Header{"Authorization": {"Bearer " + c.Token}})
	if resp != nil {
		defer resp.Body.Close() //nolint:errcheck // nothing is left to read
	}
	if err == nil {
		return conn, nil
	}
	if resp != nil {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // whatever came is enough
		return nil, refused(resp.StatusCode, text)
	}
	return nil, c.unreachable(ctx, err)
}

// message handles one message of the feed.
func (t *tail) message(text []byte) error {
	t.known, t.fresh = true, true
	var e api.Event
	if err := json.Unmarshal(text, &e); err != nil {
		return fmt.Errorf("tail: a message of the live feed is no JSON: %w", err)
	}
	if e.Type == "ready" {
		if t.opts.After == nil {
			t.opts.After = e.Last
		}
		return nil
	}
	t.opts.After = new(e.Seq)
	if t.opts.event != nil {
		return t.opts.event(&e)
	}
	if t.opts.Facts {
		return printLine(t.out, string(text))
	}
	switch {
	case e.Capture != nil && (e.Capture.Outcome != nil || len(t.waiting) >= maxWaiting):
		return t.print(e.Capture)
	case e.Capture != nil:
		t.waiting[e.Seq] = &held{capture: *e.Capture, since: time.Now()}
	case e.Outcome != nil:
		h, found := t.waiting[e.Of]
		if !found {
			return nil
		}
		delete(t.waiting, e.Of)
		h.capture.Outcome = e.Outcome
		return t.print(&h.capture)
	case e.Connection != nil && e.Connection.Requests == 0 && !t.opts.JSON:
		return printLine(t.out, connectionRow(e.Connection, t.opts.Zone))
	case e.Deletion != nil:
		t.forget(e.Endpoint, e.Deletion)
	}
	return nil
}

func (t *tail) print(c *api.Capture) error {
	if t.opts.JSON {
		return printJSON(t.out, c)
	}
	return printLine(t.out, row(c, t.opts.Zone))
}

func (t *tail) forget(endpoint string, d *api.Deletion) {
	for seq, h := range t.waiting {
		through := !d.Connections && d.Through > 0 && seq <= d.Through && (d.Class == "" || d.Class == h.capture.Class)
		if h.capture.Endpoint == endpoint && (d.Endpoint || through || slices.Contains(d.Captures, seq)) {
			delete(t.waiting, seq)
		}
	}
}

// late prints captures whose answer takes long, once.
func (t *tail) late() error {
	for _, seq := range slices.Sorted(maps.Keys(t.waiting)) {
		h := t.waiting[seq]
		if h.shown || time.Since(h.since) < patience {
			continue
		}
		h.shown = true
		if err := t.print(&h.capture); err != nil {
			return err
		}
	}
	return nil
}
