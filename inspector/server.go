package inspector

import (
	"context"
	"crypto/sha256"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"github.com/hookrange/hookrange/inspector/access"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/meter"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// Server serves the inspector's routes. Make it with New, end it with Close.
type Server struct {
	cfg       Config
	store     Store
	log       requestLogger
	token     [sha256.Size]byte
	guard     guard
	router    *mux.Router
	page      *page
	metrics   *serverMetrics
	summaries *summaries
	feed      *feed
	sockets   *sockets
	calls     access.Calls
	uses      access.Uses
	denials   denials
	// replays has a place for each replay under way.
	replays chan struct{}

	// ctx ends long polls and live sockets when the server closes; it is the server's own lifetime.
	ctx  context.Context //nolint:containedctx // see above
	stop context.CancelFunc

	// saving makes reading an endpoint, changing and storing it one step.
	saving sync.Mutex
	maskMu sync.Mutex
	masked *lens
}

// New returns a server for cfg. It returns ErrInvalid for a token that is too short, and an error for a
// missing field.
func New(cfg Config) (*Server, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, store: cfg.Store, log: requestLogger{cfg.Log}, token: sha256.Sum256([]byte(cfg.Token)),
		guard: newGuard(cfg.Hosts, cfg.Origins), summaries: newSummaries(), sockets: newSockets(),
		replays: make(chan struct{}, maxReplaying),
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	var err error
	if s.page, err = newPage(cfg.UI); err != nil {
		s.stop()
		return nil, err
	}
	s.feed = newFeed(s)
	s.metrics = newServerMetrics(s)
	s.router = s.routes()
	return s, nil
}

// Handler returns the whole of the inspector: page, API, live socket, health and metrics.
func (s *Server) Handler() http.Handler { return s.recorded(s.guarded(s.router)) }

// Set returns the inspector's metrics, for the program to add its own.
func (s *Server) Set() *meter.Set { return s.cfg.Set }

// Close ends waits (with what they have) and live sockets (with code 1001) and returns when the sockets are
// closed, or with ctx's error. Call it before shutting down the http.Server that serves the Handler.
func (s *Server) Close(ctx context.Context) error {
	s.stop()
	err := s.sockets.wait(ctx)
	s.recordUses(ctx)
	return err
}

// lens is a view with an identity: one per set of masked endpoints, and one that shows everything.
type lens struct {
	api.View
	endpoints []*webhook.Endpoint
}

// lens returns the view for a request: masked, or exact if it asks to reveal.
func (s *Server) lens(reveal bool) *lens {
	if reveal {
		return &lens{View: api.View{Mask: api.Exact{}, HookURL: s.hookURL}}
	}
	endpoints := s.store.Endpoints()
	s.maskMu.Lock()
	defer s.maskMu.Unlock()
	if s.masked == nil || !slices.Equal(s.masked.endpoints, endpoints) {
		s.masked = &lens{
			View:      api.View{Mask: s.cfg.Mask(endpoints...), HookURL: s.hookURL},
			endpoints: slices.Clone(endpoints),
		}
	}
	return s.masked
}

func (s *Server) hookURL(ep *webhook.Endpoint, masked bool) string {
	base, ok := s.cfg.Listeners.Address(ep.Name)
	if !ok {
		base = s.cfg.HookBase
	}
	return s.cfg.Secrets.HookURL(base, ep, masked)
}

// hold allows an answer to be written until d from now, whatever the http.Server's own limit is.
func hold(w http.ResponseWriter, d time.Duration) {
	// A writer without deadlines, as in a test, has none to move.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d))
}
