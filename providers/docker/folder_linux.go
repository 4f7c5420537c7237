package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// mountable tells that a socket in a folder there leads from this system into a
// container where that is mounted, and that a program there can be run.
func mountable(folder string) bool {
	var st unix.Statfs_t
	for {
		err := unix.Statfs(folder, &st)
		if errors.Is(err, fs.ErrNotExist) && folder != filepath.Dir(folder) {
			folder = filepath.Dir(folder) // it is not there yet
			continue
		}
		return err == nil && st.Flags&unix.ST_NOEXEC == 0
	}
}

// dialFolder connects to the socket in a folder that a container can write to. What
// it put there instead, such as a link to a socket of this machine, is not followed.
func dialFolder(ctx context.Context, folder string) (net.Conn, error) {
	dir, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	at, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer at.Close()
	fd, err := unix.Openat(int(at.Fd()), socketName, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: socketName, Err: err}
	}
	defer func() { _ = unix.Close(fd) }()
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return nil, wire.Errorf(wire.Conflict, "docker: what the container has in place of its socket is none")
	}
	// By the descriptor, so that it is what was looked at.
	return new(net.Dialer).DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d", fd))
}
