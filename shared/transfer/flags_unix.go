//go:build unix

package transfer

import (
	"io/fs"
	"syscall"
)

// openRead opens at once whatever the name turns out to be.
const openRead = syscall.O_RDONLY | syscall.O_NONBLOCK | syscall.O_NOCTTY | syscall.O_NOFOLLOW

// openWrite makes a file that was not there. Of a regular file nothing blocks;
// said at once, it spares Go some system calls to find that out.
const openWrite = syscall.O_RDWR | syscall.O_CREAT | syscall.O_EXCL | syscall.O_NONBLOCK

// permissions says that the system has permission bits and owners.
const permissions = true

// owned reports whether an item belongs to the owner.
func (o *Owner) owned(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(st.Uid) == int64(o.UID) && int64(st.Gid) == int64(o.GID)
}
