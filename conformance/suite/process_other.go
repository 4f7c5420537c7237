//go:build !linux

package suite

import "os/exec"

// envMark is in the environment of every process that a check starts, and so in
// that of whatever those start.
const envMark = "CODEBOLT_CONFORMANCE_CHECK"

func own(*exec.Cmd) {}

func killGroup(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = cmd.Process.Kill() // it may have ended
	}
}

// Process is a process of this machine.
type Process struct {
	PID     int
	Command string // its argv, joined with spaces
}

// processesOf finds no processes where there is no /proc.
func processesOf(string, string) []Process { return nil }

// descendantsOf finds none there either.
func descendantsOf(int) []int { return nil }
