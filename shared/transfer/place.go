package transfer

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// place puts items where they belong. It holds the directories from the root to
// where it works; since items come in order, it enters each only once.
type place struct {
	owner   *Owner
	stack   []*frame
	held    held
	pending []pending
}

// frame is an open directory.
type frame struct {
	dir    *os.Root
	path   string       // "" for the root
	fresh  bool         // made by this transfer, so that nothing is in the way
	before *fs.FileMode // the mode to give back
}

// held is a complete file under a temporary name: the same may come again.
type held struct{ temporary, base string }

// pending is something that takes the place of another type of thing once all
// has arrived.
type pending struct {
	dir             string // where both names are
	temporary, base string
}

func (p *place) top() *frame { return p.stack[len(p.stack)-1] }

// reach goes to a directory, making what is missing on the way there.
func (p *place) reach(dir string) error {
	n := len(p.stack)
	for n > 1 && dir != p.stack[n-1].path && !strings.HasPrefix(dir, p.stack[n-1].path+"/") {
		n--
	}
	p.leave(n)
	rest := strings.TrimPrefix(strings.TrimPrefix(dir, p.top().path), "/")
	if rest == "" {
		return nil
	}
	for name := range strings.SplitSeq(rest, "/") {
		if err := p.enter(name); err != nil {
			return err
		}
	}
	return nil
}

// leave closes all but the first n directories. The root's own handle belongs
// to someone else.
func (p *place) leave(n int) {
	for len(p.stack) > n {
		f := p.top()
		p.stack = p.stack[:len(p.stack)-1]
		if f.before != nil {
			_ = f.dir.Chmod(".", *f.before) // the list says it once more
		}
		if f.path != "" {
			f.dir.Close()
		}
	}
}

// enter goes into a directory of the present one, after making it if need be.
func (p *place) enter(name string) error {
	at := p.top()
	path := name
	if at.path != "" {
		path = at.path + "/" + name
	}
	actual, fresh := name, true
	for _, waiting := range p.pending { // for when it is entered once more
		if waiting.dir == at.path && waiting.base == name {
			actual = waiting.temporary
		}
	}
	info, err := at.dir.Lstat(actual)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case info.IsDir():
		fresh = false
	default:
		actual = temporaryName()
	}
	if fresh {
		if err := at.dir.Mkdir(actual, 0o700); err != nil {
			return err
		}
		if actual != name {
			p.pending = append(p.pending, pending{at.path, actual, name})
		}
		if info, err = at.dir.Lstat(actual); err != nil {
			return err
		}
	}
	dir, before, err := openLoose(at.dir, actual, info)
	if err != nil {
		return err
	}
	p.stack = append(p.stack, &frame{dir: dir, path: path, fresh: fresh, before: before})
	return nil
}

// loosen makes a directory one that we may write.
func (f *frame) loosen() error {
	info, err := f.dir.Stat(".")
	if err == nil {
		f.before = loosen(f.dir, ".", info)
	}
	return err
}

// kinds are the bits of a directory's mode that are its own and stay.
const kinds = fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// loosen gives us all rights to a directory and returns the mode it had, or nil
// when that was unnecessary or is forbidden.
func loosen(parent *os.Root, name string, info fs.FileInfo) *fs.FileMode {
	mode := info.Mode() & (fs.ModePerm | kinds)
	if mode&0o700 == 0o700 || parent.Chmod(name, mode|0o700) != nil {
		return nil
	}
	return &mode
}

// openLoose opens a directory so that we may change what is in it. before, when
// not nil, is the mode to give back.
func openLoose(parent *os.Root, name string, info fs.FileInfo) (dir *os.Root, before *fs.FileMode, err error) {
	before = loosen(parent, name, info)
	dir, err = openFolder(parent, name, info)
	if err != nil && before != nil {
		_ = parent.Chmod(name, *before)
	}
	return dir, before, err
}

// file writes a file under a temporary name and holds it there.
func (p *place) file(base string, mode fs.FileMode, stamp time.Time, fill func(*os.File) error) error {
	dir := p.top().dir
	temporary := temporaryName()
	f, err := dir.OpenFile(temporary, openWrite, 0o600)
	if err != nil {
		return err
	}
	p.held = held{temporary, base}
	err = fill(f)
	if err == nil && p.owner != nil {
		err = f.Chown(p.owner.UID, p.owner.GID)
	}
	if err == nil {
		err = f.Chmod(mode)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = dir.Chtimes(temporary, time.Time{}, stamp)
	}
	if err != nil {
		p.discard()
	}
	return err
}

// link makes a symbolic link.
func (p *place) link(base, target string) error {
	dir := p.top().dir
	temporary := temporaryName()
	if err := dir.Symlink(target, temporary); err != nil {
		return err
	}
	p.held = held{temporary, base}
	if p.owner != nil {
		if err := dir.Lchown(temporary, p.owner.UID, p.owner.GID); err != nil {
			return err
		}
	}
	return p.commit()
}

// commit gives what is held its name.
func (p *place) commit() error {
	if p.held.temporary == "" {
		return nil
	}
	at, temporary, base := p.top(), p.held.temporary, p.held.base
	if !at.fresh {
		if info, err := at.dir.Lstat(base); err == nil && info.IsDir() {
			p.pending = append(p.pending, pending{at.path, temporary, base})
			p.held = held{}
			return nil
		}
	}
	if err := at.dir.Rename(temporary, base); err != nil {
		return fail("unpack", strings.TrimPrefix(at.path+"/"+base, "/"), err)
	}
	p.held = held{}
	return nil
}

func (p *place) discard() {
	if p.held.temporary != "" {
		_ = p.top().dir.Remove(p.held.temporary) // else the next transfer does
		p.held = held{}
	}
}

// close removes what got no name, also when the list did not have it, and
// leaves the root.
func (p *place) close() {
	p.discard()
	p.leave(1)
	for _, item := range p.pending {
		_, _ = removeItem(p.stack[0].dir, filepath.Join(filepath.FromSlash(item.dir), item.temporary))
	}
	p.leave(0)
}

// removeItem removes a file, a link, or a directory with all in it, and returns
// how many items that were.
func removeItem(parent *os.Root, name string) (int64, error) {
	err := parent.Remove(name)
	if err == nil {
		return 1, nil
	}
	info, lstat := parent.Lstat(name)
	switch {
	case errors.Is(lstat, fs.ErrNotExist):
		return 0, nil
	case lstat != nil || !info.IsDir():
		return 0, err
	}
	dir, _, err := openLoose(parent, name, info)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	names, err := namesIn(dir)
	var removed int64
	for _, inner := range names {
		n, failed := removeItem(dir, inner)
		removed += n
		if failed != nil && err == nil {
			err = failed
		}
	}
	if err == nil {
		err = parent.Remove(name)
	}
	if err != nil {
		return removed, err
	}
	return removed + 1, nil
}

// swap puts what waited in the place of another type of thing, whose content it
// removes if it may.
func (p pending) swap(dir *os.Root, empty bool) (int64, error) {
	var removed int64
	err := dir.Remove(p.base)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		if !empty {
			return 0, wire.Errorf(wire.Conflict, "unpack: the directory %s is not empty, and the sender has something else of that name; allow deletion", show(p.base))
		}
		if removed, err = removeItem(dir, p.base); err != nil {
			return removed, err
		}
		removed-- // the directory itself is replaced
	}
	return removed, dir.Rename(p.temporary, p.base)
}
