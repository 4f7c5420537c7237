//go:build unix

package runtime

import (
	"os"

	"golang.org/x/sys/unix"
)

// readsAndAppends tells that an open file can be read, and that all that is written to
// it goes to its end, wherever that is.
func readsAndAppends(file *os.File) bool {
	flags := 0
	conn, err := file.SyscallConn()
	if err == nil {
		cerr := conn.Control(func(fd uintptr) { flags, err = unix.FcntlInt(fd, unix.F_GETFL, 0) })
		if cerr != nil {
			return false
		}
	}
	return err == nil && flags&unix.O_APPEND != 0 && flags&unix.O_ACCMODE == unix.O_RDWR
}
