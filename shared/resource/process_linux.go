package resource

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strconv"
)

// ProcessStarted tells when the process of a pid started, in a form that is only
// good for comparing, and whether it lives. Together with the pid it names a
// process for as long as the machine runs; a pid alone is soon another's. A
// process that has ended and waits for its parent does not live.
func ProcessStarted(pid int) (started string, alive bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if errors.Is(err, fs.ErrNotExist) || err != nil {
		return "", false
	}
	// The second field is the program's name in parentheses and may hold anything.
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return "", false
	}
	fields := bytes.Fields(stat[end+1:])
	if len(fields) < 20 {
		return "", false
	}
	state := fields[0][0]
	return string(fields[19]), state != 'Z' && state != 'X'
}
