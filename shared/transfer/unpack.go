package transfer

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// UnpackOptions say how [Unpack] treats what it receives.
type UnpackOptions struct {
	// Owner gets everything that the sender lists, and the directory itself.
	// nil: what is written belongs to whoever runs this.
	Owner *Owner
	// Delete removes what the sender does not have.
	Delete bool
	// Excludes are names directly in the directory that are never touched. Case
	// does not count. A stream that names one is Invalid.
	Excludes []string
	Limits   Limits
	// Progress, when not nil, is told how much was received so far, after each
	// file and now and then within large ones. The transfer waits for it.
	Progress func(files, bytes int64)
}

// Limits bound what a stream may bring. What exceeds one is TooLarge.
type Limits struct {
	Bytes   int64 // content of files; 0: 64 GiB, negative: any
	Entries int64 // items, listed or received; 0: a million, which is also the most
}

const defaultBytes = 64 << 30

// Unpack brings the existing directory root to what r, a stream of [Pack], says.
//
// Files are complete before they take the place of others. What is in the way
// of something of another type, and with Delete what the sender does not have,
// is removed only after the whole stream has arrived. A stream that ends too
// early is an error of kind Unavailable, and what had arrived by then stays; the
// next transfer completes it. Without Delete, a directory that is not empty
// gives way to nothing else: Conflict.
//
// Nothing in the stream is trusted. A path that is not plainly below root, out
// of order or excluded, and anything but files, directories and links, is
// Invalid. No link is followed. An Owner that this process may not give is an
// error of kind Permission before anything is changed; on Windows it is
// Unsupported.
//
// Only one Unpack at a time may work on a directory. It ends with ctx, except
// while r blocks.
func Unpack(ctx context.Context, root string, r io.Reader, o UnpackOptions) (Result, error) {
	const op = "unpack"
	dir, exclude, err := openTo(root, o.Excludes, &o.Limits)
	if err != nil {
		return Result{}, fail(op, root, err)
	}
	defer dir.Close()
	if err := o.Owner.probe(dir); err != nil {
		return Result{}, fail(op, root, err)
	}
	in := &source{r: r}
	u := &unpacker{
		ctx: ctx, o: o, excludes: exclude, in: in, tar: tar.NewReader(bufio.NewReaderSize(in, chunk)),
		place: place{owner: o.Owner, stack: []*frame{{dir: dir}}}, buf: make([]byte, chunk),
	}
	defer u.place.close()
	if err := u.place.stack[0].loosen(); err != nil {
		return Result{}, fail(op, root, err)
	}
	list, err := u.receive()
	if err == nil {
		err = u.place.commit()
	}
	if err != nil {
		return u.result, fail(op, root, err)
	}
	u.place.leave(1)
	s := &settler{ctx: ctx, o: o, excludes: exclude, ahead: list.entries, pending: u.place.pending, result: &u.result}
	if err = s.folder(dir, "", 0); err == nil && o.Owner != nil {
		err = dir.Lchown(".", o.Owner.UID, o.Owner.GID)
	}
	return u.result, fail(op, root, err)
}

// openTo opens a directory into which something is to come, and completes the limits.
func openTo(root string, names []string, limits *Limits) (*os.Root, excludes, error) {
	exclude, err := newExcludes(names)
	if err != nil {
		return nil, exclude, err
	}
	if limits.Bytes == 0 {
		limits.Bytes = defaultBytes
	}
	if limits.Entries <= 0 || limits.Entries > maxEntries {
		limits.Entries = maxEntries
	}
	dir, err := os.OpenRoot(root)
	return dir, exclude, err
}

// source remembers how the stream failed.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	if err != nil {
		s.err = err
	}
	return n, err
}

// unpacker goes through the stream.
type unpacker struct {
	ctx      context.Context // of the one call of Unpack
	o        UnpackOptions
	excludes excludes
	in       *source
	tar      *tar.Reader
	place    place
	last     string // the path before
	again    bool   // whether that path was a file that came once
	entries  int64
	told     int64
	result   Result
	buf      []byte
}

// broken says what an error in reading the stream means.
func (u *unpacker) broken(err error) error {
	if ours := (*wire.Error)(nil); errors.As(err, &ours) {
		return err
	}
	switch cause := u.in.err; {
	case cause != nil && !errors.Is(cause, io.EOF):
		code := wire.CodeOf(cause)
		if code == wire.Internal {
			code = wire.Unavailable
		}
		return wire.Errorf(code, "unpack: the stream broke: %w", cause)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return wire.Errorf(wire.Unavailable, "unpack: the stream ended before it was complete; nothing was deleted, transfer again")
	}
	return wire.Errorf(wire.Invalid, "unpack: the stream is malformed: %w", err)
}

// receive places what the stream brings and returns the list at its end.
func (u *unpacker) receive() (*Index, error) {
	for {
		if err := context.Cause(u.ctx); err != nil {
			return nil, err
		}
		h, err := u.tar.Next()
		if err != nil {
			return nil, u.broken(err)
		}
		if _, ok := h.PAXRecords[recordList]; ok {
			return u.list()
		}
		if u.entries++; u.entries > u.o.Limits.Entries {
			return nil, wire.Errorf(wire.TooLarge, "unpack: more than %d entries", u.o.Limits.Entries)
		}
		if err := u.entry(h); err != nil {
			return nil, err
		}
	}
}

func (u *unpacker) list() (*Index, error) {
	in := bufio.NewReaderSize(u.tar, 64<<10)
	list, err := readIndex(in, u.o.Limits.Entries)
	if err != nil {
		if cut := u.in.err != nil && !errors.Is(u.in.err, io.EOF); cut || errors.Is(err, wire.Unavailable) {
			return nil, u.broken(io.ErrUnexpectedEOF)
		}
		return nil, err
	}
	if _, err := in.ReadByte(); err == nil {
		return nil, wire.Errorf(wire.Invalid, "unpack: something follows the list")
	} else if !errors.Is(err, io.EOF) {
		return nil, u.broken(err)
	}
	for _, e := range list.entries {
		if err := u.check(e.Path); err != nil {
			return nil, err
		}
	}
	if _, err := u.tar.Next(); err == nil {
		return nil, wire.Errorf(wire.Invalid, "unpack: something follows the list")
	} else if !errors.Is(err, io.EOF) {
		return nil, u.broken(err)
	}
	return list, nil
}

func (u *unpacker) check(name string) error {
	if u.excludes.match(name) {
		return wire.Errorf(wire.Invalid, "unpack: the stream has %s, which is excluded here; exclude it on the other side too", show(name))
	}
	return checkLocal(name)
}

// entry checks and places one item.
func (u *unpacker) entry(h *tar.Header) error {
	name := h.Name
	if h.Typeflag == tar.TypeDir {
		name = strings.TrimSuffix(name, "/")
	}
	if err := checkPath(name); err != nil {
		return err
	}
	if err := u.check(name); err != nil {
		return err
	}
	order := comparePaths(u.last, name)
	again := order == 0 && u.again && h.Typeflag == tar.TypeReg
	if order >= 0 && !again {
		return wire.Errorf(wire.Invalid, "unpack: %s is out of order in the stream", show(name))
	}
	for record := range h.PAXRecords {
		if strings.HasPrefix(record, "GNU.sparse.") {
			return wire.Errorf(wire.Invalid, "unpack: %s is a sparse file, which no transfer has", show(name))
		}
	}
	if again {
		u.place.discard()
		u.result.Files--
	} else if err := u.place.commit(); err != nil {
		return err
	}
	u.last, u.again = name, h.Typeflag == tar.TypeReg && !again
	parent, base := split(name)
	if err := u.place.reach(parent); err != nil {
		return fail("unpack", name, err)
	}
	kept, isKept := h.PAXRecords[recordKept]
	var err error
	switch {
	case h.Typeflag == tar.TypeDir:
		err = u.place.enter(base)
	case h.Typeflag == tar.TypeSymlink:
		if err = checkTarget(name, h.Linkname); err == nil {
			err = u.place.link(base, filepath.FromSlash(h.Linkname))
			u.result.Files++
			u.progressed(true)
		}
	case h.Typeflag == tar.TypeReg && isKept:
		err = u.kept(base, kept, h)
	case h.Typeflag == tar.TypeReg:
		err = u.file(base, h)
	default:
		err = wire.Errorf(wire.Invalid, "unpack: %s is neither file, directory nor symbolic link", show(name))
	}
	return fail("unpack", name, err)
}

// kept gives a file whose content is right the sender's mode and time. If it
// is no longer the file that the sender was told of, the list will show it.
func (u *unpacker) kept(base, record string, h *tar.Header) error {
	var size, stamp int64
	if n, err := fmt.Sscanf(record, "%d %d", &size, &stamp); n != 2 || err != nil || h.Size != 0 {
		return wire.Errorf(wire.Invalid, "unpack: the stream is malformed at %s", show(h.Name))
	}
	dir := u.place.top().dir
	info, err := dir.Lstat(base)
	if err != nil || !info.Mode().IsRegular() || info.Size() != size || nanoseconds(info.ModTime()) != stamp {
		return nil //nolint:nilerr // then there is nothing to keep
	}
	err = dir.Chtimes(base, time.Time{}, h.ModTime)
	if mode := fs.FileMode(h.Mode).Perm(); err == nil && mode != info.Mode().Perm() {
		err = dir.Chmod(base, mode)
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (u *unpacker) file(base string, h *tar.Header) error {
	if left := u.o.Limits.Bytes - u.result.Bytes; u.o.Limits.Bytes >= 0 && h.Size > left {
		return wire.Errorf(wire.TooLarge, "unpack: the files have more than %d bytes; %s would exceed that", u.o.Limits.Bytes, show(h.Name))
	}
	err := u.place.file(base, fs.FileMode(h.Mode).Perm(), h.ModTime, u.content)
	if err == nil {
		u.result.Files++
		u.progressed(true)
	}
	return err
}

// content copies the file that the stream is at.
func (u *unpacker) content(into *os.File) error {
	for {
		if err := context.Cause(u.ctx); err != nil {
			return err
		}
		n, err := u.tar.Read(u.buf)
		if n > 0 {
			if _, err := into.Write(u.buf[:n]); err != nil {
				return err
			}
			u.result.Bytes += int64(n)
			u.progressed(false)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return u.broken(err)
		}
	}
}

func (u *unpacker) progressed(file bool) {
	const step = 8 << 20
	if u.o.Progress != nil && (file || u.result.Bytes-u.told >= step) {
		u.told = u.result.Bytes
		u.o.Progress(u.result.Files, u.result.Bytes)
	}
}

// split returns the directory of a path, "" for the root, and its last part.
func split(name string) (dir, base string) {
	i := strings.LastIndexByte(name, '/')
	return name[:max(i, 0)], name[i+1:]
}
