package suite

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// envMark is in the environment of every process that a check starts, and so in
// that of whatever those start.
const envMark = "CODEBOLT_CONFORMANCE_CHECK"

// own makes a command the leader of a process group.
func own(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup ends what a command started with own left behind.
func killGroup(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // most leave nothing
	}
}

// Process is a process of this machine.
type Process struct {
	PID     int
	Command string // its argv, joined with spaces
}

// processesOf lists the processes that carry the mark, or whose command line or
// working directory lies below dir: what a check started, however far down.
func processesOf(mark, dir string) []Process {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var found []Process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		at := filepath.Join("/proc", entry.Name())
		argv, err := os.ReadFile(filepath.Join(at, "cmdline"))
		if err != nil || len(argv) == 0 {
			continue // gone, or a kernel thread or zombie
		}
		environ, _ := os.ReadFile(filepath.Join(at, "environ")) // another user's: not ours
		cwd, _ := os.Readlink(filepath.Join(at, "cwd"))
		if hasVariable(environ, envMark+"="+mark) || strings.HasPrefix(cwd+"/", dir+"/") || bytes.Contains(argv, []byte(dir+"/")) {
			found = append(found, Process{PID: pid, Command: string(bytes.TrimRight(bytes.ReplaceAll(argv, []byte{0}, []byte{' '}), " "))})
		}
	}
	return found
}

// descendantsOf lists what a process has started, and what that has.
func descendantsOf(pid int) (all []int) {
	lists, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "children"))
	if err != nil {
		return nil // the pattern is a right one
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has ended
		}
		for field := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				all = append(append(all, child), descendantsOf(child)...)
			}
		}
	}
	return all
}

func hasVariable(environ []byte, pair string) bool {
	for variable := range bytes.SplitSeq(environ, []byte{0}) {
		if string(variable) == pair {
			return true
		}
	}
	return false
}
