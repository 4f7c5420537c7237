package gitrepo

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// arrange keeps git out of our console's signals and windows off the screen.
func arrange(cmd *exec.Cmd, _ bool) (ended func()) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.CREATE_NO_WINDOW}
	return func() {}
}
