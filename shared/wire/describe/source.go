package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// source is what package wire declares.
type source struct {
	structs map[string][]member // by Go name
	types   map[string]string   // values of the constants Type…, by Go name
}

// member is one field of a struct.
type member struct {
	goName, jsonName string
	typ              string // as the page names it
	optional         bool
	extension        bool
	embedded         string // Go name of the struct whose members these are; else ""
	meaning          string
}

// read parses the package in a folder.
func read(folder string) (*source, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	s := &source{structs: map[string][]member{}, types: map[string]string{}}
	var declared []*ast.TypeSpec
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range file.Decls {
			gen, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range gen.Specs {
				switch spec := spec.(type) {
				case *ast.ValueSpec:
					s.constant(spec)
				case *ast.TypeSpec:
					declared = append(declared, spec)
				}
			}
		}
	}
	for _, d := range declared { // once all constants are known
		if t, ok := d.Type.(*ast.StructType); ok {
			s.structs[d.Name.Name] = s.members(t)
		}
	}
	if len(s.structs) == 0 || len(s.types) == 0 {
		return nil, fmt.Errorf("%s declares no messages", folder)
	}
	return s, nil
}

func (s *source) constant(spec *ast.ValueSpec) {
	for i, name := range spec.Names {
		if !strings.HasPrefix(name.Name, "Type") || i >= len(spec.Values) {
			continue
		}
		if lit, ok := spec.Values[i].(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if value, err := strconv.Unquote(lit.Value); err == nil {
				s.types[name.Name] = value
			}
		}
	}
}

// restExtensions begins the comment of the first of several members that are extensions.
const restExtensions = "The rest are extensions."

func (s *source) members(t *ast.StructType) (all []member) {
	extensions := false
	for _, f := range t.Fields.List {
		tag := ""
		if f.Tag != nil {
			if text, err := strconv.Unquote(f.Tag.Value); err == nil {
				tag = reflect.StructTag(text).Get("json")
			}
		}
		name, options, _ := strings.Cut(tag, ",")
		comment := strings.Join(strings.Fields(f.Doc.Text()+" "+f.Comment.Text()), " ")
		if rest, ok := strings.CutPrefix(comment, restExtensions); ok {
			extensions, comment = true, strings.TrimSpace(rest)
		}
		typ := typeOf(f.Type)
		switch {
		case strings.Contains(options, "embed") || len(f.Names) == 0:
			all = append(all, member{embedded: typ})
			continue
		case name == "":
			continue // it does not cross the wire
		}
		for _, n := range f.Names {
			all = append(all, member{
				goName: n.Name, jsonName: name, typ: typ, optional: strings.Contains(options, "omit"),
				extension: extensions || saysExtension.MatchString(comment), meaning: comment,
			})
		}
	}
	for i, m := range all {
		// "X is what …", as comments of Go begin, is "what …" in a row about X.
		meaning := regexp.MustCompile(`^`+m.goName+` (is|are) `).ReplaceAllString(m.meaning, "")
		all[i].meaning = s.inJSON(meaning, all)
	}
	return all
}

// saysExtension is how a comment says that its member is an extension; the word alone
// does for it.
var saysExtension = regexp.MustCompile(`(?:[Aa]n extension\b[^.;]*|^extension)(?:[.;]|$)`)

// inJSON names members and types as they cross the wire, and leaves out what the table
// says in another way.
func (s *source) inJSON(text string, members []member) string {
	text = strings.TrimRight(strings.TrimSpace(saysExtension.ReplaceAllString(text, "")), ";.")
	for _, m := range members {
		if m.goName != "" {
			text = regexp.MustCompile(`\b`+m.goName+`\b`).ReplaceAllString(text, "`"+m.jsonName+"`")
		}
	}
	return regexp.MustCompile(`\bType[A-Z]\w*`).ReplaceAllStringFunc(text, func(name string) string {
		if value, ok := s.types[name]; ok {
			return "`" + value + "`"
		}
		return name
	})
}

// typeOf names a Go type as JSON knows it; structs keep their names, under which the
// page describes them.
func typeOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return typeOf(e.X)
	case *ast.ArrayType:
		if id, ok := e.Elt.(*ast.Ident); ok && id.Name == "byte" {
			return "string (base64)"
		}
		return "array of " + typeOf(e.Elt)
	case *ast.MapType:
		return "object of " + typeOf(e.Value)
	case *ast.Ident:
		switch e.Name {
		case "string", "ID", "Code":
			return "string"
		case "bool":
			return "boolean"
		case "int", "int64", "uint16", "uint32":
			return "number"
		case "Time":
			return "time"
		case "Raw", "any":
			return "any"
		}
		return e.Name
	}
	return fmt.Sprintf("%T", e)
}
