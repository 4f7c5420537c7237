package resource

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// tempMark is in the name of every temporary file of WriteFile.
const tempMark = ".codebolt-tmp-"

// WriteFile replaces the file at path in one step that survives a crash: when
// it returns, the new content is on disk under that name; when the process is
// killed before, the old content is.
func WriteFile(path string, data []byte, perm fs.FileMode) (err error) {
	dir, name := filepath.Split(path)
	f, err := os.CreateTemp(dir, name+tempMark+"*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(perm), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return SyncDir(dir)
}

// tempAge is how old a temporary file must be before it counts as left behind:
// far longer than writing one takes.
const tempAge = time.Minute

// sweepTemp removes the temporary files that killed writers left in dir: those
// that are old, and those of the file called sure, which nobody else writes now.
func sweepTemp(dir, sure string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if !strings.Contains(e.Name(), tempMark) {
			continue
		}
		info, err := e.Info()
		if err == nil && (time.Since(info.ModTime()) > tempAge || (sure != "" && strings.HasPrefix(e.Name(), sure+tempMark))) {
			err = os.Remove(filepath.Join(dir, e.Name()))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
