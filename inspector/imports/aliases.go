package imports

import (
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

const (
	// maxAliased bounds a document with aliases as it is: it is read once more, and a megabyte takes many seconds.
	maxAliased = 256 << 10
	// maxWritten bounds what it takes with each alias written out. A few lines of aliases of aliases can stand for more than
	// any machine holds.
	maxWritten = 4 << 20
)

// checkAliases refuses a document that takes too much with each alias written out, or one of whose aliases stands for
// a part that holds it. What is no YAML is the reader's to refuse.
func checkAliases(text []byte) error {
	if len(text) > maxAliased {
		return invalid("the document takes %d bytes; at most %d are read of YAML with aliases: use $ref, or JSON", len(text), maxAliased)
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	w := written{anchors: map[string]int{}}
	for _, doc := range file.Docs {
		if w.size(doc.Body); w.err != nil {
			return w.err
		}
	}
	return nil
}

// written measures parts of a document with their aliases written out.
type written struct {
	// anchors are the sizes of parts with a name; -1 is one that has begun and not ended.
	anchors map[string]int
	err     error
}

// size returns about how many bytes a part takes. It stops at the first error.
func (w *written) size(node ast.Node) int {
	if node == nil || w.err != nil {
		return 0
	}
	const each = 2 // a comma, a bracket
	n := each
	switch at := node.(type) {
	case *ast.MappingNode:
		for _, pair := range at.Values {
			n += w.size(pair)
		}
	case *ast.MappingValueNode:
		n += w.size(at.Key) + w.size(at.Value)
	case *ast.MappingKeyNode:
		n += w.size(at.Value)
	case *ast.SequenceNode:
		for _, value := range at.Values {
			n += w.size(value)
		}
	case *ast.TagNode:
		n += w.size(at.Value)
	case *ast.LiteralNode:
		n += len(at.Value.Value)
	case *ast.AnchorNode:
		name := at.Name.GetToken().Value
		w.anchors[name] = -1
		n += w.size(at.Value)
		w.anchors[name] = n
	case *ast.AliasNode:
		name := at.Value.GetToken()
		of := w.anchors[name.Value] // the reader refuses one that stands for nothing
		if of < 0 {
			w.err = invalid("line %d: the YAML alias %.40q stands for a part that holds it", name.Position.Line, name.Value)
		}
		n += of
	default:
		if t := node.GetToken(); t != nil {
			n += len(t.Value)
		}
	}
	if n > maxWritten && w.err == nil {
		w.err = invalid("with its YAML aliases written out the document takes more than %d bytes", maxWritten)
	}
	return n
}
