package dockertest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A folder of ours lies in the folder for temporary files. While its daemon may
// live, the first process of the cell holds the lock on the file "lock" in it, so
// that what is left of a killed one is told from one in use.

const prefix = "codebolt-dockertest-"

// newFolder makes a folder and takes its lock.
func newFolder() (dir string, lock *os.File, err error) {
	for {
		if dir, err = os.MkdirTemp("", prefix+"*"); err != nil {
			return "", nil, err
		}
		lock, err = os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return "", nil, errors.Join(err, os.RemoveAll(dir))
		}
		if err = flock(lock, unix.LOCK_EX|unix.LOCK_NB); err == nil && current(lock) {
			return dir, lock, nil
		}
		lock.Close() // it was taken for one that was left
	}
}

// sweep removes what daemons left whose processes were killed.
func sweep() error {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	for _, dir := range dirs {
		if abandoned(dir) {
			err = errors.Join(err, removeFolder(dir))
		}
	}
	return err
}

func abandoned(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || int(info.Sys().(*syscall.Stat_t).Uid) != os.Geteuid() {
		return false
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Since(info.ModTime()) > patience // else it is being made
	}
	if err != nil {
		return false
	}
	defer lock.Close()
	return flock(lock, unix.LOCK_EX|unix.LOCK_NB) == nil
}

// removeFolder removes a folder and the control groups of its containers. The
// processes that used them may be ending yet.
func removeFolder(dir string) error {
	groups, err := cgroups(filepath.Base(dir))
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var failed error
		for _, group := range groups {
			if e := unix.Rmdir(group); e != nil && !errors.Is(e, unix.ENOENT) {
				failed = errors.Join(failed, &os.PathError{Op: "rmdir", Path: group, Err: e})
			}
		}
		if failed == nil { // else the folder stays, and tells the next sweep of them
			failed = os.RemoveAll(dir)
		}
		if failed == nil || time.Now().After(end) {
			return errors.Join(err, failed)
		}
	}
}

// cgroups lists the control groups below one of ours, the lower ones first, in each
// hierarchy.
func cgroups(name string) ([]string, error) {
	tops, err := filepath.Glob("/sys/fs/cgroup/*/" + name)
	var found []string
	for _, top := range append(tops, "/sys/fs/cgroup/"+name) {
		e := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				found = append([]string{path}, found...)
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		})
		err = errors.Join(err, e)
	}
	return found, err
}
