package containment

import "golang.org/x/sys/unix"

// exchange makes two names change places in one step.
func exchange(a, b string) error {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}

func makeFIFO(path string) error { return unix.Mkfifo(path, 0o644) }

// makeDevice makes another /dev/zero, which never ends.
func makeDevice(path string) error {
	return unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5)))
}
