package receiver

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/cors"
	"github.com/hookrange/hookrange/receiver/gate"
	"github.com/hookrange/hookrange/receiver/plan"
	"github.com/hookrange/hookrange/receiver/secret"
	"github.com/hookrange/hookrange/receiver/throttle"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// desk is one version of an endpoint, made ready for requests.
type desk struct {
	endpoint *webhook.Endpoint
	verifier *secret.Verifier
	program  *plan.Program
	refusal  webhook.Plan
	cors     *cors.Policy
	waiting  *counter
	rate     *throttle.Bucket
	// connects tells that the program's place is that of the endpoint's listener.
	connects bool
}

// CheckRespond tells why a plan text cannot be an endpoint's answers, or returns nil.
func (s *Server) CheckRespond(text string) error {
	_, err := s.program(text)
	return err
}

// CheckAnswers tells why an endpoint's answers, rules and CORS policy cannot be used, or returns nil.
func (s *Server) CheckAnswers(ep *webhook.Endpoint) error {
	_, _, err := s.answers(ep)
	return err
}

// answers makes ready what an endpoint answers with.
func (s *Server) answers(ep *webhook.Endpoint) (*plan.Program, *cors.Policy, error) {
	program, err := s.program(ep.Respond)
	if err != nil {
		return nil, nil, err
	}
	if len(ep.Rules) > 0 {
		if program, err = program.WithRules(ep.Rules); err != nil {
			return nil, nil, err
		}
	}
	policy, err := cors.New(ep.CORS)
	return program, policy, err
}

func (s *Server) program(text string) (*plan.Program, error) {
	if text == "" {
		text = "200"
	}
	p, err := plan.Parse(text)
	if err != nil {
		return nil, err
	}
	if p.NeedsListener() {
		if err = s.gates.check(text, p); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// desk returns the current version of the named endpoint, or webhook.ErrNotFound.
func (s *Server) desk(name string) (*desk, error) {
	endpoint, err := s.config.Store.Endpoint(name)
	if err != nil {
		s.desks.Delete(name)
		return nil, err
	}
	if before := s.held(name); before != nil && before.endpoint == endpoint {
		return before, nil
	}
	// One at a time, or each of an endpoint's first requests would count what waits for itself.
	s.making.Lock()
	defer s.making.Unlock()
	before := s.held(name)
	if before != nil && before.endpoint == endpoint {
		return before, nil
	}
	d := &desk{endpoint: endpoint, refusal: refusal(endpoint.Refusal), waiting: &counter{limit: s.config.WaitingPerEndpoint}}
	d.rate = throttle.NewBucket(s.config.Throttle.EndpointRate, time.Now())
	if before != nil {
		d.waiting, d.rate = before.waiting, before.rate
	}
	if d.verifier, err = secret.New(endpoint); err != nil {
		return nil, fmt.Errorf("endpoint %s: secret: %w", name, err)
	}
	if d.program, d.cors, err = s.answers(endpoint); err != nil {
		return nil, fmt.Errorf("endpoint %s: answers: %w", name, err)
	}
	d.connects = d.program.Connects()
	s.desks.Store(name, d)
	return d, nil
}

// held returns the desk of the named endpoint that was made last, or nil.
func (s *Server) held(name string) *desk {
	held, _ := s.desks.Load(name)
	d, _ := held.(*desk)
	return d
}

func refusal(r webhook.Refusal) webhook.Plan {
	if r.Status == 0 {
		r = webhook.DefaultRefusal()
	}
	return limitPlan(r.Status, r.Header, r.Body)
}

// limitPlan is an answer that no rule of the endpoint chose.
func limitPlan(status int, header []webhook.Field, body string) webhook.Plan {
	return webhook.Plan{Text: fmt.Sprint(status), Step: -1, Status: status, Header: header, Body: []byte(body)}
}

// only serves one endpoint on its own listener; other paths are unknown there.
func (s *Server) only(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn := gate.From(r.Context()); conn != nil {
			conn.Request()
			if r.TLS == nil {
				r.TLS = conn.TLS()
			}
		}
		asked, isHook := strings.CutPrefix(r.URL.EscapedPath(), "/hooks/")
		if asked, _, _ = strings.Cut(asked, "/"); isHook && asked != name {
			s.nowhere(w, r)
			return
		}
		s.serve(w, r)
	})
}
