package agentcall

import (
	"path"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/glob"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// globs are patterns of names. One without a slash is of a base name, at any depth;
// another is of the whole name, as seen from the root or from the folder in which is
// searched.
type globs struct {
	folder string
	set    glob.Set
}

// globs reads patterns as agents write them.
func (c *Caller) globs(op, folder string, patterns ...string) (*globs, error) {
	if _, err := glob.Parse(patterns...); err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "%s: %w", op, err)
	}
	var names []string
	for _, p := range patterns {
		if p = strings.TrimSpace(p); p == "" {
			continue
		}
		name, err := c.name(op, p)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	set, err := glob.Parse(names...)
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "%s: %w", op, err)
	}
	return &globs{folder, set}, nil
}

func (g *globs) empty() bool { return g.set.Empty() }

// match reports whether a name matches a pattern.
func (g *globs) match(name string) bool { return g.set.Match(name, relative(g.folder, name)) }

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
