package agentfolder

import (
	"archive/zip"
	"compress/flate"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// What an archive may become.
const (
	maxUnpacked = 1 << 30 // bytes of all its files
	maxItems    = 100_000 // files and folders
	// maxDirectory is how many bytes of an archive are read to list it: enough for
	// that many files with names of usual lengths.
	maxDirectory = 16 << 20
)

// unzip unpacks an archive of so many bytes into a folder. It takes files and
// folders with plain names, and no more of them than that; anything else in the
// archive is an error.
func unzip(ctx context.Context, archive io.ReaderAt, size int64, into *os.Root, bytes int64, items int) error {
	metered := &meter{from: archive, left: maxDirectory}
	list, err := zip.NewReader(metered, size)
	if errors.Is(err, errMore) {
		return wire.Errorf(wire.TooLarge, "the archive lists more than %d items, or with very long names", items)
	}
	if err != nil {
		return wire.Errorf(wire.Invalid, "it is not a zip archive: %w", err)
	}
	metered.left = -1
	if len(list.File) > items {
		return tooMany(items)
	}
	u := unpacker{into: into, left: bytes, items: items, made: map[string]bool{".": true}}
	for _, file := range list.File {
		if err := u.add(ctx, file); err != nil {
			return err
		}
	}
	return nil
}

func tooMany(items int) error {
	return wire.Errorf(wire.TooLarge, "the archive has more than %d files and folders", items)
}

// unpacker unpacks one archive.
type unpacker struct {
	into  *os.Root
	left  int64           // bytes
	items int             // that may still be made
	made  map[string]bool // folders
}

func (u *unpacker) add(ctx context.Context, file *zip.File) error {
	name := strings.TrimSuffix(file.Name, "/")
	// A backslash is a separator on Windows and a letter elsewhere.
	if !fs.ValidPath(name) || !filepath.IsLocal(filepath.FromSlash(name)) || strings.ContainsAny(name, "\\\x00") {
		return wire.Errorf(wire.Invalid, "the archive has an item with the name %.200q, which is not a path inside of it", file.Name)
	}
	if name == markName {
		return wire.Errorf(wire.Invalid, "the archive has an item with the name %q, which is not free", markName)
	}
	switch {
	case file.Mode().IsDir():
		return u.folder(name)
	case !file.Mode().IsRegular():
		return wire.Errorf(wire.Invalid, "%.200q in the archive is neither a file nor a folder; archive what links lead to in their place", file.Name)
	case file.UncompressedSize64 > uint64(u.left):
		return u.tooLarge()
	}
	if err := u.folder(path.Dir(name)); err != nil {
		return err
	}
	if u.items--; u.items < 0 {
		return tooMany(maxItems)
	}
	err := u.write(ctx, name, file)
	if errors.Is(err, errMore) {
		return u.tooLarge()
	}
	return unpackError(file.Name, err)
}

func (u *unpacker) tooLarge() error {
	return wire.Errorf(wire.TooLarge, "the archive becomes too large when it is unpacked")
}

// folder makes a folder and those above it.
func (u *unpacker) folder(name string) error {
	if u.made[name] {
		return nil
	}
	if err := u.folder(path.Dir(name)); err != nil {
		return err
	}
	if u.items--; u.items < 0 {
		return tooMany(maxItems)
	}
	u.made[name] = true
	return unpackError(name, u.into.Mkdir(filepath.FromSlash(name), 0o755))
}

func (u *unpacker) write(ctx context.Context, name string, file *zip.File) error {
	from, err := file.Open()
	if err != nil {
		return readError{err}
	}
	defer from.Close()
	mode := fs.FileMode(0o644)
	if file.Mode()&0o111 != 0 {
		mode = 0o755
	}
	to, err := u.into.OpenFile(filepath.FromSlash(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	n, err := carry(ctx, to, from, u.left)
	u.left -= n
	return errors.Join(err, to.Close())
}

// unpackError tells what is wrong with the archive from what is wrong here.
func unpackError(name string, err error) error {
	var (
		read    readError
		corrupt flate.CorruptInputError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &read) && (errors.Is(err, zip.ErrFormat) || errors.Is(err, zip.ErrAlgorithm) || errors.Is(err, zip.ErrChecksum) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &corrupt)):
		return wire.Errorf(wire.Invalid, "%.200q in the archive is damaged: %w", name, err)
	case errors.Is(err, fs.ErrExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		return wire.Errorf(wire.Invalid, "%.200q is in the archive twice, or is a file and a folder", name)
	default:
		return wire.Errorf(wire.CodeOf(err), "unpack %.200q: %w", name, err)
	}
}

// errMore says that there is more than what may be read.
var errMore = errors.New("there is more than may be read")

// meter reads no more than some bytes, while left is not negative.
type meter struct {
	from io.ReaderAt
	left int64
}

func (m *meter) ReadAt(p []byte, at int64) (int, error) {
	n, err := m.from.ReadAt(p, at)
	if m.left >= 0 {
		if m.left -= int64(n); m.left < 0 {
			return 0, errMore
		}
	}
	return n, err
}

// readError is an error of the side that is read.
type readError struct{ error }

func (e readError) Unwrap() error { return e.error }

// carry copies up to limit bytes, and fails with errMore when there are more.
// Errors of from are a readError.
func carry(ctx context.Context, to io.Writer, from io.Reader, limit int64) (n int64, err error) {
	buf := make([]byte, 64<<10)
	for {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		got, readErr := from.Read(buf)
		if n+int64(got) > limit {
			return n, errMore
		}
		wrote, err := to.Write(buf[:got])
		n += int64(wrote)
		switch {
		case err != nil:
			return n, err
		case errors.Is(readErr, io.EOF):
			return n, nil
		case readErr != nil:
			return n, readError{readErr}
		}
	}
}
