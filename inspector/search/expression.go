package search

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/effort"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	maxExpression = 4 << 10
	maxNodes      = 1000
)

// Expression is a compiled match expression. It never changes.
type Expression struct {
	program *vm.Program
	uses    *mentions
}

// environment is what an expression sees. Header names are in lower case; of repeated headers and
// parameters it sees the first.
type environment struct {
	Method  string            `expr:"method"`
	Path    string            `expr:"path"`
	Header  map[string]string `expr:"header"`
	Query   map[string]string `expr:"query"`
	Body    any               `expr:"body"`
	Attempt int               `expr:"attempt"`
	Class   string            `expr:"class"`
	Kind    string            `expr:"kind"`
	Status  int               `expr:"status"`

	Effort func(...any) (any, error) `expr:"effort__"`
}

// CompileExpression returns the expression of a text, nil for "". It returns an ErrInvalid that says what is
// wrong and what an expression sees. Ranges are refused: an expression over them takes any time it likes. Over what
// was sent it takes effort.Most steps at most; then it does not match.
func CompileExpression(text string) (*Expression, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > maxExpression {
		return nil, fmt.Errorf("%w: match: %d bytes; at most %d are accepted", webhook.ErrInvalid, len(text), maxExpression)
	}
	uses := &mentions{}
	program, err := expr.Compile(text, expr.Env(environment{}), expr.AsBool(), expr.MaxNodes(maxNodes), expr.Patch(uses), expr.Patch(effort.Counted{}))
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return nil, fmt.Errorf("%w: match: %s; an expression is true or false and sees method, path, header, query, "+
			"body, attempt, class, kind and status", webhook.ErrInvalid, line)
	}
	if uses.span {
		return nil, fmt.Errorf("%w: match: the range operator .. is not accepted", webhook.ErrInvalid)
	}
	return &Expression{program: program, uses: uses}, nil
}

// mentions notes which costly parts an expression looks at, and makes constant header names lower case.
type mentions struct {
	body, kind, span bool
}

// Visit implements ast.Visitor.
func (m *mentions) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		m.body = m.body || n.Value == "body" || n.Value == "$env"
		m.kind = m.kind || n.Value == "kind" || n.Value == "$env"
	case *ast.MemberNode:
		owner, isName := n.Node.(*ast.IdentifierNode)
		if key, constant := n.Property.(*ast.StringNode); constant && isName && owner.Value == "header" {
			key.Value = strings.ToLower(key.Value)
		}
	case *ast.BinaryNode:
		m.span = m.span || n.Operator == ".."
	}
}

// Match reports whether the expression is true for a capture; nil is true for all. An error while it runs,
// such as a member of what is no object, means that it is not. Its error is that of the candidate's loads.
func (e *Expression) Match(c *Candidate) (bool, error) {
	if e == nil {
		return true, nil
	}
	path, query := api.SplitTarget(c.Capture.Request.Target)
	env := environment{
		Method: c.Capture.Request.Method, Path: path, Header: map[string]string{}, Query: map[string]string{},
		Attempt: c.Capture.Attempt, Class: string(c.Capture.Class), Status: answered(c.Capture),
		Effort: effort.Steps(effort.Most),
	}
	for _, f := range c.header() {
		if key := strings.ToLower(f.Name); !has(env.Header, key) {
			env.Header[key] = f.Value
		}
	}
	// The error names parameters that are malformed; the others are in values all the same.
	values, _ := url.ParseQuery(query)
	for name, all := range values {
		env.Query[name] = all[0]
	}
	var err error
	if e.uses.body {
		if env.Body, err = c.value(); err != nil {
			return false, err
		}
	}
	if e.uses.kind {
		if env.Kind, _, err = c.LoadPayload(); err != nil {
			return false, err
		}
	}
	out, err := expr.Run(e.program, env)
	yes, isBool := out.(bool)
	return err == nil && isBool && yes, nil
}

func has(m map[string]string, key string) bool {
	_, found := m[key]
	return found
}

// value returns the body as parsed JSON, or as text when it is none or nests too deep.
func (c *Candidate) value() (any, error) {
	doc, err := c.document()
	if err != nil {
		return nil, err
	}
	if doc == nil {
		return string(c.text), nil
	}
	var out any
	err = json.Unmarshal(doc, &out)
	return out, err
}
