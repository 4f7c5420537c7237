package manifest

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Setting is one key of a provider's configuration, with all that a form needs to ask
// for it.
type Setting struct {
	// Key is its name, nested ones as "outer.inner".
	Key string
	// Type is boolean, integer, number, string, array or object, as in JSON Schema.
	Type string
	// Default is the value in the manifest.
	Default any
	// Description is the comment above the key, in one line; "" without one.
	Description string
	// Choices are the only values there are, besides an empty default; nil for any.
	Choices []string
	// Secret values are neither shown nor kept where others can read them.
	Secret bool
	// Required settings have to be given, unless the description says otherwise.
	Required bool
	// Group has what the comment above the group of keys says that this is in.
	Group string
}

// oneOf is how a comment names all the values that a setting can have.
var oneOf = regexp.MustCompile(`\bOne of: ([^.;]+)[.;]?`)

// Settings reads the configuration of a manifest file: its keys in their order, with
// the comments above them. A comment that begins with the word Secret says that the
// value is one, and one with "One of: a, b, c" names the values there are; the word
// required says that there has to be one. It fails with
// Invalid when text is no manifest.
func Settings(text []byte) ([]Setting, error) {
	file, err := parser.ParseBytes(text, parser.ParseComments)
	if err != nil {
		return nil, invalidYAML("the manifest", err)
	}
	for _, doc := range file.Docs {
		top, ok := doc.Body.(*ast.MappingNode)
		if !ok {
			continue
		}
		for _, value := range top.Values {
			if value.Key.GetToken().Value == "config" {
				return settingsIn("", "", value.Value)
			}
		}
		return nil, nil
	}
	return nil, wire.Errorf(wire.Invalid, "manifest: it has no keys and values")
}

func settingsIn(prefix, group string, node ast.Node) ([]Setting, error) {
	var members []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		members = n.Values
	case *ast.MappingValueNode:
		members = []*ast.MappingValueNode{n}
	}
	var all []Setting
	for i, member := range members {
		s := Setting{Key: prefix + member.Key.GetToken().Value, Group: group}
		comment := member.GetComment()
		if m, ok := node.(*ast.MappingNode); ok && i == 0 && comment == nil {
			comment = m.GetComment() // the parser gives the first comment to the whole
		}
		s.Description = comments(comment)
		if inner, is := member.Value.(*ast.MappingNode); is && len(inner.Values) > 0 {
			nested, err := settingsIn(s.Key+".", s.Description, inner)
			if err != nil {
				return nil, err
			}
			all = append(all, nested...)
			continue
		}
		if inner, is := member.Value.(*ast.MappingValueNode); is {
			nested, err := settingsIn(s.Key+".", s.Description, inner)
			if err != nil {
				return nil, err
			}
			all = append(all, nested...)
			continue
		}
		if err := s.read(member.Value); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// comments is a comment of several lines as one.
func comments(group *ast.CommentGroupNode) string {
	if group == nil {
		return ""
	}
	var lines []string
	for _, comment := range group.Comments {
		lines = append(lines, strings.TrimSpace(comment.Token.Value))
	}
	return strings.Join(lines, " ")
}

// read takes the type, the default and what the description tells.
func (s *Setting) read(value ast.Node) error {
	text, err := value.MarshalYAML()
	if err != nil {
		return wire.Errorf(wire.Invalid, "manifest: the default of %s: %w", s.Key, err)
	}
	if s.Default, err = plain(text); err != nil {
		return wire.Errorf(wire.Invalid, "manifest: the default of %s: %w", s.Key, err)
	}
	switch s.Default.(type) {
	case bool:
		s.Type = "boolean"
	case uint64, int64:
		s.Type = "integer"
	case float64:
		s.Type = "number"
	case []any:
		s.Type = "array"
	case map[string]any:
		s.Type = "object"
	default:
		s.Type = "string"
	}
	s.Secret = regexp.MustCompile(`^Secret\b`).MatchString(s.Description)
	s.Required = regexp.MustCompile(`\brequired\b`).MatchString(s.Description)
	if found := oneOf.FindStringSubmatch(s.Description); found != nil {
		for choice := range strings.SplitSeq(found[1], ",") {
			s.Choices = append(s.Choices, strings.TrimSpace(choice))
		}
	}
	return nil
}

// plain is a YAML text as a value.
func plain(text []byte) (value any, err error) {
	err = yaml.Unmarshal(text, &value)
	return value, err
}

// milliseconds is how a comment says that a number is a time, as [Decode] reads it.
var milliseconds = regexp.MustCompile(`(?i)\bmilliseconds\b`)

// Check finds what is wrong with a value of this setting, by the rules of [Decode]. The
// error is of kind Invalid, names the key, says what to write and does not show the value.
func (s *Setting) Check(value any) error {
	var into any
	switch {
	case s.Type == "boolean":
		into = &struct {
			V bool `config:"v"`
		}{}
	case s.Type == "integer" && (milliseconds.MatchString(s.Description) || milliseconds.MatchString(s.Group)):
		into = &struct {
			V time.Duration `config:"v"`
		}{}
	case s.Type == "integer":
		into = &struct {
			V int64 `config:"v"`
		}{}
	case s.Type == "number":
		into = &struct {
			V float64 `config:"v"`
		}{}
	case s.Type == "array":
		into = &struct {
			V []any `config:"v"`
		}{}
	case s.Type == "object":
		into = &struct {
			V map[string]any `config:"v"`
		}{}
	default:
		into = &struct {
			V string `config:"v"`
		}{}
	}
	if value == nil {
		return wire.Errorf(wire.Invalid, "%s has no value", s.Key)
	}
	_, wrong, err := decode(map[string]any{"v": value}, into)
	if err != nil {
		return err
	}
	if len(wrong) > 0 {
		one := wrong[0]
		one.key = s.Key + strings.TrimPrefix(one.key, "v")
		return wire.Errorf(wire.Invalid, "%s", one.sentence())
	}
	if text, is := value.(string); is && s.Choices != nil && value != s.Default && !slices.Contains(s.Choices, text) {
		return wire.Errorf(wire.Invalid, "%s is none of its values; write one of %s", s.Key, strings.Join(s.Choices, ", "))
	}
	return nil
}

// Schema is a JSON Schema, of draft 2020-12, of a configuration with these settings. A
// secret has format "password" and is writeOnly.
func Schema(title string, settings []Setting) ([]byte, error) {
	top := map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title,
		"type": "object", "properties": map[string]any{},
	}
	for order, s := range settings {
		at := top
		names := strings.Split(s.Key, ".")
		for _, name := range names[:len(names)-1] {
			members := at["properties"].(map[string]any)
			inner, ok := members[name].(map[string]any)
			if !ok {
				inner = map[string]any{"type": "object", "properties": map[string]any{}}
				if s.Group != "" {
					inner["description"] = s.Group
				}
				members[name] = inner
			}
			at = inner
		}
		at["properties"].(map[string]any)[names[len(names)-1]] = s.schema(order)
	}
	text, err := json.MarshalIndent(top, "", "  ")
	if err != nil {
		return nil, wire.Errorf(wire.Internal, "schema: %w", err)
	}
	return append(text, '\n'), nil
}

// schema is the schema of one setting. Its x-order is the place in the manifest, since
// the members of an object have none.
func (s *Setting) schema(order int) map[string]any {
	one := map[string]any{"type": s.Type, "default": s.Default, "x-order": order}
	if s.Description != "" {
		one["description"] = s.Description
	}
	if s.Type == "array" {
		one["items"] = map[string]any{"type": "string"}
	}
	if s.Choices != nil {
		choices := s.Choices
		if text, is := s.Default.(string); is && !slices.Contains(choices, text) {
			choices = append([]string{text}, choices...)
		}
		one["enum"] = choices
	}
	if s.Secret {
		one["writeOnly"] = true
		if s.Type == "string" {
			one["format"] = "password"
		}
	}
	return one
}
