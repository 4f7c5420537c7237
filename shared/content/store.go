package content

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Sum is the SHA-256 of a chunk.
type Sum = [sha256.Size]byte

const (
	lockName = "lock"
	// newPrefix begins the name of a chunk that is being written.
	newPrefix = "new-"
	// abandonedAfter is when what is still being written is of somebody who was killed.
	abandonedAfter = time.Hour
	// usedAfter is how exactly it is known when a chunk was last used.
	usedAfter = time.Hour
	// shares is into how many parts the limit is divided: so much may a store exceed it
	// while it is open.
	shares = 8
)

// Store is a folder with chunks: two digits of the sum are the name of a folder, and
// the others that of the chunk in it. Its methods are safe for concurrent use.
type Store struct {
	path  string
	dir   *os.Root
	limit int64

	mu    sync.Mutex
	put   []Sum // since it was opened
	grown int64 // bytes since it was last within its limit
	made  [256]bool
}

// Open opens the store in a folder, which is made when it is not there. Once it is
// closed, it has at most limit bytes. Errors have the kinds of the system's.
func Open(path string, limit int64) (*Store, error) {
	if limit <= 0 {
		return nil, wire.Errorf(wire.Invalid, "open the store %s: a limit of %d bytes leaves room for nothing; use none", path, limit)
	}
	err := os.MkdirAll(path, 0o700)
	var dir *os.Root
	if err == nil {
		dir, err = os.OpenRoot(path)
	}
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "open the store: %w", err)
	}
	return &Store{path: path, dir: dir, limit: limit}, nil
}

func nameOf(sum Sum) string {
	digits := hex.EncodeToString(sum[:])
	return digits[:2] + "/" + digits[2:]
}

// Has reports whether a chunk of so many bytes is there, and notes that it is used. It
// does not look into it: only [Store.Get] tells whether it is whole.
func (s *Store) Has(sum Sum, size int) bool {
	name := nameOf(sum)
	info, err := s.dir.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || info.Size() != int64(size) {
		return false
	}
	if now := time.Now(); now.Sub(info.ModTime()) > usedAfter {
		_ = s.dir.Chtimes(name, time.Time{}, now) // else it goes earlier than it had to
	}
	return true
}

// Get reads a chunk of the length of buf into it. It fails with kind NotFound when it is
// not there; one that is not what it should be is removed, and not found either.
func (s *Store) Get(sum Sum, buf []byte) error {
	name := nameOf(sum)
	f, err := s.dir.OpenFile(name, openRead, 0)
	if err != nil {
		return wire.Errorf(wire.NotFound, "read a chunk: %w", err)
	}
	_, err = io.ReadFull(f, buf)
	whole := err == nil && sha256.Sum256(buf) == sum
	if whole {
		n, _ := f.Read(make([]byte, 1)) // nothing follows
		whole = n == 0
	}
	f.Close()
	if !whole {
		_ = s.dir.Remove(name) // else it is found damaged again
		return wire.Errorf(wire.NotFound, "read a chunk: %s is damaged", name)
	}
	return nil
}

// Put puts a chunk into the store, whole or not at all. data must have that sum: it is
// not looked whether it has. Errors have the kinds of the system's; when the disk is
// full, [Store.Drop] makes room.
func (s *Store) Put(sum Sum, data []byte) error {
	name := nameOf(sum)
	err := s.write(sum, name, data)
	if errors.Is(err, fs.ErrNotExist) { // its folder was removed just now
		s.mu.Lock()
		s.made[sum[0]] = false
		s.mu.Unlock()
		err = s.write(sum, name, data)
	}
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "keep a chunk: %w", err)
	}
	s.mu.Lock()
	s.put = append(s.put, sum)
	s.grown += int64(len(data))
	much := s.grown > s.limit/shares
	s.mu.Unlock()
	if much {
		// Another process may be at it, which does as well.
		_ = s.shrink(s.limit)
	}
	return nil
}

func (s *Store) write(sum Sum, name string, data []byte) error {
	s.mu.Lock()
	made := s.made[sum[0]]
	s.made[sum[0]] = true
	s.mu.Unlock()
	if !made {
		if err := s.dir.Mkdir(name[:2], 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	temporary := name[:3] + newPrefix + rand.Text()
	f, err := s.dir.OpenFile(temporary, openWrite, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = s.dir.Rename(temporary, name)
	}
	if err != nil {
		_ = s.dir.Remove(temporary) // else it is removed as abandoned
	}
	return err
}

// Drop removes what this Store has put there since it was opened.
func (s *Store) Drop() {
	s.mu.Lock()
	put := s.put
	s.put, s.grown = nil, 0
	s.mu.Unlock()
	for _, sum := range put {
		_ = s.dir.Remove(nameOf(sum)) // it may have gone already
	}
}

// Clear removes every chunk.
func (s *Store) Clear() error { return s.shrink(0) }

// Close brings the store within its limit, if it has grown, and closes it. It waits
// for another process that does the same, but not longer than ctx.
func (s *Store) Close(ctx context.Context) error {
	s.mu.Lock()
	grown := s.grown
	s.mu.Unlock()
	var err error
	if grown > 0 {
		var lock *resource.Lock
		if lock, err = resource.Acquire(ctx, filepath.Join(s.path, lockName)); err == nil {
			err = errors.Join(s.shrinkLocked(s.limit), lock.Release())
		}
	}
	return errors.Join(err, s.dir.Close())
}

// shrink removes what was used longest ago, unless another process is at it.
func (s *Store) shrink(to int64) error {
	lock, err := resource.TryAcquire(filepath.Join(s.path, lockName))
	if err != nil && wire.CodeOf(err) == wire.Conflict {
		return err
	}
	// On a full disk there is no lock to be had, and the more need to make room.
	err = s.shrinkLocked(to)
	if lock != nil {
		err = errors.Join(err, lock.Release())
	}
	return err
}

// kept is a chunk in the store.
type kept struct {
	name string
	size int64
	used time.Time
}

func (s *Store) shrinkLocked(to int64) error {
	s.mu.Lock()
	s.grown = 0
	s.mu.Unlock()
	all, total, err := s.list()
	if err != nil || total <= to {
		return err
	}
	slices.SortFunc(all, func(a, b kept) int { return cmp.Or(a.used.Compare(b.used), strings.Compare(a.name, b.name)) })
	for _, k := range all {
		if total <= to {
			break
		}
		if err := s.dir.Remove(k.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return wire.Errorf(wire.CodeOf(err), "make room in the store: %w", err)
		}
		total -= k.size
	}
	return nil
}

// list tells what is there, and removes what was never finished.
func (s *Store) list() (all []kept, total int64, err error) {
	folders, err := fs.ReadDir(s.dir.FS(), ".")
	if err != nil {
		return nil, 0, wire.Errorf(wire.CodeOf(err), "list the store: %w", err)
	}
	for _, folder := range folders {
		if !folder.IsDir() || len(folder.Name()) != 2 {
			continue
		}
		entries, err := fs.ReadDir(s.dir.FS(), folder.Name())
		if err != nil {
			continue // it was removed, or is not ours
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil || !info.Mode().IsRegular() {
				continue
			}
			k := kept{folder.Name() + "/" + e.Name(), info.Size(), info.ModTime()}
			if strings.HasPrefix(e.Name(), newPrefix) && time.Since(k.used) > abandonedAfter {
				_ = s.dir.Remove(k.name) // the next one tries again
				continue
			}
			if len(e.Name()) != 2*len(Sum{})-2 {
				continue
			}
			all = append(all, k)
			total += k.size
		}
	}
	return all, total, nil
}
