package telemetry

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ticks is how many parts of a second /proc counts in: USER_HZ, which is 100 on every
// system that Go runs on.
const ticks = 100

func ownUsage() (u usage, ok bool) {
	const dir = "/proc/self"
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return usage{}, false
	}
	// The second field is the program's name in parentheses and may hold anything.
	end := bytes.LastIndexByte(stat, ')')
	fields := strings.Fields(string(stat[end+1:]))
	if len(fields) < 22 {
		return usage{}, false
	}
	field := func(i int) int64 { // by its number in proc_pid_stat(5)
		n, _ := strconv.ParseInt(fields[i-3], 10, 64) // the kernel writes numbers
		return n
	}
	u = usage{
		cpu: time.Duration(field(14)+field(15)) * (time.Second / ticks),
		rss: field(24) * int64(os.Getpagesize()), virtual: field(23), openFiles: -1, mostFiles: -1,
	}
	if booted := bootTime(); !booted.IsZero() {
		u.started = booted.Add(time.Duration(field(22)) * (time.Second / ticks))
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "fd")); err == nil {
		u.openFiles = int64(len(entries))
	}
	if limits, err := os.ReadFile(filepath.Join(dir, "limits")); err == nil {
		for line := range strings.Lines(string(limits)) {
			if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
				if most, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64); err == nil {
					u.mostFiles = most
				}
			}
		}
	}
	return u, true
}

// bootTime is when the machine began, as /proc/stat has it.
var bootTime = sync.OnceValue(func() time.Time {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}
	}
	for line := range strings.Lines(string(stat)) {
		if text, ok := strings.CutPrefix(line, "btime "); ok {
			if seconds, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64); err == nil {
				return time.Unix(seconds, 0)
			}
		}
	}
	return time.Time{}
})
