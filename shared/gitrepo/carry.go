package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// IncludeFile lists, in the project and in the manner of .gitignore, ignored
// files that new worktrees are to get copies of.
const IncludeFile = ".worktreeinclude"

// CarryUncommitted copies what is not committed in the opened checkout, changes
// and new files that are not ignored, into a worktree just made. The checkout
// stays as it is. What is there in the worktree already is never overwritten;
// such new files are returned. It fails with kind Conflict, and has changed
// nothing, when the changes do not fit the worktree's base or are themselves
// conflicts to be resolved.
func (r *Repo) CarryUncommitted(ctx context.Context, wt Worktree) (skipped []string, err error) {
	skipped, err = r.carry(ctx, &wt)
	return skipped, describe("carry uncommitted changes to", &wt, err)
}

func (r *Repo) carry(ctx context.Context, wt *Worktree) (skipped []string, err error) {
	if r.top == "" {
		return nil, wire.Errorf(wire.Invalid, "%s has no checkout", r.common)
	}
	to, err := r.checkout(wt)
	if err != nil {
		return nil, err
	}
	from := &checkout{r.run, r.gitDir, r.top}
	ch, err := from.scan(ctx, false, false)
	if err != nil {
		return nil, err
	}
	if len(ch.unmerged) > 0 {
		return nil, wire.Errorf(wire.Conflict, "the project has conflicts to be resolved first: %s", listed(ch.unmerged))
	}
	if err := from.carryTracked(ctx, to); err != nil {
		return nil, err
	}
	src, dst, err := twoRoots(r.top, wt.Path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	defer dst.Close()
	for _, name := range ch.untracked {
		if err := context.Cause(ctx); err != nil {
			return skipped, err
		}
		err := copyNew(src, dst, filepath.FromSlash(name), true)
		if errors.Is(err, fs.ErrExist) {
			skipped = append(skipped, name)
		} else if err != nil && !gone(err) {
			return skipped, err
		}
	}
	return skipped, nil
}

func (c *checkout) carryTracked(ctx context.Context, to *checkout) error {
	index, dir, err := c.tempIndex()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	patch, err := os.Create(filepath.Join(dir, "patch"))
	if err != nil {
		return err
	}
	args := slices.DeleteFunc(diffArgs(defaultContext, "HEAD"), func(arg string) bool { return arg == "--raw" || arg == "-z" })
	diff := c.call(append(args[:len(args)-2:len(args)-2], "--ignore-submodules=all", "HEAD", "--")...)
	diff.stdout = patch
	diff.env = append(diff.env, "GIT_INDEX_FILE="+index)
	_, err = c.run.run(ctx, diff)
	info, serr := patch.Stat()
	if err := errors.Join(err, serr, patch.Close()); err != nil {
		return err
	}
	if info.Size() == 0 {
		return nil
	}
	apply := to.call("apply", "--whitespace=nowarn", patch.Name())
	apply.write = true
	if _, err := c.run.run(ctx, apply); err != nil {
		if refused(err).status == 1 {
			return wire.Errorf(wire.Conflict, "they do not fit the commit it starts from: %w", err)
		}
		return err
	}
	return nil
}

// CopyIgnored copies ignored files of the opened checkout to the same place
// below the directory to: those that match patterns or the project's
// [IncludeFile], both in the manner of .gitignore. Files that are not ignored,
// links and what is there already are left alone. It returns the paths copied.
func (r *Repo) CopyIgnored(ctx context.Context, to string, patterns []string) ([]string, error) {
	copied, err := r.copyIgnored(ctx, to, patterns)
	if err != nil {
		return copied, fmt.Errorf("copy ignored files to %s: %w", to, err)
	}
	return copied, nil
}

func (r *Repo) copyIgnored(ctx context.Context, to string, patterns []string) (copied []string, err error) {
	if r.top == "" {
		return nil, nil
	}
	from := &checkout{r.run, r.gitDir, r.top}
	src, dst, err := twoRoots(r.top, to)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	defer dst.Close()
	file, err := src.ReadFile(IncludeFile)
	if err != nil && !gone(err) {
		return nil, err
	}
	rules := string(file) + "\n" + strings.Join(patterns, "\n") + "\n"
	if strings.TrimSpace(rules) == "" {
		return nil, nil
	}
	dir, err := os.MkdirTemp("", "codebolt-include-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	rulesFile := filepath.Join(dir, "rules")
	if err := os.WriteFile(rulesFile, []byte(rules), 0o600); err != nil {
		return nil, err
	}
	wanted, err := r.run.run(ctx, from.call("ls-files", "-z", "-o", "-i", "--exclude-from="+rulesFile))
	if err != nil || len(wanted) == 0 {
		return nil, err
	}
	ignored, err := r.run.run(ctx, from.call("ls-files", "-z", "-o", "-i", "--exclude-standard"))
	if err != nil {
		return nil, err
	}
	is := map[string]bool{}
	for _, name := range fields(ignored) {
		is[name] = true
	}
	for _, name := range fields(wanted) {
		if !is[name] || strings.HasSuffix(name, "/") {
			continue
		}
		if err := context.Cause(ctx); err != nil {
			return copied, err
		}
		switch err := copyNew(src, dst, filepath.FromSlash(name), false); {
		case err == nil:
			copied = append(copied, name)
		case !errors.Is(err, fs.ErrExist) && !errors.Is(err, errNotRegular) && !gone(err):
			return copied, err
		}
	}
	return copied, nil
}

var errNotRegular = errors.New("not a regular file")

// copyNew copies a file, or a link if links is set, to where nothing is.
func copyNew(src, dst *os.Root, name string, links bool) error {
	info, err := src.Lstat(name)
	if err != nil {
		return err
	}
	link := info.Mode()&fs.ModeSymlink != 0
	if !info.Mode().IsRegular() && (!link || !links) {
		return &fs.PathError{Op: "copy", Path: name, Err: errNotRegular}
	}
	if err := dst.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	if link {
		target, err := src.Readlink(name)
		if err != nil {
			return err
		}
		return dst.Symlink(target, name)
	}
	return copyFile(src, name, dst, name, info.Mode())
}

// copyFile copies content and permissions to a new file, whole or not at all.
func copyFile(src *os.Root, from string, dst *os.Root, to string, mode fs.FileMode) (err error) {
	in, err := src.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := dst.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err == nil {
		err = dst.Chmod(to, mode.Perm())
	}
	if err != nil {
		_ = dst.Remove(to)
	}
	return err
}

func twoRoots(a, b string) (*os.Root, *os.Root, error) {
	ra, err := os.OpenRoot(a)
	if err != nil {
		return nil, nil, err
	}
	rb, err := os.OpenRoot(b)
	if err != nil {
		return nil, nil, errors.Join(err, ra.Close())
	}
	return ra, rb, nil
}
