package mlflowconfig

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a document, so that aliases can't make a small file a huge one.
const (
	maxNodes = 500_000
	maxDepth = 32
)

type kind int

const (
	scalar kind = iota
	null
	mapping
	sequence
)

func (k kind) String() string {
	return [...]string{"a single value", "nothing", "a mapping", "a list"}[k]
}

// node is a YAML value with its place; aliases and merge keys are resolved.
type node struct {
	kind         kind
	line, column int
	text         string // of a scalar
	quoted       bool   // a scalar that can only be a string
	entries      []entry
	items        []*node
}

// shown says what kind of value it is, for errors.
func (n *node) shown() string {
	if n.kind == sequence && len(n.items) == 0 {
		return "an empty list"
	}
	return n.kind.String()
}

type entry struct {
	key   string
	place *node // of the key
	value *node
}

func (n *node) get(key string) *node {
	for _, e := range n.entries {
		if e.key == key {
			return e.value
		}
	}
	return nil
}

// converter turns goccy's tree into nodes.
type converter struct {
	file    string
	anchors map[string]ast.Node
	count   int
}

func parseYAML(file string, data []byte) (*node, error) {
	tree, err := parser.ParseBytes(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), 0)
	if err != nil {
		return nil, syntaxError(file, err)
	}
	var body ast.Node
	for _, d := range tree.Docs {
		if d.Body == nil {
			continue
		}
		if body != nil {
			return nil, placed(file, d.Body, "only one YAML document is expected in the file")
		}
		body = d.Body
	}
	if body == nil {
		return &node{kind: null, line: 1, column: 1}, nil
	}
	c := &converter{file: file, anchors: map[string]ast.Node{}}
	return c.node(body, 0)
}

// syntaxError keeps only message and place: goccy's own text quotes the lines
// around, and those may hold keys.
func syntaxError(file string, err error) error {
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) {
		e := &Error{File: file, Message: syntax.Message}
		if t := syntax.Token; t != nil && t.Position != nil {
			e.Line, e.Column = t.Position.Line, t.Position.Column
		}
		return e
	}
	return &Error{File: file, Message: "the file is not valid YAML"}
}

func placed(file string, n ast.Node, message string) *Error {
	line, column := position(n.GetToken())
	return &Error{File: file, Line: line, Column: column, Message: message}
}

func position(t *token.Token) (line, column int) {
	if t == nil || t.Position == nil {
		return 0, 0
	}
	return t.Position.Line, t.Position.Column
}

func (c *converter) node(n ast.Node, depth int) (*node, error) {
	if c.count++; c.count > maxNodes {
		return nil, placed(c.file, n, "the file is too large once its aliases are resolved")
	}
	if depth > maxDepth {
		return nil, placed(c.file, n, fmt.Sprintf("values are nested deeper than %d levels", maxDepth))
	}
	out := &node{}
	out.line, out.column = position(n.GetToken())
	switch n := n.(type) {
	case *ast.MappingNode:
		return c.mapping(out, n.Values, depth)
	case *ast.MappingValueNode:
		return c.mapping(out, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		return c.sequence(out, n, depth)
	case *ast.NullNode:
		out.kind = null
		return out, nil
	case *ast.AnchorNode:
		c.anchors[n.Name.GetToken().Value] = n.Value
		return c.node(n.Value, depth+1)
	case *ast.AliasNode:
		return c.alias(n, depth)
	case *ast.TagNode:
		return c.node(n.Value, depth+1)
	case *ast.StringNode:
		out.text, out.quoted = n.Value, true
		return out, nil
	case *ast.LiteralNode:
		out.text, out.quoted = n.Value.Value, true
		return out, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		out.text = n.GetToken().Value
		return out, nil
	}
	return nil, placed(c.file, n, "this kind of YAML value is not supported")
}

// alias resolves a reference. An anchor that holds itself ends at maxDepth.
func (c *converter) alias(n *ast.AliasNode, depth int) (*node, error) {
	name := n.Value.GetToken().Value
	target, ok := c.anchors[name]
	if !ok {
		return nil, placed(c.file, n, fmt.Sprintf("the alias %q has no anchor before it", name))
	}
	return c.node(target, depth+1)
}

func (c *converter) sequence(out *node, n *ast.SequenceNode, depth int) (*node, error) {
	out.kind = sequence
	for _, v := range n.Values {
		item, err := c.node(v, depth+1)
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, item)
	}
	return out, nil
}

func (c *converter) mapping(out *node, values []*ast.MappingValueNode, depth int) (*node, error) {
	out.kind = mapping
	var merged []*node
	for i, v := range values {
		if key := v.Key.GetToken(); i == 0 && (out.line == key.Position.Line && out.column > key.Position.Column) {
			out.column = key.Position.Column // goccy's place of a block mapping is its first colon
		}
		value, err := c.node(v.Value, depth+1)
		if err != nil {
			return nil, err
		}
		if v.Key.IsMergeKey() {
			merged = append(merged, value)
			continue
		}
		key := keyText(v.Key)
		place := &node{}
		place.line, place.column = position(v.Key.GetToken())
		if out.get(key) != nil {
			return nil, placed(c.file, v.Key, fmt.Sprintf("the key %q is given twice", key))
		}
		out.entries = append(out.entries, entry{key: key, place: place, value: value})
	}
	for _, m := range merged {
		mergeInto(out, m)
	}
	return out, nil
}

func keyText(k ast.MapKeyNode) string {
	if s, ok := k.(*ast.StringNode); ok {
		return s.Value
	}
	return strings.TrimSpace(k.GetToken().Value)
}

// mergeInto adds what a merge key ("<<") brings and the mapping does not have.
func mergeInto(out, from *node) {
	if from.kind == sequence {
		for _, item := range from.items {
			mergeInto(out, item)
		}
		return
	}
	for _, e := range from.entries {
		if out.get(e.key) == nil {
			out.entries = append(out.entries, e)
		}
	}
}
