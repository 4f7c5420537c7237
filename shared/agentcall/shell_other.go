//go:build !windows

package agentcall

import (
	"os/exec"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// shell has bash carry out a command, or where there is none the system's shell.
func shell(line string) (*exec.Cmd, error) {
	for _, name := range []string{"bash", "sh", "/bin/sh"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if strings.HasPrefix(line, "-") || strings.HasPrefix(line, "+") {
			line = " " + line // or it would be an option of the shell
		}
		return &exec.Cmd{Path: path, Args: []string{name, "-c", line}}, nil
	}
	return nil, wire.Errorf(wire.Unsupported, "run a command: there is neither bash nor sh here")
}
