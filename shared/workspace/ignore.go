package workspace

import (
	"path"
	"regexp"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// ignorePattern is one line of a .gitignore.
type ignorePattern struct {
	match   *regexp.Regexp // against the path relative to where the line stands
	negated bool           // what matches is not ignored after all
	folder  bool           // only folders match
}

// parseIgnore reads patterns in the syntax of .gitignore.
func parseIgnore(lines []string) ([]ignorePattern, error) {
	var patterns []ignorePattern
	for _, line := range lines {
		line = trimIgnore(strings.TrimSuffix(line, "\r"))
		if line == "" || line[0] == '#' {
			continue
		}
		var p ignorePattern
		if line[0] == '!' {
			p.negated, line = true, line[1:]
		}
		if p.folder = strings.HasSuffix(line, "/"); p.folder {
			line = line[:len(line)-1]
		}
		if line == "" {
			continue
		}
		re, err := regexp.Compile(ignoreExpression(line))
		if err != nil {
			return nil, wire.Errorf(wire.Invalid, "exclude pattern %s: %w", quote(line), err)
		}
		p.match = re
		patterns = append(patterns, p)
	}
	return patterns, nil
}

// trimIgnore drops trailing spaces that are not escaped.
func trimIgnore(line string) string {
	for strings.HasSuffix(line, " ") && !strings.HasSuffix(line, `\ `) {
		line = line[:len(line)-1]
	}
	return line
}

// ignoreExpression translates a pattern. One with a slash that is not its last
// character holds from where the line stands, another at any depth.
func ignoreExpression(pattern string) string {
	var b strings.Builder
	b.WriteString("(?s)^")
	if !strings.Contains(pattern, "/") {
		b.WriteString("(?:.*/)?")
	}
	pattern = strings.TrimPrefix(pattern, "/")
	for i := 0; i < len(pattern); {
		rest := pattern[i:]
		atStart := i == 0 || pattern[i-1] == '/'
		switch {
		case atStart && strings.HasPrefix(rest, "**/"):
			b.WriteString("(?:.*/)?")
			i += 3
		case atStart && rest == "**":
			b.WriteString(".+")
			i += 2
		case rest[0] == '*':
			b.WriteString("[^/]*")
			i++
		case rest[0] == '?':
			b.WriteString("[^/]")
			i++
		case rest[0] == '[':
			class, n := ignoreClass(rest)
			b.WriteString(class)
			i += n
		case rest[0] == '\\' && len(rest) > 1:
			b.WriteString(regexp.QuoteMeta(rest[1:2]))
			i += 2
		default:
			n := strings.IndexAny(rest[1:], `*?[\/`) + 1
			if n == 0 {
				n = len(rest)
			}
			b.WriteString(regexp.QuoteMeta(rest[:n]))
			i += n
		}
	}
	b.WriteString("$")
	return b.String()
}

// ignoreClass translates a [class], of which it returns the length too. A
// bracket that is never closed stands for itself.
func ignoreClass(s string) (string, int) {
	start := 1
	if start < len(s) && (s[start] == '!' || s[start] == '^') {
		start++
	}
	end := -1
	for i := start; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '[' && strings.HasPrefix(s[i:], "[:"):
			if n := strings.Index(s[i:], ":]"); n > 0 {
				i += n + 1
			}
		case s[i] == ']' && i > start:
			end = i
		}
		if end >= 0 {
			break
		}
	}
	if end < 0 {
		return `\[`, 1
	}
	inner := s[start:end]
	if inner[0] == ']' {
		inner = `\]` + inner[1:]
	}
	inner = strings.ReplaceAll(inner, "&&", `&\&`)
	if start == 2 {
		return "[^/" + inner + "]", end + 1
	}
	return "[" + inner + "]", end + 1
}

// ignoreRules are the patterns that hold in one folder and below it.
type ignoreRules struct {
	base     string // the folder, relative to the tree
	patterns []ignorePattern
}

// decide says whether the last pattern that matches rel ignores it, and whether
// any matches at all.
func (r ignoreRules) decide(rel string, folder bool) (ignored, matched bool) {
	if r.base != "." {
		rel = strings.TrimPrefix(rel, r.base+"/")
	}
	rel = path.Clean(rel)
	for i := len(r.patterns) - 1; i >= 0; i-- {
		p := r.patterns[i]
		if (folder || !p.folder) && p.match.MatchString(rel) {
			return !p.negated, true
		}
	}
	return false, false
}
