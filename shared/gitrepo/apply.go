package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// ApplySpec says how a patch is applied.
type ApplySpec struct {
	Index bool // stage the changes as well
	Check bool // only find out whether it would apply
}

// Apply applies a patch to a directory: at the root of the checkout that dir is
// in, or in dir itself when it is in none. All of it or nothing: when it
// returns an error, the directory is as it was.
//
// It fails with kind Conflict, naming the paths, when the patch touches files
// that have changes of their own there or does not fit their content, and with
// kind Invalid when it is no patch. An empty patch does nothing.
func Apply(ctx context.Context, dir, patch string, spec ApplySpec) error {
	if strings.TrimSpace(patch) == "" {
		return nil
	}
	if err := apply(ctx, dir, patch, spec); err != nil {
		return fmt.Errorf("apply to %s: %w", dir, err)
	}
	return nil
}

func apply(ctx context.Context, dir, patch string, spec ApplySpec) error {
	r, err := newRunner(ctx, Options{})
	if err != nil {
		return err
	}
	repo, err := Open(ctx, dir, Options{})
	switch {
	case err == nil && repo.top == "":
		return wire.Errorf(wire.Invalid, "it is in a bare repository")
	case err == nil:
		dir = repo.top
	case wire.CodeOf(err) != wire.Invalid:
		return err
	case spec.Index:
		return wire.Errorf(wire.Invalid, "it is in no git repository, so nothing can be staged")
	}
	run := func(ctx context.Context, args ...string) ([]byte, error) {
		args = append([]string{"-c", "apply.ignoreWhitespace=no", "apply", "--whitespace=nowarn"}, args...)
		return r.run(ctx, call{dir: dir, write: true, args: append(args, "-"), stdin: strings.NewReader(patch)})
	}
	out, err := run(ctx, "--numstat", "-z")
	if err != nil {
		if refused(err).status == 0 {
			return err
		}
		return wire.Errorf(wire.Invalid, "it is no patch that git understands: %w", err)
	}
	paths := touched(out, patch)
	if repo != nil {
		dirty, err := repo.dirty(ctx, paths)
		if err != nil {
			return err
		}
		if len(dirty) > 0 {
			return wire.Errorf(wire.Conflict, "these have changes of their own that are not committed: %s", listed(dirty))
		}
	}
	mode := []string{}
	if spec.Index {
		mode = append(mode, "--index")
	}
	if _, err := run(ctx, append(mode, "--check")...); err != nil {
		return unfit(err, paths)
	}
	if spec.Check {
		return nil
	}
	before, err := remember(dir, paths)
	if err != nil {
		return err
	}
	defer before.forget()
	// From here on it is short, and half of it would be worse than a late answer.
	if _, err := run(context.WithoutCancel(ctx), mode...); err != nil {
		return errors.Join(unfit(err, paths), before.restore())
	}
	return nil
}

// unfit names the paths that git complains of.
func unfit(err error, paths []string) error {
	failed := refused(err)
	if failed.status == 0 {
		return err
	}
	var bad []string
	for _, p := range paths {
		if says(err, "error: "+p+":", "patch failed: "+p+":", "'"+p+"'") {
			bad = append(bad, p)
		}
	}
	if len(bad) == 0 {
		return wire.Errorf(wire.Conflict, "it does not fit: %w", err)
	}
	return wire.Errorf(wire.Conflict, "it does not fit these, which are not what it was made from: %s", listed(bad))
}

// touched are the paths that a patch changes, the old names of renames as well.
func touched(numstat []byte, patch string) []string {
	var paths []string
	items := fields(numstat)
	for i := 0; i < len(items); i++ {
		part := strings.SplitN(items[i], "\t", 3)
		if len(part) != 3 {
			continue
		}
		if part[2] == "" && i+2 < len(items) {
			paths = append(paths, items[i+1], items[i+2])
			i += 2
			continue
		}
		paths = append(paths, part[2])
	}
	for line := range strings.Lines(patch) {
		if name, ok := strings.CutPrefix(line, "rename from "); ok {
			name = strings.TrimRight(name, "\r\n")
			if plain, err := strconv.Unquote(name); err == nil && name[0] == '"' {
				name = plain
			}
			paths = append(paths, name)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// dirty lists those of the paths, and those below or above them, that differ
// from the last commit.
func (r *Repo) dirty(ctx context.Context, paths []string) ([]string, error) {
	out, err := r.run.run(ctx, call{dir: r.top, args: []string{"status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=dirty"}})
	if err != nil {
		return nil, err
	}
	all, above := map[string]bool{}, map[string]bool{}
	for _, p := range paths {
		all[p] = true
		for d := path.Dir(p); d != "." && d != "/"; d = path.Dir(d) {
			above[d] = true
		}
	}
	var found []string
	for _, item := range fields(out) {
		if len(item) < 4 {
			continue
		}
		name := strings.TrimSuffix(item[3:], "/")
		hit := all[name] || above[name]
		for d := path.Dir(name); !hit && d != "." && d != "/"; d = path.Dir(d) {
			hit = all[d]
		}
		if hit {
			found = append(found, name)
		}
	}
	return found, nil
}

// memory is what some files were before they were changed.
type memory struct {
	dir, copies string
	files       []remembered
}

type remembered struct {
	name string
	info fs.FileInfo // nil: was not there
	link string
}

// remember copies the files that are about to change.
func remember(dir string, paths []string) (_ *memory, err error) {
	m := &memory{dir: dir}
	if m.copies, err = os.MkdirTemp("", "codebolt-apply-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			m.forget()
		}
	}()
	from, to, err := twoRoots(dir, m.copies)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	defer to.Close()
	for i, p := range paths {
		f := remembered{name: filepath.FromSlash(p)}
		info, err := from.Lstat(f.name)
		switch {
		case err != nil && !gone(err):
			return nil, err
		case err != nil:
		case info.Mode()&fs.ModeSymlink != 0:
			f.info = info
			if f.link, err = from.Readlink(f.name); err != nil {
				return nil, err
			}
		case info.Mode().IsRegular():
			f.info = info
			if err := copyFile(from, f.name, to, strconv.Itoa(i), info.Mode()); err != nil {
				return nil, err
			}
		}
		m.files = append(m.files, f)
	}
	return m, nil
}

// restore puts the files back.
func (m *memory) restore() error {
	to, from, err := twoRoots(m.dir, m.copies)
	if err != nil {
		return err
	}
	defer from.Close()
	defer to.Close()
	var errs []error
	for i, f := range m.files {
		if err := to.Remove(f.name); err != nil && !gone(err) {
			errs = append(errs, err)
			continue
		}
		if f.info == nil {
			for d := filepath.Dir(f.name); d != "."; d = filepath.Dir(d) {
				if to.Remove(d) != nil {
					break // something else is in it
				}
			}
			continue
		}
		errs = append(errs, to.MkdirAll(filepath.Dir(f.name), 0o777))
		if f.info.Mode().IsRegular() {
			errs = append(errs, copyFile(from, strconv.Itoa(i), to, f.name, f.info.Mode()))
		} else {
			errs = append(errs, to.Symlink(f.link, f.name))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("put the files back: %w", err)
	}
	return nil
}

func (m *memory) forget() { _ = os.RemoveAll(m.copies) }
