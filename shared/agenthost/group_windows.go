package agenthost

import (
	"os"
	"syscall"
)

// ownGroup keeps a console's Ctrl-C from a command.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// Windows knows no signal that a program must take: both end it.
func terminateGroup(pid int) { killGroup(pid) }

func killGroup(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill() // it may be gone
	}
}

// endGroup has nothing to find: processes have no group there.
func endGroup(_ int, drained <-chan struct{}) bool {
	<-drained
	return false
}

func signalOf(*os.ProcessState) (string, bool) { return "", false }
