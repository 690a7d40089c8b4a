package api

import "github.com/hookrange/hookrange/receiver/webhook"

// maxProblems bounds the problems that a summary carries.
const maxProblems = 20

// Summary returns what lists and the live feed show of a payload: no rule, runs or run, and the first 20
// problems.
func (v View) Summary(p *webhook.Payload) Payload {
	out := Payload{
		Kind: string(p.Kind), Variant: p.Variant, Title: v.Mask.String(p.Title), Snippet: v.Mask.String(p.Snippet),
		Problems: v.problems(p.Problems[:min(len(p.Problems), maxProblems)]),
	}
	if p.Run != nil {
		out.SentAt = v.Mask.String(p.Run.SentAt)
	}
	return out
}

// Payload returns the whole of a payload.
func (v View) Payload(p *webhook.Payload) Payload {
	out := v.Summary(p)
	out.Problems = v.problems(p.Problems)
	if p.Rule != nil {
		out.Rule = &Rule{
			ID: v.Mask.String(p.Rule.ID), Start: v.Mask.String(p.Rule.Start), End: v.Mask.String(p.Rule.End),
			RunCount: p.Rule.RunCount, Feedback: v.raw(p.Rule.Feedback),
		}
		out.Runs = make([]Run, len(p.Rule.Runs))
		for i := range p.Rule.Runs {
			out.Runs[i] = v.run(&p.Rule.Runs[i])
		}
	}
	if p.Run != nil {
		out.Run = v.agentRun(p.Run)
	}
	return out
}

func (v View) problems(problems []webhook.Problem) []Problem {
	out := make([]Problem, len(problems))
	for i, p := range problems {
		out[i] = Problem{Code: p.Code, Path: v.Mask.String(p.Path), Message: v.Mask.String(p.Message)}
	}
	return out
}

func (v View) run(r *webhook.Run) Run {
	s := v.Mask.String
	return Run{
		Index: r.Index, ID: s(r.ID), Name: s(r.Name), Type: s(r.Type), Status: s(r.Status), Error: s(r.Error),
		TraceID: s(r.TraceID), DottedOrder: s(r.DottedOrder), AppPath: s(r.AppPath), Session: s(r.Session),
		StartTime: s(r.StartTime), EndTime: s(r.EndTime), Latency: millis(r.Latency),
		TotalTokens: r.TotalTokens, TotalCost: s(r.TotalCost),
		Inputs: v.raw(r.Inputs), Outputs: v.raw(r.Outputs), Feedback: v.raw(r.Feedback),
	}
}

func (v View) agentRun(r *webhook.AgentRun) *AgentRun {
	s := v.Mask.String
	return &AgentRun{
		RunID: s(r.RunID), ThreadID: s(r.ThreadID), AssistantID: s(r.AssistantID), GraphID: s(r.GraphID),
		Status: s(r.Status), Error: s(r.Error), CreatedAt: s(r.CreatedAt), StartedAt: s(r.StartedAt),
		EndedAt: s(r.EndedAt), SentAt: s(r.SentAt), Duration: millis(r.Duration), Multitask: s(r.Multitask),
		Values: v.raw(r.Values), Kwargs: v.raw(r.Kwargs), Metadata: v.raw(r.Metadata),
	}
}
