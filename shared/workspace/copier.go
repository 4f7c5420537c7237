package workspace

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/codeboltai/codebolt-providers/shared/wire"
	"golang.org/x/sync/errgroup"
)

// copyWorkers is how many files of one folder are copied at a time.
const copyWorkers = 4

// copier copies the content of one folder into another. It works on one folder
// after the other by its handle, so that neither side can be led elsewhere.
type copier struct {
	overwrite bool // merge with what is there; else whatever is there is an error
	times     bool // keep modification times

	// skip, when not nil, leaves an item out.
	skip func(rel string, folder bool) bool
	// enter and leave, when not nil, frame the work on a folder.
	enter func(src *os.Root, rel string) error
	leave func()
	// refuse, when not nil, forbids items that go where something may be already.
	refuse func(rel string) error
	// replace puts a file in the place of another at once; used with overwrite.
	replace func(dir *os.Root, rel string, perm fs.FileMode, fill func(*os.File) error) error
	// special decides about FIFOs, sockets and devices.
	special func(rel string, mode fs.FileMode) error
	// progress, when not nil, is told of all that was copied; one call at a time.
	progress func(files, bytes int64)

	mu        sync.Mutex // for progress
	files     int64
	bytes     int64
	reflinked atomic.Int64
}

// folder copies what is in src into dst. fresh says that dst was made by this
// copy, so that nothing can be in the way.
func (c *copier) folder(ctx context.Context, src, dst *os.Root, rel string, fresh bool) error {
	if c.enter != nil {
		if err := c.enter(src, rel); err != nil {
			return err
		}
		defer c.leave()
	}
	items, err := readItems(ctx, src)
	if err != nil {
		return named(rel, err)
	}
	var folders []fs.FileInfo
	files, working := errgroup.WithContext(ctx)
	files.SetLimit(copyWorkers)
	for _, item := range items {
		at := path.Join(rel, item.Name())
		if working.Err() != nil {
			break
		}
		if c.skip != nil && c.skip(at, item.IsDir()) {
			continue
		}
		if !fresh && c.refuse != nil {
			if err = c.refuse(at); err != nil {
				break
			}
		}
		switch mode := item.Mode(); {
		case mode.IsDir():
			folders = append(folders, item)
		case mode.IsRegular():
			files.Go(func() error { return named(at, c.file(working, src, dst, item.Name(), at, fresh)) })
		case mode&fs.ModeSymlink != 0:
			err = named(at, c.link(src, dst, item.Name()))
		default:
			err = c.special(at, mode)
		}
		if err != nil {
			break
		}
	}
	if waited := files.Wait(); err == nil {
		err = waited
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	for _, item := range folders {
		if err != nil {
			return err
		}
		err = c.subfolder(ctx, src, dst, item.Name(), path.Join(rel, item.Name()))
	}
	return err
}

func (c *copier) subfolder(ctx context.Context, src, dst *os.Root, base, rel string) error {
	from, err := subdir(src, base)
	if err != nil {
		return named(rel, err)
	}
	defer from.Close()
	info, err := from.Stat(".")
	if err != nil {
		return named(rel, err)
	}
	// Writable for us until all is in it.
	err = dst.Mkdir(base, info.Mode().Perm()|0o700)
	fresh := err == nil
	if err != nil && (!c.overwrite || !errors.Is(err, fs.ErrExist)) {
		return named(rel, err)
	}
	if !fresh {
		there, err := dst.Lstat(base)
		if err != nil {
			return named(rel, err)
		}
		if !there.IsDir() {
			return named(rel, fs.ErrExist)
		}
	}
	into, err := subdir(dst, base)
	if err != nil {
		return named(rel, err)
	}
	defer into.Close()
	if err := c.folder(ctx, from, into, rel, fresh); err != nil || !fresh {
		return err
	}
	return named(rel, c.seal(into, info))
}

// seal gives a folder its bits and time after all is in it.
func (c *copier) seal(dir *os.Root, info fs.FileInfo) error {
	if err := dir.Chmod(".", info.Mode().Perm()); err != nil {
		return err
	}
	if c.times {
		return dir.Chtimes(".", info.ModTime(), info.ModTime())
	}
	return nil
}

func (c *copier) file(ctx context.Context, src, dst *os.Root, base, rel string, fresh bool) error {
	f, info, err := openRegular(src, base, "copy", rel)
	if err != nil {
		return err
	}
	defer f.Close()
	var size int64
	fill := func(into *os.File) error {
		shared, err := copyContent(ctx, into, f, info.Size())
		if shared {
			c.reflinked.Add(1)
		}
		size = info.Size()
		return err
	}
	perm := info.Mode().Perm()
	if fresh {
		err = c.create(dst, base, perm, fill)
	} else if there, lstat := dst.Lstat(base); lstat == nil && !there.Mode().IsRegular() {
		return fs.ErrExist
	} else {
		err = c.replace(dst, rel, perm, fill)
	}
	if err == nil && c.times {
		err = dst.Chtimes(base, info.ModTime(), info.ModTime())
	}
	if err == nil {
		c.done(size)
	}
	return err
}

func (c *copier) create(dst *os.Root, base string, perm fs.FileMode, fill func(*os.File) error) error {
	into, err := dst.OpenFile(base, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm|0o200)
	if err != nil {
		return err
	}
	err = fill(into)
	if err == nil {
		err = into.Chmod(perm)
	}
	if closed := into.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = dst.Remove(base)
	}
	return err
}

func (c *copier) link(src, dst *os.Root, base string) error {
	target, err := src.Readlink(base)
	if err != nil {
		return err
	}
	err = dst.Symlink(target, base)
	if errors.Is(err, fs.ErrExist) && c.overwrite {
		there, lstat := dst.Lstat(base)
		if lstat != nil || there.IsDir() {
			return err
		}
		if err = dst.Remove(base); err == nil {
			err = dst.Symlink(target, base)
		}
	}
	if err == nil {
		c.done(0)
	}
	return err
}

func (c *copier) done(size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files++
	c.bytes += size
	if c.progress != nil {
		c.progress(c.files, c.bytes)
	}
}

// readItems lists a folder, leaving out what is deleted meanwhile.
func readItems(ctx context.Context, root *os.Root) ([]fs.FileInfo, error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	items := make([]fs.FileInfo, 0, len(names))
	for _, name := range names {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		info, err := root.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, named(name, err)
		}
		items = append(items, info)
	}
	return items, nil
}

// copyContent copies a file of the given size, sharing its blocks if the file
// system can, which it reports. It can be cancelled.
func copyContent(ctx context.Context, into, from *os.File, size int64) (shared bool, err error) {
	if size > 0 {
		if shared, err = reflink(into, from); shared || err != nil {
			return shared, err
		}
	}
	const step = 64 << 20 // a piece the system copies by itself, between looks at ctx
	for {
		if err := context.Cause(ctx); err != nil {
			return false, err
		}
		n, err := io.CopyN(into, from, step)
		switch {
		case errors.Is(err, io.EOF):
			return false, nil
		case err != nil:
			return false, err
		case n < step:
			return false, nil
		}
	}
}

// named says which item of a tree an error is about.
func named(rel string, err error) error {
	var e *wire.Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return fail("copy", filepath.ToSlash(rel), err)
}
