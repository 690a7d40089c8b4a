// Package inspector is the face for people and scripts: the REST interface, the live WebSocket and the web
// page, on a listener of its own. It reads the store by cursor, woken by a bell, and never serves bytes that
// a sender made under a type that a browser would render.
//
//	request -> host -> headers -> origin -> token -> route -> role and scope -> store
//
// The guards wrap the router, so that no spelling of a path gets around them. Each route names the least role that it
// needs; what is changed is kept in the audit log.
package inspector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"time"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/meter"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// Masker hides secrets in what is shown.
type Masker = api.Masker

// EndpointStore keeps endpoints.
type EndpointStore interface {
	// Endpoints returns all endpoints, sorted by name.
	Endpoints() []*webhook.Endpoint
	// Endpoint returns ErrNotFound if there is none of that name.
	Endpoint(name string) (*webhook.Endpoint, error)
	// SaveEndpoint creates or replaces; it returns ErrExists or ErrNotFound when create does not fit.
	SaveEndpoint(ctx context.Context, ep webhook.Endpoint, create bool) (*webhook.Endpoint, error)
	// DeleteEndpoint deletes an endpoint with its captures and connections, or returns ErrNotFound.
	DeleteEndpoint(ctx context.Context, name string) error
	// Counts returns the number of captures by class.
	Counts(ctx context.Context, endpoint string) (map[webhook.Class]int64, error)
}

// CaptureStore keeps captures.
type CaptureStore interface {
	// Captures lists without bodies unless the query asks for them, fewer than its limit only at the end. It may leave
	// out what the query's narrowing says, or not.
	Captures(ctx context.Context, q webhook.Query) ([]webhook.Capture, error)
	// Moment returns the seq before which the captures stand that arrived up to a time.
	Moment(ctx context.Context, at time.Time) (webhook.Seq, error)
	// Capture returns one with its body; ErrNotFound or ErrDamaged.
	Capture(ctx context.Context, endpoint string, seq webhook.Seq) (webhook.Capture, error)
	// DeleteCapture deletes one, or returns ErrNotFound.
	DeleteCapture(ctx context.Context, endpoint string, seq webhook.Seq) error
	// DeleteCaptures deletes those of a class ("" is all) up to through (0 is all) and returns how many.
	DeleteCaptures(ctx context.Context, endpoint string, class webhook.Class, through webhook.Seq) (int, error)
	// ChangeNote changes what is noted about a capture; ErrNotFound or ErrInvalid.
	ChangeNote(ctx context.Context, endpoint string, capture webhook.Seq, change webhook.NoteChange) (webhook.Note, error)
	// Object returns a stored object with its data; ErrNotFound or ErrDamaged.
	Object(ctx context.Context, endpoint string, capture webhook.Seq, name string) (webhook.Object, error)
}

// DeliveryStore groups captures.
type DeliveryStore interface {
	// Deliveries lists newest first those whose first attempt comes before a seq (0 is no bound).
	Deliveries(ctx context.Context, endpoint string, before webhook.Seq, limit int) ([]webhook.Delivery, error)
	// Delivery returns one, or ErrNotFound.
	Delivery(ctx context.Context, endpoint, id string) (webhook.Delivery, error)
}

// ConnectionStore keeps connections to endpoints' own listeners.
type ConnectionStore interface {
	// Connections lists newest first unless the query is ascending, or returns ErrNotFound.
	Connections(ctx context.Context, q webhook.Query) ([]webhook.Connection, error)
	// DeleteConnections deletes those up to through (0 is all) and returns how many.
	DeleteConnections(ctx context.Context, endpoint string, through webhook.Seq) (int, error)
}

// FactStore is the total order of what happened.
type FactStore interface {
	// Facts returns up to limit facts after a seq, in order.
	Facts(ctx context.Context, after webhook.Seq, limit int) ([]webhook.Fact, error)
	// Last returns the newest committed seq.
	Last() webhook.Seq
	// Ready returns nil, or why captures cannot be accepted now.
	Ready() error
}

// Store is what the inspector asks of a store.
type Store interface {
	EndpointStore
	CaptureStore
	DeliveryStore
	ConnectionStore
	FactStore
	ReplayStore
	AccessStore
}

// Bell wakes watchers.
type Bell interface {
	// Wait blocks until there is something after a seq and returns its seq, or ctx's error.
	Wait(ctx context.Context, after webhook.Seq) (webhook.Seq, error)
}

// SecretTools makes and checks the secrets of endpoints.
type SecretTools struct {
	// New returns a new random secret.
	New func() (string, error)
	// Check returns an ErrInvalid that says what is wrong with an endpoint's secret policy and expectations.
	Check func(*webhook.Endpoint) error
	// HookURL returns the URL to give to a sender, with its secret or with "•••" in its place.
	HookURL func(base string, ep *webhook.Endpoint, masked bool) string
	// Explain says whether a request proves its sender and, when not, why. It returns an ErrInvalid for a policy
	// that Check refuses.
	Explain func(*webhook.Claim) (webhook.Verification, error)
}

// RuleTools check and try the answers of endpoints.
type RuleTools struct {
	// Check returns an ErrInvalid that begins with the field at fault of an endpoint's answers, rules or CORS policy.
	Check func(*webhook.Endpoint) error
	// Try says what an endpoint, which need not be saved, would answer. Nothing is recorded or sent.
	Try func(*webhook.Endpoint, webhook.Trial) (webhook.TrialResult, error)
	// Write returns a status, header fields and a body in the plan language, or an ErrInvalid.
	Write func(webhook.Plan) (string, error)
}

// Config is what New needs. Every field without a default must be set.
type Config struct {
	Store Store
	Bell  Bell
	// Decode returns what can be read out of a capture's body without its Content-Encoding, of a bounded size. An error
	// says why there may be more in the body than that. Defaults to the body as it is.
	Decode func(*webhook.Capture) ([]byte, error)
	// Describe says what a capture's body holds. The body is already decoded.
	Describe func(*webhook.Capture) webhook.Payload
	// CheckRespond returns an ErrInvalid that says what is wrong with a plan text. It accepts "".
	CheckRespond func(text string) error
	// Mask returns what hides the secrets of these endpoints.
	Mask    func(...*webhook.Endpoint) Masker
	Secrets SecretTools
	// Rules defaults to none: endpoints have neither rules nor a CORS policy then.
	Rules RuleTools
	// Listeners knows endpoints' own listeners. Defaults to none.
	Listeners Listeners
	// Policies are those that senders are known to claim. Defaults to none.
	Policies []api.Policy
	// Tests runs conformance scripts. Defaults to none.
	Tests Tests
	// Relay sends captures on. Defaults to none.
	Relay Relay
	// Forwards sends new captures on. Defaults to none.
	Forwards Forwards
	// UI is the web page; package inspector/ui has it. Nil serves no page.
	UI fs.FS
	// Token is what callers must bring who may do everything. Tokens with names and roles are kept in the Store.
	Token string
	// Hosts are Host headers to accept beside loopback ones, as "name" (any port) or "name:port".
	Hosts []string
	// Origins are origins to accept beside the one that the Host header and the connection make, such as
	// "https://hooks.example.com" behind a proxy.
	Origins []string
	// HookBase is what hook URLs on the shared port begin with, such as "http://127.0.0.1:8080".
	HookBase string
	// Set holds the inspector's metrics. Defaults to a new one, which Server.Set returns.
	Set *meter.Set
	// Metrics writes further metrics in Prometheus text. Defaults to none.
	Metrics func(io.Writer) error
	// Version of the program.
	Version string
	// Log gets what the inspector could not tell a caller. Defaults to nothing.
	Log *slog.Logger
	// Now is the clock of a search's bound. Defaults to time.Now.
	Now func() time.Time
}

func (c *Config) check() error {
	switch {
	case c.Store == nil, c.Bell == nil, c.Describe == nil, c.CheckRespond == nil, c.Mask == nil,
		c.Secrets.New == nil, c.Secrets.Check == nil, c.Secrets.HookURL == nil, c.Secrets.Explain == nil:
		return errors.New("inspector: new: Store, Bell, Describe, CheckRespond, Mask and Secrets must be set")
	case c.Token == "":
		return fmt.Errorf("inspector: new: %w: the token is empty", webhook.ErrInvalid)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Decode == nil {
		c.Decode = func(c *webhook.Capture) ([]byte, error) { return c.Request.Body, nil }
	}
	if c.Listeners == nil {
		c.Listeners = noListeners{}
	}
	if c.Tests == nil {
		c.Tests = noTests{}
	}
	if c.Relay == nil {
		c.Relay = noRelay{}
	}
	if c.Forwards == nil {
		c.Forwards = noForwards{}
	}
	if c.Set == nil {
		c.Set = meter.NewSet()
	}
	if c.Metrics == nil {
		c.Metrics = func(io.Writer) error { return nil }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}
