package archive

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Format is a kind of archive.
type Format string

// The formats.
const (
	TarGz Format = ".tar.gz"
	Zip   Format = ".zip"
)

// FormatOf is the format that a file's name asks for; "" is none.
func FormatOf(name string) Format {
	switch {
	case strings.HasSuffix(name, ".tar.gz"), strings.HasSuffix(name, ".tgz"):
		return TarGz
	case strings.HasSuffix(name, ".zip"):
		return Zip
	}
	return ""
}

// PackOptions say how to pack.
type PackOptions struct {
	Format Format
	// Under is the folder in the archive that everything is in.
	Under string
	// Modified is the time that everything gets; the zero value is 1980-01-01, the
	// first that each format can tell.
	Modified time.Time
}

// Pack packs the files of a folder. The same files give the same bytes: they are in
// the order of their names, have no owner, one time, and mode 0644, or 0755 where
// somebody may execute them. It fails with Invalid for what is neither a file nor a
// folder; what has been written by then is no whole archive.
func Pack(ctx context.Context, folder fs.FS, into io.Writer, o PackOptions) error {
	if o.Modified.IsZero() {
		o.Modified = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	var to packer
	switch o.Format {
	case TarGz:
		to = newTarPacker(into, o.Modified)
	case Zip:
		to = &zipPacker{zip.NewWriter(into), o.Modified.UTC()}
	default:
		return wire.Errorf(wire.Invalid, "pack: there is no format %q", o.Format)
	}
	err := fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case entry.IsDir():
			return nil
		case !entry.Type().IsRegular():
			return wire.Errorf(wire.Invalid, "%s is neither a file nor a folder", name)
		}
		return packFile(folder, name, to, o.Under)
	})
	if err == nil {
		err = to.close()
	}
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "pack: %w", err)
	}
	return nil
}

func packFile(folder fs.FS, name string, to packer, under string) (err error) {
	file, err := folder.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	w, err := to.add(path.Join(under, name), mode, info.Size())
	if err == nil {
		_, err = io.Copy(w, file)
	}
	return err
}

// packer writes one archive.
type packer interface {
	add(name string, mode fs.FileMode, size int64) (io.Writer, error)
	close() error
}

type tarPacker struct {
	compressed *gzip.Writer
	list       *tar.Writer
	modified   time.Time
}

func newTarPacker(into io.Writer, modified time.Time) *tarPacker {
	compressed, err := gzip.NewWriterLevel(into, gzip.BestCompression)
	if err != nil {
		panic("archive: " + err.Error()) // there is that level
	}
	return &tarPacker{compressed, tar.NewWriter(compressed), modified.Truncate(time.Second)}
}

func (p *tarPacker) add(name string, mode fs.FileMode, size int64) (io.Writer, error) {
	return p.list, p.list.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Mode: int64(mode), Size: size, ModTime: p.modified,
	})
}

func (p *tarPacker) close() error {
	if err := p.list.Close(); err != nil {
		return err
	}
	return p.compressed.Close()
}

type zipPacker struct {
	list     *zip.Writer
	modified time.Time
}

func (p *zipPacker) add(name string, mode fs.FileMode, _ int64) (io.Writer, error) {
	head := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: p.modified}
	head.SetMode(mode)
	return p.list.CreateHeader(head)
}

func (p *zipPacker) close() error { return p.list.Close() }
