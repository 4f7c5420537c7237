package main

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// A place to fill is between a line such as "<!-- made by make docs: members of
// ProviderStart -->" and the line of its end.
var begin = regexp.MustCompile(`^<!-- made by make docs: (requests|members of \w+) -->$`)

const end = "<!-- end -->"

// fill puts the tables into a page.
func (s *source) fill(page []byte) ([]byte, error) {
	var out bytes.Buffer
	inside := ""
	for line := range strings.Lines(string(page)) {
		bare := strings.TrimRight(line, "\n")
		found := begin.FindStringSubmatch(bare)
		switch {
		case found != nil && inside != "":
			return nil, fmt.Errorf("the place for %q has no end", inside)
		case found != nil:
			inside = found[1]
			out.WriteString(line)
			table, err := s.table(inside)
			if err != nil {
				return nil, err
			}
			out.WriteString(table)
		case bare == end && inside != "":
			inside = ""
			out.WriteString(line)
		case inside == "":
			out.WriteString(line)
		}
	}
	if inside != "" {
		return nil, fmt.Errorf("the place for %q has no end", inside)
	}
	return out.Bytes(), nil
}

func (s *source) table(what string) (string, error) {
	name, ok := strings.CutPrefix(what, "members of ")
	if !ok {
		return requests(), nil
	}
	members, known := s.structs[name]
	if !known {
		return "", fmt.Errorf("package wire has no struct %s", name)
	}
	var out strings.Builder
	out.WriteString("| member | type | meaning |\n|---|---|---|\n")
	for _, m := range members {
		switch m.embedded {
		case "":
		case "Header", "Extra":
			continue // what every message begins with, and what it does not know
		case "Problem":
			out.WriteString("| `error`?, `code`?, `retryable`? | | when it failed; see [errors](#errors) |\n")
			continue
		default:
			fmt.Fprintf(&out, "| … | | the members of [%s](#%s) |\n", m.embedded, strings.ToLower(m.embedded))
			continue
		}
		mark := ""
		if m.optional {
			mark = "?"
		}
		meaning := strings.ReplaceAll(m.meaning, "|", `\|`)
		if m.extension {
			meaning = strings.TrimSpace("*extension* " + meaning)
		}
		fmt.Fprintf(&out, "| `%s`%s | %s | %s |\n", m.jsonName, mark, m.typ, meaning)
	}
	return out.String(), nil
}

// requests is the table of how each request is answered.
func requests() string {
	kinds := map[wire.Kind]string{
		wire.Ack: "", wire.Lifecycle: "lifecycle", wire.Agent: "agent", wire.File: "file", wire.Review: "review", wire.Control: "control",
	}
	shapes := map[wire.Shape]string{
		wire.None: "never answered", wire.Event: "event", wire.Flat: "flat", wire.StartFailure: "flat, with more", wire.Status: "status", wire.Whole: "itself",
	}
	var out strings.Builder
	out.WriteString("| request | kind | name of the answer | success | failure |\n|---|---|---|---|---|\n")
	for _, v := range wire.Verbs {
		response := ""
		if v.Response != "" {
			response = "`" + v.Response + "`"
		}
		failure := shapes[v.Fail]
		if v.Fail == wire.None {
			failure = ""
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s | %s |\n", v.Type, kinds[v.Kind], response, shapes[v.OK], failure)
	}
	return out.String()
}

// names are all types that a message can have: those of the constants, and of answers.
func (s *source) names() []string {
	var all []string
	for _, value := range s.types {
		all = append(all, value)
	}
	for _, v := range wire.Verbs {
		if v.Response != "" {
			all = append(all, v.Response)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
