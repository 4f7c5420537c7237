//go:build unix

package provider

import "golang.org/x/sys/unix"

// freeSpace is how many bytes an ordinary user may still write where path is.
func freeSpace(path string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}
