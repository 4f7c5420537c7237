package workspace

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"unicode/utf8"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// ReadFile implements [FS].
func (l *Local) ReadFile(ctx context.Context, name string, limit int64) ([]byte, error) {
	const op = "read"
	if err := begin(ctx, op, name); err != nil {
		return nil, err
	}
	if data, ok := l.readFast(name, limit); ok {
		return data, nil
	}
	at, err := l.resolve(name)
	if err == nil && !at.exists {
		err = syscall.ENOENT
	}
	if err != nil {
		return nil, fail(op, name, err)
	}
	f, info, err := openRegular(l.root, at.name, op, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if limit > 0 && info.Size() > limit {
		return nil, tooLarge(op, name, limit)
	}
	var from io.Reader = f
	if limit > 0 {
		from = io.LimitReader(f, limit+1)
	}
	data, err := io.ReadAll(from)
	if err != nil {
		return nil, fail(op, name, err)
	}
	if limit > 0 && int64(len(data)) > limit {
		return nil, tooLarge(op, name, limit)
	}
	return data, nil
}

func tooLarge(op, name string, limit int64) error {
	return wire.Errorf(wire.TooLarge, "%s %s: the file is larger than the limit of %d bytes", op, show(name), limit)
}

// openRegular opens a regular file for reading and never waits for it. It looks
// before it opens, since opening a device can have effects, and again after.
func openRegular(root *os.Root, at, op, name string) (*os.File, fs.FileInfo, error) {
	at = filepath.FromSlash(at)
	info, err := root.Lstat(at)
	if err != nil {
		return nil, nil, fail(op, name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, irregular(op, name, info.Mode())
	}
	f, err := root.OpenFile(at, openRead, 0)
	if err != nil {
		return nil, nil, fail(op, name, err)
	}
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
		err = irregular(op, name, info.Mode())
	}
	if err != nil {
		f.Close()
		return nil, nil, fail(op, name, err)
	}
	return f, info, nil
}

// Stat implements [FS].
func (l *Local) Stat(ctx context.Context, name string) (wire.FSEntry, error) {
	const op = "stat"
	if err := begin(ctx, op, name); err != nil {
		return wire.FSEntry{}, err
	}
	at, err := l.resolveItem(name)
	if err == nil && !at.exists {
		err = syscall.ENOENT
	}
	if err != nil {
		return wire.FSEntry{}, fail(op, name, err)
	}
	info, err := l.root.Lstat(filepath.FromSlash(at.name))
	if err != nil {
		return wire.FSEntry{}, fail(op, name, err)
	}
	entry := entryOf(name, info)
	l.finish(&entry, at.name)
	return entry, nil
}

func entryOf(name string, info fs.FileInfo) wire.FSEntry {
	entry := wire.FSEntry{Path: name, Kind: kindOf(info.Mode()), ModTime: info.ModTime().UnixNano(), Mode: uint32(info.Mode().Perm())}
	if entry.Kind == wire.KindFile {
		entry.Size = info.Size()
	}
	return entry
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return wire.KindFile
	case mode.IsDir():
		return wire.KindFolder
	case mode&fs.ModeSymlink != 0:
		return wire.KindSymlink
	}
	return wire.KindOther
}

// finish completes an entry with what needs more than one look: where a link
// leads, and a name that cannot cross the wire. at is where the entry is.
func (l *Local) finish(entry *wire.FSEntry, at string) {
	if entry.Kind == wire.KindSymlink {
		l.follow(entry, at)
	}
	if !utf8.ValidString(entry.Path) {
		entry.Path = strings.ToValidUTF8(entry.Path, "\uFFFD")
		entry.Problem = "the name is not valid UTF-8"
	}
}

func (l *Local) follow(entry *wire.FSEntry, at string) {
	to, err := l.resolve(at)
	if err == nil && !to.exists {
		err = errDangling
	}
	var info fs.FileInfo
	if err == nil {
		info, err = l.root.Lstat(filepath.FromSlash(to.name))
	}
	if err != nil {
		entry.Problem = errors.Unwrap(fail("", "", err)).Error()
		return
	}
	target := entryOf("", info)
	entry.Target, entry.Size, entry.ModTime = target.Kind, target.Size, target.ModTime
}

// ReadDir implements [FS].
func (l *Local) ReadDir(ctx context.Context, name string, limit int) ([]wire.FSEntry, error) {
	const op = "list"
	if err := begin(ctx, op, name); err != nil {
		return nil, err
	}
	at, err := l.resolve(name)
	if err == nil && !at.exists {
		err = syscall.ENOENT
	}
	if err != nil {
		return nil, fail(op, name, err)
	}
	if limit <= 0 {
		limit = -1
	}
	entries, more, err := l.scan(ctx, at.name, prefixOf(name), limit)
	switch {
	case err != nil:
		return nil, fail(op, name, err)
	case more:
		return nil, wire.Errorf(wire.TooLarge, "%s %s: the folder has more than the limit of %d entries", op, show(name), limit)
	}
	return entries, nil
}

func prefixOf(name string) string {
	if name == "." {
		return ""
	}
	return name + "/"
}

// scan describes up to limit items of the folder at, all of them when limit is
// negative, and tells whether there are more. The paths begin with prefix.
func (l *Local) scan(ctx context.Context, at, prefix string, limit int) ([]wire.FSEntry, bool, error) {
	entries, more, ok := l.scanFast(at, prefix, limit)
	if !ok {
		var err error
		if entries, more, err = l.scanSlow(ctx, at, prefix, limit); err != nil {
			return nil, false, err
		}
	}
	slices.SortFunc(entries, func(a, b wire.FSEntry) int { return strings.Compare(a.Path, b.Path) })
	for i := range entries {
		entry := &entries[i]
		l.finish(entry, path.Join(at, entry.Path[len(prefix):]))
	}
	return entries, more, nil
}

func (l *Local) scanSlow(ctx context.Context, at, prefix string, limit int) (entries []wire.FSEntry, more bool, err error) {
	root, err := l.openDir(at)
	if err != nil {
		return nil, false, err
	}
	defer root.Close()
	dir, err := root.Open(".")
	if err != nil {
		return nil, false, err
	}
	defer dir.Close()
	for {
		if err := context.Cause(ctx); err != nil {
			return nil, false, err
		}
		names, err := dir.Readdirnames(1000)
		if errors.Is(err, io.EOF) {
			return entries, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		for _, base := range names {
			if len(entries) == limit {
				return entries, true, nil
			}
			info, err := root.Lstat(base)
			switch {
			case err == nil:
				entries = append(entries, entryOf(prefix+base, info))
			case !errors.Is(err, fs.ErrNotExist): // else deleted meanwhile
				entries = append(entries, wire.FSEntry{Path: prefix + base, Kind: wire.KindOther, Problem: errors.Unwrap(fail("", "", err)).Error()})
			}
		}
	}
}

// walkers is how many folders Walk reads at a time: what it does is mostly short
// system calls, of which more would not get faster.
const walkers = 2

// Walk implements [FS].
func (l *Local) Walk(ctx context.Context, name string, limits WalkLimits) (entries []wire.FSEntry, truncated bool, err error) {
	const op = "walk"
	if err := begin(ctx, op, name); err != nil {
		return nil, false, err
	}
	at, err := l.resolve(name)
	if err == nil && !at.exists {
		err = syscall.ENOENT
	}
	if err != nil {
		return nil, false, fail(op, name, err)
	}
	level := []visit{{at: at.name, prefix: prefixOf(name), entry: -1}}
	for depth := 1; len(level) > 0; depth++ {
		if limits.Depth > 0 && depth > limits.Depth {
			return entries, true, nil
		}
		room := -1
		if limits.Entries > 0 {
			room = limits.Entries - len(entries)
		}
		l.visitAll(ctx, level, room)
		if err := ctx.Err(); err != nil {
			return nil, false, fail(op, name, context.Cause(ctx))
		}
		var next []visit
		for i := range level {
			v := &level[i]
			switch {
			case v.err != nil && v.entry < 0:
				return nil, false, fail(op, name, v.err)
			case v.err != nil:
				entries[v.entry].Problem = errors.Unwrap(fail("", "", v.err)).Error()
			}
			for _, entry := range v.found {
				if limits.Entries > 0 && len(entries) == limits.Entries {
					return entries, true, nil
				}
				if entry.Kind == wire.KindFolder && entry.Problem == "" {
					next = append(next, visit{at: path.Join(v.at, entry.Path[len(v.prefix):]), prefix: entry.Path + "/", entry: len(entries)})
				}
				entries = append(entries, entry)
			}
			if v.more {
				return entries, true, nil
			}
		}
		level = next
	}
	return entries, false, nil
}

// visit is one folder that Walk enters.
type visit struct {
	at, prefix string
	entry      int // its index among the entries; -1 for where the walk begins
	found      []wire.FSEntry
	more       bool
	err        error
}

// visitAll scans folders in their order until room entries are found; a negative
// room is endless. Folders that are not reached have nothing found and more set.
func (l *Local) visitAll(ctx context.Context, level []visit, room int) {
	var next, total atomic.Int64
	work := func() {
		for {
			enough := room >= 0 && total.Load() > int64(room) // counts only folders before i
			i := int(next.Add(1)) - 1
			if i >= len(level) {
				return
			}
			v := &level[i]
			if ctx.Err() != nil || enough {
				v.more = true
				continue
			}
			limit := -1
			if room >= 0 {
				// Hidden items take no room, but bound how many are looked at.
				limit = 2*room + 1000
			}
			v.found, v.more, v.err = l.scan(ctx, v.at, v.prefix, limit)
			v.found = slices.DeleteFunc(v.found, func(e wire.FSEntry) bool {
				return hidden(e.Path[len(v.prefix):], e.Kind == wire.KindFolder || e.Target == wire.KindFolder)
			})
			total.Add(int64(len(v.found)))
		}
	}
	if len(level) == 1 {
		work()
		return
	}
	var wg sync.WaitGroup
	for range min(walkers, len(level)) {
		wg.Go(work)
	}
	wg.Wait()
}
