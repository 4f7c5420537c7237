//go:build unix

package gitrepo

import (
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// arrange gives git a process group of its own, so that its children end with
// it, and makes cancelling ask first: git then removes its lock files. The
// function it returns is to be called when git has ended.
func arrange(cmd *exec.Cmd, finish bool) (ended func()) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if !finish {
		dieWithParent(cmd.SysProcAttr)
	}
	var mu sync.Mutex
	var timer *time.Timer
	cmd.Cancel = func() error {
		group := -cmd.Process.Pid
		mu.Lock()
		defer mu.Unlock()
		timer = time.AfterFunc(termGrace, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
		return syscall.Kill(group, syscall.SIGTERM)
	}
	return func() {
		mu.Lock()
		defer mu.Unlock()
		if timer != nil {
			timer.Stop()
		}
	}
}
