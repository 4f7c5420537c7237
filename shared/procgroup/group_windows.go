package procgroup

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// arrange keeps a console's Ctrl-C from a program.
func arrange(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.CreationFlags |= syscall.CREATE_NEW_PROCESS_GROUP
}

// Windows knows no signal that a program must take: all end it.
func interrupt(pid int) { kill(pid) }
func terminate(pid int) { kill(pid) }

// killTime is how long taskkill may take.
const killTime = 5 * time.Second

// kill ends a process and its descendants, which are known while it lives.
func kill(pid int) {
	ctx, cancel := context.WithTimeout(context.Background(), killTime)
	defer cancel()
	_ = exec.CommandContext(ctx, "taskkill", "/T", "/F", "/PID", strconv.Itoa(pid)).Run() // it may be gone
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill() // it may be gone
	}
}

// endRest has nothing to find: processes have no group there.
func endRest(_ int, drained <-chan struct{}) bool {
	timer := time.NewTimer(DrainTime)
	defer timer.Stop()
	select {
	case <-drained:
	case <-timer.C:
	}
	return false
}

// SignalOf is 0: no signal ends a process there.
func SignalOf(*os.ProcessState) (number int, name string) { return 0, "" }
