//go:build unix

package dockertest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// claim tells other test processes that the image of a daemon is in use. The claim
// ends with this process.
func claim(host string) (*os.File, error) {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("codebolt-dockertest-%d-%x.lock", os.Getuid(), sha256.Sum256([]byte(host))))
	for {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, fmt.Errorf("dockertest: %w", err)
		}
		if err = flock(file, unix.LOCK_SH); err != nil {
			file.Close()
			return nil, err
		}
		if current(file) {
			return file, nil
		}
		file.Close() // its last user removed it in between
	}
}

// release ends a claim. If it is the last one, it first does last.
func release(file *os.File, last func() error) error {
	defer file.Close()
	err := flock(file, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil
	}
	if err != nil || !current(file) {
		return err
	}
	return errors.Join(last(), os.Remove(file.Name()))
}

func flock(file *os.File, how int) error {
	for {
		err := unix.Flock(int(file.Fd()), how)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return &os.PathError{Op: "flock", Path: file.Name(), Err: err}
		}
		return nil
	}
}

// current tells whether an open file still has its name.
func current(file *os.File) bool {
	named, err := os.Lstat(file.Name())
	if err != nil {
		return false
	}
	opened, err := file.Stat()
	return err == nil && os.SameFile(named, opened)
}
