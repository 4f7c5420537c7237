//go:build unix

package server

import "syscall"

// ownGroup keeps a provider out of our process group: a terminal sends Ctrl-C to
// the whole of that, and when a provider is to end is for the server to say.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
