package resource

import (
	"strconv"

	"golang.org/x/sys/windows"
)

const stillActive = 259

// ProcessStarted tells when the process of a pid started, in a form that is only
// good for comparing, and whether it lives. Together with the pid it names a
// process for as long as the machine runs; a pid alone is soon another's.
func ProcessStarted(pid int) (started string, alive bool) {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return "", false
	}
	defer func() { _ = windows.CloseHandle(h) }() // a query handle
	var created, exited, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(h, &created, &exited, &kernel, &user); err != nil {
		return "", false
	}
	var code uint32
	if err := windows.GetExitCodeProcess(h, &code); err != nil {
		return "", false
	}
	return strconv.FormatInt(created.Nanoseconds(), 10), code == stillActive
}
