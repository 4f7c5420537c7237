package transfer

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"
)

// settler compares the directory with the list, after all has arrived: it
// removes what is not listed and gives directories their modes and times.
type settler struct {
	ctx      context.Context // of the one call of Unpack
	o        UnpackOptions
	excludes excludes
	ahead    []Entry // of the list
	pending  []pending
	result   *Result
}

// folder settles what is in a directory, whose entries are the next of the list.
// prefix is "" or its path and a slash.
func (s *settler) folder(dir *os.Root, prefix string, depth int) error {
	for _, p := range s.pending {
		if p.dir == strings.TrimSuffix(prefix, "/") {
			n, err := p.swap(dir, s.o.Delete)
			s.result.Deleted += n
			if err != nil {
				return fail("replace", prefix+p.base, err)
			}
		}
	}
	names, err := namesIn(dir)
	if err != nil {
		return fail("list", prefix, err)
	}
	for {
		if err := context.Cause(s.ctx); err != nil {
			return err
		}
		listed, ok := s.next(prefix)
		switch {
		case len(names) > 0 && (!ok || prefix+names[0] < listed.Path):
			if err := s.extra(dir, names[0], depth); err != nil {
				return fail("delete", prefix+names[0], err)
			}
			names = names[1:]
		case !ok:
			return nil
		case len(names) == 0 || listed.Path < prefix+names[0]:
			s.skip(listed)
		default:
			s.ahead = s.ahead[1:]
			if err := s.item(dir, names[0], listed, depth); err != nil {
				return fail("unpack", listed.Path, err)
			}
			names = names[1:]
		}
	}
}

// next returns the next entry of the list if it is in the directory.
func (s *settler) next(prefix string) (Entry, bool) {
	if len(s.ahead) == 0 || !strings.HasPrefix(s.ahead[0].Path, prefix) {
		return Entry{}, false
	}
	return s.ahead[0], true
}

// skip passes an entry that is not here as it is listed, and all below it.
func (s *settler) skip(e Entry) {
	tell(&s.result.Differs, e.Path)
	for len(s.ahead) > 0 && (s.ahead[0].Path == e.Path || strings.HasPrefix(s.ahead[0].Path, e.Path+"/")) {
		s.ahead = s.ahead[1:]
	}
}

// extra treats what the list does not have.
func (s *settler) extra(dir *os.Root, name string, depth int) error {
	if depth == 0 && s.excludes.match(name) || !s.o.Delete && !isTemporary(name) {
		return nil
	}
	n, err := removeItem(dir, name)
	s.result.Deleted += n
	return err
}

// item treats what is both here and listed.
func (s *settler) item(dir *os.Root, name string, listed Entry, depth int) error {
	info, err := dir.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		s.skip(listed)
		return nil
	}
	if err != nil {
		return err
	}
	here, ok, err := entryOf(dir, listed.Path, name, info)
	if err != nil && !moved(err) {
		return err
	}
	if err != nil || !ok || !here.same(listed) {
		s.skip(listed)
		return nil
	}
	if s.o.Owner != nil && !s.o.Owner.owned(info) {
		switch err := dir.Lchown(name, s.o.Owner.UID, s.o.Owner.GID); {
		case errors.Is(err, fs.ErrPermission): // it is another user's
			tell(&s.result.Differs, listed.Path)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	if listed.Type != Dir {
		return nil
	}
	sub, before, err := openLoose(dir, name, info)
	if moved(err) {
		s.skip(listed)
		return nil
	}
	if err != nil {
		return err
	}
	defer sub.Close()
	err = s.folder(sub, listed.Path+"/", depth+1)
	if sealed := s.seal(sub, listed, before != nil); err == nil {
		err = sealed
	}
	return err
}

// seal gives a directory its time, and then its mode, which may forbid that.
func (s *settler) seal(dir *os.Root, listed Entry, loosened bool) error {
	info, err := dir.Stat(".")
	if err != nil {
		return err
	}
	if nanoseconds(info.ModTime()) != listed.Time {
		err = dir.Chtimes(".", time.Time{}, time.Unix(0, listed.Time))
	}
	if mode := info.Mode(); permissions && (loosened || mode.Perm() != listed.Mode) {
		if chmod := dir.Chmod(".", mode&kinds|listed.Mode); err == nil {
			err = chmod
		}
	}
	if errors.Is(err, fs.ErrPermission) {
		tell(&s.result.Differs, listed.Path) // it is another user's
		return nil
	}
	return err
}
