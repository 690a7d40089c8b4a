package plan

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"
	"github.com/tidwall/gjson"

	"github.com/hookrange/hookrange/receiver/effort"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	maxExpression = 4 << 10
	maxNodes      = 1000
	maxDepth      = 1000
)

// condition is a compiled expression and what it looks at.
type condition struct {
	program *vm.Program
	uses    *mentions
}

// environment is what an expression sees.
type environment struct {
	Method  string              `expr:"method"`
	Path    string              `expr:"path"`
	Header  map[string]string   `expr:"header"`
	Query   map[string]string   `expr:"query"`
	Body    any                 `expr:"body"`
	Attempt int                 `expr:"attempt"`
	Subpath string              `expr:"subpath"`
	Raw     string              `expr:"raw"`
	At      func(string) string `expr:"at"`
	Has     func(string) bool   `expr:"has"`

	Effort func(...any) (any, error) `expr:"effort__"`
}

// compile checks and compiles an expression. Clocks are refused because a plan is pure, and ranges
// because an expression over them takes any time it likes; over what was sent it takes so many steps at most.
func compile(number int, text string) (*condition, error) {
	if len(text) > maxExpression {
		return nil, refuse(number, keyWhen, "the expression takes %d bytes; at most %d are accepted",
			len(text), maxExpression)
	}
	uses := &mentions{}
	program, err := expr.Compile(text, expr.Env(environment{}), expr.AsBool(), expr.MaxNodes(maxNodes),
		expr.DisableBuiltin("now"), expr.DisableBuiltin("date"), expr.DisableBuiltin("timezone"), expr.Patch(uses), expr.Patch(effort.Counted{}))
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return nil, refuse(number, keyWhen+"="+text, "%s; an expression is true or false and sees method, path, "+
			"header, query, body, raw, attempt, subpath, at(PATH) and has(PATH); one with blanks outside of brackets and quotes stands in quotes", line)
	}
	if uses.span {
		return nil, refuse(number, keyWhen+"="+text, "the range operator .. is not accepted")
	}
	return &condition{program: program, uses: uses}, nil
}

// mentions notes which costly parts an expression looks at, and makes constant header names lower
// case.
type mentions struct {
	header, query, body, raw, values, span bool
}

// Visit implements ast.Visitor.
func (m *mentions) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		all := n.Value == "$env"
		m.header = m.header || all || n.Value == "header"
		m.query = m.query || all || n.Value == "query"
		m.body = m.body || all || n.Value == "body"
		m.raw = m.raw || all || n.Value == "raw"
		m.values = m.values || all || n.Value == "at" || n.Value == "has"
	case *ast.MemberNode:
		owner, isName := n.Node.(*ast.IdentifierNode)
		if key, constant := n.Property.(*ast.StringNode); constant && isName && owner.Value == "header" {
			key.Value = strings.ToLower(key.Value)
		}
	case *ast.BinaryNode:
		m.span = m.span || n.Operator == ".."
	}
}

// view is one arrival as expressions see it; each part is worked out once, when first needed.
type view struct {
	in                  Arrival
	env                 environment
	begun               bool
	header, query, body bool
	values              *values
}

// values looks JSON values up in a body. It stands for itself so that a view need not live on the heap.
type values struct {
	body []byte
	// sound says that the body may be given to gjson.
	sound bool
}

// holds reports whether the expression is true. An error while it runs means that it is not.
func (c *condition) holds(v *view) bool {
	v.prepare(c.uses)
	out, err := expr.Run(c.program, v.env)
	if err != nil {
		return false
	}
	yes, isBool := out.(bool)
	return isBool && yes
}

func (v *view) prepare(uses *mentions) {
	req := v.in.Request
	if !v.begun {
		v.begun = true
		v.env.Path, v.env.Attempt, v.env.Subpath = v.in.Path, v.in.Attempt, subpath(v.in.Path)
		v.env.Effort = effort.Steps(effort.Most) // of all rules together
		if req != nil {
			v.env.Method = req.Method
		}
	}
	if req == nil {
		return
	}
	if uses.header && !v.header {
		v.header, v.env.Header = true, headerOf(req.Head)
	}
	if uses.query && !v.query {
		v.query, v.env.Query = true, queryOf(req.Target)
	}
	if uses.body && !v.body {
		v.body, v.env.Body = true, bodyOf(req.Body)
	}
	if uses.raw && v.env.Raw == "" {
		v.env.Raw = string(req.Body)
	}
	if uses.values && v.env.At == nil {
		v.values = &values{body: req.Body, sound: json.Valid(req.Body) && !tooDeep(req.Body)}
		v.env.At, v.env.Has = v.values.text, v.values.has
	}
}

// at returns the JSON value at a gjson path. gjson sees valid JSON of a bounded depth only.
func (v *values) at(path string) gjson.Result {
	if !v.sound || checkPath(path) != "" {
		return gjson.Result{}
	}
	return gjson.GetBytes(v.body, path)
}

func (v *values) text(path string) string { return v.at(path).String() }

func (v *values) has(path string) bool { return v.at(path).Exists() }

// checkPath says what is wrong with a gjson path, or "". Modifiers, literals and multipaths make values that are not in
// the body.
func checkPath(path string) string {
	if path == "" || strings.HasPrefix(path, "..") {
		return "give the path of a JSON value, such as runs.0.id"
	}
	for i := 0; i < len(path); i++ {
		if path[i] == '\\' {
			i++
			continue
		}
		if strings.IndexByte("@!{[", path[i]) >= 0 && (i == 0 || strings.IndexByte(".|(", path[i-1]) >= 0) {
			return "a part of a path that begins with @, !, { or [ is no key; put \\ before it where it is"
		}
	}
	return ""
}

// subpath returns what follows /hooks/ENDPOINT in a path.
func subpath(path string) string {
	rest, _ := strings.CutPrefix(path, "/")
	for range 2 {
		_, rest, _ = strings.Cut(rest, "/")
	}
	return "/" + rest
}

// actual returns the text of the part that a matcher looks at, and whether the request has it.
func (v *view) actual(m webhook.Matcher) (text string, present bool) {
	if m.Part == webhook.PartWhen {
		return "", true
	}
	v.prepare(&mentions{
		header: m.Part == webhook.PartHeader, query: m.Part == webhook.PartQuery, raw: m.Part == webhook.PartBody,
		values: m.Part == webhook.PartJSON,
	})
	switch m.Part {
	case webhook.PartMethod:
		text, present = v.env.Method, true
	case webhook.PartPath:
		text, present = v.env.Subpath, true
	case webhook.PartHeader:
		text, present = v.env.Header[strings.ToLower(m.Name)]
	case webhook.PartQuery:
		text, present = v.env.Query[m.Name]
	case webhook.PartJSON:
		if v.values != nil {
			text, present = v.values.text(m.Name), v.values.has(m.Name)
		}
	case webhook.PartBody:
		text, present = v.env.Raw, v.env.Raw != ""
	default:
		text, present = strconv.Itoa(v.env.Attempt), true
	}
	return strings.ToValidUTF8(clip(text, maxActual), "\uFFFD"), present
}

// headerOf returns the first value of each field of a head, by lower-case name.
func headerOf(head []byte) map[string]string {
	out := map[string]string{}
	_, lines, _ := bytes.Cut(head, []byte("\n"))
	for len(lines) > 0 {
		var line []byte
		line, lines, _ = bytes.Cut(lines, []byte("\n"))
		name, value, isField := bytes.Cut(line, []byte(":"))
		key := strings.ToLower(string(name))
		if _, known := out[key]; isField && !known {
			out[key] = string(bytes.TrimSpace(value))
		}
	}
	return out
}

// queryOf returns the first value of each parameter that can be decoded.
func queryOf(target string) map[string]string {
	out := map[string]string{}
	_, raw, _ := strings.Cut(target, "?")
	// The error names parameters that are malformed; the others are in values all the same.
	values, _ := url.ParseQuery(raw)
	for name, all := range values {
		out[name] = all[0]
	}
	return out
}

// bodyOf returns the parsed JSON, or the text of what is not JSON or nests too deep.
func bodyOf(body []byte) any {
	if !json.Valid(body) || tooDeep(body) {
		return string(body)
	}
	var out any
	if err := json.Unmarshal(body, &out); err != nil {
		return string(body)
	}
	return out
}

// tooDeep reports whether valid JSON nests deeper than maxDepth.
func tooDeep(text []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case quoted:
			quoted = c != '"'
		case c == '"':
			quoted = true
		case c == '[' || c == '{':
			if depth++; depth > maxDepth {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}
