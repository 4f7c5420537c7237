package install

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/codeboltai/codebolt-providers/shared/archive"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// FromDir fills a folder with what is in another, as [Folder.Install] wants it. It
// takes files and folders, and fails with Invalid for anything else.
func FromDir(dir string) func(context.Context, *os.Root) error {
	return func(ctx context.Context, into *os.Root) error {
		from, err := os.OpenRoot(dir)
		if err != nil {
			return wire.Errorf(wire.CodeOf(err), "%w", err)
		}
		defer from.Close()
		return fs.WalkDir(from.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
			if err == nil {
				err = ctx.Err()
			}
			at := filepath.FromSlash(name)
			switch {
			case err != nil:
			case name == ".", name == noteFile:
				return nil
			case entry.IsDir():
				err = into.Mkdir(at, 0o755)
			case entry.Type().IsRegular():
				err = copyFile(into, from, at)
			default:
				return wire.Errorf(wire.Invalid, "%s is neither a file nor a folder", filepath.Join(dir, at))
			}
			if err != nil {
				return wire.Errorf(wire.CodeOf(err), "copy %s: %w", filepath.Join(dir, at), err)
			}
			return nil
		})
	}
}

func copyFile(into, from *os.Root, at string) (err error) {
	source, err := from.Open(at)
	if err != nil {
		return err
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	to, err := into.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, source)
	return errors.Join(err, to.Close())
}

// FromArchive fills a folder with what is in an archive, which is a .tar.gz or a .zip
// of a provider's folder or of its files, as [Folder.Install] wants it.
func FromArchive(packed *os.File) func(context.Context, *os.Root) error {
	return func(ctx context.Context, into *os.Root) error {
		info, err := packed.Stat()
		if err != nil {
			return wire.Errorf(wire.CodeOf(err), "%w", err)
		}
		if err := archive.Unpack(ctx, packed, info.Size(), into, archive.UnpackOptions{Reserved: []string{noteFile}}); err != nil {
			return wire.Errorf(wire.CodeOf(err), "%s: %w", packed.Name(), err)
		}
		return unwrap(into)
	}
}

// unwrap moves up what is in the only folder of a folder that has no manifest itself.
func unwrap(into *os.Root) error {
	if _, err := into.Stat(manifest.ProviderFile); err == nil {
		return nil
	}
	entries, err := fs.ReadDir(into.FS(), ".")
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "unpack: %w", err)
	}
	if len(entries) != 1 || !entries[0].IsDir() {
		return nil // the lack of a manifest is told by whoever reads it
	}
	// Its own name may be that of something in it.
	const wrapper = ".wrapper"
	if err := into.Rename(entries[0].Name(), wrapper); err != nil {
		return wire.Errorf(wire.CodeOf(err), "unpack: %w", err)
	}
	if entries, err = fs.ReadDir(into.FS(), wrapper); err != nil {
		return wire.Errorf(wire.CodeOf(err), "unpack: %w", err)
	}
	for _, entry := range entries {
		if entry.Name() == wrapper {
			return wire.Errorf(wire.Invalid, "unpack: the archive has an item with the name %q, which is not free", wrapper)
		}
		if err := into.Rename(filepath.Join(wrapper, entry.Name()), entry.Name()); err != nil {
			return wire.Errorf(wire.CodeOf(err), "unpack: %w", err)
		}
	}
	if err := into.Remove(wrapper); err != nil {
		return wire.Errorf(wire.CodeOf(err), "unpack: %w", err)
	}
	return nil
}
