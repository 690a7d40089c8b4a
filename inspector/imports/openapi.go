package imports

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"

	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	maxJSON = 12 << 20
	// maxYAML is less: reading a megabyte of YAML takes seconds.
	maxYAML    = 1 << 20
	maxNesting = 200
)

type object = map[string]any

// openAPI makes rules of each operation: one for the answer that comes first, and one for each other answer and example,
// which are off and stand before it, so that switching one on is enough.
func (m *maker) openAPI(text []byte) error {
	root, err := document(text)
	if err != nil {
		return err
	}
	version, _ := root["openapi"].(string)
	if !strings.HasPrefix(version, "3.") {
		if _, old := root["swagger"]; old {
			return invalid("this is Swagger 2; OpenAPI 3 is read")
		}
		return invalid("not an OpenAPI 3 document: there is no openapi: 3.x")
	}
	doc := &openAPI{root: root}
	paths, _ := root["paths"].(object)
	for _, path := range slices.SortedFunc(maps.Keys(paths), byTemplates) {
		at := "paths." + path
		if !strings.HasPrefix(path, "/") {
			continue // an extension
		}
		m.item(doc, at, paths[path], []webhook.Matcher{pathMatcher(path)}, path)
	}
	hooks, _ := root["webhooks"].(object)
	for _, name := range slices.Sorted(maps.Keys(hooks)) {
		m.item(doc, "webhooks."+name, hooks[name], nil, name)
	}
	if len(paths)+len(hooks) == 0 {
		return invalid("the document has neither paths nor webhooks")
	}
	return nil
}

var manyDashes = regexp.MustCompile(`(?m)^[ \t]*([-?][ \t]+){50}`)

// document reads YAML or JSON. Documents that would take much more room than they are long are refused.
func document(text []byte) (object, error) {
	if len(text) > maxJSON {
		return nil, invalid("the document takes %d bytes; at most %d are read", len(text), maxJSON)
	}
	if json.Valid(text) {
		var out object
		if err := json.Unmarshal(text, &out); err != nil {
			return nil, invalid("not an OpenAPI document: %v", err)
		}
		return out, nil
	}
	if len(text) > maxYAML {
		return nil, invalid("the document takes %d bytes; at most %d are read of YAML, and %d of JSON", len(text), maxYAML, maxJSON)
	}
	depth := 0
	for _, c := range text {
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case '\n':
			depth = max(depth, 0)
		}
		if depth > maxNesting {
			return nil, invalid("the document nests too deep, or has text with many brackets")
		}
	}
	if manyDashes.Match(text) {
		return nil, invalid("the document nests too deep")
	}
	aliased := slices.ContainsFunc(lexer.Tokenize(string(text)), func(t *token.Token) bool { return t.Type == token.AliasType })
	if aliased {
		if err := checkAliases(text); err != nil {
			return nil, err
		}
	}
	var value any
	if err := yaml.Unmarshal(text, &value); err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return nil, invalid("neither JSON nor YAML: %s", line)
	}
	out, isObject := value.(object)
	if !isObject {
		return nil, invalid("not an OpenAPI document: it is no map")
	}
	return out, nil
}

// byTemplates puts paths with fewer templates first: a rule for /a/b must stand before one for /a/{id}.
func byTemplates(a, b string) int {
	if x, y := strings.Count(a, "{"), strings.Count(b, "{"); x != y {
		return x - y
	}
	return strings.Compare(a, b)
}

var pathTemplate = regexp.MustCompile(`\{[^{}/]*\}`)

func pathMatcher(path string) webhook.Matcher {
	if !strings.Contains(path, "{") {
		return equals(webhook.PartPath, "", path)
	}
	var out strings.Builder
	out.WriteString("^")
	last := 0
	for _, at := range pathTemplate.FindAllStringIndex(path, -1) {
		out.WriteString(regexp.QuoteMeta(path[last:at[0]]) + "[^/]+")
		last = at[1]
	}
	out.WriteString(regexp.QuoteMeta(path[last:]) + "$")
	return webhook.Matcher{Part: webhook.PartPath, Op: webhook.OpMatches, Value: out.String()}
}

// item makes the rules of a path or webhook.
func (m *maker) item(doc *openAPI, at string, value any, match []webhook.Matcher, name string) {
	item, err := doc.object(value)
	if err != nil {
		m.leaveOut(at, "%v", err)
		return
	}
	for _, method := range []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"} {
		if item[method] == nil {
			continue
		}
		where := at + "." + method
		operation, err := doc.object(item[method])
		if err != nil {
			m.leaveOut(where, "%v", err)
			continue
		}
		verb := strings.ToUpper(method)
		all := append([]webhook.Matcher{equals(webhook.PartMethod, "", verb)}, match...)
		if match == nil {
			all = append(all, doc.constants(operation)...)
		}
		if operation["callbacks"] != nil {
			m.leaveOut(where+".callbacks", "callbacks are not read")
		}
		m.operation(doc, where, operation, webhook.AnswerRule{Name: verb + " " + name, Match: all})
		sample := Example{Name: verb + " " + name, At: where, Method: verb}
		if match != nil {
			sample.Path = name
		}
		m.requests(doc, operation, item["parameters"], sample)
	}
}

// made is an answer of an operation, before it is a rule.
type made struct {
	at, label string
	plan      webhook.Plan
}

func (m *maker) operation(doc *openAPI, at string, operation object, rule webhook.AnswerRule) {
	responses, err := doc.object(operation["responses"])
	if err != nil {
		m.leaveOut(at+".responses", "%v", err)
		return
	}
	var answers []made
	for _, code := range slices.SortedFunc(maps.Keys(responses), successFirst) {
		if strings.HasPrefix(code, "x-") {
			continue
		}
		where := at + ".responses." + code
		status, err := statusOf(code, len(answers) == 0)
		if err != nil {
			m.leaveOut(where, "%v", err)
			continue
		}
		more, err := doc.answers(where, responses[code], status)
		if err != nil {
			m.leaveOut(where, "%v", err)
			continue
		}
		answers = append(answers, more...)
	}
	if len(answers) == 0 {
		m.leaveOut(at, "there is no response to answer with")
		return
	}
	for _, a := range slices.Backward(answers[1:]) {
		other := rule
		other.Off = true
		other.Name += " (" + strings.TrimSpace(strconv.Itoa(a.plan.Status)+" "+a.label) + ")"
		m.add(a.at, other, a.plan)
	}
	m.add(answers[0].at, rule, answers[0].plan)
}

// successFirst sorts 2xx before the others, and default last.
func successFirst(a, b string) int {
	rank := func(code string) string {
		switch {
		case strings.HasPrefix(code, "2"):
			return "0" + code
		case code == "default":
			return "2"
		default:
			return "1" + code
		}
	}
	return strings.Compare(rank(a), rank(b))
}

// statusOf reads 200, 2XX or default, which is a success where it stands alone.
func statusOf(code string, alone bool) (int, error) {
	switch {
	case code == "default" && alone:
		return http.StatusOK, nil
	case code == "default":
		return http.StatusInternalServerError, nil
	case len(code) == 3 && strings.HasSuffix(strings.ToUpper(code), "XX"):
		code = code[:1] + "00"
	}
	status, err := strconv.Atoi(code)
	if err != nil || status < 200 || status > 599 {
		return 0, fmt.Errorf("%.20q is no status to answer with", code)
	}
	return status, nil
}
