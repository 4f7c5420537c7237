package agentcall

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/codeboltai/codebolt-providers/shared/glob"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const (
	// maxPaths is how many paths one readManyFiles has.
	maxPaths = 1000
	// maxMany is how many files it reads, and defaultMany how many without another
	// wish; maxManySize and defaultManySize are how many bytes in all.
	maxMany         = 1000
	defaultMany     = 100
	maxManySize     = 32 << 20
	defaultManySize = 4 << 20
)

type manyArgs struct {
	Paths              []string `json:"paths"`
	Include            []string `json:"include"`
	Exclude            []string `json:"exclude"`
	Recursive          *bool    `json:"recursive"`
	UseDefaultExcludes *bool    `json:"use_default_excludes"`
	MaxFiles           int      `json:"max_files"`
	MaxTotalSize       int64    `json:"max_total_size"`
	IncludeMetadata    bool     `json:"include_metadata"`
	NotifyUser         *bool    `json:"notifyUser"`
}

// manyFile is one file of the answer of readManyFiles; it is whole.
type manyFile struct {
	Path              string     `json:"path"`
	Content           string     `json:"content"`
	IsTruncated       bool       `json:"isTruncated"`
	LinesShown        [2]int     `json:"linesShown"`
	OriginalLineCount int        `json:"originalLineCount"`
	Size              *int       `json:"size,omitzero"`
	ModifiedTime      *wire.Time `json:"modifiedTime,omitzero"`
}

type manyError struct {
	Path  string `json:"path"`
	Error string `json:"error"`
}

type manySummary struct {
	Total      int `json:"total"`
	Successful int `json:"successful"`
	Failed     int `json:"failed"`
}

type manyFiles struct {
	Results         []manyFile  `json:"results"`
	Errors          []manyError `json:"errors"`
	TotalRequested  int         `json:"totalRequested"`
	TotalSuccessful int         `json:"totalSuccessful"`
	TotalFailed     int         `json:"totalFailed"`
	Summary         manySummary `json:"summary"`
	Truncated       bool        `json:"truncated"` // a limit left files out

	first error // the first of Errors
}

func (m *manyFiles) fail(path string, err error) {
	if m.first == nil {
		m.first = err
	}
	m.Errors = append(m.Errors, manyError{head(path, maxPath), err.Error()})
}

// readManyFiles reads the files that are named, those in folders that are named and
// those that match globs. Found files that are binary or over a limit are left out in
// silence. It succeeds when one file could be read.
func readManyFiles(ctx context.Context, c *Caller, r *request) (any, error) {
	const op = "read files"
	a, err := message[manyArgs](r)
	switch {
	case err != nil:
		return nil, err
	case len(a.Paths) == 0:
		return nil, wire.Errorf(wire.Invalid, "%s: there are no paths", op)
	case len(a.Paths) > maxPaths:
		return nil, wire.Errorf(wire.Invalid, "%s: there are more than %d paths", op, maxPaths)
	case a.MaxFiles < 0, a.MaxTotalSize < 0:
		return nil, wire.Errorf(wire.Invalid, "%s: max_files and max_total_size must be positive", op)
	}
	many := manyFiles{Results: []manyFile{}, Errors: []manyError{}}
	files, err := c.gather(ctx, a, &many)
	if err != nil {
		return nil, err
	}
	room := min(cmp.Or(a.MaxTotalSize, defaultManySize), maxManySize)
	limit := min(cmp.Or(a.MaxFiles, defaultMany), maxMany)
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if len(many.Results) == limit || room == 0 {
			many.Truncated = true
			if f.named {
				many.fail(f.given, wire.Errorf(wire.TooLarge, "%s: %s is left out: enough was read before it", op, f.given))
			}
			continue
		}
		got, err := c.readOne(ctx, f.name, min(room, maxRead), a.IncludeMetadata)
		switch {
		case err == nil:
			room -= int64(len(got.Content))
			many.Results = append(many.Results, *got)
			if a.NotifyUser == nil || *a.NotifyUser {
				c.tellRead(r, f.name, got.Content, "")
			}
		case f.named:
			many.Truncated = many.Truncated || wire.CodeOf(err) == wire.TooLarge
			many.fail(f.given, err)
		default:
			many.Truncated = many.Truncated || wire.CodeOf(err) == wire.TooLarge
		}
	}
	many.TotalSuccessful, many.TotalFailed = len(many.Results), len(many.Errors)
	many.TotalRequested = many.TotalSuccessful + many.TotalFailed
	many.Summary = manySummary{many.TotalRequested, many.TotalSuccessful, many.TotalFailed}
	if len(many.Results) > 0 {
		return &many, nil
	}
	if many.first == nil {
		many.first = wire.Errorf(wire.NotFound, "no text file was found that the limits let be read")
	}
	return &many, wire.Errorf(wire.CodeOf(many.first), "%s: none could be read: %w", op, many.first)
}

// readOne reads a text file.
func (c *Caller) readOne(ctx context.Context, name string, limit int64, describe bool) (*manyFile, error) {
	files := c.files()
	files.MaxRead = limit
	got, err := files.Do(ctx, wire.TypeReadFile, &wire.FileRequest{Path: name})
	if err != nil {
		return nil, err
	}
	content, _ := got.(string)
	n := countLines(content)
	f := manyFile{Path: c.path(name), Content: content, LinesShown: [2]int{min(n, 1), n}, OriginalLineCount: n}
	if describe {
		if item, err := files.FS.Stat(ctx, name); err == nil {
			length := len(content)
			f.Size, f.ModifiedTime = &length, &wire.Time{Time: time.Unix(0, item.ModTime)}
		}
	}
	return &f, nil
}

// gathered is a file that is to be read.
type gathered struct {
	name  string
	named bool   // by itself, not by a folder or a glob
	given string // as it was named
}

// gather finds the files that a readManyFiles means, each once. What of it is not
// there is among the errors of many.
func (c *Caller) gather(ctx context.Context, a *manyArgs, many *manyFiles) ([]gathered, error) {
	const op = "read files"
	seen := map[string]bool{}
	var files []gathered
	add := func(f gathered) {
		if !seen[f.name] {
			seen[f.name] = true
			files = append(files, f)
		}
	}
	for _, given := range a.Paths {
		if len(files) >= maxWalk {
			many.Truncated = true
			return files, nil
		}
		name, err := c.name(op, given)
		if err != nil {
			many.fail(given, err)
			continue
		}
		// A file may be called as a glob looks: pages/[id].tsx.
		item, err := c.s.opt.Files.Stat(ctx, name)
		folder, wanted := name, &globs{}
		switch {
		case err == nil && !isFolder(&item):
			add(gathered{name, true, given})
			continue
		case err == nil:
		case glob.Is(name) || strings.Contains(name, "{"):
			if wanted, err = c.globs(op, ".", name); err != nil {
				many.fail(given, err)
				continue
			}
			folder, _ = doublestar.SplitPattern(name)
		default:
			many.fail(given, err)
			continue
		}
		found, err := c.inFolder(ctx, a, folder, wanted, many)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			many.fail(given, wire.Errorf(wire.NotFound, "%s: no file is found for %s", op, given))
		}
		for _, f := range found {
			add(gathered{name: f, given: given})
		}
	}
	return files, nil
}

// inFolder are the files below a folder that match the glob that is wanted, if one is,
// and what the request includes, and not what it excludes.
func (c *Caller) inFolder(ctx context.Context, a *manyArgs, folder string, wanted *globs, many *manyFiles) ([]string, error) {
	const op = "read files"
	include, err := c.globs(op, folder, a.Include...)
	if err != nil {
		return nil, err
	}
	exclude, err := c.globs(op, folder, a.Exclude...)
	if err != nil {
		return nil, err
	}
	below := !wanted.empty() || a.Recursive == nil || *a.Recursive
	all := a.UseDefaultExcludes != nil && !*a.UseDefaultExcludes
	items, cut, err := c.walk(ctx, folder, below, all)
	switch code := wire.CodeOf(err); {
	case code == wire.NotFound, code == wire.OutsideWorkspace, code == wire.Invalid:
		return nil, nil // of a glob, that is
	case err != nil:
		return nil, err
	}
	many.Truncated = many.Truncated || cut
	var found []string
	for i := range items {
		e := &items[i]
		if isFile(e) && (wanted.empty() || wanted.match(e.Path)) && (include.empty() || include.match(e.Path)) && !exclude.cover(e.Path) {
			found = append(found, e.Path)
		}
	}
	return found, nil
}
