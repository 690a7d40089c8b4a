// Package receiver is the public edge: it takes webhooks in, puts each on disk and answers as planned.
//
// One request goes one way through the stages, and each stage knows only the nouns of package webhook:
//
//	wire ── secret ── plan ── store.Record (fsync) ── fault.Perform ── store.Finish
//
// Nothing is answered before it is recorded, and a parked answer holds no body, lock or database connection.
package receiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"github.com/hookrange/hookrange/receiver/gate"
	"github.com/hookrange/hookrange/receiver/meter"
	"github.com/hookrange/hookrange/receiver/throttle"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/receiver/wire"
)

// Store is what the edge asks of the store.
type Store interface {
	// Endpoint returns the named endpoint or webhook.ErrNotFound. It does not block.
	Endpoint(name string) (*webhook.Endpoint, error)
	// Arrive numbers an attempt within its delivery. It does not block on the disk.
	Arrive(endpoint string, key webhook.DeliveryKey, accepted bool, at time.Time) webhook.Arrival
	// Record returns once the capture is on disk, or webhook.ErrOverloaded or webhook.ErrUnavailable.
	Record(ctx context.Context, c *webhook.Capture, hasRefs bool) (webhook.Ticket, error)
	// Leaving notes that the last bytes of an answer are about to leave, this long after arrival.
	Leaving(t webhook.Ticket, at time.Duration)
	// Finish notes what became of the answer; it does not wait for the disk.
	Finish(ctx context.Context, t webhook.Ticket, o webhook.Outcome) error
	// Endpoints returns all endpoints. It does not block.
	Endpoints() []*webhook.Endpoint
	// Changed returns a channel that is closed with the next change of an endpoint.
	Changed() <-chan struct{}
	// RecordConnection notes a connection to an endpoint's own listener; it does not wait for the disk.
	RecordConnection(ctx context.Context, c webhook.Connection) error
}

// Config of a Server. The zero value of each optional field takes the default that its comment names.
type Config struct {
	// Store is required.
	Store Store
	// Log is required.
	Log *slog.Logger
	// Metrics gets the edge's counters. Defaults to a set of its own.
	Metrics *meter.Set
	// Limits bound one request; see wire.Limits for the defaults.
	Limits wire.Limits
	// Listeners, unless nil, gives listeners of their own to endpoints whose settings ask for one or whose answers have
	// faults before HTTP. Such an endpoint takes requests on the shared port too, which then take the next step that is at
	// HTTP level.
	Listeners *Listeners
	// Waiting and WaitingPerEndpoint bound the answers that wait at once. Default to 10 000 and 1 000.
	Waiting, WaitingPerEndpoint int64
	// Throttle has the limits of one client and of one endpoint. Defaults to none.
	Throttle throttle.Limits
	// InFlight bounds the bytes of bodies that are being read or recorded. Defaults to 256 MiB.
	InFlight int64
	// MaxWait bounds one answer, whatever its plan says. Defaults to 10 minutes.
	MaxWait time.Duration
}

// Server answers webhooks. It is safe for concurrent use.
type Server struct {
	config  Config
	router  *mux.Router
	desks   sync.Map // endpoint name -> *desk
	making  sync.Mutex
	waiting counter
	bodies  counter
	// rates and clients limit what one client sends, and has waiting.
	rates   *throttle.Table
	clients *throttle.Waiting
	// closing ends when waiting answers must be given up.
	closing context.Context //nolint:containedctx // the server's own life, not a request's
	giveUp  context.CancelFunc
	count   counts
	// gates is nil when endpoints have no listeners of their own.
	gates *gates
	// handling is read-locked by each request: net/http does not wait for connections that were taken over.
	handling sync.RWMutex
	// parked counts answers that hang without a handler. It grows only while handling is held.
	parked sync.WaitGroup
}

// New returns a Server; it opens nothing.
func New(config Config) *Server {
	if config.Metrics == nil {
		config.Metrics = meter.NewSet()
	}
	config.Limits = config.Limits.WithDefaults()
	config.Waiting = orDefault(config.Waiting, 10_000)
	config.WaitingPerEndpoint = orDefault(config.WaitingPerEndpoint, 1_000)
	config.InFlight = orDefault(config.InFlight, 256<<20)
	config.MaxWait = orDefault(config.MaxWait, 10*time.Minute)
	s := &Server{config: config, waiting: counter{limit: config.Waiting}, bodies: counter{limit: config.InFlight}}
	s.rates, s.clients = throttle.NewTable(config.Throttle.ClientRate, time.Now()), throttle.NewWaiting(config.Throttle.ClientWaiting)
	s.closing, s.giveUp = context.WithCancel(context.Background())
	if config.Listeners != nil {
		s.gates = newGates(s, *config.Listeners)
	}
	s.count = newCounts(config.Metrics, s)
	s.router = mux.NewRouter().SkipClean(true).UseEncodedPath()
	s.router.HandleFunc("/healthz", s.health).Methods(http.MethodGet, http.MethodHead).Name("health")
	s.router.PathPrefix("/hooks/").HandlerFunc(s.hook).Name("hook")
	s.router.NotFoundHandler = http.HandlerFunc(s.nowhere)
	s.router.MethodNotAllowedHandler = http.HandlerFunc(s.nowhere)
	return s
}

func orDefault[T int64 | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// Handler serves the hooks. Behind a listener that is not wire.Listener, captures lose the order and case of
// their header fields.
func (s *Server) Handler() http.Handler { return s.router }

// Run serves connections of inner until ctx ends. Then it stops accepting, gives waiting answers up, lets the
// others finish for at most 5 s and returns.
func (s *Server) Run(ctx context.Context, inner net.Listener) error {
	server := s.server(http.HandlerFunc(s.serve))
	var own sync.WaitGroup
	if s.gates != nil {
		ctx, cancel := context.WithCancel(ctx)
		own.Go(func() { s.gates.run(ctx); s.gates.stop() })
		defer own.Wait()
		defer cancel()
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		s.giveUp()
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		err := server.Shutdown(late)
		if err != nil {
			err = errors.Join(err, server.Close())
		}
		own.Wait()
		stopped <- errors.Join(err, s.handled(late))
	})
	err := server.Serve(wire.Listener(inner))
	if stop() {
		s.giveUp()
		return fmt.Errorf("receiver: serve: %w", err)
	}
	if err = <-stopped; errors.Is(err, context.DeadlineExceeded) {
		s.config.Log.WarnContext(ctx, "connections were cut at shutdown")
		return nil
	}
	return err
}

// shutdownTime is how long answers may take once the server is to end.
const shutdownTime = 5 * time.Second

func (s *Server) server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    s.config.Limits.Head,
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return gate.Context(wire.Context(ctx, conn), conn)
		},
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(s.config.Log.Handler(), slog.LevelDebug),
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.handling.RLock()
	defer s.handling.RUnlock()
	defer s.recovered(r)
	s.router.ServeHTTP(w, r)
}

// recovered logs a panic in the place of net/http, which would write its value, and closes the connection as that does:
// who sends is to take nothing for an answer.
func (s *Server) recovered(r *http.Request) {
	value := recover()
	if value == nil {
		return
	}
	if value != http.ErrAbortHandler { //nolint:errorlint // the documented sentinel of a panic
		s.config.Log.LogAttrs(r.Context(), slog.LevelError, "request panicked",
			slog.String("panic", webhook.PanicWords(value)), slog.String("stack", string(debug.Stack())))
	}
	panic(http.ErrAbortHandler)
}

// handled waits until no request is handled any more, and no answer hangs. Later ones are never handled.
func (s *Server) handled(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		s.handling.Lock()
		s.parked.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (*Server) health(w http.ResponseWriter, r *http.Request) {
	wire.Pass(w, r)
	leaveBody(w)
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"status":"ok"}`)
}

func (s *Server) nowhere(w http.ResponseWriter, r *http.Request) {
	s.count.unknown.Inc()
	wire.Pass(w, r)
	say(w, http.StatusNotFound, "No such endpoint. Webhooks are received at /hooks/{endpoint}.")
}

// leaveBody bounds how long a body is read that nobody wants. net/http reads on for up to 256 KiB, so a sender that drips
// would hold the connection for days.
func leaveBody(w http.ResponseWriter) {
	const patience = 3 * time.Second
	//nolint:errcheck // a writer without deadlines (tests) has no connection to hold
	http.NewResponseController(w).SetReadDeadline(time.Now().Add(patience))
}

// say answers for the receiver itself, where no endpoint's plan applies.
func say(w http.ResponseWriter, status int, detail string) {
	leaveBody(w)
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "{\"detail\":%q}", detail)
}

// sayLater answers 503: the request was not recorded, and the sender should try again.
func sayLater(w http.ResponseWriter, detail string) {
	w.Header().Set("Retry-After", "1")
	w.Header().Set("Connection", "close")
	say(w, http.StatusServiceUnavailable, detail)
}

// sayAfter answers 503 to a request over a rate, which says when there will be room. It is no 429, which would be more
// exact: documented senders, such as LangSmith's rules, never retry a 4xx and do retry a 503. The connection stays open,
// as that of a proxy is other clients' too.
func sayAfter(w http.ResponseWriter, r *http.Request, later time.Duration, detail string) {
	wire.Pass(w, r)
	w.Header().Set("Retry-After", fmt.Sprint(max(1, int64(math.Ceil(later.Seconds())))))
	say(w, http.StatusServiceUnavailable, detail)
}
