//go:build unix

package runtime

import (
	"syscall"

	"github.com/codeboltai/codebolt-providers/shared/resource"
)

func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func terminate(rec resource.RuntimeRecord) { signal(rec, syscall.SIGTERM) }
func kill(rec resource.RuntimeRecord)      { signal(rec, syscall.SIGKILL) }

// signal reaches the runtime's process group, if its leader is still the process
// on record.
func signal(rec resource.RuntimeRecord, sig syscall.Signal) {
	if started, alive := resource.ProcessStarted(rec.PID); alive && started == rec.Started && rec.PID > 1 {
		_ = syscall.Kill(-rec.PID, sig) // it may have ended just now
	}
}
