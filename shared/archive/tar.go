package archive

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// untar unpacks a tar that gzip has compressed.
func untar(ctx context.Context, archive io.Reader, into *os.Root, o UnpackOptions) error {
	u := newUnpacker(into, o)
	plain, err := gzip.NewReader(archive)
	if err != nil {
		return wire.Errorf(wire.Invalid, "it is not a .tar.gz archive: %w", err)
	}
	// Headers and padding count too: an archive of nothing but those has an end.
	limit := u.left + int64(u.items)*tarOverhead
	bounded := io.LimitReader(plain, limit)
	list := tar.NewReader(bounded)
	for {
		head, err := list.Next()
		if errors.Is(err, io.EOF) {
			// The tar is over, and what comes behind it is the checksum of it all.
			if _, err := Copy(ctx, io.Discard, bounded, limit); err != nil {
				return wire.Errorf(wire.Invalid, "the archive is damaged: %w", err)
			}
			return nil
		}
		if err != nil {
			return wire.Errorf(wire.Invalid, "the archive is damaged, or too large: %w", err)
		}
		if head.Typeflag == tar.TypeXGlobalHeader {
			continue // as git archive writes
		}
		if err := u.add(ctx, tarred{head, list}); err != nil {
			return err
		}
	}
}

// tarOverhead is what a tar may have for an item besides the item, in bytes.
const tarOverhead = 4 << 10

// tarred is an item of a tar.
type tarred struct {
	head *tar.Header
	list *tar.Reader
}

func (t tarred) name() string                 { return t.head.Name }
func (t tarred) folder() bool                 { return t.head.Typeflag == tar.TypeDir }
func (t tarred) regular() bool                { return t.head.Typeflag == tar.TypeReg }
func (t tarred) executable() bool             { return t.head.Mode&0o111 != 0 }
func (t tarred) size() uint64                 { return uint64(max(t.head.Size, 0)) }
func (t tarred) open() (io.ReadCloser, error) { return io.NopCloser(t.list), nil }
