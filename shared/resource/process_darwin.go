package resource

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// szomb is the state of a process that has ended and waits for its parent.
const szomb = 5

// ProcessStarted tells when the process of a pid started, in a form that is only
// good for comparing, and whether it lives. Together with the pid it names a
// process for as long as the machine runs; a pid alone is soon another's.
func ProcessStarted(pid int) (started string, alive bool) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(info.Proc.P_pid) != pid {
		return "", false
	}
	at := info.Proc.P_starttime
	return strconv.FormatInt(at.Sec, 10) + "." + strconv.FormatInt(int64(at.Usec), 10), info.Proc.P_stat != szomb
}
