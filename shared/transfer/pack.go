package transfer

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// PackOptions say what [Pack] sends.
type PackOptions struct {
	// Known is what the receiver has. nil: nothing.
	Known *Index
	// Excludes are names directly in the directory that are left out with all
	// below them. Case does not count.
	Excludes []string
	// Progress, when not nil, is told how much was sent so far, after each file
	// and now and then within large ones. The transfer waits for it.
	Progress func(files, bytes int64)
}

// The records of a PAX header that say more than tar can.
const (
	recordKept = "CODEBOLT.kept" // the receiver's file of this size and time has the right content
	recordList = "CODEBOLT.list" // this entry is the list of all that exists
	listName   = ".codebolt-transfer-list"
)

// Pack writes what of the directory root differs from o.Known, and the list of
// all that is there, for [Unpack]. It needs a fixed amount of memory and some
// hundred bytes for each item of the directory.
//
// A file that changes while it is read is sent a second time; when it changed
// again, it is sent as it was found and told in Result.Unsteady. What vanishes
// before it is read does not exist. What cannot be read is an error of kind
// Permission, and an error of w is Unavailable; the stream is then incomplete,
// which Unpack notices. Pack ends with ctx, except while w blocks.
func Pack(ctx context.Context, root string, w io.Writer, o PackOptions) (Result, error) {
	const op = "pack"
	exclude, err := newExcludes(o.Excludes)
	if err != nil {
		return Result{}, err
	}
	from, err := os.OpenRoot(root)
	if err != nil {
		return Result{}, fail(op, root, err)
	}
	defer from.Close()
	out := bufio.NewWriterSize(sink{w, op}, chunk)
	p := &packer{ctx: ctx, tar: tar.NewWriter(out), progress: o.Progress, buf: make([]byte, chunk)}
	if o.Known != nil {
		p.known = o.Known.entries
	}
	walk := &walker{
		excludes: exclude, visit: p.visit,
		special:  func(path string) { tell(&p.result.Skipped, path) },
		unsteady: func(path string) { tell(&p.result.Unsteady, path) },
	}
	err = walk.folder(ctx, from, "", 0)
	if err == nil {
		err = p.end()
	}
	if err == nil {
		err = out.Flush()
	}
	return p.result, fail(op, root, err)
}

// sink tells the errors of the stream from those of files.
type sink struct {
	w  io.Writer
	op string
}

func (s sink) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	if err != nil {
		code := wire.CodeOf(err)
		if code == wire.Internal {
			code = wire.Unavailable
		}
		err = wire.Errorf(code, "%s: the receiver takes no more: %w", s.op, err)
	}
	return n, err
}

type packer struct {
	ctx      context.Context // of the one call of Pack
	tar      *tar.Writer
	known    []Entry // what is ahead
	list     Index
	result   Result
	progress func(files, bytes int64)
	told     int64 // bytes at the last call of progress
	buf      []byte
}

func (p *packer) visit(dir *os.Root, base string, e Entry) error {
	known := p.advance(e.Path)
	if e.Type == File && !known.same(e) {
		return p.file(dir, base, e, known)
	}
	if !known.same(e) {
		if err := p.tar.WriteHeader(header(e)); err != nil {
			return err
		}
		if e.Type == Link {
			p.result.Files++
			p.progressed(true)
		}
	}
	return p.list.add(e)
}

// advance returns what the receiver has under a path; the zero Entry is nothing.
// Paths come in order.
func (p *packer) advance(path string) Entry {
	for len(p.known) > 0 {
		switch c := comparePaths(p.known[0].Path, path); {
		case c > 0:
			return Entry{}
		case c == 0:
			return p.known[0]
		}
		p.known = p.known[1:]
	}
	return Entry{}
}

// file sends a file as it is now.
func (p *packer) file(dir *os.Root, base string, e, known Entry) error {
	kept, err := p.kept(dir, base, e, known)
	if moved(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if kept {
		h := header(e)
		h.Size = 0
		h.PAXRecords = map[string]string{recordKept: strconv.FormatInt(known.Size, 10) + " " + strconv.FormatInt(known.Time, 10)}
		if err := p.tar.WriteHeader(h); err != nil {
			return err
		}
		return p.list.add(e)
	}
	f, info, err := openFile(dir, base)
	if moved(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	for again := false; ; again = true {
		e.Size, e.Time, e.Mode = info.Size(), nanoseconds(info.ModTime()), info.Mode().Perm()
		whole, err := p.content(f, e)
		if err != nil {
			return err
		}
		if info, err = f.Stat(); err != nil {
			return err
		}
		if whole && info.Size() == e.Size && nanoseconds(info.ModTime()) == e.Time {
			break
		}
		if again {
			tell(&p.result.Unsteady, e.Path)
			break
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	p.result.Files++
	p.progressed(true)
	return p.list.add(e)
}

// kept reports whether the receiver has the content already.
func (p *packer) kept(dir *os.Root, base string, e, known Entry) (bool, error) {
	if known.Type != File || known.Size != e.Size {
		return false, nil
	}
	if known.Time == e.Time || known.Sum == nil {
		return known.Time == e.Time, nil
	}
	sum, err := sumOf(p.ctx, dir, base, e, p.buf)
	return sum != nil && *sum == *known.Sum, err
}

// content writes a file's header and as many bytes as it promises. It reports
// whether the file had as many.
func (p *packer) content(f io.Reader, e Entry) (whole bool, err error) {
	if err := p.tar.WriteHeader(header(e)); err != nil {
		return false, err
	}
	whole = true
	for left := e.Size; left > 0; {
		if err := context.Cause(p.ctx); err != nil {
			return false, err
		}
		buf := p.buf[:min(left, int64(len(p.buf)))]
		n := len(buf)
		if whole {
			n, err = io.ReadFull(f, buf)
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				clear(buf[n:])
				n, whole = len(buf), false
			} else if err != nil {
				return false, err
			}
		} else {
			clear(buf)
		}
		if _, err := p.tar.Write(buf[:n]); err != nil {
			return false, err
		}
		left -= int64(n)
		p.result.Bytes += int64(n)
		p.progressed(false)
	}
	return whole, nil
}

// progressed tells how far it got: always after a file, else now and then.
func (p *packer) progressed(file bool) {
	const step = 8 << 20
	if p.progress != nil && (file || p.result.Bytes-p.told >= step) {
		p.told = p.result.Bytes
		p.progress(p.result.Files, p.result.Bytes)
	}
}

// end writes the list and the end of the archive.
func (p *packer) end() error {
	size, err := p.list.WriteTo(io.Discard)
	if err != nil {
		return err
	}
	h := header(Entry{Path: listName, Type: File, Mode: 0o600, Size: size})
	h.PAXRecords = map[string]string{recordList: "1"}
	if err := p.tar.WriteHeader(h); err != nil {
		return err
	}
	if _, err := p.list.WriteTo(p.tar); err != nil {
		return err
	}
	return p.tar.Close()
}

func header(e Entry) *tar.Header {
	h := &tar.Header{Format: tar.FormatPAX, Typeflag: tar.TypeReg, Name: e.Path, Mode: int64(e.Mode), Size: e.Size, ModTime: time.Unix(0, e.Time)}
	switch e.Type {
	case Dir:
		h.Typeflag, h.Name = tar.TypeDir, e.Path+"/"
	case Link:
		h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, e.Target, 0o777
	case File:
	}
	return h
}
