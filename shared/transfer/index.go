package transfer

import (
	"io/fs"
	"iter"
	"slices"
	"time"
)

// Type is what an entry of an [Index] is.
type Type byte

// The types of entries. There are no others.
const (
	File Type = 'f' // a regular file
	Dir  Type = 'd' // a directory
	Link Type = 'l' // a symbolic link
)

// Entry is one item below a directory.
type Entry struct {
	Path   string      // relative to the directory, with slashes
	Type   Type        //
	Mode   fs.FileMode // permission bits; 0 for a link
	Size   int64       // bytes of a file, else 0
	Time   int64       // modification time in ns since 1970; 0 for a link
	Target string      // where a link leads
	Sum    *[32]byte   // SHA-256 of a file where known, else nil
}

// Index is what one side has. [Scan] and [ReadIndex] make one; it does not
// change afterwards and may be used concurrently. The zero Index is that of an
// empty directory.
type Index struct {
	entries []Entry // in the order of comparePaths, each after its directory
}

// Len returns the number of entries.
func (x *Index) Len() int { return len(x.entries) }

// All returns the entries, each directory before what is in it.
func (x *Index) All() iter.Seq[Entry] { return slices.Values(x.entries) }

// Lookup returns the entry of a path, and whether there is one.
func (x *Index) Lookup(path string) (Entry, bool) {
	i, ok := slices.BinarySearchFunc(x.entries, path, func(e Entry, path string) int { return comparePaths(e.Path, path) })
	if !ok {
		return Entry{}, false
	}
	return x.entries[i], true
}

// same reports whether two entries of one path are taken to be equal. Of a
// directory only the type counts: the rest of it is in every list.
func (e Entry) same(other Entry) bool {
	if e.Type != other.Type {
		return false
	}
	switch e.Type {
	case Link:
		return e.Target == other.Target
	case File:
		return e.Size == other.Size && e.Time == other.Time && (e.Mode == other.Mode || !permissions)
	default:
		return true
	}
}

// comparePaths orders paths so that what is in a directory follows it at once,
// and names within a directory are in the order of their bytes.
func comparePaths(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] == b[i] {
			continue
		}
		switch {
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		case a[i] < b[i]:
			return -1
		default:
			return 1
		}
	}
	return len(a) - len(b)
}

// nanoseconds returns a time as an Index has it. What does not fit becomes the
// nearest that does.
func nanoseconds(t time.Time) int64 {
	const most = 1<<63 - 1
	switch {
	case t.Before(time.Unix(0, -most)):
		return -most
	case t.After(time.Unix(0, most)):
		return most
	default:
		return t.UnixNano()
	}
}
