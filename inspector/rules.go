package inspector

import (
	"context"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/inspector/imports"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	maxTrialBody = 4 << 20
	maxImport    = 16 << 20
	maxTrialPath = 8 << 10
)

// checkRules refuses answers that the receiver could not give.
func (s *Server) checkRules(ep *webhook.Endpoint) error {
	if s.cfg.Rules.Check != nil {
		return s.cfg.Rules.Check(ep)
	}
	if len(ep.Rules) > 0 || ep.CORS != nil {
		return invalid("rules: this server has none")
	}
	return nil
}

func (*Server) listPresets(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	presets, err := api.ReadPresets()
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, presets)
}

// dryRun says what candidate rules would answer. Nothing is saved, recorded or sent.
func (s *Server) dryRun(w http.ResponseWriter, r *http.Request) error {
	v, err := s.revealed(r)
	if err != nil {
		return err
	}
	var form api.DryRunInput
	if err := readInto(w, r, maxTrialBody, &form); err != nil {
		return err
	}
	if s.cfg.Rules.Try == nil {
		return invalid("rules: this server has none")
	}
	stored, err := s.endpointOf(r)
	if err != nil {
		return err
	}
	shown := s.lens(false).Endpoint(stored)
	candidate := shown
	if form.Rules != nil {
		candidate.Rules = form.Rules
	}
	if form.Respond != nil {
		candidate.Respond = *form.Respond
	}
	ep, err := api.Settings(candidate, shown, stored)
	if err != nil {
		return err
	}
	trial, err := s.trial(r, &form, &ep)
	if err != nil {
		return err
	}
	got, err := s.cfg.Rules.Try(&ep, trial)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, v.DryRun(&got))
}

// trial returns the request to try with: a capture as it came, or a made-up one.
func (s *Server) trial(r *http.Request, form *api.DryRunInput, ep *webhook.Endpoint) (webhook.Trial, error) {
	out := webhook.Trial{Attempt: 1, ReceivedAt: time.Now().UTC(), Delivery: "00000000-0000-7000-8000-000000000000", Proven: true}
	switch {
	case (form.Capture != 0) == (form.Request != nil):
		return out, invalid("capture, request: give one of them to try with")
	case form.Attempt < 0:
		return out, invalid("attempt: attempts are counted from 1")
	case form.Request != nil:
		request, path, err := madeUp(form.Request, ep.Name)
		if err != nil {
			return out, err
		}
		out.Request, out.Path = request, path
	default:
		c, err := s.named(r.Context(), ep.Name, form.Capture)
		if err != nil {
			return out, err
		}
		path, _ := api.SplitTarget(c.Request.Target)
		out = webhook.Trial{
			Request: &c.Request, Path: path, ReceivedAt: c.ReceivedAt, Delivery: c.Delivery, Attempt: c.Attempt, Seed: c.Plan.Seed,
		}
	}
	if form.Attempt > 0 {
		out.Attempt = form.Attempt
	}
	out.Step = max(out.Attempt-1, 0)
	if form.Seed != "" {
		seed, err := strconv.ParseUint(form.Seed, 10, 64)
		if err != nil {
			return out, invalid("seed is %.40q: give a whole number", form.Seed)
		}
		out.Seed = seed
	}
	return out, nil
}

// named returns the capture of an endpoint that a reference names.
func (s *Server) named(ctx context.Context, endpoint string, ref api.CaptureRef) (webhook.Capture, error) {
	seq := webhook.Seq(ref)
	if ref == api.Latest {
		var err error
		if seq, err = s.newest(ctx, endpoint); err != nil {
			return webhook.Capture{}, err
		}
		if seq == 0 {
			return webhook.Capture{}, fmt.Errorf("latest capture: endpoint %q has none: %w", endpoint, webhook.ErrNotFound)
		}
	}
	c, err := s.store.Capture(ctx, endpoint, seq)
	if err != nil {
		return c, concerning(err, "capture %d of endpoint %q", seq, endpoint)
	}
	return c, nil
}

// madeUp makes a request of what a person typed.
func madeUp(form *api.TrialRequest, endpoint string) (request *webhook.Request, path string, err error) {
	method := form.Method
	if method == "" {
		method = http.MethodPost
	}
	if strings.ContainsFunc(method, func(r rune) bool { return r <= ' ' || r > '~' }) || len(method) > 64 {
		return nil, "", invalid("request.method: %.60q is none", method)
	}
	below := strings.TrimPrefix(form.Path, "/")
	if below != "" && !strings.HasPrefix(below, "?") {
		below = "/" + below
	}
	target := "/hooks/" + endpoint + below
	u, err := url.ParseRequestURI(target)
	if err != nil || len(target) > maxTrialPath || strings.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return nil, "", invalid("request.path: %.60q is none; give what follows /hooks/%s, such as /orders?event=paid", form.Path, endpoint)
	}
	head := fmt.Appendf(nil, "%s %s HTTP/1.1\r\n", method, target)
	for i, pair := range form.Headers {
		name, value := pair[0], strings.TrimSpace(pair[1])
		if textproto.TrimString(name) != name || name == "" || strings.ContainsAny(name+value, "\r\n\x00") || strings.ContainsAny(name, ": ") {
			return nil, "", invalid("request.headers.%d: %.60q is no header", i, name)
		}
		head = fmt.Appendf(head, "%s: %s\r\n", name, value)
	}
	return &webhook.Request{
		Method: method, Target: target, Proto: "HTTP/1.1", Head: append(head, "\r\n"...), Body: []byte(form.Body), BodySize: int64(len(form.Body)),
	}, u.EscapedPath(), nil
}

// importRules makes rules and examples of a document; it saves nothing, so that they are looked at first.
func (s *Server) importRules(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	var form api.ImportInput
	if err := readInto(w, r, maxImport, &form); err != nil {
		return err
	}
	if s.cfg.Rules.Write == nil {
		return invalid("rules: this server has none")
	}
	got, err := imports.Read(form.Format, []byte(form.Text), s.cfg.Rules.Write)
	if err != nil {
		return err
	}
	out := api.Imported{
		Format: got.Format, Rules: api.View{Mask: api.Exact{}}.AnswerRules(got.Rules), Examples: []api.Example{}, LeftOut: []api.LeftOut{},
	}
	for i := range got.Examples {
		e := &got.Examples[i]
		if !utf8.Valid(e.Body) {
			got.LeftOut = append(got.LeftOut, imports.LeftOut{At: e.At, Why: "the body of the request is no text; hookrange send --example sends it"})
			continue
		}
		one := api.Example{Name: e.Name, At: e.At, Method: e.Method, Path: e.Path, Headers: []api.Pair{}, Body: string(e.Body), Made: e.Made}
		for _, f := range e.Header {
			one.Headers = append(one.Headers, api.Pair{f.Name, f.Value})
		}
		out.Examples = append(out.Examples, one)
	}
	for _, l := range got.LeftOut {
		out.LeftOut = append(out.LeftOut, api.LeftOut{At: l.At, Why: l.Why})
	}
	return writeJSON(w, http.StatusOK, out)
}
