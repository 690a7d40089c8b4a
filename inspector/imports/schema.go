package imports

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	maxRefs  = 20
	maxDepth = 8
	maxMade  = 500
	maxNamed = 20
	maxFixed = 4
)

// openAPI looks things up in a document.
type openAPI struct {
	root object
	// made counts the values that the current example was made of.
	made int
}

// object returns a part that is an object, behind its references.
func (d *openAPI) object(value any) (object, error) {
	for range maxRefs {
		here, isObject := value.(object)
		if !isObject {
			return nil, errors.New("there is no object")
		}
		ref, isRef := here["$ref"].(string)
		if !isRef {
			return here, nil
		}
		path, local := strings.CutPrefix(ref, "#/")
		if !local {
			return nil, fmt.Errorf("%.80q is in another document, which is not fetched", ref)
		}
		value = d.root
		for key := range strings.SplitSeq(path, "/") {
			in, _ := value.(object)
			if value = in[strings.NewReplacer("~1", "/", "~0", "~").Replace(key)]; value == nil {
				return nil, fmt.Errorf("%.80q leads nowhere", ref)
			}
		}
	}
	return nil, errors.New("its references go in circles")
}

// answers returns the answers of a response: one for each named example, at least one.
func (d *openAPI) answers(at string, value any, status int) ([]made, error) {
	response, err := d.object(value)
	if err != nil {
		return nil, err
	}
	base := webhook.Plan{Status: status, Header: d.headers(response["headers"])}
	content, _ := response["content"].(object)
	if len(content) == 0 {
		return []made{{at: at, plan: base}}, nil
	}
	kind := preferred(content)
	media, err := d.object(content[kind])
	if err != nil {
		return nil, err
	}
	if kind != "*/*" {
		base.Header = append([]webhook.Field{{Name: "Content-Type", Value: kind}}, base.Header...)
	}
	var out []made
	values, _ := d.values(media)
	for _, v := range values {
		plan := base
		plan.Body = bodyOf(kind, v.value)
		out = append(out, made{at: at, label: v.label, plan: plan})
	}
	return out, nil
}

// preferred returns the media type to answer with: JSON where there is one.
func preferred(content object) string {
	kinds := slices.Sorted(maps.Keys(content))
	for _, kind := range kinds {
		if isJSON(kind) {
			return kind
		}
	}
	return kinds[0]
}

func isJSON(kind string) bool {
	kind, _, _ = strings.Cut(strings.ToLower(kind), ";")
	return kind == "application/json" || strings.HasSuffix(kind, "+json")
}

func bodyOf(kind string, value any) []byte {
	if text, isText := value.(string); isText && !isJSON(kind) {
		return []byte(text)
	}
	var out strings.Builder
	encode := json.NewEncoder(&out)
	encode.SetEscapeHTML(false)
	if err := encode.Encode(value); err != nil {
		return []byte{}
	}
	return []byte(strings.TrimSuffix(out.String(), "\n"))
}

// headers returns the fields that have an example.
func (d *openAPI) headers(value any) []webhook.Field {
	fields, _ := value.(object)
	var out []webhook.Field
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		header, err := d.object(fields[name])
		if err != nil || strings.EqualFold(name, "Content-Type") {
			continue
		}
		example := header["example"]
		if schema, err := d.object(header["schema"]); example == nil && err == nil {
			example = schema["example"]
		}
		switch v := example.(type) {
		case string, bool, float64, int, int64, uint64:
			out = append(out, webhook.Field{Name: name, Value: fmt.Sprint(v)})
		}
	}
	return out
}

// constants returns matchers for what a webhook's schema says is always the same, such as the kind of an event.
func (d *openAPI) constants(operation object) []webhook.Matcher {
	request, err := d.object(operation["requestBody"])
	if err != nil {
		return nil
	}
	content, _ := request["content"].(object)
	if len(content) == 0 {
		return nil
	}
	media, err := d.object(content[preferred(content)])
	if err != nil {
		return nil
	}
	schema, err := d.object(media["schema"])
	if err != nil {
		return nil
	}
	properties, _ := schema["properties"].(object)
	var out []webhook.Matcher
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		property, err := d.object(properties[name])
		if err != nil || strings.ContainsAny(name, `.*?|#@!{}[]()\`) || len(out) == maxFixed {
			continue
		}
		fixed := property["const"]
		if list, _ := property["enum"].([]any); fixed == nil && len(list) == 1 {
			fixed = list[0]
		}
		if text, isText := fixed.(string); isText {
			out = append(out, equals(webhook.PartJSON, name, text))
		}
	}
	return out
}

// example makes a value of a schema: its own example, or one of its type.
func (d *openAPI) example(value any, depth int) any {
	schema, err := d.object(value)
	if d.made++; err != nil || depth > maxDepth || d.made > maxMade {
		return nil
	}
	for _, key := range []string{"example", "const", "default"} {
		if given, found := schema[key]; found {
			return given
		}
	}
	for _, key := range []string{"examples", "enum"} {
		if list, _ := schema[key].([]any); len(list) > 0 {
			return list[0]
		}
	}
	for _, key := range []string{"oneOf", "anyOf"} {
		if list, _ := schema[key].([]any); len(list) > 0 {
			return d.example(list[0], depth+1)
		}
	}
	out := object{}
	if list, _ := schema["allOf"].([]any); len(list) > 0 {
		for _, part := range list {
			if more, isObject := d.example(part, depth+1).(object); isObject {
				maps.Copy(out, more)
			}
		}
	}
	properties, _ := schema["properties"].(object)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		out[name] = d.example(properties[name], depth+1)
	}
	if len(out) > 0 {
		return out
	}
	return d.ofType(schema, depth)
}

func (d *openAPI) ofType(schema object, depth int) any {
	kind, _ := schema["type"].(string)
	if kinds, _ := schema["type"].([]any); len(kinds) > 0 {
		kind, _ = kinds[0].(string)
	}
	switch kind {
	case "object":
		return object{}
	case "array":
		return []any{d.example(schema["items"], depth+1)}
	case "integer", "number":
		return 0
	case "boolean":
		return true
	case "string":
		return ofFormat(schema)
	default:
		return nil
	}
}

func ofFormat(schema object) string {
	format, _ := schema["format"].(string)
	switch format {
	case "date-time":
		return "2026-01-01T00:00:00Z"
	case "date":
		return "2026-01-01"
	case "uuid":
		return "00000000-0000-4000-8000-000000000000"
	case "email":
		return "user@example.com"
	case "uri", "url":
		return "https://example.com/"
	default:
		if least, err := strconv.Atoi(fmt.Sprint(schema["minLength"])); err == nil && least > len("string") && least <= 1000 {
			return strings.Repeat("s", least)
		}
		return "string"
	}
}
