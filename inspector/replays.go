package inspector

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	// maxReplaying bounds the replays under way, maxEdited a request that brings a body of its own.
	maxReplaying = 16
	maxEdited    = 16 << 20
	// maxSome bounds the captures of one call.
	maxSome = 1000
	// maxReplayTime bounds one answer; a Relay ends a replay before.
	maxReplayTime = 30 * time.Minute
)

// Relay sends captures on.
type Relay interface {
	// Send blocks until the replay has ended and tells each try. It returns ErrInvalid for an order that is refused.
	Send(ctx context.Context, o webhook.Order, tell func(webhook.Replay)) error
	// Policies returns the names that Order.Policy may have.
	Policies() []string
}

// ReplayStore keeps what became of captures that were sent on.
type ReplayStore interface {
	// RecordReplay stores a try as a fact; ErrNotFound when its capture is gone.
	RecordReplay(ctx context.Context, r webhook.Replay) error
	// Replays returns the tries of a capture, oldest first; ErrNotFound.
	Replays(ctx context.Context, endpoint string, capture webhook.Seq) ([]webhook.Replay, error)
}

// noRelay is a server that sends nothing on.
type noRelay struct{}

func (noRelay) Send(context.Context, webhook.Order, func(webhook.Replay)) error {
	return fmt.Errorf("replay on this server: %w", webhook.ErrNotFound)
}

func (noRelay) Policies() []string { return []string{} }

func (s *Server) listReplays(w http.ResponseWriter, r *http.Request) error {
	v, err := s.revealed(r)
	if err != nil {
		return err
	}
	endpoint, seq, err := captureOf(r)
	if err != nil {
		return err
	}
	list, err := s.store.Replays(r.Context(), endpoint, seq)
	if err != nil {
		return concerning(err, "capture %d of endpoint %q", seq, endpoint)
	}
	out := api.Replays{Replays: make([]api.Replay, len(list))}
	for i := range list {
		out.Replays[i] = v.Replay(&list[i])
	}
	return writeJSON(w, http.StatusOK, out)
}

// recordReplay keeps a try that a command made on its user's machine.
func (s *Server) recordReplay(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	endpoint, seq, err := captureOf(r)
	if err != nil {
		return err
	}
	var in api.Replay
	if err := readInto(w, r, maxRequestBody, &in); err != nil {
		return err
	}
	in.Seq, in.Capture, in.Endpoint = 0, int64(seq), endpoint // the store gives the seq
	if err = checkReplay(&in); err != nil {
		return err
	}
	noting(r.Context(), fact("target", hostOf(in.Target)))
	if err = s.store.RecordReplay(r.Context(), in.Noun()); err != nil {
		return concerning(err, "capture %d of endpoint %q", seq, endpoint)
	}
	return writeJSON(w, http.StatusCreated, in)
}

// hostOf returns what of a target says where it is and can be no secret.
func hostOf(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func checkReplay(in *api.Replay) error {
	if _, err := uuid.Parse(in.ID); err != nil {
		return invalid("id: give a UUID")
	}
	if by := webhook.ReplayBy(in.By); by != webhook.ByClient && by != webhook.ByForward {
		return invalid("by is %q: give %s or %s", in.By, webhook.ByClient, webhook.ByForward)
	}
	u, err := url.Parse(in.Target)
	if err != nil || u.User != nil || u.Fragment != "" || u.RawQuery != "" && u.RawQuery != api.Hidden || len(in.Target) > 4096 {
		return invalid("target: give a URL without user, query and fragment")
	}
	if len(in.Failure) > 1000 || len(in.Policy) > 100 || in.Attempt < 1 || in.Try < 1 || in.Hop < 0 || in.Status < 0 || in.Status > 999 {
		return invalid("attempt, try, hop, status, policy or failure is out of range")
	}
	if in.Duration < 0 || in.NextIn != nil && *in.NextIn < 0 {
		return invalid("duration_ms, next_in_ms: give 0 or more")
	}
	return nil
}

// replay sends one capture on and answers when that has ended; the tries are facts before.
func (s *Server) replay(w http.ResponseWriter, r *http.Request) error {
	v, err := s.revealed(r)
	if err != nil {
		return err
	}
	c, err := s.capture(r)
	if err != nil {
		return err
	}
	var in api.ReplayInput
	if err := readInto(w, r, maxEdited, &in); err != nil {
		return err
	}
	order, err := s.order(&c, &in)
	if err != nil {
		return err
	}
	noting(r.Context(), fact("target", hostOf(in.URL)))
	ctx, leave, err := s.replaying(r.Context())
	if err != nil {
		return err
	}
	defer leave()
	hold(w, maxReplayTime)
	result, err := s.sendOn(ctx, v, order)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, result)
}

// replaying takes one of the places of replays. The context ends with the server too.
func (s *Server) replaying(ctx context.Context) (context.Context, func(), error) {
	select {
	case s.replays <- struct{}{}:
	default:
		return nil, nil, fmt.Errorf("%w: %d replays are under way", webhook.ErrOverloaded, maxReplaying)
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
		<-s.replays
	}, nil
}

// order makes an order of what a client asks for.
func (s *Server) order(c *webhook.Capture, in *api.ReplayInput) (webhook.Order, error) {
	o := webhook.Order{By: webhook.ByServer, Capture: c, URL: in.URL, Method: in.Method, Policy: in.Policy}
	if in.URL == "" {
		return o, invalid("url: give where to send to")
	}
	for i, h := range in.Headers {
		if strings.Contains(h[1], api.Hidden) {
			return o, invalid("headers.%d: %s stands for a masked value; read the capture with reveal=true and give the whole value", i, api.Hidden)
		}
		o.Header = append(o.Header, webhook.Field{Name: h[0], Value: h[1]})
	}
	switch {
	case in.Body != nil && in.BodyBase64 != nil:
		return o, invalid("body and body_base64: give one of them")
	case in.Body != nil && strings.Contains(*in.Body, api.Hidden) && !strings.Contains(string(c.Request.Body), api.Hidden):
		return o, invalid("body: %s stands for a masked value; read the body with reveal=true", api.Hidden)
	case in.Body != nil:
		o.Body = []byte(*in.Body)
	case in.BodyBase64 != nil:
		o.Body = in.BodyBase64
	}
	sign, err := s.proof(c.Endpoint, in.Sign, in.Secret)
	o.Sign = sign
	return o, err
}

// proof returns what to sign with, or nil.
func (s *Server) proof(endpoint string, sign bool, secret string) (*webhook.SecretPolicy, error) {
	if !sign && secret == "" {
		return nil, nil //nolint:nilnil // nothing to sign is no error
	}
	ep, err := s.store.Endpoint(endpoint)
	if err != nil {
		return nil, fmt.Errorf("endpoint %q: %w", endpoint, webhook.ErrNotFound)
	}
	policy := ep.Secret
	if secret != "" {
		policy.Secrets = []string{secret}
	}
	return &policy, nil
}

// sendOn carries an order out and records its tries. The error is for an order that was refused.
func (s *Server) sendOn(ctx context.Context, v *lens, o webhook.Order) (api.ReplayResult, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return api.ReplayResult{}, err
	}
	o.ID = id.String()
	out := api.ReplayResult{ID: o.ID, Capture: int64(o.Capture.Seq), Replays: []api.Replay{}}
	err = s.cfg.Relay.Send(ctx, o, func(one webhook.Replay) {
		// A try that was made is kept, whether its caller waits for it or not.
		if err := s.store.RecordReplay(context.WithoutCancel(ctx), one); err != nil {
			s.log.failed(ctx, "replay", err)
		}
		out.Delivered = out.Delivered || one.Delivered
		out.Replays = append(out.Replays, v.Replay(&one))
	})
	switch {
	case err == nil:
	case len(out.Replays) == 0 && (errors.Is(err, webhook.ErrInvalid) || errors.Is(err, webhook.ErrNotFound)), ctx.Err() != nil:
		return out, err
	default:
		out.Problem = v.Mask.String(err.Error())
	}
	return out, nil
}
