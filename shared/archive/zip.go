package archive

import (
	"archive/zip"
	"context"
	"errors"
	"io"
	"os"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// maxDirectory is how many bytes of a zip archive are read to list it: enough for
// 100,000 files with names of usual lengths.
const maxDirectory = 16 << 20

// Unzip unpacks a zip archive of so many bytes, as [Unpack] does.
func Unzip(ctx context.Context, archive io.ReaderAt, size int64, into *os.Root, o UnpackOptions) error {
	u := newUnpacker(into, o)
	metered := &meter{from: archive, left: maxDirectory}
	list, err := zip.NewReader(metered, size)
	if errors.Is(err, ErrMore) {
		return wire.Errorf(wire.TooLarge, "the archive lists more than %d items, or with very long names", u.items)
	}
	if err != nil {
		return wire.Errorf(wire.Invalid, "it is not a zip archive: %w", err)
	}
	metered.left = -1
	if len(list.File) > u.items {
		return u.tooMany()
	}
	for _, file := range list.File {
		if err := u.add(ctx, zipped{file}); err != nil {
			return err
		}
	}
	return nil
}

// zipped is an item of a zip archive.
type zipped struct{ file *zip.File }

func (z zipped) name() string                 { return z.file.Name }
func (z zipped) folder() bool                 { return z.file.Mode().IsDir() }
func (z zipped) regular() bool                { return z.file.Mode().IsRegular() }
func (z zipped) executable() bool             { return z.file.Mode()&0o111 != 0 }
func (z zipped) size() uint64                 { return z.file.UncompressedSize64 }
func (z zipped) open() (io.ReadCloser, error) { return z.file.Open() }

// meter reads no more than some bytes, while left is not negative.
type meter struct {
	from io.ReaderAt
	left int64
}

func (m *meter) ReadAt(p []byte, at int64) (int, error) {
	n, err := m.from.ReadAt(p, at)
	if m.left >= 0 {
		if m.left -= int64(n); m.left < 0 {
			return 0, ErrMore
		}
	}
	return n, err
}
