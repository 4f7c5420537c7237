package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

var (
	protocolPage = filepath.Join("..", "..", "..", "docs", "protocol.md")
	wireFolder   = ".."
)

func pageAndSource(t *testing.T) (string, *source) {
	t.Helper()
	text, err := os.ReadFile(protocolPage)
	if err != nil {
		t.Fatal(err)
	}
	s, err := read(wireFolder)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), s
}

func TestTheTablesOfTheReferenceAreThoseOfThePackage(t *testing.T) {
	t.Parallel()
	page, s := pageAndSource(t)
	filled, err := s.fill([]byte(page))
	if err != nil {
		t.Fatal(err)
	}
	if string(filled) == page {
		return
	}
	was, is := strings.Split(page, "\n"), strings.Split(string(filled), "\n")
	for i := range min(len(was), len(is)) {
		if was[i] != is[i] {
			t.Fatalf("docs/protocol.md is out of date; run make docs\nline %d is  %s\nit is to be %s", i+1, was[i], is[i])
		}
	}
	t.Fatal("docs/protocol.md is out of date; run make docs")
}

func TestTheReferenceNamesEveryTypeAndNoOther(t *testing.T) {
	t.Parallel()
	page, s := pageAndSource(t)
	known := s.names()
	if len(known) < 80 {
		t.Errorf("only %d types were found", len(known))
	}
	for _, name := range known {
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("docs/protocol.md does not name the type %s", name)
		}
	}
	// What a request with a type of its own is answered with, by the rule for all of them.
	for _, name := range slices.Clone(known) {
		if wire.RuntimeRequest(name) || strings.HasPrefix(name, "narrative.") || strings.HasPrefix(name, "executionGateway.") {
			known = append(known, name+"Response")
		}
	}
	// "getDiffFiles" is what the setting legacyDiffError is about.
	known = append(known, "getDiffFiles")
	named := 0
	for _, found := range append(
		regexp.MustCompile(`"type": ?"([\w.]+)"`).FindAllStringSubmatch(page, -1), // of an example
		regexp.MustCompile("(?m)^\\| `([\\w.]+)` \\| (?:lifecycle|agent|file|review|control|server|provider|runtime)\\b").FindAllStringSubmatch(page, -1)...,
	) {
		named++
		if !slices.Contains(known, found[1]) {
			t.Errorf("docs/protocol.md names the type %s, and package wire does not", found[1])
		}
	}
	if named < 60 {
		t.Errorf("only %d types were found in docs/protocol.md", named)
	}
}

func TestTheReferenceDescribesWhatItsTablesRefer(t *testing.T) {
	t.Parallel()
	page, s := pageAndSource(t)
	for name := range s.structs {
		used := regexp.MustCompile(`(?m)^\|.*\| (?:array of |object of )?` + name + ` \||\(#` + strings.ToLower(name) + `\)`)
		if used.MatchString(page) && !strings.Contains(page, "\n#### "+name+"\n") {
			t.Errorf("a table refers to %s, which docs/protocol.md does not describe under a heading", name)
		}
	}
}

func TestAPageWithoutPlacesForTablesIsRefused(t *testing.T) {
	t.Parallel()
	s, err := read(wireFolder)
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{
		"<!-- made by make docs: members of Nothing -->\n<!-- end -->\n",
		"<!-- made by make docs: requests -->\n",
		"<!-- made by make docs: requests -->\n<!-- made by make docs: requests -->\n<!-- end -->\n",
	} {
		if out, err := s.fill([]byte(page)); err == nil {
			t.Errorf("%q became %q", page, out)
		}
	}
}
