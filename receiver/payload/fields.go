package payload

import (
	"strings"

	"github.com/tidwall/gjson"
)

// shape is a set of JSON types that a field may have.
type shape uint8

const (
	text shape = 1 << iota
	whole
	fraction
	boolean
	object
	array
	null
	// required marks a field that must be there.
	required
)

const (
	number    = whole | fraction
	anything  = text | number | boolean | object | array | null
	maybeText = text | null
	maybeInt  = whole | null
	maybeBool = boolean | null
	maybeObj  = object | null
	maybeList = array | null
	// cost is how LangSmith writes money: decimal text.
	cost = text | null
)

// field is one known member of a payload. The schemas in fixtures say the same; a test compares
// them.
type field struct {
	name  string
	shape shape
}

// ruleFields are the members of an automation rule's payload.
func ruleFields() []field {
	return []field{
		{"rule_id", text | required},
		{"start_time", text | required},
		{"end_time", text | required},
		{"runs", array | required},
		{"feedback_stats", maybeObj},
	}
}

// ruleRunFields are the members of one run of a rule's payload.
func ruleRunFields() []field {
	return []field{
		{"id", text | required},
		{"trace_id", text | required},
		{"dotted_order", text | required},
		{"name", text | required},
		{"run_type", text | required},
		{"status", text | required},
		{"session_id", text | required},
		{"app_path", text | required},
		{"is_root", maybeBool},
		{"in_dataset", maybeBool},
		{"start_time", maybeText},
		{"end_time", maybeText},
		{"modified_at", maybeText},
		{"first_token_time", maybeText},
		{"last_queued_at", maybeText},
		{"tenant_id", maybeText},
		{"share_token", maybeText},
		{"error", maybeText},
		{"thread_id", maybeText},
		{"parent_run_id", maybeText},
		{"parent_run_ids", maybeList},
		{"child_run_ids", maybeList},
		{"direct_child_run_ids", maybeList},
		{"tags", maybeList},
		{"events", maybeList},
		{"messages", maybeList},
		{"total_tokens", maybeInt},
		{"completion_tokens", maybeInt},
		{"prompt_tokens", maybeInt},
		{"execution_order", maybeInt},
		{"ttl_seconds", maybeInt},
		{"total_cost", cost},
		{"completion_cost", cost},
		{"prompt_cost", cost},
		{"prompt_token_details", maybeObj},
		{"completion_token_details", maybeObj},
		{"prompt_cost_details", maybeObj},
		{"completion_cost_details", maybeObj},
		{"inputs", maybeObj},
		{"outputs", maybeObj},
		{"inputs_preview", maybeText},
		{"outputs_preview", maybeText},
		{"inputs_s3_urls", maybeObj},
		{"outputs_s3_urls", maybeObj},
		{"s3_urls", maybeObj},
		{"extra", maybeObj},
		{"serialized", maybeObj},
		{"feedback_stats", maybeObj},
		{"manifest_id", maybeText},
		{"manifest_s3_id", maybeText},
		{"price_model_id", maybeText},
		{"reference_dataset_id", maybeText},
		{"reference_example_id", maybeText},
		{"trace_tier", maybeText},
		{"trace_upgrade", maybeBool},
		{"trace_first_received_at", maybeText},
		{"trace_min_start_time", maybeText},
		{"trace_max_start_time", maybeText},
	}
}

// agentRunFields are the members of an Agent Server's run webhook. A server's allowed_fields
// setting may leave out any of them, so only what the receiver cannot do without is required.
func agentRunFields() []field {
	return []field{
		{"run_id", text | required},
		{"status", text | required},
		{"thread_id", maybeText},
		{"assistant_id", maybeText},
		{"metadata", maybeObj},
		{"kwargs", maybeObj},
		{"multitask_strategy", maybeText},
		{"created_at", maybeText},
		{"updated_at", maybeText},
		{"langsmith_session_name", maybeText},
		{"run_started_at", maybeText},
		{"run_ended_at", maybeText},
		{"webhook_sent_at", maybeText},
		{"values", anything},
		{"error", text | object | null},
	}
}

// table finds a known field by its name.
type table struct {
	fields []field
	index  map[string]shape
}

func newTable(fields []field) table {
	t := table{fields: fields, index: make(map[string]shape, len(fields))}
	for _, f := range fields {
		t.index[f.name] = f.shape
	}
	return t
}

func shapeOf(value gjson.Result) shape {
	switch value.Type {
	case gjson.Null:
		return null
	case gjson.True, gjson.False:
		return boolean
	case gjson.String:
		return text
	case gjson.Number:
		if strings.ContainsAny(value.Raw, ".eE") {
			return fraction
		}
		return whole
	default:
		if value.IsArray() {
			return array
		}
		return object
	}
}

// names lists the types of a shape as a person says them: "a string or null".
func (s shape) names() string {
	var names []string
	for _, n := range []struct {
		shape shape
		name  string
	}{
		{text, "a string"},
		{number, "a number"},
		{whole, "an integer"},
		{fraction, "a number with a fraction"},
		{boolean, "true or false"},
		{object, "an object"},
		{array, "an array"},
		{null, "null"},
	} {
		partOfNumber := s&number == number && n.shape != number && n.shape&number != 0
		if s&n.shape == n.shape && !partOfNumber {
			names = append(names, n.name)
		}
	}
	if len(names) > 1 {
		last := len(names) - 1
		return strings.Join(names[:last], ", ") + " or " + names[last]
	}
	return strings.Join(names, "")
}
