package manifest

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// positions tells where in a file the value of a key stands, as "line:column": nested
// keys as "outer.inner", items of lists as "list[0]".
type positions map[string]string

// locate reads where everything in a YAML text stands. It fails as reading the text
// does.
func locate(text []byte) (positions, error) {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, err
	}
	at := positions{"": "1:1"}
	for _, doc := range file.Docs {
		at.note("", doc.Body)
	}
	return at, nil
}

func (p positions) note(key string, node ast.Node) {
	inner := func(name string) string {
		if key == "" {
			return name
		}
		return key + "." + name
	}
	switch n := node.(type) {
	case *ast.MappingNode:
		for _, value := range n.Values {
			p.note(key, value)
		}
	case *ast.MappingValueNode:
		name := inner(n.Key.GetToken().Value)
		p[name] = place(cmp.Or(valueToken(n.Value), n.Key.GetToken()))
		p[keyOf(name)] = place(n.Key.GetToken())
		p.note(name, n.Value)
	case *ast.SequenceNode:
		for i, value := range n.Values {
			item := fmt.Sprintf("%s[%d]", key, i)
			p[item] = place(value.GetToken())
			p.note(item, value)
		}
	case *ast.AnchorNode:
		p.note(key, n.Value)
	case *ast.TagNode:
		p.note(key, n.Value)
	}
}

// keyOf is under which name the position of a key itself is kept.
func keyOf(name string) string { return "\x00" + name }

// valueToken is where a value begins that stands on the line of its key; nil for
// others, such as groups of keys.
func valueToken(node ast.Node) *token.Token {
	switch n := node.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle {
			return nil
		}
	case *ast.MappingValueNode:
		return nil
	case *ast.SequenceNode:
		if !n.IsFlowStyle {
			return nil
		}
	case *ast.NullNode:
		return nil
	}
	return node.GetToken()
}

func place(t *token.Token) string { return fmt.Sprintf("%d:%d", t.Position.Line, t.Position.Column) }

// of is the position of a key's value, or of the nearest group it would be in.
func (p positions) of(key string) string {
	for {
		if at, ok := p[key]; ok {
			return at
		}
		i := strings.LastIndexAny(key, ".[")
		if i < 0 {
			return "1:1"
		}
		key = key[:i]
	}
}

// invalidYAML is the error of a text that is no YAML.
func invalidYAML(name string, err error) error {
	var known yaml.Error
	if errors.As(err, &known) && known.GetToken() != nil {
		return wire.Errorf(wire.Invalid, "manifest: %s:%s: not valid YAML: %s", name, place(known.GetToken()), known.GetMessage())
	}
	return wire.Errorf(wire.Invalid, "manifest: %s:1:1: not valid YAML: %s", name, firstLine(err.Error()))
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
