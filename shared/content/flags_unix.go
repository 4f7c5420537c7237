//go:build unix

package content

import "syscall"

// openRead opens at once whatever the name turns out to be.
const openRead = syscall.O_RDONLY | syscall.O_NONBLOCK | syscall.O_NOCTTY | syscall.O_NOFOLLOW

// openWrite makes a file that was not there.
const openWrite = syscall.O_WRONLY | syscall.O_CREAT | syscall.O_EXCL | syscall.O_NONBLOCK
