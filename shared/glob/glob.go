// Package glob reads patterns of file names as people and agents write them: * and ? in
// a name, ** over folders, {a,b} and [ab].
//
//	set, err := glob.Parse("*.go", "vendor/**")
//	set.Match("src/main.go") // true
//
// It reads no directory.
package glob

import (
	"path"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// The bounds of [Parse].
const (
	MaxPatterns = 100
	MaxPattern  = 1024 // bytes
)

// maxAlternatives is how many ways braces may give to read a pattern: each is tried with
// each name.
const maxAlternatives = 256

// Set is a list of patterns. The zero value matches nothing. It is safe for concurrent
// use.
type Set struct{ patterns []string }

// Parse reads patterns; empty ones count for nothing. It fails with Invalid for what is
// no pattern, or is too much of one.
func Parse(patterns ...string) (Set, error) {
	var set Set
	if len(patterns) > MaxPatterns {
		return Set{}, wire.Errorf(wire.Invalid, "there are more than %d patterns of names", MaxPatterns)
	}
	for _, p := range patterns {
		p = strings.TrimSpace(p)
		switch {
		case p == "":
			continue
		case len(p) > MaxPattern:
			return Set{}, wire.Errorf(wire.Invalid, "a pattern of names has more than %d bytes", MaxPattern)
		case !doublestar.ValidatePattern(p):
			return Set{}, wire.Errorf(wire.Invalid, "%q is no pattern of names: a bracket or a brace is not closed, or it ends in a backslash", p)
		case alternatives(p) > maxAlternatives:
			return Set{}, wire.Errorf(wire.Invalid, "the braces of a pattern of names give more than %d alternatives", maxAlternatives)
		}
		set.patterns = append(set.patterns, p)
	}
	return set, nil
}

// alternatives is how many ways there are to read a pattern, or more.
func alternatives(pattern string) int {
	n, open := 1, []int(nil)
	for _, r := range pattern {
		switch {
		case r == '{':
			open = append(open, 1)
		case r == ',' && len(open) > 0:
			open[len(open)-1]++
		case r == '}' && len(open) > 0:
			n *= open[len(open)-1]
			open = open[:len(open)-1]
		}
		if n > maxAlternatives {
			return n
		}
	}
	return n
}

// Is tells a pattern from a plain name.
func Is(s string) bool { return strings.ContainsAny(s, "*?[") }

// Empty reports whether there are no patterns.
func (s Set) Empty() bool { return len(s.patterns) == 0 }

// Match reports whether a pattern matches a slash-separated name, or one of the others
// that it may be called. A pattern without a slash is of the base name, at any depth.
func (s Set) Match(name string, others ...string) bool {
	for _, p := range s.patterns {
		if !strings.Contains(p, "/") {
			if doublestar.MatchUnvalidated(p, path.Base(name)) {
				return true
			}
			continue
		}
		if doublestar.MatchUnvalidated(p, name) {
			return true
		}
		for _, other := range others {
			if doublestar.MatchUnvalidated(p, other) {
				return true
			}
		}
	}
	return false
}
