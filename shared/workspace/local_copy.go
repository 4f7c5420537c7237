package workspace

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// CopyFile implements [FS].
func (l *Local) CopyFile(ctx context.Context, from, to string, overwrite bool) error {
	const op = "copy"
	if err := begin(ctx, op, from, to); err != nil {
		return err
	}
	source, err := l.resolve(from)
	if err == nil && !source.exists {
		err = syscall.ENOENT
	}
	if err != nil {
		return fail(op, from, err)
	}
	if target, err := l.resolve(to); err == nil && target.name == source.name && overwrite {
		return nil
	}
	f, info, err := openRegular(l.root, source.name, op, from)
	if err != nil {
		return err
	}
	defer f.Close()
	perm := info.Mode().Perm()
	return l.put(op, to, overwrite, func(into *os.File) error {
		_, err := copyContent(ctx, into, f, info.Size())
		return err
	}, &perm)
}

// CopyFolder implements [FS].
func (l *Local) CopyFolder(ctx context.Context, from, to string, overwrite bool) (err error) {
	const op = "copy folder"
	if err := begin(ctx, op, from, to); err != nil {
		return err
	}
	source, err := l.resolve(from)
	if err == nil && !source.exists {
		err = syscall.ENOENT
	}
	if err != nil {
		return fail(op, from, err)
	}
	target, err := l.resolve(to)
	if err != nil {
		return failWrite(op, to, err)
	}
	src, err := l.openDir(source.name)
	if err != nil {
		return fail(op, from, err)
	}
	defer src.Close()
	if inside, err := l.isInside(src, target.name); err != nil {
		return fail(op, to, err)
	} else if inside {
		return wire.Errorf(wire.Invalid, "%s %s: the target %s is inside it", op, show(from), show(to))
	}
	if target.name != "." || !overwrite { // merging into the root changes no root
		if err := l.mayChange(op, to, target.name); err != nil {
			return err
		}
	}
	if target.exists && !overwrite {
		return fail(op, to, fs.ErrExist)
	}
	dst, err := l.makeDir(target.name)
	if err != nil {
		return fail(op, to, err)
	}
	defer dst.Close()
	if !target.exists {
		defer func() {
			if err != nil {
				_ = l.root.RemoveAll(filepath.FromSlash(target.name))
			}
		}()
	}
	c := &copier{
		overwrite: overwrite,
		refuse: func(rel string) error {
			return l.mayChange(op, path.Join(to, rel), path.Join(target.name, rel))
		},
		replace: func(dir *os.Root, rel string, perm fs.FileMode, fill func(*os.File) error) error {
			at := path.Join(target.name, rel)
			return l.replace(dir, path.Dir(at), path.Base(at), &perm, true, fill)
		},
		special: func(rel string, mode fs.FileMode) error { return irregular(op, path.Join(from, rel), mode) },
	}
	if err := c.folder(ctx, src, dst, ".", !target.exists); err != nil || target.exists {
		return fail(op, from, err)
	}
	info, err := src.Stat(".")
	if err != nil {
		return fail(op, from, err)
	}
	return fail(op, to, c.seal(dst, info))
}

// isInside reports whether name is the folder dir or below it, however the
// names are spelt: what counts is the folders themselves.
func (l *Local) isInside(dir *os.Root, name string) (bool, error) {
	self, err := dir.Stat(".")
	if err != nil {
		return false, err
	}
	for ; ; name = path.Dir(name) {
		info, err := l.root.Stat(filepath.FromSlash(name))
		switch {
		case err == nil && os.SameFile(self, info):
			return true, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return false, err
		case name == ".":
			return false, nil
		}
	}
}
