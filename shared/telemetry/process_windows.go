package telemetry

import (
	"time"

	"golang.org/x/sys/windows"
)

func ownUsage() (usage, bool) {
	var created, exited, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(windows.CurrentProcess(), &created, &exited, &kernel, &user); err != nil {
		return usage{}, false
	}
	spent := func(t windows.Filetime) time.Duration { // in parts of 100 ns
		return time.Duration(uint64(t.HighDateTime)<<32|uint64(t.LowDateTime)) * 100
	}
	return usage{cpu: spent(kernel) + spent(user), rss: -1, virtual: -1, openFiles: -1, mostFiles: -1, started: time.Unix(0, created.Nanoseconds())}, true
}
