package resource

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// KillMarked ends every process that has the variable name=value in the
// environment that it was started with, save this one: so they are found whatever
// session or parent they have by now. A value of less than 16 bytes could be
// anybody's, and ends nothing. Where the system does not show the environment of
// processes it does nothing; on Linux it does.
func KillMarked(name, value string) {
	if len(value) < 16 {
		return
	}
	mark := []byte(name + "=" + value)
	// A process may start another while we look; two rounds without a find end it.
	// One that has been killed is not found again, since it can take any time to
	// go: what it waits for may be a disk that does not answer.
	killed := map[int]bool{}
	for quiet := 0; quiet < 2; {
		found := false
		for _, pid := range processes() {
			environ, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
			if err != nil || pid == os.Getpid() {
				continue
			}
			for pair := range bytes.SplitSeq(environ, []byte{0}) {
				if bytes.Equal(pair, mark) && !killed[pid] && syscall.Kill(pid, syscall.SIGKILL) == nil {
					found, killed[pid] = true, true
				}
			}
		}
		if found {
			quiet = 0
		} else {
			quiet++
		}
	}
}

func processes() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
