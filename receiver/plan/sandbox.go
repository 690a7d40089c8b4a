package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	texttemplate "text/template"
	"text/template/parse"
)

const (
	// maxMade bounds the bytes that one template makes, maxTurns the turns of all its loops, maxWork the bytes that its
	// functions look at or make.
	maxMade  = 256 << 10
	maxTurns = 10_000
	maxWork  = 4 << 20
)

// sandbox is a text/template in which nothing of Go can be reached: its tree has no field and method access and no
// function but ours, loops count their turns, and what it makes is bounded.
type sandbox struct{ template *texttemplate.Template }

// Names that the tree is given and a user cannot say.
const (
	putName   = "_put"
	quoteName = "_quote"
	turnName  = "_turn"
	spanName  = "_span"
)

// newSandbox parses a text; asJSON escapes what is put in for a JSON string. Its errors name line and token.
func newSandbox(text string, asJSON bool) (*sandbox, error) {
	if asJSON {
		text = plainActions(text)
	}
	text, err := rewrite(text)
	if err != nil {
		return nil, err
	}
	made, err := texttemplate.New("").Funcs(new(budget).functions()).Parse(text)
	if err != nil {
		return nil, errors.New(located(err))
	}
	if made.Tree == nil || len(made.Templates()) > 1 {
		return nil, errors.New("define, block and template are not accepted")
	}
	put := putName
	if asJSON {
		put = quoteName
	}
	w := walker{put: put, tree: made.Tree}
	if err = w.list(made.Root); err != nil {
		return nil, err
	}
	return &sandbox{template: made}, nil
}

// run makes the text.
func (s *sandbox) run(data any, left *budget) (string, error) {
	own, err := s.template.Clone()
	if err != nil {
		return "", err
	}
	var out limited
	if err = own.Funcs(left.functions()).Execute(&out, data); err != nil {
		return "", errors.New(located(err))
	}
	return out.text.String(), nil
}

// limited keeps what is written, up to maxMade bytes.
type limited struct{ text strings.Builder }

// Write refuses what is too much.
func (l *limited) Write(b []byte) (int, error) {
	if l.text.Len()+len(b) > maxMade {
		return 0, fmt.Errorf("it makes more than %d bytes", maxMade)
	}
	return l.text.Write(b)
}

var (
	place  = regexp.MustCompile(`^template: :(\d+)(?::\d+)?: `)
	inside = regexp.MustCompile(`executing "" at <[^\n]{0,200}?>: `)
)

// located puts the line before what text/template says is wrong.
func located(err error) string {
	text := err.Error()
	at := place.FindStringSubmatch(text)
	if at == nil {
		return text
	}
	text = inside.ReplaceAllString(text[len(at[0]):], "")
	return "line " + at[1] + ": " + text
}

// plainActions undoes the escapes of JSON within actions.
func plainActions(text string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{{")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		action, after, closed := strings.Cut(rest, "}}")
		plain := action
		if err := json.Unmarshal([]byte(`"`+action+`"`), &plain); err != nil {
			plain = action
		}
		out.WriteString("{{" + plain)
		if !closed {
			return out.String()
		}
		out.WriteString("}}")
		text = after
	}
}

// rewrite puts (at . "a" "0" "b") for .a.0.b in all actions, which text/template could not read or would look up by
// reflection.
func rewrite(text string) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{{")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		out.WriteString("{{")
		size, err := rewriteAction(&out, rest)
		if err != nil {
			line := 1 + strings.Count(out.String(), "\n")
			return "", fmt.Errorf("line %d: %w", line, err)
		}
		text = rest[size:]
	}
}

// rewriteAction writes an action without its {{, and returns how long it was with its }}.
func rewriteAction(out *strings.Builder, text string) (int, error) {
	if trimmed := strings.TrimLeft(strings.TrimPrefix(text, "-"), " \t\r\n"); strings.HasPrefix(trimmed, "/*") {
		if end := strings.Index(text, "*/"); end >= 0 {
			out.WriteString(text[:end+2])
			return end + 2, nil
		}
	}
	for i := 0; i < len(text); {
		c := text[i]
		size := 1
		switch {
		case strings.HasPrefix(text[i:], "}}"):
			out.WriteString("}}")
			return i + 2, nil
		case c == '"' || c == '\'' || c == '`':
			size = quoted(text[i:])
		case c == '$':
			size += run(text[i+1:], isWord)
			if chain := chainOf(text[i+size:], true); chain != "" {
				writeChain(out, text[i:i+size], chain)
				i += size + len(chain)
				continue
			}
		case isWord(c):
			size = run(text[i:], isWord)
		case c == '.':
			if chain := chainOf(text[i:], false); chain != "" {
				if i > 0 && (isWord(text[i-1]) || text[i-1] == ')') {
					return 0, fmt.Errorf("%q: put a blank before it, or use at", clip(chain, 40))
				}
				writeChain(out, ".", chain)
				i += len(chain)
				continue
			}
			size += run(text[i+1:], isWord)
		}
		out.WriteString(text[i : i+size])
		i += size
	}
	return len(text), nil // the parser says that the action is not closed
}

func writeChain(out *strings.Builder, base, chain string) {
	out.WriteString("(at " + base)
	for name := range strings.SplitSeq(chain[1:], ".") {
		out.WriteString(` "` + name + `"`)
	}
	out.WriteString(")")
}

// chainOf returns the .a.0.b at the front of text, or "". Only after a variable may it begin with a digit, which makes a
// number otherwise.
func chainOf(text string, digits bool) string {
	end := 0
	for end+1 < len(text) && text[end] == '.' {
		size := run(text[end+1:], func(c byte) bool { return isWord(c) || c == '-' })
		if size == 0 || end == 0 && !digits && text[1] >= '0' && text[1] <= '9' || text[end+1] == '-' {
			break
		}
		end += 1 + size
	}
	return text[:end]
}

func run(text string, accepted func(byte) bool) int {
	for i := range len(text) {
		if !accepted(text[i]) {
			return i
		}
	}
	return len(text)
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// quoted returns the length of the literal at the front of text.
func quoted(text string) int {
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == text[0]:
			return i + 1
		case text[i] == '\\' && text[0] != '`':
			i++
		}
	}
	return len(text)
}

// walker checks a tree and puts in what bounds it.
type walker struct {
	put  string
	tree *parse.Tree
}

func (w *walker) list(list *parse.ListNode) error {
	if list == nil {
		return nil
	}
	for _, node := range list.Nodes {
		if err := w.node(node); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) node(node parse.Node) error {
	switch n := node.(type) {
	case *parse.TextNode, *parse.CommentNode, *parse.BreakNode, *parse.ContinueNode:
		return nil
	case *parse.ActionNode:
		if err := w.pipe(n.Pipe); err != nil {
			return err
		}
		if len(n.Pipe.Decl) == 0 {
			n.Pipe.Cmds = append(n.Pipe.Cmds, call(w.put, n.Pos))
		}
		return nil
	case *parse.IfNode:
		return w.branch(&n.BranchNode)
	case *parse.WithNode:
		return w.branch(&n.BranchNode)
	case *parse.RangeNode:
		if err := w.branch(&n.BranchNode); err != nil {
			return err
		}
		turn := &parse.ActionNode{NodeType: parse.NodeAction, Pos: n.Pos, Line: n.Line, Pipe: &parse.PipeNode{
			NodeType: parse.NodePipe, Pos: n.Pos, Line: n.Line, Cmds: []*parse.CommandNode{call(turnName, n.Pos)},
		}}
		n.Pipe.Cmds = append(n.Pipe.Cmds, call(spanName, n.Pos))
		n.List.Nodes = append([]parse.Node{turn}, n.List.Nodes...)
		return nil
	default:
		return w.refuse(node)
	}
}

func call(name string, pos parse.Pos) *parse.CommandNode {
	return &parse.CommandNode{NodeType: parse.NodeCommand, Pos: pos, Args: []parse.Node{parse.NewIdentifier(name).SetPos(pos)}}
}

func (w *walker) branch(b *parse.BranchNode) error {
	if err := w.pipe(b.Pipe); err != nil {
		return err
	}
	if err := w.list(b.List); err != nil {
		return err
	}
	return w.list(b.ElseList)
}

func (w *walker) pipe(pipe *parse.PipeNode) error {
	for _, command := range pipe.Cmds {
		for _, arg := range command.Args {
			if err := w.arg(arg); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walker) arg(arg parse.Node) error {
	switch n := arg.(type) {
	case *parse.PipeNode:
		return w.pipe(n)
	case *parse.IdentifierNode:
		if strings.HasPrefix(n.Ident, "_") || !isFunction(n.Ident) {
			return w.refuse(arg)
		}
		return nil
	case *parse.VariableNode:
		if len(n.Ident) > 1 {
			return w.refuse(arg)
		}
		return nil
	case *parse.DotNode, *parse.NilNode, *parse.BoolNode, *parse.NumberNode, *parse.StringNode:
		return nil
	default:
		return w.refuse(arg)
	}
}

func (w *walker) refuse(node parse.Node) error {
	where, _ := w.tree.ErrorContext(node)
	line := "1"
	if parts := strings.Split(where, ":"); len(parts) > 1 {
		line = parts[1]
	}
	return fmt.Errorf("line %s: %q is not accepted; functions are %s", line, clip(node.String(), 40), strings.Join(functionNames(), ", "))
}
