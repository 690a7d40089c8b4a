package payload

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// agentRun describes the payload of an Agent Server's run webhook.
func (d *description) agentRun(top members) {
	d.problems.fields(newTable(agentRunFields()), "", top)
	run := &webhook.AgentRun{
		RunID:       top.text("run_id"),
		ThreadID:    top.text("thread_id"),
		AssistantID: top.text("assistant_id"),
		GraphID: first(
			textAt(top.value["metadata"], "graph_id"),
			textAt(top.value["kwargs"], "config.configurable.graph_id"),
		),
		Status:    top.text("status"),
		Error:     errorText(top.value["error"]),
		CreatedAt: top.text("created_at"),
		StartedAt: top.text("run_started_at"),
		EndedAt:   top.text("run_ended_at"),
		SentAt:    top.text("webhook_sent_at"),
		Multitask: top.text("multitask_strategy"),
		Values:    raw(top.value["values"]),
		Kwargs:    raw(top.value["kwargs"]),
		Metadata:  raw(top.value["metadata"]),
	}
	run.Duration = between(run.StartedAt, run.EndedAt)
	d.out.Kind, d.out.Run = webhook.PayloadRun, run
	d.out.Variant = serverOf(top)
	d.out.Title = strings.TrimRight("run "+run.Status, " ") + named(first(run.GraphID, short(run.AssistantID)))
	switch {
	case run.Error != "":
		d.out.Snippet = "error: " + run.Error
	case run.Values != nil:
		d.out.Snippet = top.value["values"].Raw
	default:
		d.out.Snippet = "thread " + first(run.ThreadID, "unknown")
	}
}

// textAt returns a string inside value, or "".
func textAt(value gjson.Result, path string) string {
	return value.Get(path).Str
}

// serverOf tells the Python from the JavaScript Agent Server by what only one of them writes, or
// returns "".
func serverOf(top members) string {
	python, js := 0, 0
	if top.value["error"].IsObject() {
		python++
	}
	if values, ok := top.value["values"]; ok && values.Type == gjson.Null {
		python++
	}
	kwargs := top.value["kwargs"]
	configurable := kwargs.Get("config.configurable")
	for _, hint := range []gjson.Result{
		kwargs.Get("durability"), kwargs.Get("checkpoint_during"),
		configurable.Get("langgraph_request_id"), configurable.Get("langgraph_auth_user_id"),
	} {
		if hint.Exists() {
			python++
		}
	}
	for _, name := range []string{"created_at", "updated_at", "run_started_at", "run_ended_at", "webhook_sent_at"} {
		switch at := top.text(name); {
		case strings.HasSuffix(at, "+00:00"):
			python++
		case len(at) == len("2026-11-22T00:46:19.282Z") && at[len(at)-1] == 'Z':
			js++
		}
	}
	switch {
	case python > js:
		return "python"
	case js > python:
		return "js"
	default:
		return ""
	}
}
