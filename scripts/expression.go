package scripts

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"

	"github.com/hookrange/hookrange/scripts/result"
)

// expression is a computed check.
type expression struct {
	text    string
	program *vm.Program
}

// exprAttempt is one attempt as an expression sees it. Times are in seconds of the script: a scale is taken out.
type exprAttempt struct {
	N      int               `expr:"n"`
	Class  string            `expr:"class"`
	Method string            `expr:"method"`
	Path   string            `expr:"path"`
	Header map[string]string `expr:"header"`
	Query  map[string]string `expr:"query"`
	Body   any               `expr:"body"`
	Size   int               `expr:"size"`
	Status int               `expr:"status"`
	Fault  string            `expr:"fault"`
	// Gap is 0 for the first attempt, Hangup -1 when the sender did not hang up.
	Gap    float64 `expr:"gap"`
	Hangup float64 `expr:"hangup"`
}

// exprView is what an expression sees. Attempts and body are those of the first delivery, gaps those of each attempt
// after the first.
type exprView struct {
	Attempts   []exprAttempt     `expr:"attempts"`
	Deliveries [][]exprAttempt   `expr:"deliveries"`
	Gaps       []float64         `expr:"gaps"`
	Body       any               `expr:"body"`
	Vars       map[string]string `expr:"vars"`
}

func newExpression(_ *Script, st statement) (check, error) {
	text := st.args[2].text
	program, err := expr.Compile(text, expr.Env(exprView{}), expr.AsBool(), expr.MaxNodes(2000))
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return nil, &lexError{text, line + "; an expression is true or false and sees attempts, deliveries, gaps, body and vars"}
	}
	return expression{text, program}, nil
}

func (c expression) judge(e *evidence) finding {
	f := finding{verdict: result.Pass, expected: c.text, captures: seqs(e.all())}
	view := e.view()
	got, err := expr.Run(c.program, view)
	switch yes, ok := got.(bool); {
	case err != nil:
		line, _, _ := strings.Cut(err.Error(), "\n")
		f.verdict, f.actual = result.Fail, "cannot be computed: "+line
	case ok && yes:
		f.actual = "true"
	default:
		f.verdict = result.Fail
		f.actual = fmt.Sprintf("false; %d deliveries, gaps %.2f", len(view.Deliveries), view.Gaps)
	}
	return f
}

func (e *evidence) view() exprView {
	view := exprView{Attempts: []exprAttempt{}, Gaps: []float64{}, Vars: e.vars}
	for i := range e.deliveries {
		var list []exprAttempt
		for j := range e.deliveries[i].attempts {
			list = append(list, e.deliveries[i].attempts[j].view(e.scale))
		}
		view.Deliveries = append(view.Deliveries, list)
	}
	if len(view.Deliveries) > 0 {
		view.Attempts = view.Deliveries[0]
		view.Body = view.Attempts[0].Body
		for _, a := range view.Attempts[1:] {
			view.Gaps = append(view.Gaps, a.Gap)
		}
	}
	return view
}

func (a *attempt) view(scale float64) exprAttempt {
	path, query, _ := strings.Cut(a.Request.Target, "?")
	out := exprAttempt{
		N: a.n, Class: string(a.Class), Method: a.Request.Method, Path: path, Header: map[string]string{}, Query: map[string]string{},
		Size: int(a.Request.BodySize), Hangup: -1,
	}
	for _, f := range a.fields {
		if name := strings.ToLower(f.Name); out.Header[name] == "" {
			out.Header[name] = f.Value
		}
	}
	if values, err := url.ParseQuery(query); err == nil {
		for name := range values {
			out.Query[name] = values.Get(name)
		}
	}
	out.Body, _ = a.body()
	if a.gap != nil {
		out.Gap = a.gap.Seconds() / scale
	}
	if o := a.Outcome; o != nil {
		out.Status, out.Fault = o.Status, string(o.Fault)
		if o.HungUp != nil {
			out.Hangup = o.HungUp.Seconds() / scale
		}
	}
	return out
}
