//go:build unix

package agenthost

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ownGroup puts a command into a session of its own, so that it and all it
// starts can be stopped together and no terminal reaches it.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func terminateGroup(group int) { _ = syscall.Kill(-group, syscall.SIGTERM) } // it may be gone
func killGroup(group int)      { _ = syscall.Kill(-group, syscall.SIGKILL) } // it may be gone

// endGroup stops what a command left running in its group, after a moment to
// end by itself. It reports whether there was anything to stop.
func endGroup(group int, drained <-chan struct{}) (stopped bool) {
	timer := time.NewTimer(drainTime)
	defer timer.Stop()
	select {
	case <-drained:
	case <-timer.C:
	}
	if errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) {
		return false
	}
	terminateGroup(group)
	for range 40 {
		time.Sleep(drainTime / 40)
		if errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) {
			return true
		}
	}
	killGroup(group)
	return true
}

// signalOf names the signal that ended a process.
func signalOf(state *os.ProcessState) (string, bool) {
	status, ok := state.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return "", false
	}
	return unix.SignalName(status.Signal()), true
}
