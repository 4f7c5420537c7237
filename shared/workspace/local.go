package workspace

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// LocalOptions say how a Local treats its directory.
type LocalOptions struct {
	// Protected are names, relative to the directory, that are never written,
	// deleted, renamed or replaced, nor is anything below them. They may be read.
	// Whatever is named .git, at any depth and in any case, is always protected.
	// A folder that contains a protected name may still be deleted or renamed
	// as a whole, the root excepted.
	Protected []string
}

// Local is the FS of a directory of this machine. Make one with [OpenLocal].
// It works on open handles of directories, never on paths from the file
// system's root, so that nobody who swaps a folder for a link leads it outside.
type Local struct {
	dir       string // as it was opened, absolute
	real      string // dir without links
	protected []string
	root      *os.Root

	// mu is held for reading while an operation uses fd, so that Close does not
	// give its number to another file.
	mu sync.RWMutex
	fd int // of the root on Linux, else -1
}

// OpenLocal opens a directory, which must exist. It follows links on the way to
// the directory; the directory then stays the same even when it is moved.
func OpenLocal(dir string, o LocalOptions) (*Local, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fail("open workspace", dir, err)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, fail("open workspace", abs, err)
	}
	plain, err := filepath.EvalSymlinks(abs)
	if err != nil {
		root.Close()
		return nil, fail("open workspace", abs, err)
	}
	l := &Local{dir: abs, real: plain, root: root, fd: -1}
	for _, p := range o.Protected {
		if p = path.Clean(filepath.ToSlash(p)); p != "." {
			l.protected = append(l.protected, fold(p))
		}
	}
	if l.fd, err = openFast(root); err != nil {
		root.Close()
		return nil, fail("open workspace", abs, err)
	}
	return l, nil
}

// Close releases the directory. It waits for the operations that run; those
// that come later fail. Closing twice is fine.
func (l *Local) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	closeFast(l.fd)
	l.fd = -1
	return l.root.Close()
}

// Root is the directory as it was given to OpenLocal, made absolute.
func (l *Local) Root() string { return l.dir }

// relative turns an absolute path of the system into a name, if it is inside
// the root as opened or as the system knows it.
func (l *Local) relative(abs string) (string, bool) {
	for _, root := range []string{l.dir, l.real} {
		if name, ok := within(filepath.ToSlash(root), filepath.ToSlash(abs)); ok {
			return name, true
		}
	}
	return "", false
}

// within returns the name of abs relative to root. Both are slash-separated.
func within(root, abs string) (string, bool) {
	root, abs = path.Clean(root), path.Clean(abs)
	if abs == root {
		return ".", true
	}
	if root != "/" {
		root += "/"
	}
	if len(abs) > len(root) && abs[:len(root)] == root {
		return abs[len(root):], true
	}
	return "", false
}

// begin is the start of every operation: the context and the names.
func begin(ctx context.Context, op string, names ...string) error {
	for _, name := range names {
		if err := checkName(op, name); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return fail(op, names[0], context.Cause(ctx))
	}
	return nil
}

// mayChange refuses the root and the protected names. resolved is free of links.
func (l *Local) mayChange(op, name, resolved string) error {
	if resolved == "." {
		return wire.Errorf(wire.Invalid, "%s %s: that is the workspace itself", op, show(name))
	}
	if l.isProtected(resolved) {
		return wire.Errorf(wire.Permission, "%s %s: protected; file requests do not change it", op, show(name))
	}
	return nil
}

func (l *Local) isProtected(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if isGit(part) {
			return true
		}
	}
	folded := fold(name)
	for _, p := range l.protected {
		if folded == p || strings.HasPrefix(folded, p+"/") {
			return true
		}
	}
	return false
}

// isGit reports whether a name may reach a repository's own data on some file
// system. Case counts nowhere: a case-insensitive disk can be mounted on any
// system, and git itself refuses such names.
func isGit(part string) bool {
	switch runtime.GOOS {
	case "windows":
		part = strings.TrimRight(part, ". ")
		if strings.EqualFold(part, "git~1") {
			return true
		}
	case "darwin":
		part = strings.Map(func(r rune) rune {
			if r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x206a && r <= 0x206f || r == 0xfeff {
				return -1 // HFS+ ignores these
			}
			return r
		}, part)
	}
	return strings.EqualFold(part, ".git")
}

// fold makes names comparable on systems that mostly ignore case.
func fold(name string) string {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return strings.ToLower(name)
	}
	return name
}

const temporaryPrefix = ".codebolt-write-"

func temporaryName() string { return temporaryPrefix + rand.Text() }

func isTemporary(name string) bool {
	return len(name) == len(temporaryPrefix)+26 && strings.HasPrefix(name, temporaryPrefix)
}

func quote(name string) string { return strconv.Quote(name) }

var (
	errDangling = errors.New("the link leads to nothing")
	errOutside  = errors.New("the link leads outside the workspace")
)

// fail wraps an error with the operation and the name that the caller used.
func fail(op, name string, err error) error {
	if err == nil {
		return nil
	}
	code := wire.CodeOf(err)
	var (
		pe *fs.PathError
		le *os.LinkError
		se *os.SyscallError
	)
	switch { // the inner path is one of ours, possibly of a temporary file
	case isOurs(err):
	case errors.As(err, &pe):
		err = pe.Err
	case errors.As(err, &le):
		err = le.Err
	case errors.As(err, &se):
		err = se.Err
	}
	switch {
	case errors.Is(err, errOutside):
		code = wire.OutsideWorkspace
	case errors.Is(err, errDangling):
		code = wire.NotFound
	case errors.Is(err, fs.ErrClosed):
		code = wire.NotRunning
	case errors.Is(err, syscall.ENXIO):
		code = wire.Invalid
	case err.Error() == "path escapes from parent": // os.Root does not export it
		code, err = wire.OutsideWorkspace, errOutside
	case err.Error() == "not a directory":
		code = wire.Invalid
	}
	return wire.Errorf(code, "%s %s: %w", op, show(name), err)
}

// isOurs reports whether an error is a sentence of this package already.
func isOurs(err error) bool {
	var e *wire.Error
	return errors.As(err, &e)
}

// failWrite is fail for operations that make something: a dangling link in the
// way is then not an absence but an obstacle.
func failWrite(op, name string, err error) error {
	if errors.Is(err, errDangling) {
		return wire.Errorf(wire.Conflict, "%s %s: %w; nothing is made through it", op, show(name), errDangling)
	}
	return fail(op, name, err)
}

// irregular refuses what is neither file nor folder.
func irregular(op, name string, mode fs.FileMode) error {
	what := "a device"
	switch {
	case mode.IsDir():
		what = "a folder"
	case mode&fs.ModeNamedPipe != 0:
		what = "a FIFO"
	case mode&fs.ModeSocket != 0:
		what = "a socket"
	case mode&fs.ModeSymlink != 0:
		return wire.Errorf(wire.Conflict, "%s %s: it became a symbolic link meanwhile", op, show(name))
	}
	return wire.Errorf(wire.Invalid, "%s %s: it is %s, not a file", op, show(name), what)
}
