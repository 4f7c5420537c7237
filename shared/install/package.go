package install

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Valid tells whether it has the form of a platform's name.
func (p Platform) Valid() bool { return manifest.ValidPlatform(string(p)) }

// Package assembles a provider's folder at a path. One that was packaged there before
// takes its place no more; it fails with Conflict when anything else is there, or when
// that was changed since. Whatever fails changes nothing.
func Package(ctx context.Context, parts Parts, dir string) (err error) {
	if err := mayBecome(ctx, dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return wire.Errorf(wire.CodeOf(err), "package: %w", err)
	}
	fresh := filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+"-"+rand.Text())
	if err := os.Mkdir(fresh, 0o755); err != nil {
		return wire.Errorf(wire.CodeOf(err), "package: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(fresh)) }()
	root, err := os.OpenRoot(fresh)
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "package: %w", err)
	}
	err = errors.Join(parts.Assemble(ctx, root), root.Close())
	if err != nil {
		return err
	}
	old := fresh + "-old"
	if err := os.Rename(dir, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return wire.Errorf(wire.CodeOf(err), "package: %w", err)
	}
	if err := os.Rename(fresh, dir); err != nil {
		return errors.Join(wire.Errorf(wire.CodeOf(err), "package: %w", err), os.Rename(old, dir))
	}
	return os.RemoveAll(old)
}

// mayBecome fails with Conflict when at a path is anything but nothing, an empty folder
// or a provider as it was packaged.
func mayBecome(ctx context.Context, dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(entries) == 0:
		return nil
	case err != nil:
		return wire.Errorf(wire.Conflict, "%s is there and is no folder: %w", dir, err)
	}
	switch problems, err := Check(ctx, os.DirFS(dir)); {
	case err != nil:
		return wire.Errorf(wire.Conflict, "%s is there and is no packaged provider; name another output, or remove it", dir)
	case len(problems) > 0:
		return wire.Errorf(wire.Conflict, "%s was changed since it was packaged (%s); name another output, or remove it", dir, problems[0])
	}
	return nil
}
