package receiver

import (
	"fmt"

	"github.com/hookrange/hookrange/receiver/fault"
	"github.com/hookrange/hookrange/receiver/plan"
	"github.com/hookrange/hookrange/receiver/secret"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// Try returns what an endpoint, which need not be saved, would answer to a request. Nothing is recorded, sent or counted,
// and no place in a sequence moves on. It returns an ErrInvalid for settings that cannot be used.
func (s *Server) Try(ep *webhook.Endpoint, in webhook.Trial) (webhook.TrialResult, error) {
	program, policy, err := s.answers(ep)
	if err != nil {
		return webhook.TrialResult{}, err
	}
	verifier, err := secret.New(ep)
	if err != nil {
		return webhook.TrialResult{}, fmt.Errorf("secret: %w", err)
	}
	fields := webhook.Fields(in.Request.Head)
	d := &desk{endpoint: ep, verifier: verifier, program: program}
	c := &webhook.Capture{Request: *in.Request, ReceivedAt: in.ReceivedAt}
	step := in.Step
	if program.Connects() {
		step = program.Request(step)
	}
	var out webhook.TrialResult
	out.Rules, out.Plan = program.Explain(plan.Arrival{
		Step: step, RuleStep: in.Step, Attempt: in.Attempt, Seed: in.Seed, Request: in.Request, Path: in.Path, At: in.ReceivedAt, Delivery: in.Delivery,
	})
	if policy.IsPreflight(in.Request.Method, fields) {
		out.Refused, out.Plan = webhook.Preflight, fault.Whole(policy.Preflight(fields))
		return out, nil
	}
	if !in.Proven {
		if out.Refused = prove(d, c, fields); out.Refused != "" {
			out.Plan = refusal(ep.Refusal)
		}
	}
	out.Plan = fault.Whole(policy.Answer(out.Plan, fields))
	return out, nil
}
