package inspector

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// Errors of the border itself; those of the stages are in package webhook.
var (
	errUnauthorized = errors.New("the bearer token is missing or wrong: send Authorization: Bearer TOKEN")
	errEnded        = errors.New("the bearer token was revoked or has expired")
	errShareKey     = errors.New("the key of the share is missing or wrong")
	errShareGone    = errors.New("the share was revoked or has expired, or its capture is gone")
	errForbidden    = errors.New("the token does not allow this")
	errOrigin       = errors.New("this origin may not call the inspector")
	errHost         = errors.New("this host name is not the inspector's")
	errNoRoute      = errors.New("there is no such route")
	errMethod       = errors.New("this route does not have this method")
	errTooLarge     = errors.New("the request's body is too large")
	errMediaType    = errors.New("the request's body must be application/json")
	errUpgrade      = errors.New("this route speaks WebSocket only")
	errTooMany      = errors.New("too many live connections")
	errDeclared     = errors.New("the token is declared in the settings file")
	errPanicked     = errors.New("the handler panicked")
)

// answer is how an error leaves the house.
type answer struct {
	err    error
	status int
	code   string
	title  string
	// detail replaces the error's own text where that is not for callers.
	detail string
}

const (
	retryLater     = "1"
	internalDetail = "The cause is in the server's log, under this request_id."
)

// answers is the one table from errors to problems. The first that matches counts.
func answers() []answer {
	return []answer{
		{errUnauthorized, http.StatusUnauthorized, "unauthorized", "Token required", ""},
		{errEnded, http.StatusUnauthorized, "unauthorized", "Token ended", ""},
		{errShareKey, http.StatusUnauthorized, "unauthorized", "Key required", ""},
		{errShareGone, http.StatusNotFound, "not_found", "Not found", ""},
		{errForbidden, http.StatusForbidden, "forbidden", "Not allowed", ""},
		{errOrigin, http.StatusForbidden, "forbidden_origin", "Origin refused", ""},
		{errHost, http.StatusMisdirectedRequest, "wrong_host", "Host refused", ""},
		{errNoRoute, http.StatusNotFound, "no_route", "No such route", ""},
		{errMethod, http.StatusMethodNotAllowed, "method_not_allowed", "Method not allowed", ""},
		{errTooLarge, http.StatusRequestEntityTooLarge, "too_large", "Body too large", ""},
		{errMediaType, http.StatusUnsupportedMediaType, "media_type", "Unsupported media type", ""},
		{errDeclared, http.StatusConflict, "declared", "Declared in the settings file", ""},
		{errUpgrade, http.StatusUpgradeRequired, "upgrade_required", "Upgrade required", ""},
		{errTooMany, http.StatusServiceUnavailable, "too_many_sockets", "Too many live connections", ""},
		{webhook.ErrNotFound, http.StatusNotFound, "not_found", "Not found", ""},
		{webhook.ErrExists, http.StatusConflict, "exists", "Exists already", ""},
		{webhook.ErrInvalid, http.StatusBadRequest, "invalid", "Invalid value", ""},
		{webhook.ErrDamaged, http.StatusInternalServerError, "damaged", "Stored data is damaged", ""},
		{
			webhook.ErrOverloaded, http.StatusServiceUnavailable, "overloaded", "Overloaded",
			"As many of these wait or go on as may at one time. Try again later.",
		},
		{
			webhook.ErrUnavailable, http.StatusServiceUnavailable, "unavailable", "Unavailable",
			"The store cannot be written now. The server's log and /readyz say why.",
		},
	}
}

// writeError answers with the problem that err stands for. Causes that callers do not see are logged here
// and nowhere else.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	// A call that ends with its token ends as one without.
	if cause := context.Cause(r.Context()); errors.Is(cause, errEnded) {
		err = cause
	}
	out := problemOf(err)
	id := requestID(r.Context())
	if out.status >= http.StatusInternalServerError && !errors.Is(err, errTooMany) {
		if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
			return
		}
		s.log.failed(r.Context(), out.code, err)
	}
	if out.detail == "" {
		out.detail = strings.TrimPrefix(err.Error(), webhook.ErrInvalid.Error()+": ")
	}
	h := w.Header()
	switch out.status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", retryLater)
	case http.StatusUpgradeRequired:
		h.Set("Connection", "Upgrade")
		h.Set("Upgrade", "websocket")
	}
	h.Del("Content-Disposition")
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(out.status)
	problem := api.ProblemDetails{
		Type: "about:blank", Title: out.title, Status: out.status, Detail: out.detail, Code: out.code, RequestID: id,
	}
	if refusal, ok := errors.AsType[*forbidden](err); ok {
		problem.Role = string(refusal.role)
	}
	// The client may be gone; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(problem)
}

// problemOf returns how an error leaves the house.
func problemOf(err error) answer {
	for _, a := range answers() {
		if errors.Is(err, a.err) {
			return a
		}
	}
	return answer{
		err: err, status: http.StatusInternalServerError, code: "internal", title: "Internal error", detail: internalDetail,
	}
}

// requestLogger logs what callers are not told.
type requestLogger struct{ log *slog.Logger }

func (l requestLogger) failed(ctx context.Context, code string, err error) {
	l.log.ErrorContext(ctx, "request failed",
		slog.String("code", code), slog.String("request_id", requestID(ctx)), slog.Any("error", err))
}

func (l requestLogger) panicked(ctx context.Context, value any, stack []byte) {
	l.log.ErrorContext(ctx, "request panicked",
		slog.String("request_id", requestID(ctx)), slog.String("panic", webhook.PanicWords(value)), slog.String("stack", string(stack)))
}

// writeJSON answers 200, or another status, with a value.
func writeJSON(w http.ResponseWriter, status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The client may be gone; there is nobody left to tell.
	_, _ = w.Write(append(body, '\n'))
	return nil
}
