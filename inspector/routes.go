package inspector

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/hookrange/hookrange/inspector/api"
)

const (
	endpointPath = "/api/v1/endpoints/{endpoint}"
	capturePath  = endpointPath + "/captures/{seq:[0-9]+}"
	testPath     = "/api/v1/tests/{id}"
)

// route is one operation of the contract.
type route struct {
	name, path, methods string
	answer              handler
}

func (s *Server) table() []route {
	return []route{
		{"listEndpoints", "/api/v1/endpoints", "GET HEAD", s.listEndpoints},
		{"createEndpoint", "/api/v1/endpoints", "POST", s.createEndpoint},
		{"getEndpoint", endpointPath, "GET HEAD", s.getEndpoint},
		{"replaceEndpoint", endpointPath, "PUT", s.replaceEndpoint},
		{"changeEndpoint", endpointPath, "PATCH", s.changeEndpoint},
		{"deleteEndpoint", endpointPath, "DELETE", s.deleteEndpoint},
		{"dryRun", endpointPath + "/dry-run", "POST", s.dryRun},
		{"listPresets", "/api/v1/presets", "GET HEAD", s.listPresets},
		{"importRules", "/api/v1/import", "POST", s.importRules},
		{"listCaptures", endpointPath + "/captures", "GET HEAD", s.listCaptures},
		{"deleteCaptures", endpointPath + "/captures", "DELETE", s.deleteCaptures},
		{"listAllCaptures", "/api/v1/captures", "GET HEAD", s.listCaptures},
		{"getCapture", capturePath, "GET HEAD", s.getCapture},
		{"deleteCapture", capturePath, "DELETE", s.deleteCapture},
		{"changeNote", capturePath + "/note", "PATCH", s.changeNote},
		{"getBody", capturePath + "/body", "GET HEAD", s.getBody},
		{"getRaw", capturePath + "/raw", "GET HEAD", s.getRaw},
		{"getResolved", capturePath + "/resolved/{name:.+}", "GET HEAD", s.getResolved},
		{"replay", capturePath + "/replay", "POST", s.replay},
		{"listReplays", capturePath + "/replays", "GET HEAD", s.listReplays},
		{"recordReplay", capturePath + "/replays", "POST", s.recordReplay},
		{"replaySome", endpointPath + "/replay", "POST", s.replaySome},
		{"getExport", endpointPath + "/export", "GET HEAD", s.getExport},
		{"explainSignature", capturePath + "/signature", "POST", s.explainSignature},
		{"listDeliveries", endpointPath + "/deliveries", "GET HEAD", s.listDeliveries},
		{"getDelivery", endpointPath + "/deliveries/{id}", "GET HEAD", s.getDelivery},
		{"listConnections", endpointPath + "/connections", "GET HEAD", s.listConnections},
		{"wait", endpointPath + "/wait", "GET", s.wait},
		{"listTests", "/api/v1/tests", "GET HEAD", s.listTests},
		{"startTest", "/api/v1/tests", "POST", s.startTest},
		{"getTest", testPath, "GET HEAD", s.getTest},
		{"changeTest", testPath, "PATCH", s.changeTest},
		{"deleteTest", testPath, "DELETE", s.deleteTest},
		{"getTestReport", testPath + "/report", "GET HEAD", s.getTestReport},
		{"live", livePath, "GET", s.live},
		{"listPolicies", "/api/v1/policies", "GET HEAD", s.listPolicies},
		{"getInfo", "/api/v1/info", "GET HEAD", s.getInfo},
		{"getAuthority", authorityPath, "GET HEAD", s.getAuthority},
		{"getContract", "/api/v1/openapi.yaml", "GET HEAD", s.getContract},
		{"health", "/healthz", "GET HEAD", s.health},
		{"ready", "/readyz", "GET HEAD", s.ready},
		{"getMetrics", "/metrics", "GET HEAD", s.getMetrics},
	}
}

// routes returns the router. A route's name is its operationId in the OpenAPI document.
func (s *Server) routes() *mux.Router {
	r := mux.NewRouter().SkipClean(true)
	for _, known := range s.table() {
		r.Handle(known.path, s.handle(known.name, known.answer)).Methods(strings.Fields(known.methods)...).Name(known.name)
	}
	r.NotFoundHandler = s.handle("page", func(w http.ResponseWriter, r *http.Request) error {
		if s.page.has(r.URL.Path) {
			return s.page.serve(w, r)
		}
		return errNoRoute
	})
	r.MethodNotAllowedHandler = s.handle("none", func(w http.ResponseWriter, req *http.Request) error {
		w.Header().Set("Allow", strings.Join(allowed(r, req), ", "))
		return errMethod
	})
	return r
}

// allowed returns the methods that a request's path has.
func allowed(router *mux.Router, r *http.Request) []string {
	var out []string
	for _, method := range []string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	} {
		other := *r
		other.Method = method
		var match mux.RouteMatch
		if router.Match(&other, &match) && match.MatchErr == nil {
			out = append(out, method)
		}
	}
	return out
}

// handler answers a request, or returns why not and has then written nothing.
type handler func(w http.ResponseWriter, r *http.Request) error

func (s *Server) handle(name string, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if x, ok := r.Context().Value(exchangeKey{}).(*exchange); ok {
			x.route = name
		}
		if err := h(w, r); err != nil {
			s.writeError(w, r, err)
		}
	})
}

// exchange is one request with its answer, as far as metrics and the log are concerned.
type exchange struct {
	http.ResponseWriter
	id, route string
	status    int
}

type exchangeKey struct{}

// WriteHeader notes the final status.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= http.StatusOK {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write notes the status that a first write implies.
func (x *exchange) Write(b []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	return x.ResponseWriter.Write(b)
}

// Hijack hands the connection over to a WebSocket.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	x.status = http.StatusSwitchingProtocols
	return http.NewResponseController(x.ResponseWriter).Hijack()
}

// Unwrap lets http.ResponseController reach the connection's deadlines.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

func requestID(ctx context.Context) string {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x.id
	}
	return ""
}

// recorded gives every request an id, counts it, and keeps a panic from ending the process.
func (s *Server) recorded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{ResponseWriter: w, id: newRequestID(), route: "none"}
		w.Header().Set("X-Request-Id", x.id)
		r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
		start := time.Now()
		defer func() { //nolint:contextcheck // the request carries it
			if value := recover(); value != nil {
				if value == http.ErrAbortHandler { //nolint:errorlint // the documented sentinel of a panic
					panic(value)
				}
				s.log.panicked(r.Context(), value, debug.Stack())
				if x.status == 0 {
					s.writeError(x, r, errPanicked)
				}
			}
			s.metrics.observe(x, r.Method, time.Since(start))
		}()
		next.ServeHTTP(x, r)
	})
}

func (s *Server) getInfo(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.Info{
		Version: s.cfg.Version, HookBase: s.cfg.HookBase, LastSeq: int64(s.store.Last()), Masked: api.Hidden,
		Policies: s.cfg.Relay.Policies(),
	})
}

func (*Server) getContract(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/yaml")
	// The client may be gone; there is nobody left to tell.
	_, _ = w.Write(api.Document())
	return nil
}

func (*Server) health(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, api.Health{Status: "ok"})
}

// ready says no more than unavailable: this route is open to all. Callers with the token see it in the log.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) error {
	if err := s.store.Ready(); err != nil || s.ctx.Err() != nil {
		w.Header().Set("Retry-After", retryLater)
		return writeJSON(w, http.StatusServiceUnavailable, api.Health{Status: "unavailable", Reason: readiness(err)})
	}
	return writeJSON(w, http.StatusOK, api.Health{Status: "ok"})
}
