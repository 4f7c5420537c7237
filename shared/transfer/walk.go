package transfer

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// errMoved says that a name became something else between two looks at it.
var errMoved = errors.New("it became something else meanwhile")

// moved reports whether an error means that what was seen is no longer there.
func moved(err error) bool {
	var pe *fs.PathError
	if errors.As(err, &pe) && pe.Err.Error() == "path escapes from parent" { // a link; os.Root does not export it
		return true
	}
	return errors.Is(err, errMoved) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ELOOP) ||
		errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENXIO)
}

// walker goes through a directory in the order of an Index. It opens each
// directory in the one above, so that it cannot be led elsewhere.
type walker struct {
	excludes excludes
	visit    func(dir *os.Root, base string, e Entry) error
	// special and unsteady, when not nil, are told what cannot be transferred,
	// and what vanished under the walker's feet.
	special, unsteady func(path string)
}

// folder visits what is in a directory. prefix is "" or its path and a slash.
func (w *walker) folder(ctx context.Context, dir *os.Root, prefix string, depth int) error {
	names, err := namesIn(dir)
	if err != nil {
		return fail("list", prefix, err)
	}
	for _, name := range names {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if isTemporary(name) || depth == 0 && w.excludes.match(name) {
			continue
		}
		if err := w.item(ctx, dir, prefix, name, depth); err != nil {
			return fail("read", prefix+name, err)
		}
	}
	return nil
}

func (w *walker) item(ctx context.Context, dir *os.Root, prefix, name string, depth int) error {
	info, err := dir.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	e, ok, err := entryOf(dir, prefix+name, name, info)
	switch {
	case moved(err):
		return nil
	case err != nil:
		return err
	case !ok:
		if w.special != nil {
			w.special(e.Path)
		}
		return nil
	}
	if err := checkPath(e.Path); err != nil {
		return err
	}
	if err := w.visit(dir, name, e); err != nil || e.Type != Dir {
		return err
	}
	sub, err := openFolder(dir, name, info)
	if moved(err) {
		if w.unsteady != nil {
			w.unsteady(e.Path)
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer sub.Close()
	return w.folder(ctx, sub, e.Path+"/", depth+1)
}

// entryOf describes an item; ok is false for what is not transferred.
func entryOf(dir *os.Root, path, name string, info fs.FileInfo) (e Entry, ok bool, err error) {
	e = Entry{Path: path, Mode: info.Mode().Perm(), Time: nanoseconds(info.ModTime())}
	switch mode := info.Mode(); {
	case mode.IsRegular():
		e.Type, e.Size = File, info.Size()
	case mode.IsDir():
		e.Type = Dir
	case mode&fs.ModeSymlink != 0:
		target, err := dir.Readlink(name)
		if errors.Is(err, syscall.EINVAL) {
			err = errMoved
		}
		return Entry{Path: path, Type: Link, Target: filepath.ToSlash(target)}, true, err
	default:
		return e, false, nil
	}
	return e, true, nil
}

// openFolder opens a directory that was seen under that name. The trailing "."
// has it opened as a directory, which never waits.
func openFolder(dir *os.Root, name string, seen fs.FileInfo) (*os.Root, error) {
	sub, err := dir.OpenRoot(name + string(filepath.Separator) + ".")
	if err != nil {
		return nil, err
	}
	info, err := sub.Stat(".")
	if err == nil && !os.SameFile(info, seen) {
		err = errMoved
	}
	if err != nil {
		sub.Close()
		return nil, err
	}
	return sub, nil
}

// namesIn lists a directory in the order of bytes.
func namesIn(dir *os.Root) ([]string, error) {
	f, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}
