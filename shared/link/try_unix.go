//go:build unix

package link

import "syscall"

// canTry tells that sockets here can be written without waiting.
const canTry = true

// tryWrite writes what the kernel takes at once. An error is left for the next
// write to meet.
func tryWrite(fd uintptr, p []byte) int {
	n, err := syscall.Write(int(fd), p) // Go's sockets do not block
	if err != nil {
		return 0
	}
	return n
}
