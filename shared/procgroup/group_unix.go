//go:build unix

package procgroup

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// arrange puts a program into a session of its own, so that it and all it starts
// can be stopped together and no terminal reaches it.
func arrange(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid = true
}

func interrupt(group int) { _ = syscall.Kill(-group, syscall.SIGINT) }  // it may be gone
func terminate(group int) { _ = syscall.Kill(-group, syscall.SIGTERM) } // it may be gone
func kill(group int)      { _ = syscall.Kill(-group, syscall.SIGKILL) } // it may be gone

func endRest(group int, drained <-chan struct{}) (stopped bool) {
	timer := time.NewTimer(DrainTime)
	defer timer.Stop()
	select {
	case <-drained:
	case <-timer.C:
	}
	if errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) {
		return false
	}
	terminate(group)
	for range 40 {
		time.Sleep(DrainTime / 40)
		if errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) {
			return true
		}
	}
	kill(group)
	return true
}

// SignalOf is the number and the name of the signal that ended a process, 0 when
// none did.
func SignalOf(state *os.ProcessState) (number int, name string) {
	status, ok := state.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return 0, ""
	}
	return int(status.Signal()), unix.SignalName(status.Signal())
}
