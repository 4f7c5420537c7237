package agentcall

import (
	"path"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const (
	maxGlobs = 100
	maxGlob  = 1024 // bytes
	// maxAlternatives is how many ways braces may give to read a glob: each is tried
	// with each name.
	maxAlternatives = 256
)

// globs are patterns of names. One without a slash is of a base name, at any depth;
// another is of the whole name, as seen from the root or from the folder in which is
// searched.
type globs struct {
	folder   string
	patterns []string
}

// globs reads patterns as agents write them.
func (c *Caller) globs(op, folder string, patterns ...string) (*globs, error) {
	g := globs{folder: folder}
	if len(patterns) > maxGlobs {
		return nil, wire.Errorf(wire.Invalid, "%s: there are more than %d patterns of names", op, maxGlobs)
	}
	for _, p := range patterns {
		p = strings.TrimSpace(p)
		switch {
		case p == "":
			continue
		case len(p) > maxGlob:
			return nil, wire.Errorf(wire.Invalid, "%s: a pattern of names has more than %d bytes", op, maxGlob)
		case !doublestar.ValidatePattern(p):
			return nil, wire.Errorf(wire.Invalid, "%s: %q is no pattern of names: a bracket or a brace is not closed, or it ends in a backslash", op, p)
		case alternatives(p) > maxAlternatives:
			return nil, wire.Errorf(wire.Invalid, "%s: the braces of a pattern of names give more than %d alternatives", op, maxAlternatives)
		}
		name, err := c.name(op, p)
		if err != nil {
			return nil, err
		}
		g.patterns = append(g.patterns, name)
	}
	return &g, nil
}

// alternatives is how many ways there are to read a glob, or more.
func alternatives(glob string) int {
	n, open := 1, []int(nil)
	for _, r := range glob {
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

// isGlob tells a glob from a plain name.
func isGlob(s string) bool { return strings.ContainsAny(s, "*?[") }

func (g *globs) empty() bool { return len(g.patterns) == 0 }

// match reports whether a name matches a pattern.
func (g *globs) match(name string) bool {
	for _, p := range g.patterns {
		if !strings.Contains(p, "/") {
			if doublestar.MatchUnvalidated(p, path.Base(name)) {
				return true
			}
			continue
		}
		if doublestar.MatchUnvalidated(p, name) {
			return true
		}
		if r := relative(g.folder, name); r != name && doublestar.MatchUnvalidated(p, r) {
			return true
		}
	}
	return false
}

// cover reports whether a name, or a folder above it in which is searched, matches a
// pattern.
func (g *globs) cover(name string) bool {
	if g.empty() {
		return false
	}
	for name != g.folder && name != "." {
		if g.match(name) {
			return true
		}
		name = path.Dir(name)
	}
	return false
}

// splitGlobs splits a list of patterns at the commas that are not inside braces.
func splitGlobs(list string) []string {
	var patterns []string
	depth, start := 0, 0
	for i, r := range list {
		switch {
		case r == '{':
			depth++
		case r == '}':
			depth--
		case r == ',' && depth <= 0:
			patterns = append(patterns, list[start:i])
			start = i + 1
		}
	}
	return append(patterns, list[start:])
}
