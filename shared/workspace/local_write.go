package workspace

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// WriteFile implements [FS].
func (l *Local) WriteFile(ctx context.Context, name string, data []byte) error {
	const op = "write"
	if err := begin(ctx, op, name); err != nil {
		return err
	}
	if err := l.mayChange(op, name, name); err != nil {
		return err
	}
	if done, err := l.writeFast(name, data); done {
		return fail(op, name, err)
	}
	return l.put(op, name, true, func(f *os.File) error {
		_, err := f.Write(data)
		return err
	}, nil)
}

// put makes or replaces the file that name leads to. fill writes the content;
// perm, when not nil, gives the permission bits of what was not there before.
func (l *Local) put(op, name string, overwrite bool, fill func(*os.File) error, perm *fs.FileMode) error {
	at, err := l.resolve(name)
	if err == nil && at.exists && !overwrite {
		err = fs.ErrExist
	}
	if err != nil {
		return failWrite(op, name, err)
	}
	if err := l.mayChange(op, name, at.name); err != nil {
		return err
	}
	dir, err := l.makeDir(path.Dir(at.name))
	if err != nil {
		return fail(op, name, err)
	}
	defer dir.Close()
	base := path.Base(at.name)
	info, err := dir.Lstat(base)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return irregular(op, name, info.Mode())
	case err == nil && !overwrite:
		return fail(op, name, fs.ErrExist)
	case err == nil:
		keep := info.Mode().Perm()
		if perm != nil {
			keep = *perm
		}
		perm = &keep
	case !errors.Is(err, fs.ErrNotExist):
		return fail(op, name, err)
	}
	return fail(op, name, l.replace(dir, path.Dir(at.name), base, perm, overwrite, fill))
}

// replace puts a new file in the place of base, or of nothing.
func (l *Local) replace(dir *os.Root, dirName, base string, perm *fs.FileMode, overwrite bool, fill func(*os.File) error) (err error) {
	create := fs.FileMode(0o666)
	if perm != nil {
		create = 0o600 // until it is known to be as it is to be
	}
	temporary := temporaryName()
	f, err := dir.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, create)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = dir.Remove(temporary)
		}
	}()
	err = fill(f)
	if err == nil && perm != nil {
		err = f.Chmod(*perm)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return renameIn(l.root, dir, temporary, dir, base, path.Join(dirName, temporary), path.Join(dirName, base), overwrite)
}

// makeDir opens a folder after making it and those above it. The name is free of
// links.
func (l *Local) makeDir(name string) (*os.Root, error) {
	dir, err := l.openDir(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return dir, err
	}
	if err := l.root.MkdirAll(filepath.FromSlash(name), 0o777); err != nil {
		return nil, err
	}
	return l.openDir(name)
}

// Remove implements [FS].
func (l *Local) Remove(ctx context.Context, name string) error {
	const op = "delete"
	at, info, err := l.removable(ctx, op, name)
	switch {
	case err != nil:
		return err
	case !at.exists:
		return fail(op, name, syscall.ENOENT)
	case info.IsDir():
		return irregular(op, name, info.Mode())
	}
	return fail(op, name, l.root.Remove(filepath.FromSlash(at.name)))
}

// RemoveAll implements [FS].
func (l *Local) RemoveAll(ctx context.Context, name string) error {
	const op = "delete folder"
	at, info, err := l.removable(ctx, op, name)
	switch {
	case errors.Is(err, wire.NotFound), err == nil && !at.exists:
		return nil
	case err != nil:
		return err
	case !info.IsDir() && info.Mode()&fs.ModeSymlink == 0:
		return wire.Errorf(wire.Invalid, "%s %s: it is a file, not a folder", op, show(name))
	}
	return fail(op, name, l.root.RemoveAll(filepath.FromSlash(at.name)))
}

// removable finds what is to be deleted and refuses what must not be.
func (l *Local) removable(ctx context.Context, op, name string) (place, fs.FileInfo, error) {
	if err := begin(ctx, op, name); err != nil {
		return place{}, nil, err
	}
	at, err := l.resolveItem(name)
	if err != nil {
		return place{}, nil, fail(op, name, err)
	}
	if err := l.mayChange(op, name, at.name); err != nil || !at.exists {
		return at, nil, err
	}
	info, err := l.root.Lstat(filepath.FromSlash(at.name))
	if errors.Is(err, fs.ErrNotExist) {
		return place{name: at.name}, nil, nil
	}
	return at, info, fail(op, name, err)
}

// Mkdir implements [FS].
func (l *Local) Mkdir(ctx context.Context, name string) error {
	const op = "create folder"
	if err := begin(ctx, op, name); err != nil {
		return err
	}
	at, err := l.resolve(name)
	if err != nil {
		return failWrite(op, name, err)
	}
	if at.name == "." {
		return nil
	}
	if err := l.mayChange(op, name, at.name); err != nil {
		return err
	}
	if !at.exists {
		return fail(op, name, l.root.MkdirAll(filepath.FromSlash(at.name), 0o777))
	}
	info, err := l.root.Lstat(filepath.FromSlash(at.name))
	if err == nil && !info.IsDir() {
		err = wire.Errorf(wire.Exists, "a file of that name is there")
	}
	return fail(op, name, err)
}

// Rename implements [FS].
func (l *Local) Rename(ctx context.Context, from, to string, overwrite bool) error {
	const op = "rename"
	if err := begin(ctx, op, from, to); err != nil {
		return err
	}
	source, err := l.resolveItem(from)
	if err == nil && !source.exists {
		err = syscall.ENOENT
	}
	if err != nil {
		return fail(op, from, err)
	}
	target, err := l.resolveItem(to)
	if err != nil {
		return failWrite(op, to, err)
	}
	if err := l.mayChange(op, from, source.name); err != nil {
		return err
	}
	if err := l.mayChange(op, to, target.name); err != nil {
		return err
	}
	if strings.HasPrefix(target.name, source.name+"/") {
		return wire.Errorf(wire.Invalid, "%s %s: the target %s is inside it", op, show(from), show(to))
	}
	info, err := l.root.Lstat(filepath.FromSlash(source.name))
	if err != nil {
		return fail(op, from, err)
	}
	fromDir, err := l.openDir(path.Dir(source.name))
	if err != nil {
		return fail(op, from, err)
	}
	defer fromDir.Close()
	toDir, err := l.makeDir(path.Dir(target.name))
	if err != nil {
		return fail(op, to, err)
	}
	defer toDir.Close()
	there, err := toDir.Lstat(path.Base(target.name))
	replace := false
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fail(op, to, err)
	case source.name == target.name:
		return nil
	case os.SameFile(info, there) && strings.EqualFold(source.name, target.name):
		replace = true // one item on a disk that ignores case, whose spelling changes
	case !overwrite:
		return fail(op, to, fs.ErrExist)
	case info.IsDir() || there.IsDir():
		return wire.Errorf(wire.Exists, "%s %s: only a file replaces a file, and one of the two is a folder", op, show(to))
	case os.SameFile(info, there): // rename(2) leaves two links to one file as they are
		return fail(op, from, fromDir.Remove(path.Base(source.name)))
	default:
		replace = true
	}
	return fail(op, to, renameIn(l.root, fromDir, path.Base(source.name), toDir, path.Base(target.name), source.name, target.name, replace))
}
