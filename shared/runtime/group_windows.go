package runtime

import (
	"os"
	"syscall"

	"github.com/codeboltai/codebolt-providers/shared/resource"
)

func detached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

func terminate(rec resource.RuntimeRecord) { kill(rec) }

func kill(rec resource.RuntimeRecord) {
	if started, alive := resource.ProcessStarted(rec.PID); alive && started == rec.Started {
		if p, err := os.FindProcess(rec.PID); err == nil {
			_ = p.Kill() // it may have ended just now
		}
	}
}
