package workspace

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// CopyOptions say what CopyTree leaves out.
type CopyOptions struct {
	// Excludes are patterns in the syntax of .gitignore, relative to the tree.
	// They come after those of the tree's own files, so "!name" takes back what
	// such a file ignores.
	Excludes []string
	// Gitignore leaves out also what the tree's .gitignore files name. Unlike
	// git, it leaves that out even where git keeps it under version control.
	Gitignore bool
	// Progress, when not nil, is told how much was copied so far, after each
	// file. Calls do not overlap; the copy waits for them.
	Progress func(files, bytes int64)
}

// CopyResult says what CopyTree did.
type CopyResult struct {
	Files     int64    // files and links copied
	Bytes     int64    // content of the files
	Reflinked int64    // files that share their blocks with the original
	Skipped   []string // FIFOs, sockets and devices, which are not copied; sorted
}

// CopyTree makes dst a copy of the directory src: content, permission bits and
// modification times of files and folders, and links as links. Where the file
// system can, files share their blocks until one of the two is written. dst must
// be absent or empty, else Exists; neither may be inside the other, else
// Invalid. When it fails or ctx ends, what was copied is removed again.
//
// Files that change meanwhile may be copied half changed.
func CopyTree(ctx context.Context, src, dst string, o CopyOptions) (result CopyResult, err error) {
	const op = "copy tree"
	excludes, err := parseIgnore(o.Excludes)
	if err != nil {
		return result, err
	}
	from, err := os.OpenRoot(src)
	if err != nil {
		return result, fail(op, src, err)
	}
	defer from.Close()
	self, err := from.Stat(".")
	if err != nil {
		return result, fail(op, src, err)
	}
	if err := checkApart(op, src, dst); err != nil {
		return result, err
	}
	_, err = os.Lstat(dst)
	made := errors.Is(err, fs.ErrNotExist)
	if err := os.MkdirAll(dst, 0o700); err != nil { //nolint:gosec // gets the bits of src at the end
		return result, fail(op, dst, err)
	}
	into, err := os.OpenRoot(dst)
	if err != nil {
		return result, fail(op, dst, err)
	}
	defer into.Close()
	if err := checkEmpty(op, dst, into); err != nil {
		return result, err
	}
	defer func() {
		if err != nil {
			removeAllIn(into)
			if made {
				_ = os.Remove(dst)
			}
		}
	}()

	rules := &ignoreStack{own: o.Gitignore, excludes: ignoreRules{base: ".", patterns: excludes}}
	c := &copier{
		times: true, progress: o.Progress,
		skip: rules.skip, enter: rules.enter, leave: rules.leave,
		special: func(rel string, _ fs.FileMode) error {
			result.Skipped = append(result.Skipped, rel)
			return nil
		},
	}
	if err := c.folder(ctx, from, into, ".", true); err != nil {
		return CopyResult{}, fail(op, src, err)
	}
	if err := c.seal(into, self); err != nil {
		return CopyResult{}, fail(op, dst, err)
	}
	slices.Sort(result.Skipped)
	result.Files, result.Bytes, result.Reflinked = c.files, c.bytes, c.reflinked.Load()
	return result, nil
}

// checkApart refuses a source and a target of which one contains the other.
func checkApart(op, src, dst string) error {
	for _, pair := range [][2]string{{src, dst}, {dst, src}} {
		outer, err := os.Stat(pair[0])
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fail(op, pair[0], err)
		}
		inner, err := filepath.Abs(pair[1])
		if err != nil {
			return fail(op, pair[1], err)
		}
		if plain, err := filepath.EvalSymlinks(inner); err == nil {
			inner = plain
		}
		for ; ; inner = filepath.Dir(inner) {
			if info, err := os.Stat(inner); err == nil && os.SameFile(outer, info) {
				return wire.Errorf(wire.Invalid, "%s %s: one of %s and %s is inside the other", op, show(src), show(src), show(dst))
			}
			if inner == filepath.Dir(inner) {
				break
			}
		}
	}
	return nil
}

func checkEmpty(op, name string, dir *os.Root) error {
	f, err := dir.Open(".")
	if err != nil {
		return fail(op, name, err)
	}
	defer f.Close()
	switch _, err := f.Readdirnames(1); {
	case err == nil:
		return wire.Errorf(wire.Exists, "%s %s: the directory is not empty", op, show(name))
	case !errors.Is(err, io.EOF):
		return fail(op, name, err)
	}
	return nil
}

// removeAllIn removes what is in a folder, as far as that goes.
func removeAllIn(dir *os.Root) {
	f, err := dir.Open(".")
	if err != nil {
		return
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	for _, name := range names {
		_ = dir.RemoveAll(name)
	}
}

// ignoreStack holds the patterns of the folders from the tree's root to the one
// that is copied at the moment.
type ignoreStack struct {
	own      bool // read the tree's .gitignore files
	excludes ignoreRules
	rules    []ignoreRules
}

func (s *ignoreStack) enter(src *os.Root, rel string) error {
	rules := ignoreRules{base: rel}
	if s.own {
		f, _, err := openRegular(src, ".gitignore", "copy", path.Join(rel, ".gitignore"))
		switch {
		case err == nil:
			defer f.Close()
			data, err := io.ReadAll(io.LimitReader(f, 1<<20))
			if err != nil {
				return named(path.Join(rel, ".gitignore"), err)
			}
			for line := range strings.Lines(string(data)) {
				// A line that git would not understand either ignores nothing.
				patterns, err := parseIgnore([]string{strings.TrimSuffix(line, "\n")})
				if err == nil {
					rules.patterns = append(rules.patterns, patterns...)
				}
			}
		case !errors.Is(err, wire.NotFound) && !errors.Is(err, wire.Invalid) && !errors.Is(err, wire.Conflict):
			return err
		}
	}
	s.rules = append(s.rules, rules)
	return nil
}

func (s *ignoreStack) leave() { s.rules = s.rules[:len(s.rules)-1] }

func (s *ignoreStack) skip(rel string, folder bool) bool {
	if ignored, matched := s.excludes.decide(rel, folder); matched {
		return ignored
	}
	if path.Base(rel) == ".git" {
		return false // git itself never looks for it in a .gitignore
	}
	for _, rules := range slices.Backward(s.rules) {
		if ignored, matched := rules.decide(rel, folder); matched {
			return ignored
		}
	}
	return false
}
