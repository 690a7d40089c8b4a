package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/hookrange/hookrange/inspector"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/inspector/console"
	"github.com/hookrange/hookrange/inspector/runs"
	"github.com/hookrange/hookrange/inspector/ui"
	"github.com/hookrange/hookrange/receiver"
	"github.com/hookrange/hookrange/receiver/gate"
	"github.com/hookrange/hookrange/receiver/live"
	"github.com/hookrange/hookrange/receiver/meter"
	"github.com/hookrange/hookrange/receiver/payload"
	"github.com/hookrange/hookrange/receiver/plan"
	"github.com/hookrange/hookrange/receiver/resolve"
	"github.com/hookrange/hookrange/receiver/resolve/egress"
	"github.com/hookrange/hookrange/receiver/secret"
	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/receiver/wire"
)

type serveCommand struct {
	Listen        string   `help:"Address of the receiver; port 0 takes a free one." default:"127.0.0.1:8080"`
	Inspect       string   `help:"Address of the inspector; port 0 takes a free one." default:"127.0.0.1:8081"`
	PublicURL     string   `help:"Base of the hook URLs as senders see it, such as a tunnel's address. It leads to --listen: URLs of endpoints with a port or a TLS name of their own do not begin with it." placeholder:"URL"`
	ReadyFile     string   `help:"File that gets the addresses, the token and the hook URLs as JSON once both ports accept." placeholder:"FILE"`
	Host          []string `help:"Further host names that the inspector answers to, beside the loopback names." placeholder:"NAME"`
	Origin        []string `help:"Further origins whose pages may call the inspector." placeholder:"ORIGIN"`
	MaxBody       int64    `help:"Largest body of a webhook in bytes." default:"10485760"`
	MaxHeader     int      `help:"Largest head of a webhook in bytes." default:"65536"`
	Ports         string   `help:"Ports for endpoints that have one of their own, because they ask for it or their faults come before HTTP; outside of those for outgoing connections." default:"20000-20999" placeholder:"FIRST-LAST"`
	ListenTLS     string   `help:"Address of a TLS port that endpoints with listener 'name' share; a sender names the endpoint as ENDPOINT.DOMAIN (SNI)." placeholder:"ADDR"`
	TLSDomain     string   `help:"Domain of these names. They must lead to this machine: a DNS record *.DOMAIN, or lines in the hosts file. Browsers and curl take *.localhost for this machine by themselves, other programs where the system does." default:"localhost" placeholder:"DOMAIN"`
	ListenerHost  string   `help:"Host by which senders reach the endpoints' own ports, in their URLs. Without it, the address of --listen." placeholder:"HOST"`
	NoIndex       bool     `help:"Keep no search index, and take away one that is there. The index takes about half as much space again as what it finds, and a few hundredths of the processors while captures come in numbers. Without it a search reads captures one by one, at most 20 000 at a time."`
	TrustedProxy  []string `help:"Network of proxies, such as 10.0.0.0/8, or an address of one, whose X-Forwarded-For says which client a request comes from. Repeatable. From others the header is not heeded." placeholder:"CIDR"`
	ClientRate    float64  `help:"Requests a second from one client, an IPv4 address or an IPv6 /64; as many may come at once. Those over it are answered 503 with Retry-After and not recorded. 0 is no limit." default:"0"`
	EndpointRate  float64  `help:"The same for all requests to one endpoint." default:"0"`
	ClientWaiting int64    `help:"Answers that may wait for one client at once: a further one is replaced by a 503, as one over the limit of its endpoint is. 0 is no limit." default:"0"`
	Replay        []string `help:"Private target that captures may be sent on to, such as 127.0.0.1:3000. Public ones always may, and metadata services never." name:"replay-private" placeholder:"HOST:PORT"`
}

// What --max-body and --max-header may be. A row of the store has room for a body, its head and its chunks.
const (
	largestBody            = 256 << 20
	leastHead, largestHead = 1 << 10, 16 << 20
)

// Run serves until ctx ends.
func (c *serveCommand) Run(ctx context.Context, cli *grammar, p *process, settings *settingsFile) (err error) {
	h := house{bell: live.New(), metrics: meter.NewSet(), room: givenRoom()}
	if h.log, err = newLog(p.err, cli.Log); err != nil {
		return err
	}
	if err = c.check(); err != nil {
		return err
	}
	if h.store, err = store.Open(ctx, c.storing(cli.Data, &h)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.store.Close()) }()
	if h.token, err = c.takeOver(cli); err != nil {
		return err
	}
	hooks, err := listen(ctx, "listen", c.Listen)
	if err != nil {
		return err
	}
	defer hooks.Close() //nolint:errcheck // Run has closed it, unless it was never called
	names, end, err := h.names(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	if h.edge, err = h.receiver(c, names, cli.Data, hooks.Addr()); err != nil {
		return err
	}
	if err = h.agree(ctx, settings); err != nil {
		return err
	}
	people, err := listen(ctx, "inspect", c.Inspect)
	if err != nil {
		return err
	}
	defer people.Close() //nolint:errcheck // as above
	h.base = base(c.PublicURL, hooks.Addr())
	h.sends = h.relay(c.Replay, hooks.Addr(), people.Addr())
	if err = h.openKept(ctx, cli.Data); err != nil {
		return err
	}
	watch, err := h.inspector(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.withdraw(cli.Data)) }()
	if err = c.announce(p.out, cli.Data, h.ready(hooks.Addr(), people.Addr())); err != nil {
		return err
	}
	return together(ctx,
		func(ctx context.Context) error { return h.edge.Run(ctx, hooks) },
		func(ctx context.Context) error { return watch.Run(ctx, people) },
		h.resolver().Run, h.tests.Run, h.forwards.Run, h.room.follow,
	)
}

// storing says how captures are kept.
func (c *serveCommand) storing(dir string, h *house) store.Config {
	config := store.Config{Dir: dir, Bell: h.bell, Log: h.log, ListBytes: h.room.listed()}
	if !c.NoIndex {
		config.Marker = inspector.Marker{Decode: unpacked, Describe: describe}
	}
	return config
}

// house is what the parts of one server share.
type house struct {
	store   *store.Store
	edge    *receiver.Server
	bell    *live.Bell
	metrics *meter.Set
	log     *slog.Logger
	// token opens the inspector; base begins each hook URL.
	token, base string
	tests       *runs.Runs
	// ports are those of endpoints' own listeners, named is where those told apart by their TLS name are, if anywhere.
	ports    gate.Ports
	named    net.Addr
	sends    guarded
	forwards forwards
	// room bounds the memory.
	room room
}

// openKept opens what has files of its own in the data folder: the conformance runs, and how far forwards are.
func (h *house) openKept(ctx context.Context, dir string) (err error) {
	if h.tests, err = h.openRuns(ctx, filepath.Join(dir, "tests")); err != nil {
		return err
	}
	h.forwards, err = h.openForwards(dir)
	return err
}

// names is the TLS port that endpoints share, or nil; end closes it.
func (h *house) names(ctx context.Context, c *serveCommand) (names *gate.Names, end func() error, err error) {
	if c.ListenTLS == "" {
		return nil, func() error { return nil }, nil
	}
	ln, err := listen(ctx, "listen-tls", c.ListenTLS)
	if err != nil {
		return nil, nil, err
	}
	h.named = ln.Addr()
	if names, err = gate.NewNames(ln, c.TLSDomain, h.log); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("--tls-domain: %w", err), ln.Close())
	}
	return names, names.Close, nil
}

func (h *house) receiver(c *serveCommand, names *gate.Names, dir string, addr net.Addr) (*receiver.Server, error) {
	own := &receiver.Listeners{Name: c.ListenerHost, Names: names}
	if tcp, ok := addr.(*net.TCPAddr); ok {
		own.Host = tcp.AddrPort().Addr().Unmap()
	}
	if _, err := fmt.Sscanf(c.Ports, "%d-%d", &own.Ports.First, &own.Ports.Last); err != nil {
		return nil, fmt.Errorf("%w: --ports %q: give two ports, such as 20000-20999", webhook.ErrInvalid, c.Ports)
	}
	h.ports = own.Ports
	limits, err := c.limits()
	if err != nil {
		return nil, err
	}
	err = own.Ports.Check()
	switch {
	case err == nil:
		if own.Authority, err = keepAuthority(dir); err != nil {
			return nil, err
		}
	case own.Ports == (gate.Ports{}).WithDefaults() && names == nil:
		// Nobody asked for these ports.
		h.log.Warn("no faults before HTTP: set --ports", slog.Any("error", err))
		own = nil
	default:
		return nil, fmt.Errorf("--ports: %w", err)
	}
	return receiver.New(receiver.Config{
		Store: h.store, Log: h.log, Metrics: h.metrics, Limits: wire.Limits{Body: c.MaxBody, Head: c.MaxHeader}, Listeners: own,
		Waiting: h.room.waiting(), InFlight: h.room.inFlight(c.MaxBody), Throttle: limits,
	}), nil
}

// hookURL is where a sender reaches an endpoint: at its own listener, where it has one.
func (h *house) hookURL(base string, ep *webhook.Endpoint, masked bool) string {
	if own, ok := h.edge.Address(ep.Name); ok {
		base = own
	}
	return secret.HookURL(base, ep, masked)
}

func (h *house) inspector(c *serveCommand) (*inspector.Server, error) {
	return inspector.New(inspector.Config{
		Store: roomyStore{h.store, h.room}, Bell: h.bell, Decode: unpacked, Describe: describe, CheckRespond: h.edge.CheckRespond, Mask: mask,
		Secrets:   inspector.SecretTools{New: secret.NewSecret, Check: checkPolicies, HookURL: secret.HookURL, Explain: secret.Explain},
		Rules:     inspector.RuleTools{Check: h.edge.CheckAnswers, Try: h.edge.Try, Write: plan.Write},
		Listeners: h.edge, Policies: policies(), Relay: h.sends, Forwards: h.forwards,
		Tests: h.tests, UI: ui.FS(), Token: h.token, Hosts: c.Host, Origins: c.Origin, HookBase: h.base,
		Set: h.metrics, Metrics: meter.WriteProcess, Version: version, Log: h.log,
	})
}

func (h *house) resolver() *resolve.Resolver {
	return resolve.New(resolve.Config{
		Store: h.store, Refs: refs, Endpoint: h.store.Endpoint, Client: egress.New(egress.Config{Version: version}), Bell: h.bell, Log: h.log,
	})
}

func (h *house) ready(hooks, people net.Addr) console.Ready {
	ready := console.Ready{Receiver: reachable(hooks), Inspector: reachable(people), Token: h.token}
	for _, ep := range h.store.Endpoints() {
		ready.Endpoints = append(ready.Endpoints, console.ReadyEndpoint{ep.Name, h.hookURL(h.base, ep, false)})
		if len(ep.Fetch.Private) > 0 {
			h.log.Warn("private object stores may be asked", slog.String("endpoint", ep.Name), slog.Any("private", ep.Fetch.Private))
		}
	}
	return ready
}

func (c *serveCommand) check() error {
	if c.MaxBody < 1 || c.MaxBody > largestBody {
		return fmt.Errorf("%w: --max-body %d: want 1 to %d bytes", webhook.ErrInvalid, c.MaxBody, largestBody)
	}
	if c.MaxHeader < leastHead || c.MaxHeader > largestHead {
		return fmt.Errorf("%w: --max-header %d: want %d to %d bytes", webhook.ErrInvalid, c.MaxHeader, leastHead, largestHead)
	}
	if strings.ContainsAny(c.ListenerHost, "/@?# ") || strings.Contains(c.ListenerHost, ":") && net.ParseIP(c.ListenerHost) == nil {
		return fmt.Errorf("%w: --listener-host %q: want a host name or an address alone, without scheme and port", webhook.ErrInvalid, c.ListenerHost)
	}
	_, err := c.limits()
	return errors.Join(checkBase(c.PublicURL), checkPrivate(c.Replay), err)
}

// checkBase refuses a --public-url that hook URLs cannot begin with.
func checkBase(base string) error {
	if base == "" {
		return nil
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%w: --public-url %q: want http:// or https://, a host, and no query", webhook.ErrInvalid, base)
	}
	return nil
}

// together runs all tasks until one fails or ctx ends, and waits for every one.
func together(ctx context.Context, tasks ...func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	failures := make([]error, len(tasks))
	var wg sync.WaitGroup
	for i, task := range tasks {
		wg.Go(func() {
			defer stop()
			if err := task(ctx); !errors.Is(err, context.Canceled) {
				failures[i] = err
			}
		})
	}
	wg.Wait()
	return errors.Join(failures...)
}

// agree makes the store have what the settings file declares.
func (h *house) agree(ctx context.Context, file *settingsFile) error {
	if err := declare(ctx, h.store, h.edge, file.endpoints); err != nil {
		return err
	}
	return h.declareTokens(ctx, file)
}

// declare makes the store agree with the endpoints of the settings file, and gives a first start its endpoint.
func declare(ctx context.Context, db *store.Store, edge *receiver.Server, inputs []api.EndpointInput) error {
	for _, input := range inputs {
		held, err := db.Endpoint(input.Name)
		if err != nil && !errors.Is(err, webhook.ErrNotFound) {
			return err
		}
		ep, err := input.Apply(held)
		if err != nil {
			return fmt.Errorf("settings file: endpoint %q: %w", input.Name, err)
		}
		ep.Declared = true
		if len(ep.Secret.Secrets) == 0 && ep.Secret.Scheme != webhook.SchemeNone {
			value, err := secret.NewSecret()
			if err != nil {
				return err
			}
			ep.Secret.Secrets = []string{value}
		}
		if err = errors.Join(checkPolicies(&ep), checkForwards(&ep), edge.CheckAnswers(&ep), edge.CheckListener(&ep)); err != nil {
			return fmt.Errorf("settings file: endpoint %q: %w", input.Name, err)
		}
		if _, err = db.SaveEndpoint(declaring(ctx, held, &ep), ep, held == nil); err != nil {
			return err
		}
	}
	held := db.Endpoints()
	for _, ep := range held {
		if err := undeclare(ctx, db, ep, inputs); err != nil {
			return err
		}
	}
	if len(held) > 0 {
		return nil
	}
	value, err := secret.NewSecret()
	if err != nil {
		return err
	}
	_, err = db.SaveEndpoint(ctx, webhook.Endpoint{Name: "default", Secret: webhook.SecretPolicy{Secrets: []string{value}}}, true)
	return err
}

// undeclare gives an endpoint back to the users of the page and the command line that the settings file declared once and
// does no more. What the file said of it stays.
func undeclare(ctx context.Context, db *store.Store, held *webhook.Endpoint, inputs []api.EndpointInput) error {
	if !held.Declared || slices.ContainsFunc(inputs, func(input api.EndpointInput) bool { return input.Name == held.Name }) {
		return nil
	}
	ep := *held
	ep.Declared = false
	_, err := db.SaveEndpoint(declaring(ctx, held, &ep), ep, false)
	return err
}

// checkPolicies refuses settings that the receiver or the resolver could not work with.
func checkPolicies(ep *webhook.Endpoint) error {
	if err := secret.Check(ep.Secret); err != nil {
		return err
	}
	return egress.CheckPolicy(ep.Fetch)
}

func listen(ctx context.Context, flag, address string) (net.Listener, error) {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.DefaultResolver.LookupPort(ctx, "tcp", port)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: --%s %s: want HOST:PORT, such as 127.0.0.1:8080", webhook.ErrInvalid, flag, address)
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, webhook.WithHint(fmt.Errorf("--%s: %w", flag, err), "choose another address, or port 0 for a free one")
	}
	return ln, nil
}

// base begins the hook URLs: what the user says, or else the URL of the receiver.
func base(public string, addr net.Addr) string {
	if public = strings.TrimSuffix(public, "/"); public != "" {
		return public
	}
	return reachable(addr)
}

// reachable is the URL under which a listener can be reached from this machine.
func reachable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return "http://" + addr.String()
	}
	host := tcp.IP.String()
	if tcp.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, fmt.Sprint(tcp.Port))
}

func newLog(w io.Writer, level string) (*slog.Logger, error) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("%w: --log-level: %w", webhook.ErrInvalid, err)
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: least})), nil
}

// unpacked returns what can be read out of a capture's body without its Content-Encoding; an error says that this is
// not the whole of it.
func unpacked(c *webhook.Capture) ([]byte, error) {
	return payload.Unpack(webhook.Fields(c.Request.Head), c.Request.Body, payload.Room(int64(len(c.Request.Body))))
}

// decoded returns a capture's body without its Content-Encoding, or as it is when that cannot be undone.
func decoded(c *webhook.Capture) []byte {
	body, err := unpacked(c)
	if err != nil {
		return c.Request.Body
	}
	return body
}

// describe recognises a body that was decoded already.
func describe(c *webhook.Capture) webhook.Payload {
	return payload.Describe(api.Header(webhook.Fields(c.Request.Head), "Content-Type"), c.Request.Body)
}

func refs(c *webhook.Capture) []webhook.Ref { return payload.Refs(decoded(c)) }

func mask(endpoints ...*webhook.Endpoint) inspector.Masker { return secret.NewMask(endpoints...) }
