package workspace

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// tree lists one folder.
func (f *Files) tree(ctx context.Context, p string) (any, error) {
	name, err := f.folder("list", p)
	if err != nil {
		return nil, err
	}
	items, err := f.FS.ReadDir(ctx, name, cmp.Or(f.MaxEntries, DefaultMaxEntries))
	switch code := wire.CodeOf(err); {
	case name != "." && (code == wire.NotFound || code == wire.Invalid):
		// The name itself is well formed, so what is wrong is that it is no folder.
		return []wire.TreeEntry{}, nil
	case err != nil:
		return nil, err
	}
	entries := f.entries(items)
	slices.SortFunc(entries, func(a, b wire.TreeEntry) int {
		if a.IsFolder != b.IsFolder {
			if a.IsFolder {
				return -1
			}
			return 1
		}
		return CompareNames(a.Name, b.Name)
	})
	return entries, nil
}

// project lists the whole workspace.
func (f *Files) project(ctx context.Context, req *wire.FileRequest) (any, error) {
	limits := WalkLimits{
		Entries: atMost(req.MaxEntries, cmp.Or(f.MaxEntries, DefaultMaxEntries)),
		Depth:   atMost(req.MaxDepth, cmp.Or(f.MaxDepth, DefaultMaxDepth)),
	}
	items, truncated, err := f.FS.Walk(ctx, ".", limits)
	if err != nil {
		return nil, err
	}
	return wire.FullProject{Root: f.FS.Root(), Entries: f.entries(items), Truncated: truncated}, nil
}

func atMost(asked, limit int) int {
	if asked <= 0 {
		return limit
	}
	return min(asked, limit)
}

// entries describes items as the protocol does, without the hidden ones. A link
// is shown as what it leads to.
func (f *Files) entries(items []wire.FSEntry) []wire.TreeEntry {
	entries := make([]wire.TreeEntry, 0, len(items))
	root, separator := prefix(f.FS.Root())
	for i := range items {
		item := &items[i]
		name := path.Base(item.Path)
		folder := item.Kind == wire.KindFolder || item.Target == wire.KindFolder
		if hidden(name, folder) {
			continue
		}
		entry := wire.TreeEntry{
			ID: item.Path, Name: name, IsFolder: folder,
			LastModified: wire.Time{Time: time.Unix(0, item.ModTime)},
			Problem:      item.Problem,
		}
		if !folder {
			entry.Size = item.Size
		}
		if separator == "/" {
			entry.Path = root + item.Path
		} else {
			entry.Path = root + strings.ReplaceAll(item.Path, "/", separator)
		}
		entries = append(entries, entry)
	}
	return entries
}
