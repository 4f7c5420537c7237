package workspace

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path"
	"strings"
	"unsafe"

	"github.com/codeboltai/codebolt-providers/shared/wire"
	"golang.org/x/sys/unix"
)

// Linux can open a name of many folders in one call that fails where a link is
// in it. That is the usual case and needs few calls; whatever else happens,
// also on a kernel without openat2, is left to the slow way.

func openFast(root *os.Root) (int, error) {
	f, err := root.Open(".")
	if err != nil {
		return -1, err
	}
	defer f.Close()
	return unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
}

func closeFast(fd int) {
	if fd >= 0 {
		_ = unix.Close(fd)
	}
}

// openBeneath opens a name that has no links in it.
func openBeneath(dir int, name string, flags uint64) (int, error) {
	how := unix.OpenHow{
		Flags:   flags | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	}
	for {
		fd, err := unix.Openat2(dir, name, &how)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// direct finds a name that has no links in it, whether it exists or not.
func (l *Local) direct(name string) (place, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.fd < 0 {
		return place{}, false
	}
	for at := name; ; at = path.Dir(at) {
		fd, err := openBeneath(l.fd, at, unix.O_PATH)
		if err == nil {
			if at != name { // something is missing; it could only be made in a folder
				var st unix.Stat_t
				err = unix.Fstat(fd, &st)
				if err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
					err = unix.ENOTDIR
				}
			}
			_ = unix.Close(fd)
			return place{name: name, exists: at == name}, err == nil
		}
		if !errors.Is(err, unix.ENOENT) || at == "." {
			return place{}, false
		}
	}
}

// readFast reads a plain file. It reports false when the slow way must decide,
// for which it has changed nothing.
func (l *Local) readFast(name string, limit int64) ([]byte, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.fd < 0 {
		return nil, false
	}
	fd, err := openBeneath(l.fd, name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return nil, false
	}
	defer closeFast(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG ||
		limit > 0 && st.Size > limit || st.Size > math.MaxInt32 {
		return nil, false
	}
	// One byte more than there is: a regular file gives less than was asked for
	// only at its end, so that one call does.
	data := make([]byte, st.Size+1)
	for {
		n, err := unix.Read(fd, data)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == len(data) { // it grew meanwhile
			return nil, false
		}
		return data[:n], true
	}
}

// writeFast replaces or makes a plain file in a folder that exists. When it
// reports false nothing has changed.
func (l *Local) writeFast(name string, data []byte) (done bool, err error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.fd < 0 {
		return false, nil
	}
	dir, base := l.fd, name
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		base = name[i+1:]
		if dir, err = openBeneath(l.fd, name[:i], unix.O_PATH|unix.O_DIRECTORY); err != nil {
			return false, nil
		}
		defer closeFast(dir)
	}
	var st unix.Stat_t
	err = unix.Fstatat(dir, base, &st, unix.AT_SYMLINK_NOFOLLOW)
	replace := err == nil
	switch {
	case replace && st.Mode&unix.S_IFMT != unix.S_IFREG, !replace && !errors.Is(err, unix.ENOENT):
		return false, nil
	}
	perm := uint32(0o666)
	if replace {
		perm = 0o600 // until it is known to be as it was
	}
	temporary := temporaryName()
	fd, err := unix.Openat(dir, temporary, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, perm)
	if err != nil {
		return true, err
	}
	err = writeAll(fd, data)
	if err == nil && replace && st.Mode&0o777 != perm {
		err = unix.Fchmod(fd, st.Mode&0o777)
	}
	if closed := unix.Close(fd); err == nil {
		err = closed
	}
	if err == nil {
		err = putInPlace(dir, temporary, base, replace)
	}
	if err != nil {
		_ = unix.Unlinkat(dir, temporary, 0)
	}
	return true, err
}

// putInPlace gives a temporary file its name. Over a file that exists it
// exchanges the two and deletes the old one, where the file system can: ext4
// answers a plain rename by writing the new content to the disk at once, which
// takes several times as long.
func putInPlace(dir int, temporary, base string, replace bool) error {
	if !replace || unix.Renameat2(dir, temporary, dir, base, unix.RENAME_EXCHANGE) != nil {
		return unix.Renameat(dir, temporary, dir, base)
	}
	err := unix.Unlinkat(dir, temporary, 0)
	if err != nil { // a folder took the file's place meanwhile
		_ = unix.Renameat2(dir, temporary, dir, base, unix.RENAME_EXCHANGE)
	}
	return err
}

func writeAll(fd int, data []byte) error {
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		data = data[max(n, 0):]
	}
	return nil
}

// scanFast describes up to limit items of a folder, and whether there are more.
// Names have no links in them. It reports false when the slow way must decide.
func (l *Local) scanFast(name, prefix string, limit int) (entries []wire.FSEntry, more, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.fd < 0 {
		return nil, false, false
	}
	dir, err := openBeneath(l.fd, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, false, false
	}
	defer closeFast(dir)
	buf := make([]byte, 16<<10)
	for {
		n, err := unix.Getdents(dir, buf)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return nil, false, false
		case n <= 0:
			return entries, false, true
		}
		for rest := buf[:n]; len(rest) > 0; {
			size := int(binary.NativeEndian.Uint16(rest[unsafe.Offsetof(unix.Dirent{}.Reclen):]))
			base := rest[unsafe.Offsetof(unix.Dirent{}.Name):size]
			rest = rest[size:]
			base = base[:bytes.IndexByte(base, 0)]
			if string(base) == "." || string(base) == ".." {
				continue
			}
			if len(entries) == limit {
				return entries, true, true
			}
			if entry, ok := describe(dir, prefix, string(base)); ok {
				entries = append(entries, entry)
			}
		}
	}
}

func describe(dir int, prefix, base string) (wire.FSEntry, bool) {
	entry := wire.FSEntry{Path: prefix + base, Kind: wire.KindOther}
	var st unix.Stat_t
	if err := unix.Fstatat(dir, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		entry.Problem = err.Error()
		return entry, !errors.Is(err, unix.ENOENT) // deleted meanwhile
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		entry.Kind, entry.Size = wire.KindFile, st.Size
	case unix.S_IFDIR:
		entry.Kind = wire.KindFolder
	case unix.S_IFLNK:
		entry.Kind = wire.KindSymlink
	}
	entry.ModTime, entry.Mode = st.Mtim.Nano(), st.Mode&0o777
	return entry, true
}

// renameIn renames an item of one folder into another, both open.
func renameIn(_, from *os.Root, old string, to *os.Root, name, _, _ string, replace bool) error {
	a, err := from.Open(".")
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := to.Open(".")
	if err != nil {
		return err
	}
	defer b.Close()
	if !replace {
		err = unix.Renameat2(int(a.Fd()), old, int(b.Fd()), name, unix.RENAME_NOREPLACE)
		if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EOPNOTSUPP) {
			return err
		}
		// This file system cannot; the best that is left is to look first.
		if _, err := to.Lstat(name); err == nil {
			return fs.ErrExist
		}
	}
	return unix.Renameat(int(a.Fd()), old, int(b.Fd()), name)
}

// reflink makes the empty file to share the blocks of from. It reports false
// when the file system cannot.
func reflink(to, from *os.File) (bool, error) {
	err := unix.IoctlFileClone(int(to.Fd()), int(from.Fd()))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT), errors.Is(err, unix.EIO):
		return false, err
	}
	return false, nil
}
