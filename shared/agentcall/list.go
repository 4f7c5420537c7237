package agentcall

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

const (
	// maxFolder is how many items a folder may have that is listed.
	maxFolder = 50_000
	// maxEntries is how many entries one answer of listDirectory has, and
	// defaultEntries how many without another wish.
	maxEntries     = 10_000
	defaultEntries = 1000
	// maxFiles is how many names one answer of listFiles has.
	maxFiles = 5000
	// maxWalk and maxDepth bound what is looked at below a folder.
	maxWalk  = 100_000
	maxDepth = 64
)

type listArgs struct {
	Path       string   `json:"path"`
	Ignore     []string `json:"ignore"`
	ShowHidden bool     `json:"show_hidden"`
	Detailed   *bool    `json:"detailed"`
	Limit      int      `json:"limit"`
}

// folderEntry is an item of a listed folder.
type folderEntry struct {
	Name         string     `json:"name"`
	Path         string     `json:"path"`
	IsDirectory  bool       `json:"isDirectory"`
	Type         string     `json:"type"` // "file", "directory", "symlink" or "other"
	Size         *int64     `json:"size,omitzero"`
	ModifiedTime *wire.Time `json:"modifiedTime,omitzero"`
	IsHidden     bool       `json:"isHidden"`
}

type folderList struct {
	Path       string        `json:"path"`
	Entries    []folderEntry `json:"entries"`
	TotalCount int           `json:"totalCount"`
	HasMore    bool          `json:"hasMore"`
}

// listDirectory lists one folder. Without show_hidden it leaves out what begins with a
// dot, and with detailed given as false sizes and times.
func listDirectory(ctx context.Context, c *Caller, r *request) (any, error) {
	const op = "list"
	a, err := message[listArgs](r)
	if err != nil {
		return nil, err
	}
	if a.Limit < 0 {
		return nil, wire.Errorf(wire.Invalid, "%s: the limit must be positive", op)
	}
	name, err := c.folderName(op, a.Path)
	if err != nil {
		return nil, err
	}
	ignore, err := c.globs(op, name, a.Ignore...)
	if err != nil {
		return nil, err
	}
	items, err := c.s.opt.Files.ReadDir(ctx, name, maxFolder)
	if err != nil {
		return nil, err
	}
	list := folderList{Path: c.path(name), Entries: []folderEntry{}}
	for i := range items {
		base := path.Base(items[i].Path)
		if hidden := base[0] == '.'; hidden && !a.ShowHidden || ignore.match(items[i].Path) || c.s.opt.Policy.hides(items[i].Path) {
			continue
		}
		list.Entries = append(list.Entries, c.entry(&items[i], a.Detailed == nil || *a.Detailed))
	}
	slices.SortFunc(list.Entries, func(a, b folderEntry) int {
		if a.IsDirectory != b.IsDirectory {
			if a.IsDirectory {
				return -1
			}
			return 1
		}
		return workspace.CompareNames(a.Name, b.Name)
	})
	list.TotalCount = len(list.Entries)
	if limit := min(cmp.Or(a.Limit, defaultEntries), maxEntries); list.TotalCount > limit {
		list.Entries, list.HasMore = list.Entries[:limit], true
	}
	return &list, nil
}

func (c *Caller) entry(item *wire.FSEntry, detailed bool) folderEntry {
	base := path.Base(item.Path)
	e := folderEntry{Name: base, Path: c.path(item.Path), IsDirectory: isFolder(item), IsHidden: base[0] == '.'}
	switch item.Kind {
	case wire.KindFile:
		e.Type = "file"
	case wire.KindFolder:
		e.Type = "directory"
	case wire.KindSymlink:
		e.Type = "symlink"
	default:
		e.Type = "other"
	}
	if detailed {
		e.Size, e.ModifiedTime = &item.Size, &wire.Time{Time: time.Unix(0, item.ModTime)}
	}
	return e
}

type filesArgs struct {
	Path        string `json:"path"`
	FolderPath  string `json:"folderPath"`
	IsRecursive bool   `json:"isRecursive"`
	Recursive   bool   `json:"recursive"`
	Options     struct {
		Recursive bool `json:"recursive"`
	} `json:"options"`
}

type fileList struct {
	Path       string   `json:"path"`
	Files      []string `json:"files"`
	TotalCount int      `json:"totalCount"`
	HasMore    bool     `json:"hasMore"`
	Recursive  bool     `json:"recursive"`
}

// listFiles lists what is in a folder, or below it, by path. The path of a folder ends
// in a slash.
func listFiles(ctx context.Context, c *Caller, r *request) (any, error) {
	a, err := message[filesArgs](r)
	if err != nil {
		return nil, err
	}
	name, err := c.folderName("list", cmp.Or(a.FolderPath, a.Path))
	if err != nil {
		return nil, err
	}
	recursive := a.IsRecursive || a.Recursive || a.Options.Recursive
	items, cut, err := c.walk(ctx, name, recursive, false)
	if err != nil {
		return nil, err
	}
	list := fileList{Path: c.path(name), Files: []string{}, TotalCount: len(items), HasMore: cut, Recursive: recursive}
	if len(items) > maxFiles {
		items, list.HasMore = items[:maxFiles], true
	}
	slices.SortFunc(items, func(a, b wire.FSEntry) int { return workspace.CompareNames(a.Path, b.Path) })
	for i := range items {
		at := c.path(items[i].Path)
		if isFolder(&items[i]) {
			at += "/"
		}
		list.Files = append(list.Files, at)
	}
	return &list, nil
}

// walk describes what is in a folder, or below it, as far as agents are to look: not
// what the tree of the project hides, nor, unless all is set, what is in a
// node_modules. It reports whether there is more than what is looked at.
func (c *Caller) walk(ctx context.Context, name string, below, all bool) (items []wire.FSEntry, cut bool, err error) {
	depth := 1
	if below {
		depth = maxDepth
	}
	items, cut, err = c.s.opt.Files.Walk(ctx, name, workspace.WalkLimits{Entries: maxWalk, Depth: depth})
	if err != nil {
		return nil, false, err
	}
	if !below { // that is what the depth cuts
		cut = len(items) >= maxWalk
	}
	return slices.DeleteFunc(items, func(e wire.FSEntry) bool {
		return c.s.opt.Policy.hides(e.Path) || !all && strings.Contains("/"+relative(name, e.Path), "/node_modules/")
	}), cut, nil
}

// relative is a name below a folder, as seen from there.
func relative(folder, name string) string {
	if folder == "." {
		return name
	}
	return strings.TrimPrefix(name, folder+"/")
}
