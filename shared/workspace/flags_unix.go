//go:build unix

package workspace

import "syscall"

// openRead opens at once whatever the name turns out to be.
const openRead = syscall.O_RDONLY | syscall.O_NONBLOCK | syscall.O_NOCTTY
