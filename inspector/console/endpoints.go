package console

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const endpointsPath = "/api/v1/endpoints"

func endpointPath(name string) string { return endpointsPath + "/" + url.PathEscape(name) }

// Settings are the settings of an endpoint that a command line gives; nil ones are left alone.
type Settings struct {
	Secret         *string        `help:"Secret of the sender; an empty one makes a new random one."`
	PreviousSecret *string        `help:"A second secret that is accepted while the first one is rotated; empty ends that."`
	Scheme         *string        `help:"How a sender proves itself: query, none, header, hmac, langsmith, github, stripe, slack or standard-webhooks."`
	Param          *string        `help:"Query parameter of scheme query."`
	Header         *string        `help:"Header of schemes header and hmac."`
	Prefix         *string        `help:"Text before the digest of scheme hmac."`
	Encoding       *string        `help:"Encoding of the digest of scheme hmac: hex or base64."`
	Hash           *string        `help:"Hash of scheme hmac: sha256, sha1 or sha512."`
	Tolerance      *time.Duration `help:"Accepted clock difference of schemes with a timestamp."`
	Timestamp      *string        `help:"Header with the Unix time that scheme hmac signs before the body." name:"timestamp-header"`
	Respond        *string        `help:"What to answer, such as '503x2 200'."`
	Listener       *string        `help:"What the endpoint has for itself beside the shared port: none; plain or tls, a port of its own; or name, a TLS name on the port of serve --listen-tls. Only there are connections recorded and faults before HTTP possible."`
	ListenerPort   *int           `help:"Port of listener plain or tls; 0 takes a free one of serve --ports."`
	ListenerH2     *bool          `name:"listener-h2" env:"HOOKRANGE_LISTENER_H2" help:"Offer HTTP/2 beside HTTP/1.1 with listener tls or name."`
	Expect         []string       `help:"Header that each request must carry, as 'Name: value' or 'Name'." sep:"none"`
	RefusalStatus  *int           `help:"Status of the answer to a request that proves nothing, 400 to 499."`
	RefusalBody    *string        `help:"Body of that answer."`
	FetchOff       *bool          `help:"Do not fetch what presigned URLs name."`
	FetchHosts     []string       `help:"Hosts that presigned URLs may name, exact or *.suffix."`
	FetchPrivate   []string       `help:"Private object stores that may be asked, as host:port."`
	FetchBaseURL   *string        `help:"What relative presigned URLs are joined to."`
	Forward        []string       `sep:"none" placeholder:"'URL [WORD ...]'" help:"Where the server sends each new capture on to, in place of all forwards that there were; empty ends them. Words: all (rejected and incomplete ones too), off, sign=SCHEME (or sign=endpoint) and secret=SECRET to make the proof anew, policy=POLICY, and last q=QUERY."`

	RuleSettings
}

// EndpointOptions are those of CreateEndpoint and UpdateEndpoint.
type EndpointOptions struct {
	Name     string
	Settings Settings
	// Reveal shows secrets. A created endpoint's are always shown.
	Reveal bool
	JSON   bool
}

// NameOptions are those of ShowEndpoint and DeleteEndpoint.
type NameOptions struct {
	Name   string
	Reveal bool
	JSON   bool
}

// ListOptions are those of ListEndpoints.
type ListOptions struct {
	Reveal bool
	JSON   bool
}

func set[T any](body map[string]any, name string, value *T) {
	if value != nil {
		body[name] = *value
	}
}

// body returns the settings as a change in JSON.
func (s *Settings) body() (map[string]any, error) {
	body := map[string]any{}
	if err := setForwards(body, s.Forward); err != nil {
		return nil, err
	}
	set(body, "secret", s.Secret)
	set(body, "previous_secret", s.PreviousSecret)
	set(body, "scheme", s.Scheme)
	set(body, "param", s.Param)
	set(body, "header", s.Header)
	set(body, "prefix", s.Prefix)
	set(body, "encoding", s.Encoding)
	set(body, "hash", s.Hash)
	set(body, "timestamp_header", s.Timestamp)
	set(body, "respond", s.Respond)
	if s.Tolerance != nil {
		body["tolerance_ms"] = api.Millis(*s.Tolerance)
	}
	if s.Expect != nil {
		list := []api.Expectation{}
		for _, text := range s.Expect {
			name, value, _ := strings.Cut(text, ":")
			list = append(list, api.Expectation{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
		}
		body["expect"] = list
	}
	refusal := map[string]any{}
	set(refusal, "status", s.RefusalStatus)
	set(refusal, "body", s.RefusalBody)
	fetch := map[string]any{}
	set(fetch, "off", s.FetchOff)
	set(fetch, "base_url", s.FetchBaseURL)
	if s.FetchHosts != nil {
		fetch["hosts"] = s.FetchHosts
	}
	if s.FetchPrivate != nil {
		fetch["private"] = s.FetchPrivate
	}
	listener := map[string]any{}
	set(listener, "kind", s.Listener)
	set(listener, "port", s.ListenerPort)
	set(listener, "h2", s.ListenerH2)
	for name, part := range map[string]map[string]any{"refusal": refusal, "fetch": fetch, "listener": listener} {
		if len(part) > 0 {
			body[name] = part
		}
	}
	return body, nil
}

func revealing(reveal bool) url.Values {
	if !reveal {
		return nil
	}
	return url.Values{"reveal": {"true"}}
}

// CreateEndpoint creates an endpoint and prints it with its secret.
func CreateEndpoint(ctx context.Context, c *Client, opts EndpointOptions, out io.Writer) error {
	body, err := opts.Settings.body()
	if err != nil {
		return err
	}
	body["name"] = opts.Name
	if err := opts.Settings.put(ctx, c, "", body); err != nil {
		return err
	}
	var ep api.Endpoint
	if err := c.do(ctx, call{method: http.MethodPost, path: endpointsPath, body: body}, &ep); err != nil {
		return err
	}
	return printEndpoint(out, &ep, opts.JSON)
}

// UpdateEndpoint changes the settings that are given and prints the endpoint.
func UpdateEndpoint(ctx context.Context, c *Client, opts EndpointOptions, out io.Writer) error {
	body, err := opts.Settings.body()
	if err == nil {
		err = opts.Settings.put(ctx, c, opts.Name, body)
	}
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return &Error{text: "nothing to change", err: webhook.ErrInvalid, hint: "give at least one setting, such as --respond '503x2 200'"}
	}
	var ep api.Endpoint
	in := call{method: http.MethodPatch, path: endpointPath(opts.Name), query: revealing(opts.Reveal), body: body}
	if err := c.do(ctx, in, &ep); err != nil {
		return err
	}
	return printEndpoint(out, &ep, opts.JSON)
}

// ShowEndpoint prints an endpoint.
func ShowEndpoint(ctx context.Context, c *Client, opts NameOptions, out io.Writer) error {
	var ep api.Endpoint
	in := call{method: http.MethodGet, path: endpointPath(opts.Name), query: revealing(opts.Reveal)}
	if err := c.do(ctx, in, &ep); err != nil {
		return err
	}
	return printEndpoint(out, &ep, opts.JSON)
}

// ListEndpoints prints all endpoints, one line each.
func ListEndpoints(ctx context.Context, c *Client, opts ListOptions, out io.Writer) error {
	var list api.Endpoints
	if err := c.do(ctx, call{method: http.MethodGet, path: endpointsPath, query: revealing(opts.Reveal)}, &list); err != nil {
		return err
	}
	if opts.JSON {
		return printEach(out, list.Endpoints)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tACCEPTED\tREJECTED\tINCOMPLETE\tRESPOND\tURL")
	for _, ep := range list.Endpoints {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%s\t%s\n", plain(ep.Name), ep.Counts["accepted"], ep.Counts["rejected"],
			ep.Counts["incomplete"], shorten(plain(respond(&ep)), 40), plain(ep.URL))
	}
	return table.Flush()
}

// DeleteEndpoint deletes an endpoint with its captures and connections.
func DeleteEndpoint(ctx context.Context, c *Client, opts NameOptions, out io.Writer) error {
	in := call{method: http.MethodDelete, path: endpointPath(opts.Name)}
	if err := c.do(ctx, in, nil); err != nil {
		return err
	}
	return printOne(out, opts.JSON, map[string]string{"deleted": opts.Name}, "deleted "+plain(opts.Name))
}

func respond(ep *api.Endpoint) string {
	if ep.Respond == "" {
		return "200"
	}
	return ep.Respond
}

func listening(l *api.Listener) string {
	text := map[string]string{"plain": "a port of its own", "tls": "a port of its own, TLS", "name": "a name on the shared TLS port"}[l.Kind]
	if l.H2 {
		text += ", HTTP/2"
	}
	return text
}

func printEndpoint(out io.Writer, ep *api.Endpoint, asJSON bool) error {
	if asJSON {
		return printJSON(out, ep)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(table, "%s\t%s\n", name, plain(value))
		}
	}
	line("name", ep.Name)
	line("url", ep.URL)
	for i, way := range ep.URLs {
		if i > 0 {
			line("url ("+way.Via+")", way.URL)
		}
	}
	if ep.Listener.Kind != "none" {
		line("listener", listening(&ep.Listener))
	}
	line("no listener", ep.Listener.Problem)
	line("scheme", ep.Scheme)
	line("secret", ep.Secret)
	line("previous secret", ep.PreviousSecret)
	line("parameter", ep.Param)
	line("header", ep.Header)
	for _, e := range ep.Expect {
		line("expects", strings.TrimSuffix(e.Name+": "+e.Value, ": "))
	}
	for i := range ep.Rules {
		line("rule "+strconv.Itoa(i+1), ruleLine(&ep.Rules[i]))
	}
	line("respond", respond(ep))
	line("browsers", strings.Join(ep.CORS.Origins, " "))
	line("refusal", fmt.Sprint(ep.Refusal.Status))
	line("captures", fmt.Sprintf("%d accepted, %d rejected, %d incomplete",
		ep.Counts["accepted"], ep.Counts["rejected"], ep.Counts["incomplete"]))
	for i := range ep.Forwards {
		line("forward", forwarding(&ep.Forwards[i]))
	}
	if ep.Declared {
		line("declared", "by the settings file, which wins at each start")
	}
	return table.Flush()
}
