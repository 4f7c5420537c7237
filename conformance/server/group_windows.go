package server

import "syscall"

// ownGroup keeps a provider out of our process group: a console sends Ctrl-C to
// the whole of that, and when a provider is to end is for the server to say.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
