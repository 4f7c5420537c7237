package agentcall

import (
	"bytes"
	"cmp"
	"context"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/codeboltai/codebolt-providers/shared/glob"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

const (
	// maxSearched is how large a file is that is searched, in bytes, and
	// maxSearchedAll how much is searched in all.
	maxSearched    = 1 << 20
	maxSearchedAll = 256 << 20
	// maxMatches is how many lines one answer has, and maxLine how much of each.
	maxMatches = 1000
	maxLine    = 500
	// searchTime is how long a search may take.
	searchTime = 30 * time.Second
	// maxPattern is how long a pattern may be, in bytes, and maxProgram how many
	// steps it may be made of: so much each character may cost.
	maxPattern = 4096
	maxProgram = 1000
	// maxFound is how many files an answer of fuzzySearch names, and maxGlobbed how
	// many when the query is a glob.
	maxFound   = 100
	maxGlobbed = 1000
)

type grepOptions struct {
	IncludePattern string `json:"includePattern"`
	ExcludePattern string `json:"excludePattern"`
	CaseSensitive  *bool  `json:"caseSensitive"`
}

type grepArgs struct {
	grepOptions // where the SDK once had them

	Path        string      `json:"path"`
	Pattern     string      `json:"pattern"`
	Query       string      `json:"query"`
	Regex       string      `json:"regex"`
	FilePattern string      `json:"filePattern"`
	Options     grepOptions `json:"options"`
}

// match is a line that matches.
type match struct {
	Line       int    `json:"line"` // counted from 1, and so is LineNumber
	LineNumber int    `json:"lineNumber"`
	Content    string `json:"content"`
}

type fileMatches struct {
	Path    string  `json:"path"`
	Matches []match `json:"matches"`
}

// matches is the answer of grepSearch and searchFiles.
type matches struct {
	Path       string        `json:"path"`
	Pattern    string        `json:"pattern"`
	Query      string        `json:"query"`
	Results    []fileMatches `json:"results"`
	TotalCount int           `json:"totalCount"` // of lines in this answer
	HasMore    bool          `json:"hasMore"`    // not all was searched
}

// grepSearch finds the lines of files that match a regular expression. Binary files
// and large ones are not searched, and links not followed.
func grepSearch(ctx context.Context, c *Caller, r *request) (any, error) {
	const op = "search"
	a, err := message[grepArgs](r)
	if err != nil {
		return nil, err
	}
	pattern := cmp.Or(a.Regex, a.Pattern, a.Query)
	name, err := c.folderName(op, a.Path)
	if err != nil {
		return nil, err
	}
	sensitive := cmp.Or(a.Options.CaseSensitive, a.CaseSensitive)
	expression, err := compile(op, pattern, sensitive == nil || *sensitive)
	if err != nil {
		return nil, err
	}
	include, err := c.globs(op, name, splitGlobs(cmp.Or(a.FilePattern, a.Options.IncludePattern, a.IncludePattern))...)
	if err != nil {
		return nil, err
	}
	exclude, err := c.globs(op, name, splitGlobs(cmp.Or(a.Options.ExcludePattern, a.ExcludePattern))...)
	if err != nil {
		return nil, err
	}
	files, cut, err := c.toSearch(ctx, name)
	if err != nil {
		return nil, err
	}
	found := matches{Path: c.path(name), Pattern: pattern, Query: pattern, Results: []fileMatches{}, HasMore: cut}
	files = slices.DeleteFunc(files, func(e wire.FSEntry) bool {
		return e.Path != name && (!include.empty() && !include.match(e.Path) || exclude.cover(e.Path))
	})
	if err := c.grep(ctx, files, expression, &found); err != nil {
		return nil, err
	}
	return &found, nil
}

func compile(op, pattern string, caseSensitive bool) (*regexp.Regexp, error) {
	switch {
	case pattern == "":
		return nil, wire.Errorf(wire.Invalid, "%s: the pattern is missing", op)
	case len(pattern) > maxPattern:
		return nil, wire.Errorf(wire.Invalid, "%s: the pattern has more than %d bytes", op, maxPattern)
	}
	flags := ""
	if !caseSensitive {
		flags = "(?i)"
	}
	tree, err := syntax.Parse(flags+pattern, syntax.Perl)
	if err != nil {
		return nil, wire.Errorf(wire.Invalid, "%s: the pattern is no regular expression in the syntax RE2, which has no look-around and no back-references: %w", op, err)
	}
	if program, err := syntax.Compile(tree.Simplify()); err != nil || len(program.Inst) > maxProgram {
		return nil, wire.Errorf(wire.Invalid, "%s: the pattern is too large; repeat less in it", op)
	}
	return regexp.Compile(flags + pattern)
}

// toSearch are the files below a folder, or the one that is named.
func (c *Caller) toSearch(ctx context.Context, name string) (files []wire.FSEntry, cut bool, err error) {
	item, err := c.s.opt.Files.Stat(ctx, name)
	if err != nil {
		return nil, false, err
	}
	if !isFolder(&item) {
		return []wire.FSEntry{item}, false, nil
	}
	files, cut, err = c.walk(ctx, name, true, false)
	return slices.DeleteFunc(files, func(e wire.FSEntry) bool { return e.Kind != wire.KindFile || e.Problem != "" }), cut, err
}

// grep searches files until there are enough matches.
func (c *Caller) grep(ctx context.Context, files []wire.FSEntry, expression *regexp.Regexp, found *matches) error {
	hurry, enough := context.WithTimeout(ctx, searchTime)
	defer enough()
	searched := 0
	for i := range files {
		if files[i].Size > maxSearched {
			continue
		}
		data, err := c.s.opt.Files.ReadFile(hurry, files[i].Path, maxSearched)
		if hurry.Err() != nil {
			found.HasMore = true
			return ctx.Err()
		}
		if err != nil {
			switch code := wire.CodeOf(err); {
			case len(files) == 1, code == wire.Unavailable, code == wire.NotRunning, code == wire.Timeout:
				return err
			}
			continue // it is gone, or not to be read
		}
		if isBinary(data) {
			continue
		}
		lines, more := grepLines(hurry, data, expression, maxMatches-found.TotalCount)
		if len(lines) > 0 {
			found.Results = append(found.Results, fileMatches{Path: c.path(files[i].Path), Matches: lines})
			found.TotalCount += len(lines)
		}
		if searched += len(data); more || searched > maxSearchedAll && i+1 < len(files) {
			found.HasMore = true
			return nil
		}
	}
	return nil
}

// isBinary judges a file by its beginning, as git does.
func isBinary(data []byte) bool { return bytes.IndexByte(data[:min(len(data), 8000)], 0) >= 0 }

// grepLines are the lines that match, at most limit; more tells that there may be
// another.
func grepLines(ctx context.Context, data []byte, expression *regexp.Regexp, limit int) (found []match, more bool) {
	for number := 1; len(data) > 0; number++ {
		if ctx.Err() != nil {
			return found, true
		}
		line, rest, _ := bytes.Cut(data, []byte("\n"))
		data = rest
		line = bytes.TrimSuffix(line, []byte("\r"))
		if !expression.Match(line) {
			continue
		}
		if len(found) == limit {
			return found, true
		}
		found = append(found, match{number, number, shorten(line)})
	}
	return found, false
}

// shorten makes a line fit for an answer.
func shorten(line []byte) string {
	text := strings.ToValidUTF8(string(line[:min(len(line), maxLine+utf8.UTFMax)]), "\uFFFD")
	if short := head(text, maxLine); short != text {
		return short + "…"
	}
	return text
}

// names is the answer of fuzzySearch.
type names struct {
	Query      string   `json:"query"`
	Results    []string `json:"results"` // paths
	TotalCount int      `json:"totalCount"`
	HasMore    bool     `json:"hasMore"`
}

// fuzzySearch finds files by name: with a glob all that match, else those whose path
// has the letters of the query in their order, the likeliest first.
func fuzzySearch(ctx context.Context, c *Caller, r *request) (any, error) {
	const op = "find files"
	a, err := message[struct {
		Query string `json:"query"`
	}](r)
	if err != nil {
		return nil, err
	}
	query := strings.TrimSpace(a.Query)
	switch {
	case query == "":
		return nil, wire.Errorf(wire.Invalid, "%s: the query is missing", op)
	case len(query) > glob.MaxPattern:
		return nil, wire.Errorf(wire.Invalid, "%s: the query has more than %d bytes", op, glob.MaxPattern)
	}
	var rank func(name string) (int, bool)
	limit := maxFound
	if glob.Is(query) {
		g, err := c.globs(op, ".", query)
		if err != nil {
			return nil, err
		}
		rank = func(name string) (int, bool) { return 0, g.match(name) }
		limit = maxGlobbed
	} else {
		if inside, err := c.name(op, query); err == nil {
			query = inside
		}
		query = strings.ToLower(strings.TrimPrefix(query, "/"))
		rank = func(name string) (int, bool) { return likeness(strings.ToLower(name), query) }
	}
	items, cut, err := c.walk(ctx, ".", true, false)
	if err != nil {
		return nil, err
	}
	type hit struct {
		name string
		rank int
	}
	var hits []hit
	for i := range items {
		if n, ok := rank(items[i].Path); ok && isFile(&items[i]) {
			hits = append(hits, hit{items[i].Path, n})
		}
	}
	slices.SortFunc(hits, func(a, b hit) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), workspace.CompareNames(a.name, b.name))
	})
	found := names{Query: a.Query, Results: []string{}, TotalCount: len(hits), HasMore: cut || len(hits) > limit}
	for _, h := range hits[:min(len(hits), limit)] {
		found.Results = append(found.Results, c.path(h.name))
	}
	return &found, nil
}

// likeness ranks a name for a query: whose base name is the query comes first, then
// those whose base name has it in one piece, whose path has, whose base name has its
// letters in their order, and whose path has; in each class shorter names first. Both
// are lower case. It reports false when the letters are not there.
func likeness(name, query string) (rank int, ok bool) {
	const class = 1 << 20 // more than a path is long
	base := name[strings.LastIndexByte(name, '/')+1:]
	n := min(len(name), class-1)
	switch {
	case base == query || name == query:
		return n, true
	case strings.Contains(base, query):
		return class + n, true
	case strings.Contains(name, query):
		return 2*class + n, true
	case hasLetters(base, query):
		return 3*class + n, true
	case hasLetters(name, query):
		return 4*class + n, true
	}
	return 0, false
}

// hasLetters reports whether text has the letters in their order, spaces aside.
func hasLetters(text, letters string) bool {
	for _, r := range letters {
		if r == ' ' {
			continue
		}
		i := strings.IndexRune(text, r)
		if i < 0 {
			return false
		}
		_, n := utf8.DecodeRuneInString(text[i:])
		text = text[i+n:]
	}
	return true
}
