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

	"github.com/hookrange/hookrange/inspector/access"
	"github.com/hookrange/hookrange/inspector/api"
)

const (
	endpointPath = "/api/v1/endpoints/{endpoint}"
	capturePath  = endpointPath + "/captures/{seq:[0-9]+}"
	testsPath    = "/api/v1/tests"
	testPath     = testsPath + "/{id}"
	accessPath   = "/api/v1/tokens"
	sharesPath   = "/api/v1/shares"
)

// route is one operation of the contract, with the least that its callers must be granted.
type route struct {
	name, path, methods string
	need                need
	answer              handler
}

func (s *Server) table() []route {
	return []route{
		{"listEndpoints", "/api/v1/endpoints", "GET HEAD", view, s.listEndpoints},
		{"createEndpoint", "/api/v1/endpoints", "POST", admin, s.createEndpoint},
		{"getEndpoint", endpointPath, "GET HEAD", view, s.getEndpoint},
		{"replaceEndpoint", endpointPath, "PUT", admin, s.replaceEndpoint},
		{"changeEndpoint", endpointPath, "PATCH", operate, s.changeEndpoint},
		{"deleteEndpoint", endpointPath, "DELETE", admin, s.deleteEndpoint},
		{"dryRun", endpointPath + "/dry-run", "POST", view, s.dryRun},
		{"listPresets", "/api/v1/presets", "GET HEAD", view, s.listPresets},
		{"importRules", "/api/v1/import", "POST", operate, s.importRules},
		{"listCaptures", endpointPath + "/captures", "GET HEAD", view, s.listCaptures},
		{"deleteCaptures", endpointPath + "/captures", "DELETE", operate, s.deleteCaptures},
		{"listAllCaptures", "/api/v1/captures", "GET HEAD", viewAll, s.listCaptures},
		{"getCapture", capturePath, "GET HEAD", view, s.getCapture},
		{"deleteCapture", capturePath, "DELETE", operate, s.deleteCapture},
		{"changeNote", capturePath + "/note", "PATCH", operate, s.changeNote},
		{"getBody", capturePath + "/body", "GET HEAD", view, s.getBody},
		{"getRaw", capturePath + "/raw", "GET HEAD", view, s.getRaw},
		{"getResolved", capturePath + "/resolved/{name:.+}", "GET HEAD", view, s.getResolved},
		{"replay", capturePath + "/replay", "POST", operate, s.replay},
		{"listReplays", capturePath + "/replays", "GET HEAD", view, s.listReplays},
		{"recordReplay", capturePath + "/replays", "POST", operate, s.recordReplay},
		{"replaySome", endpointPath + "/replay", "POST", operate, s.replaySome},
		{"getExport", endpointPath + "/export", "GET HEAD", view, s.getExport},
		{"explainSignature", capturePath + "/signature", "POST", view, s.explainSignature},
		{"listDeliveries", endpointPath + "/deliveries", "GET HEAD", view, s.listDeliveries},
		{"getDelivery", endpointPath + "/deliveries/{id}", "GET HEAD", view, s.getDelivery},
		{"listConnections", endpointPath + "/connections", "GET HEAD", view, s.listConnections},
		{"wait", endpointPath + "/wait", "GET", view, s.wait},
		{"listTests", testsPath, "GET HEAD", viewAll, s.listTests},
		{"startTest", testsPath, "POST", operateAll, s.startTest},
		{"getTest", testPath, "GET HEAD", viewAll, s.getTest},
		{"changeTest", testPath, "PATCH", operateAll, s.changeTest},
		{"deleteTest", testPath, "DELETE", operateAll, s.deleteTest},
		{"getTestReport", testPath + "/report", "GET HEAD", viewAll, s.getTestReport},
		{"createShare", capturePath + "/share", "POST", operate, s.createShare},
		{"listCaptureShares", capturePath + "/shares", "GET HEAD", operate, s.listCaptureShares},
		{"listShares", sharesPath, "GET HEAD", operate, s.listShares},
		{"deleteShare", sharesPath + "/{id}", "DELETE", operate, s.deleteShare},
		{"getShared", sharedPath, "GET HEAD", sharer, s.getShared},
		{"getSharedBody", sharedPath + "/body", "GET HEAD", sharer, s.getSharedBody},
		{"getSharedRaw", sharedPath + "/raw", "GET HEAD", sharer, s.getSharedRaw},
		{"getSharedObject", sharedPath + "/resolved/{name:.+}", "GET HEAD", sharer, s.getSharedObject},
		{"listTokens", accessPath, "GET HEAD", adminAll, s.listTokens},
		{"createToken", accessPath, "POST", adminAll, s.createToken},
		{"deleteToken", accessPath + "/{id}", "DELETE", adminAll, s.deleteToken},
		{"listAudit", "/api/v1/audit", "GET HEAD", adminAll, s.listAudit},
		{"live", livePath, "GET", view, s.live},
		{"listPolicies", "/api/v1/policies", "GET HEAD", view, s.listPolicies},
		{"getInfo", "/api/v1/info", "GET HEAD", view, s.getInfo},
		{"getAuthority", authorityPath, "GET HEAD", everyone, s.getAuthority},
		{"getContract", "/api/v1/openapi.yaml", "GET HEAD", view, s.getContract},
		{"health", "/healthz", "GET HEAD", everyone, s.health},
		{"ready", "/readyz", "GET HEAD", everyone, s.ready},
		{"getMetrics", "/metrics", "GET HEAD", viewAll, s.getMetrics},
	}
}

// routes returns the router. A route's name is its operationId in the OpenAPI document.
func (s *Server) routes() *mux.Router {
	r := mux.NewRouter().SkipClean(true)
	for _, known := range s.table() {
		r.Handle(known.path, s.handle(known)).Methods(strings.Fields(known.methods)...).Name(known.name)
	}
	r.NotFoundHandler = s.handle(route{name: "page", need: everyone, answer: s.page.serve})
	r.MethodNotAllowedHandler = s.handle(route{name: "none", need: everyone, answer: func(w http.ResponseWriter, req *http.Request) error {
		w.Header().Set("Allow", strings.Join(allowed(r, req), ", "))
		return errMethod
	}})
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

func (s *Server) handle(known route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if x := exchangeOf(r.Context()); x != nil {
			x.route, x.known = known.name, &known
		}
		err := s.authorize(&known, r)
		if err == nil {
			err = s.audited(&known, w, r)
		}
		if err != nil {
			s.denied(r, err)
			s.writeError(w, r, err)
		}
	})
}

// exchange is one request with its answer, as far as metrics and the log are concerned.
type exchange struct {
	http.ResponseWriter
	id, route string
	status    int
	// known is the route, once it is known, and audit the entry of the call, if its caller has a grant.
	known *route
	audit *auditing
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

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

func requestID(ctx context.Context) string {
	if x := exchangeOf(ctx); x != nil {
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

func callerOf(g *access.Grant) api.Caller {
	out := api.Caller{ID: g.ID, Name: g.Name, Role: string(g.Role), Endpoints: append([]string{}, g.Endpoints...)}
	if !g.Expires.IsZero() {
		out.ExpiresAt = new(g.Expires.UTC())
	}
	return out
}

func (s *Server) getInfo(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.Info{
		Version: s.cfg.Version, HookBase: s.cfg.HookBase, LastSeq: int64(s.store.Last()), Masked: api.Hidden,
		Policies: s.cfg.Relay.Policies(), Caller: callerOf(grantOf(r.Context())),
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
