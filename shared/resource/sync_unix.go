//go:build unix

package resource

import (
	"errors"
	"os"
)

// SyncDir makes renames in a directory durable: when it returns, they are on the disk.
// "" is the current directory.
func SyncDir(dir string) error {
	if dir == "" {
		dir = "."
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
