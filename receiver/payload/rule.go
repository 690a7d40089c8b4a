package payload

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// rule describes the payload of an automation rule.
func (d *description) rule(top members) {
	d.problems.fields(newTable(ruleFields()), "", top)
	rule := &webhook.Rule{
		ID:       top.text("rule_id"),
		Start:    top.text("start_time"),
		End:      top.text("end_time"),
		Feedback: rawObject(top.value["feedback_stats"]),
	}
	runs := newTable(ruleRunFields())
	if list := top.value["runs"]; list.IsArray() {
		index := 0
		list.ForEach(func(_, value gjson.Result) bool {
			d.ruleRun(rule, index, runs, value)
			index++
			return index < maxRuns || index < maxRunsRead && !d.problems.full()
		})
		rule.RunCount = countItems(list.Raw)
	}
	d.out.Kind, d.out.Rule = webhook.PayloadRule, rule
	names, failure := summary(rule.Runs)
	d.out.Title = "rule" + strings.TrimRight(" "+short(rule.ID), " ") + " · " + plural(rule.RunCount, "run") + named(names[0])
	d.out.Snippet = strings.TrimPrefix(named(strings.Join(names[:min(len(names), 10)], ", "))+named(failure), " · ")
}

// summary returns the different names of runs, at least one, and the first error.
func summary(runs []webhook.Run) (names []string, failure string) {
	for _, run := range runs {
		if run.Name != "" && len(names) < 10 && !slices.Contains(names, run.Name) {
			names = append(names, clip(run.Name, 60))
		}
		if failure == "" && run.Error != "" {
			failure = "error: " + run.Error
		}
	}
	if len(names) == 0 {
		names = []string{""}
	}
	return names, failure
}

// ruleRun adds one run to a rule and its problems to the description.
func (d *description) ruleRun(rule *webhook.Rule, index int, known table, value gjson.Result) {
	path := "runs." + strconv.Itoa(index)
	if !value.IsObject() {
		d.problems.add(wrongType, path, "Each run should be an object, but this one is "+shapeOf(value).names()+".")
	}
	m := membersOf(value)
	if value.IsObject() {
		d.problems.fields(known, path+".", m)
		d.storedEntries(path+".", m)
	}
	if index < maxRuns {
		rule.Runs = append(rule.Runs, newRun(index, m))
	}
}

// storedEntries checks the maps of presigned URLs of one run.
func (d *description) storedEntries(prefix string, m members) {
	for _, name := range []string{"inputs_s3_urls", "outputs_s3_urls", "s3_urls"} {
		if !m.value[name].IsObject() {
			continue
		}
		m.value[name].ForEach(func(key, entry gjson.Result) bool {
			path := prefix + name + "." + clip(key.String(), 80)
			if s := shapeOf(entry); s != object && s != null {
				d.problems.add(wrongType, path, "A stored object should be described by an object or null, but this is "+s.names()+".")
			}
			url := member(entry, presigned)
			if url.Exists() && url.Type != gjson.String {
				d.problems.add(wrongType, path+"."+presigned, "A presigned URL should be a string, but it is "+shapeOf(url).names()+".")
			}
			return !d.problems.full()
		})
	}
}

func newRun(index int, m members) webhook.Run {
	run := webhook.Run{
		Index:       index,
		ID:          m.text("id"),
		Name:        m.text("name"),
		Type:        m.text("run_type"),
		Status:      m.text("status"),
		Error:       errorText(m.value["error"]),
		TraceID:     m.text("trace_id"),
		DottedOrder: m.text("dotted_order"),
		AppPath:     m.text("app_path"),
		Session:     m.text("session_id"),
		StartTime:   m.text("start_time"),
		EndTime:     m.text("end_time"),
		Inputs:      raw(m.value["inputs"]),
		Outputs:     raw(m.value["outputs"]),
		Feedback:    rawObject(m.value["feedback_stats"]),
	}
	run.Latency = between(run.StartTime, run.EndTime)
	if tokens := m.value["total_tokens"]; tokens.Type == gjson.Number {
		if n, err := strconv.ParseInt(tokens.Raw, 10, 64); err == nil {
			run.TotalTokens = &n
		}
	}
	if value := m.value["total_cost"]; value.Type == gjson.String || value.Type == gjson.Number {
		run.TotalCost = value.String()
		if value.Type == gjson.Number {
			run.TotalCost = value.Raw
		}
	}
	return run
}

// countItems returns how many items an array of valid JSON has.
func countItems(list string) int {
	commas, depth, empty := 0, 0, true
	for i := 0; i < len(list); i++ {
		switch list[i] {
		case '"':
			empty = false
			for i++; list[i] != '"'; i++ {
				if list[i] == '\\' {
					i++
				}
			}
		case '[', '{':
			empty = empty && depth == 0
			depth++
		case ']', '}':
			depth--
		case ',':
			if depth == 1 {
				commas++
			}
		case ' ', '\t', '\r', '\n':
		default:
			empty = false
		}
	}
	if empty {
		return 0
	}
	return commas + 1
}

// raw returns a value as it stands, or nil when it is null or absent.
func raw(value gjson.Result) json.RawMessage {
	if value.Type == gjson.Null {
		return nil
	}
	return json.RawMessage(value.Raw)
}

func rawObject(value gjson.Result) json.RawMessage {
	if !value.IsObject() {
		return nil
	}
	return json.RawMessage(value.Raw)
}

// errorText returns an error as text: the string itself, or error and message of an object.
func errorText(value gjson.Result) string {
	switch {
	case value.Type == gjson.String:
		return value.Str
	case value.Type == gjson.Null:
		return ""
	case value.IsObject():
		m := membersOf(value)
		name, message := m.text("error"), m.text("message")
		if name != "" && message != "" {
			return name + ": " + message
		}
		return first(message, name, value.Raw)
	default:
		return value.Raw
	}
}

// between returns end - start, or nil unless both are times.
func between(start, end string) *time.Duration {
	from, ok := parseTime(start)
	to, also := parseTime(end)
	if !ok || !also {
		return nil
	}
	d := to.Sub(from)
	return &d
}

// parseTime reads an ISO time; one without a zone is UTC, as LangSmith means it.
func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", time.DateTime} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
