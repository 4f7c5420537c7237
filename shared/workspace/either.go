package workspace

import (
	"context"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Either is an FS with two ways to the same files: first, and second for the calls
// that begin while first is not up. It is safe for concurrent use if both are.
func Either(first, second FS, up func() bool) FS { return &either{first, second, up} }

type either struct {
	first, second FS
	up            func() bool
}

func (e *either) now() FS {
	if e.up() {
		return e.first
	}
	return e.second
}

// Root implements [FS].
func (e *either) Root() string { return e.second.Root() }

func (e *either) also() string { return otherRoot(e.second) }

// ReadFile implements [FS].
func (e *either) ReadFile(ctx context.Context, name string, limit int64) ([]byte, error) {
	return e.now().ReadFile(ctx, name, limit)
}

// WriteFile implements [FS].
func (e *either) WriteFile(ctx context.Context, name string, data []byte) error {
	return e.now().WriteFile(ctx, name, data)
}

// Remove implements [FS].
func (e *either) Remove(ctx context.Context, name string) error { return e.now().Remove(ctx, name) }

// RemoveAll implements [FS].
func (e *either) RemoveAll(ctx context.Context, name string) error {
	return e.now().RemoveAll(ctx, name)
}

// Rename implements [FS].
func (e *either) Rename(ctx context.Context, from, to string, overwrite bool) error {
	return e.now().Rename(ctx, from, to, overwrite)
}

// CopyFile implements [FS].
func (e *either) CopyFile(ctx context.Context, from, to string, overwrite bool) error {
	return e.now().CopyFile(ctx, from, to, overwrite)
}

// CopyFolder implements [FS].
func (e *either) CopyFolder(ctx context.Context, from, to string, overwrite bool) error {
	return e.now().CopyFolder(ctx, from, to, overwrite)
}

// Mkdir implements [FS].
func (e *either) Mkdir(ctx context.Context, name string) error { return e.now().Mkdir(ctx, name) }

// Stat implements [FS].
func (e *either) Stat(ctx context.Context, name string) (wire.FSEntry, error) {
	return e.now().Stat(ctx, name)
}

// ReadDir implements [FS].
func (e *either) ReadDir(ctx context.Context, name string, limit int) ([]wire.FSEntry, error) {
	return e.now().ReadDir(ctx, name, limit)
}

// Walk implements [FS].
func (e *either) Walk(ctx context.Context, name string, limits WalkLimits) ([]wire.FSEntry, bool, error) {
	return e.now().Walk(ctx, name, limits)
}
