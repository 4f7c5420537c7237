package outpost

import (
	"os"
	"os/exec"
)

func inOwnGroup(*exec.Cmd) {}

func statusOf(state *os.ProcessState) int { return state.ExitCode() }
