// Package effort bounds how long an expression takes. One that looks at each element of what a sender sent takes as many
// steps as there are, and where it does so for each element of another list, these times each other: a body of a few
// hundred elements then keeps a processor busy for hours.
package effort

import (
	"errors"

	"github.com/expr-lang/expr/ast"
)

const (
	// Name is what an expression's environment must call the function that Steps returns.
	Name = "effort__"
	// Most is how many elements an expression may look at: more than a body of 10 MiB has that could be runs or events, and
	// a tenth of a second.
	Most = 200_000
)

var errSpent = errors.New("the expression takes too many steps")

// Counted makes an expression that is compiled with it count its steps.
type Counted struct{}

// Visit implements ast.Visitor.
func (Counted) Visit(node *ast.Node) {
	if each, ok := (*node).(*ast.PredicateNode); ok {
		each.Node = &ast.CallNode{Callee: &ast.IdentifierNode{Value: Name}, Arguments: []ast.Node{each.Node}}
	}
}

// Steps returns a function that passes its argument on, n times in all; then the expression that calls it ends in an
// error. It is for one goroutine.
func Steps(n int) func(...any) (any, error) {
	return func(of ...any) (any, error) {
		if n--; n < 0 || len(of) != 1 {
			return nil, errSpent
		}
		return of[0], nil
	}
}
