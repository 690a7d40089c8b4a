package console

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// Relay sends captures on from this machine.
type Relay interface {
	// Send blocks until the replay has ended and tells each try. It returns ErrInvalid for an order that is refused.
	Send(ctx context.Context, o webhook.Order, tell func(webhook.Replay)) error
}

// Sending is what replay and forward have in common.
type Sending struct {
	// URL to send to.
	URL string
	// Policy to deliver by; empty tries once.
	Policy string
	// Sign makes the proof anew as the endpoint's scheme has it, with Secret or else with the endpoint's own.
	Sign   bool
	Secret string
	// JSON prints one object for each try.
	JSON bool
	// Relay returns what sends on, and refuses to send to any of the bases or to a path below it.
	Relay func(bases []string) Relay
}

// onward sends captures of one endpoint on and tells its server what became of them.
type onward struct {
	client *Client
	Sending
	// relay is made with the first capture, whose endpoint it does not send to.
	relay Relay
	out   io.Writer
	// proofs are the policies to sign with, by endpoint.
	proofs map[string]*webhook.SecretPolicy
}

func newOnward(c *Client, s Sending, out io.Writer) (*onward, error) {
	// Said before there is something to send, and without the URL, which may hold a secret.
	if u, err := url.Parse(s.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%w: URL: give http:// or https:// and a host", webhook.ErrInvalid)
	}
	return &onward{client: c, Sending: s, out: out, proofs: map[string]*webhook.SecretPolicy{}}, nil
}

// from makes the relay for captures of an endpoint, which may go to other endpoints of the same server: those mark what
// was sent on, so it comes back no more.
func (o *onward) from(ctx context.Context, endpoint string) error {
	if o.relay != nil {
		return nil
	}
	var info api.Info
	if err := o.client.do(ctx, call{method: http.MethodGet, path: "/api/v1/info"}, &info); err != nil {
		return err
	}
	var ep api.Endpoint
	if err := o.client.do(ctx, call{method: http.MethodGet, path: endpointPath(endpoint)}, &ep); err != nil {
		return err
	}
	bases := []string{o.client.Base, strings.TrimSuffix(info.HookBase, "/") + "/hooks/" + ep.Name}
	for _, at := range ep.URLs {
		bases = append(bases, at.URL)
	}
	o.relay = o.Relay(bases)
	return nil
}

func capturePath(endpoint string, seq int64) string {
	return fmt.Sprintf("%s/captures/%d", endpointPath(endpoint), seq)
}

func revealed() url.Values { return url.Values{"reveal": {"true"}} }

// exact reads a capture as it was sent.
func (o *onward) exact(ctx context.Context, endpoint string, seq int64) (*webhook.Capture, error) {
	var shown api.Capture
	at := capturePath(endpoint, seq)
	if err := o.client.do(ctx, call{method: http.MethodGet, path: at, query: revealed()}, &shown); err != nil {
		return nil, err
	}
	raw, err := o.client.bytes(ctx, call{method: http.MethodGet, path: at + "/raw", query: revealed()})
	if err != nil {
		return nil, err
	}
	body, err := o.client.bytes(ctx, call{method: http.MethodGet, path: at + "/body", query: revealed()})
	if err != nil {
		return nil, err
	}
	return &webhook.Capture{
		Seq: webhook.Seq(shown.Seq), Endpoint: shown.Endpoint, Class: webhook.Class(shown.Class), Attempt: shown.Attempt,
		Request: webhook.Request{Method: shown.Method, Target: shown.Target, Head: headOf(raw), Body: body, Truncated: shown.Truncated},
	}, nil
}

// headOf returns the head with the blank line that ends it.
func headOf(raw []byte) []byte {
	end := len(raw)
	for _, blank := range []string{"\r\n\r\n", "\n\n"} {
		if i := bytes.Index(raw, []byte(blank)); i >= 0 {
			end = min(end, i+len(blank))
		}
	}
	return raw[:end]
}

// proof returns what to sign captures of an endpoint with, or nil.
func (o *onward) proof(ctx context.Context, endpoint string) (*webhook.SecretPolicy, error) {
	if !o.Sign && o.Secret == "" {
		return nil, nil //nolint:nilnil // nothing to sign is no error
	}
	if known, ok := o.proofs[endpoint]; ok {
		return known, nil
	}
	var ep api.Endpoint
	at := call{method: http.MethodGet, path: endpointPath(endpoint), query: revealed()}
	if err := o.client.do(ctx, at, &ep); err != nil {
		return nil, err
	}
	p := &webhook.SecretPolicy{
		Scheme: webhook.Scheme(ep.Scheme), Param: ep.Param, Header: ep.Header, Prefix: ep.Prefix, Encoding: ep.Encoding, Hash: ep.Hash,
		Secrets: []string{ep.Secret},
	}
	if o.Secret != "" {
		p.Secrets = []string{o.Secret}
	}
	o.proofs[endpoint] = p
	return p, nil
}

// send carries an order out, prints its tries and tells the server of them. It returns the last try, or nil when there
// was none; keep says of a try whether it is printed and told.
func (o *onward) send(ctx context.Context, order webhook.Order, keep func(webhook.Replay) bool) (*webhook.Replay, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	order.ID, order.URL, order.Policy = id.String(), o.URL, o.Policy
	if order.Sign, err = o.proof(ctx, order.Capture.Endpoint); err != nil {
		return nil, err
	}
	if err = o.from(ctx, order.Capture.Endpoint); err != nil {
		return nil, err
	}
	var last *webhook.Replay
	var failed error
	err = o.relay.Send(ctx, order, func(r webhook.Replay) {
		last = &r
		if failed != nil || !keep(r) {
			return
		}
		if failed = o.print(&r); failed == nil {
			failed = o.tell(ctx, &r)
		}
	})
	if err == nil {
		err = failed
	}
	return last, err
}

// tellTime bounds how long a try waits for a server that is away.
const tellTime = time.Minute

// tell tells the server of a try, which is told whatever becomes of ctx. Of a capture that was deleted meanwhile there is
// nothing to tell.
func (o *onward) tell(ctx context.Context, r *webhook.Replay) error {
	patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTime)
	defer cancel()
	at := call{
		method: http.MethodPost, path: capturePath(r.Endpoint, int64(r.Capture)) + "/replays", body: api.View{Mask: api.Exact{}}.Replay(r),
	}
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := o.client.do(patient, at, nil)
		if isStatus(err, http.StatusNotFound) {
			return nil
		}
		if err == nil || !away(err) || ctx.Err() != nil || !wait(patient, pause) {
			return err
		}
	}
}

func (o *onward) print(r *webhook.Replay) error { return printReplay(o.out, r, o.JSON) }

func printReplay(out io.Writer, r *webhook.Replay, asJSON bool) error {
	if asJSON {
		return printJSON(out, api.View{Mask: api.Exact{}}.Replay(r))
	}
	var text strings.Builder
	fmt.Fprintf(&text, "capture %d  attempt %d", r.Capture, r.Attempt)
	if r.Try > 1 {
		fmt.Fprintf(&text, ", connect %d", r.Try)
	}
	if r.Hop > 0 {
		fmt.Fprintf(&text, ", redirect %d", r.Hop)
	}
	switch {
	case r.Failure != "":
		text.WriteString("  " + plain(r.Failure))
	default:
		text.WriteString("  " + strings.TrimSpace(strconv.Itoa(r.Status)+" "+http.StatusText(r.Status)))
	}
	fmt.Fprintf(&text, "  after %s", round(r.Duration))
	switch {
	case r.NextIn != nil:
		fmt.Fprintf(&text, ", next in %s", round(*r.NextIn))
	case !r.Delivered:
		text.WriteString(", not delivered")
	}
	return printLine(out, text.String())
}

func round(d time.Duration) time.Duration {
	if d >= time.Second {
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(100 * time.Microsecond)
}
