package transfer

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// ScanOptions say what [Scan] looks at.
type ScanOptions struct {
	// Excludes are names directly in the directory that are left out with all
	// below them. Case does not count.
	Excludes []string
	// Sums has the content of every file read for its SHA-256, so that a sender
	// need not send what only has another time.
	Sums bool
}

// Scan returns what the directory root holds. What appears or vanishes
// meanwhile may be in it or not. A directory or, with Sums, a file that cannot
// be read is an error of kind Permission; more than a million entries are
// TooLarge.
func Scan(ctx context.Context, root string, o ScanOptions) (*Index, error) {
	const op = "scan"
	exclude, err := newExcludes(o.Excludes)
	if err != nil {
		return nil, err
	}
	dir, err := os.OpenRoot(root)
	if err != nil {
		return nil, fail(op, root, err)
	}
	defer dir.Close()
	x := &Index{}
	buf := make([]byte, chunk)
	w := &walker{excludes: exclude, visit: func(dir *os.Root, base string, e Entry) error {
		if o.Sums && e.Type == File {
			if e.Sum, err = sumOf(ctx, dir, base, e, buf); err != nil {
				return fail(op, e.Path, err)
			}
		}
		return x.add(e)
	}}
	if err := w.folder(ctx, dir, "", 0); err != nil {
		return nil, fail(op, root, err)
	}
	return x, nil
}

func (x *Index) add(e Entry) error {
	if len(x.entries) == maxEntries {
		return wire.Errorf(wire.TooLarge, "transfer: the directory has more than %d entries; exclude some directories", maxEntries)
	}
	x.entries = append(x.entries, e)
	return nil
}

// chunk is how much is read or written at a time.
const chunk = 256 << 10

// openFile opens a regular file for reading and never waits for it.
func openFile(dir *os.Root, base string) (*os.File, fs.FileInfo, error) {
	f, err := dir.OpenFile(base, openRead, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errMoved
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// sumOf returns the sum of a file's content, or nil when it is no longer what
// the entry says.
func sumOf(ctx context.Context, dir *os.Root, base string, e Entry, buf []byte) (*[32]byte, error) {
	f, _, err := openFile(dir, base)
	if moved(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sum := sha256.New()
	for {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		n, err := f.Read(buf)
		sum.Write(buf[:n])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() != e.Size || nanoseconds(info.ModTime()) != e.Time {
		return nil, nil
	}
	return (*[32]byte)(sum.Sum(nil)), nil
}
