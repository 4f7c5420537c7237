package workspace

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// maxLinks is how many symbolic links one name may lead through, as on Linux.
const maxLinks = 40

// place is where a name leads.
type place struct {
	name   string // relative to the root, without links
	exists bool
}

// resolve follows all links in a name. Unlike os.Root it also follows absolute
// ones that lead inside the root. What it returns is a name, so it may be out of
// date when it is used; os.Root then still keeps the operation inside.
func (l *Local) resolve(name string) (place, error) {
	if p, ok := l.direct(name); ok {
		return p, nil
	}
	var (
		done    []string
		pending = strings.Split(name, "/")
		borne   int // how many of pending come out of a link
		links   int
	)
	for len(pending) > 0 {
		part := pending[0]
		pending = pending[1:]
		fromLink := borne > 0
		borne = max(borne-1, 0)
		switch part {
		case "", ".":
			continue
		case "..":
			if len(done) == 0 {
				return place{}, errOutside
			}
			done = done[:len(done)-1]
			continue
		}
		at := path.Join(append(done[:len(done):len(done)], part)...)
		info, err := l.root.Lstat(filepath.FromSlash(at))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if fromLink {
				return place{}, errDangling
			}
			return place{name: path.Join(append([]string{at}, pending...)...)}, nil
		case err != nil:
			return place{}, err
		case info.Mode()&fs.ModeSymlink == 0:
			if !info.IsDir() && len(pending) > 0 {
				return place{}, syscall.ENOTDIR
			}
			done = append(done, part)
			continue
		}
		if links++; links > maxLinks {
			return place{}, syscall.ELOOP
		}
		target, err := l.root.Readlink(filepath.FromSlash(at))
		if err != nil {
			return place{}, err
		}
		if isAbsolute(target) {
			inside, ok := l.relative(target)
			if !ok {
				return place{}, errOutside
			}
			done, target = nil, inside
		}
		parts := strings.Split(filepath.ToSlash(target), "/")
		borne += len(parts)
		pending = append(parts, pending...)
	}
	if len(done) == 0 {
		return place{name: ".", exists: true}, nil
	}
	return place{name: path.Join(done...), exists: true}, nil
}

// isAbsolute is true also for what Windows resolves against the present drive.
func isAbsolute(target string) bool {
	return filepath.IsAbs(target) || filepath.VolumeName(target) != "" || os.IsPathSeparator(target[0])
}

// resolveItem follows the links on the way to an item, but not the item itself
// should it be a link.
func (l *Local) resolveItem(name string) (place, error) {
	if name == "." {
		return place{name: ".", exists: true}, nil
	}
	parent, err := l.resolve(path.Dir(name))
	if err != nil {
		return place{}, err
	}
	at := path.Join(parent.name, path.Base(name))
	if !parent.exists {
		return place{name: at}, nil
	}
	_, err = l.root.Lstat(filepath.FromSlash(at))
	if errors.Is(err, fs.ErrNotExist) {
		return place{name: at}, nil
	}
	return place{name: at, exists: err == nil}, err
}

// openDir opens a folder as a root of its own. The trailing "." has os.Root open
// the folder as a folder, which never waits for the writer of a FIFO.
func (l *Local) openDir(name string) (*os.Root, error) { return subdir(l.root, name) }

func subdir(root *os.Root, name string) (*os.Root, error) {
	return root.OpenRoot(filepath.FromSlash(name) + string(filepath.Separator) + ".")
}
