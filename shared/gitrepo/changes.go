package gitrepo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// changes are the paths that differ from the index, as git names them: with
// slashes, relative to the working tree.
type changes struct {
	untracked []string
	nested    []string // untracked repositories, with a slash at the end; git does not look into them
	tracked   []string // modified, deleted or unmerged
	unmerged  []string // of those
}

// scan lists what changed since the index was written. Without modified, only
// untracked and unmerged paths are listed, which needs no look at the tracked
// files. With ignored, ignored files count as untracked.
func (c *checkout) scan(ctx context.Context, modified, ignored bool) (changes, error) {
	// -u implies the long form for tracked files; the tag in front tells which.
	args := []string{"ls-files", "-z", "-t", "-o", "-u"}
	if modified {
		args = append(args, "-m", "-d")
	}
	if !ignored {
		args = append(args, "--exclude-standard")
	}
	var ch changes
	out, err := c.run.run(ctx, c.call(args...))
	if err != nil {
		return ch, err
	}
	for _, item := range fields(out) {
		tag, rest, ok := strings.Cut(item, " ")
		if !ok {
			return ch, fmt.Errorf("git ls-files: cannot read %q", item)
		}
		if tag == "?" {
			if strings.HasSuffix(rest, "/") {
				ch.nested = append(ch.nested, rest)
			} else {
				ch.untracked = append(ch.untracked, rest)
			}
			continue
		}
		_, path, ok := strings.Cut(rest, "\t")
		if !ok {
			return ch, fmt.Errorf("git ls-files: cannot read %q", item)
		}
		// A file in conflict is listed once for each side, a deleted one as changed too.
		if tag == "M" {
			ch.unmerged = append(ch.unmerged, path)
		}
		ch.tracked = append(ch.tracked, path)
	}
	slices.Sort(ch.tracked)
	slices.Sort(ch.unmerged)
	ch.tracked, ch.unmerged = slices.Compact(ch.tracked), slices.Compact(ch.unmerged)
	return ch, nil
}

// take writes the present content of changed files into an index ("" is the
// checkout's own), as git add would, except for what is too large, unreadable or a repository of its own:
// those are named.
func (c *checkout) take(ctx context.Context, index string, ch changes, maxFile int64) (skipped []string, err error) {
	skipped = slices.Clone(ch.nested)
	var list strings.Builder
	for _, path := range append(slices.Clone(ch.tracked), ch.untracked...) {
		full := filepath.Join(c.workTree, filepath.FromSlash(path))
		if info, err := os.Lstat(full); err == nil && info.Mode().IsRegular() {
			if maxFile > 0 && info.Size() > maxFile {
				skipped = append(skipped, path)
				continue
			}
			f, err := os.Open(full)
			if err != nil {
				skipped = append(skipped, path)
				continue
			}
			f.Close()
		}
		list.WriteString(path)
		list.WriteByte(0)
	}
	slices.Sort(skipped)
	if list.Len() == 0 {
		return skipped, nil
	}
	update := c.call("update-index", "--add", "--remove", "--replace", "-z", "--stdin")
	update.write, update.stdin = true, strings.NewReader(list.String())
	if index != "" {
		update.env = append(update.env, "GIT_INDEX_FILE="+index)
	}
	_, err = c.run.run(ctx, update)
	return skipped, err
}
