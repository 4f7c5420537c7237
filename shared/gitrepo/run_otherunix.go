//go:build unix && !linux

package gitrepo

import "syscall"

// dieWithParent is not to be had here; git ends by itself, being short.
func dieWithParent(*syscall.SysProcAttr) {}
