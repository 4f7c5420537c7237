package archive

import (
	"archive/tar"
	"archive/zip"
	"cmp"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// What an archive may become by default.
const (
	defaultMaxUnpacked = 1 << 30
	defaultMaxItems    = 100_000
)

// UnpackOptions say what an archive may become. The zero value works.
type UnpackOptions struct {
	// MaxBytes is how much all its files may hold together; default 1 GiB.
	MaxBytes int64
	// MaxItems is how many files and folders there may be; default 100,000.
	MaxItems int
	// Reserved are names at the top that the archive must not have.
	Reserved []string
}

// Unpack unpacks an archive of so many bytes, a zip archive or a tar that gzip has
// compressed, into a folder. It takes files and folders with plain names that are
// inside of it, and no more of them than the options say; anything else in the
// archive is an error of kind Invalid or TooLarge. Files get mode 0644 or 0755. What
// has been unpacked before an error stays.
func Unpack(ctx context.Context, archive io.ReaderAt, size int64, into *os.Root, o UnpackOptions) error {
	magic := make([]byte, 2)
	if _, err := archive.ReadAt(magic, 0); err != nil && !errors.Is(err, io.EOF) {
		return wire.Errorf(wire.CodeOf(err), "read the archive: %w", err)
	}
	switch string(magic) {
	case "PK":
		return Unzip(ctx, archive, size, into, o)
	case "\x1f\x8b":
		return untar(ctx, io.NewSectionReader(archive, 0, size), into, o)
	default:
		return wire.Errorf(wire.Invalid, "it is neither a .zip nor a .tar.gz archive")
	}
}

// unpacker unpacks one archive.
type unpacker struct {
	into     *os.Root
	reserved []string
	left     int64           // bytes
	items    int             // how many may be made
	room     int             // how many may still be made
	made     map[string]bool // folders
}

func newUnpacker(into *os.Root, o UnpackOptions) *unpacker {
	items := cmp.Or(o.MaxItems, defaultMaxItems)
	return &unpacker{
		into: into, reserved: o.Reserved, left: cmp.Or(o.MaxBytes, defaultMaxUnpacked),
		items: items, room: items, made: map[string]bool{".": true},
	}
}

// item is a file or a folder of an archive, or something that is neither.
type item interface {
	name() string
	folder() bool
	regular() bool
	executable() bool
	size() uint64
	open() (io.ReadCloser, error)
}

func (u *unpacker) add(ctx context.Context, of item) error {
	name := strings.TrimSuffix(of.name(), "/")
	// A backslash is a separator on Windows and a letter elsewhere.
	if !fs.ValidPath(name) || !filepath.IsLocal(filepath.FromSlash(name)) || strings.ContainsAny(name, "\\\x00") {
		return wire.Errorf(wire.Invalid, "the archive has an item with the name %.200q, which is not a path inside of it", of.name())
	}
	if slices.Contains(u.reserved, name) {
		return wire.Errorf(wire.Invalid, "the archive has an item with the name %q, which is not free", name)
	}
	switch {
	case of.folder():
		return u.folder(name)
	case !of.regular():
		return wire.Errorf(wire.Invalid, "%.200q in the archive is neither a file nor a folder; archive what links lead to in their place", of.name())
	case of.size() > uint64(u.left):
		return u.tooLarge()
	}
	if err := u.folder(path.Dir(name)); err != nil {
		return err
	}
	if err := u.take(); err != nil {
		return err
	}
	err := u.write(ctx, name, of)
	if errors.Is(err, ErrMore) {
		return u.tooLarge()
	}
	return unpackError(name, err)
}

// take counts an item that is made.
func (u *unpacker) take() error {
	if u.room--; u.room < 0 {
		return u.tooMany()
	}
	return nil
}

func (u *unpacker) tooMany() error {
	return wire.Errorf(wire.TooLarge, "the archive has more than %d files and folders", u.items)
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
	if err := u.take(); err != nil {
		return err
	}
	u.made[name] = true
	return unpackError(name, u.into.Mkdir(filepath.FromSlash(name), 0o755))
}

func (u *unpacker) write(ctx context.Context, name string, of item) error {
	from, err := of.open()
	if err != nil {
		return ReadError{err}
	}
	defer from.Close()
	mode := fs.FileMode(0o644)
	if of.executable() {
		mode = 0o755
	}
	to, err := u.into.OpenFile(filepath.FromSlash(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	n, err := Copy(ctx, to, from, u.left)
	u.left -= n
	return errors.Join(err, to.Close())
}

// unpackError tells what is wrong with the archive from what is wrong here.
func unpackError(name string, err error) error {
	var (
		read    ReadError
		corrupt flate.CorruptInputError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &read) && (errors.Is(err, zip.ErrFormat) || errors.Is(err, zip.ErrAlgorithm) || errors.Is(err, zip.ErrChecksum) ||
		errors.Is(err, tar.ErrHeader) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &corrupt)):
		return wire.Errorf(wire.Invalid, "%.200q in the archive is damaged: %w", name, err)
	case errors.Is(err, fs.ErrExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		return wire.Errorf(wire.Invalid, "%.200q is in the archive twice, or is a file and a folder", name)
	default:
		return wire.Errorf(wire.CodeOf(err), "unpack %.200q: %w", name, err)
	}
}
