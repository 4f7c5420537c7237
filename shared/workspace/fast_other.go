//go:build !linux

package workspace

import (
	"io/fs"
	"os"
	"path/filepath"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Systems without openat2 have only the slow way, which decides everything.

func openFast(*os.Root) (int, error) { return -1, nil }

func closeFast(int) {}

func (l *Local) direct(string) (place, bool) { return place{}, false }

func (l *Local) readFast(string, int64) ([]byte, bool) { return nil, false }

func (l *Local) writeFast(string, []byte) (bool, error) { return false, nil }

func (l *Local) scanFast(string, string, int) ([]wire.FSEntry, bool, bool) { return nil, false, false }

// renameIn renames oldName to newName, both relative to root. os.Root renames
// only inside one root, so the two folders serve but to look.
func renameIn(root, _ *os.Root, _ string, to *os.Root, base, oldName, newName string, replace bool) error {
	if !replace {
		if _, err := to.Lstat(base); err == nil {
			return fs.ErrExist
		}
	}
	return root.Rename(filepath.FromSlash(oldName), filepath.FromSlash(newName))
}

func reflink(_, _ *os.File) (bool, error) { return false, nil }
