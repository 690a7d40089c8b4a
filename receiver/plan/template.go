package plan

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	// maxTemplateBody bounds a body that templates may look at.
	maxTemplateBody = 1 << 20
	maxTrouble      = 300
)

func templateUsage(value string) string {
	if value == "on" {
		return ""
	}
	return "write template=on, or leave it out"
}

// template is an answer some of whose texts are made from the request.
type template struct {
	// body is nil for one that is sent as it is; json says that it must come out as JSON.
	body *sandbox
	json bool
	// header has an entry for each field of the plan, nil for one that is sent as it is.
	header []*sandbox
	// body and raw parts of the request that the texts name.
	usesBody, usesRaw bool
}

// newTemplate compiles the texts of a step that have {{.
func newTemplate(number int, s *step) (*template, error) {
	out := &template{json: s.spec.json, header: make([]*sandbox, len(s.plan.Header))}
	read := func(key, text string, asJSON bool) (*sandbox, error) {
		if !strings.Contains(text, "{{") {
			return nil, nil //nolint:nilnil // nil stands for a text that is sent as it is
		}
		made, err := newSandbox(text, asJSON)
		if err != nil {
			return nil, refuse(number, key, "template: %s", err)
		}
		out.usesBody = out.usesBody || strings.Contains(text, "Body")
		out.usesRaw = out.usesRaw || strings.Contains(text, "Raw")
		return made, nil
	}
	var err error
	if out.body, err = read(s.spec.bodyKey(), string(s.plan.Body), s.spec.json); err != nil {
		return nil, err
	}
	for i, f := range s.plan.Header {
		if out.header[i], err = read(keyHeader+f.Name, f.Value, false); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// plan returns base with its texts made, or a plain 500 with Trouble: never half an answer.
func (t *template) plan(base *webhook.Plan, in Arrival) webhook.Plan {
	out := *base
	data, err := t.data(in)
	if err == nil {
		err = t.make(&out, data, newBudget(in))
	}
	if err == nil {
		return out
	}
	return webhook.Plan{
		Text: base.Text, Step: base.Step, Status: http.StatusInternalServerError,
		Header:  []webhook.Field{{Name: "Content-Type", Value: "application/json"}},
		Body:    []byte(`{"detail":"The template of this answer failed; the outcome of the capture says why."}`),
		Trouble: clip("the template failed: "+err.Error(), maxTrouble),
	}
}

func (t *template) make(out *webhook.Plan, data map[string]any, left *budget) error {
	if t.body != nil {
		text, err := t.body.run(data, left)
		if err != nil {
			return fmt.Errorf("body: %w", err)
		}
		out.Body = []byte(text)
		if t.json && !json.Valid(out.Body) {
			return fmt.Errorf("body: what came out is not valid JSON; keep each {{if}} and {{range}} within one string, or use body in place of json")
		}
	}
	out.Header = slices.Clone(out.Header)
	for i, one := range t.header {
		if one == nil {
			continue
		}
		text, err := one.run(data, left)
		if err == nil {
			out.Header[i].Value = strings.Trim(text, " \t")
			if fault := checkField(out.Header[i]); fault != "" {
				err = fmt.Errorf("%s", fault)
			}
		}
		if err != nil {
			return fmt.Errorf("header %s: %w", out.Header[i].Name, err)
		}
	}
	return nil
}

// data returns what templates see: plain strings, numbers, lists and maps, and nothing of the endpoint.
func (t *template) data(in Arrival) (map[string]any, error) {
	data := map[string]any{
		"Path": subpath(in.Path), "Attempt": int64(in.Attempt), "Delivery": in.Delivery, "Now": in.At.UTC().Format(timeForm),
	}
	req := in.Request
	if req == nil {
		return data, nil
	}
	if size := len(req.Body); size > maxTemplateBody && (t.usesBody || t.usesRaw) {
		return nil, fmt.Errorf("the request's body has %d bytes; templates see bodies of at most %d", size, maxTemplateBody)
	}
	header := fields{}
	for name, value := range headerOf(req.Head) {
		header[name] = value
	}
	query := map[string]any{}
	for name, value := range queryOf(req.Target) {
		query[name] = value
	}
	data["Method"], data["Header"], data["Query"] = req.Method, header, query
	if t.usesRaw {
		data["Raw"] = string(req.Body)
	}
	if t.usesBody {
		data["Body"] = plainJSON(req.Body)
	}
	return data, nil
}

// fields are header fields by lower-case name; at looks them up without regard to case.
type fields map[string]any

// plainJSON is bodyOf with whole numbers kept whole.
func plainJSON(body []byte) any {
	if !json.Valid(body) || tooDeep(body) {
		return string(body)
	}
	decode := json.NewDecoder(strings.NewReader(string(body)))
	decode.UseNumber()
	var out any
	if err := decode.Decode(&out); err != nil {
		return string(body)
	}
	return plainNumbers(out)
}

func plainNumbers(value any) any {
	switch v := value.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil && strings.ContainsAny(v.String(), ".eE") {
			return f
		}
		return v.String()
	case map[string]any:
		for key, item := range v {
			v[key] = plainNumbers(item)
		}
	case []any:
		for i, item := range v {
			v[i] = plainNumbers(item)
		}
	}
	return value
}
