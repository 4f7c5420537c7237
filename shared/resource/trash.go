package resource

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// trashMark is in the name of everything that Trash put away.
const trashMark = ".trash-"

// Trash moves a file or directory into trashDir, which it makes, in one step:
// afterwards it is whole under its old name or whole in the trash. It returns
// the new path. trashDir must be on the same file system. A path that is not
// there gives kind NotFound.
func Trash(path, trashDir string) (string, error) {
	to, err := trash(path, trashDir)
	// Whoever empties the trash removes it, also between our two steps.
	for range trashTries {
		if err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			break
		}
		if _, gone := os.Lstat(path); gone != nil {
			break
		}
		if info, there := os.Lstat(trashDir); there == nil && !info.IsDir() {
			break
		}
		to, err = trash(path, trashDir)
	}
	if err != nil {
		return "", wire.Errorf(wire.CodeOf(err), "trash: %w", err)
	}
	return to, nil
}

// trashTries is how often a trash may be removed under the hands of one that
// puts something into it.
const trashTries = 100

func trash(path, trashDir string) (string, error) {
	if err := os.MkdirAll(trashDir, 0o700); err != nil {
		return "", err
	}
	to := filepath.Join(trashDir, filepath.Base(path)+trashMark+rand.Text()[:10])
	return to, os.Rename(path, to)
}

// EmptyTrash deletes what Trash put into trashDir longer ago than olderThan, and
// trashDir itself once nothing is in it. It follows no links, deletes nothing
// that Trash did not name, and may run several times at once. A directory that
// is not there is empty.
func EmptyTrash(ctx context.Context, trashDir string, olderThan time.Duration) error {
	root, err := os.OpenRoot(trashDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("empty trash: %w", err)
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	if errors.Is(err, fs.ErrNotExist) {
		return nil // emptied and removed by another, since we opened it
	}
	if err != nil {
		return fmt.Errorf("empty trash: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if err := context.Cause(ctx); err != nil {
			return errors.Join(append(errs, err)...)
		}
		info, err := root.Lstat(e.Name())
		if err != nil || !strings.Contains(e.Name(), trashMark) || time.Since(changed(info)) < olderThan {
			continue
		}
		if err := RemoveAll(root, e.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		_ = os.Remove(trashDir) // refused unless it is empty, and that is meant
	}
	return errors.Join(errs...)
}

// RemoveAll is os.Root.RemoveAll that also deletes from directories without
// write permission, such as the module caches that builds leave.
func RemoveAll(root *os.Root, name string) error {
	err := root.RemoveAll(name)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	sub, err := root.OpenRoot(name)
	if err != nil {
		return err
	}
	err = fs.WalkDir(sub.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = sub.Chmod(path, 0o700)
		}
		return err
	})
	if err := errors.Join(err, sub.Close()); err != nil {
		return err
	}
	return root.RemoveAll(name)
}
