package agentcall

import (
	"os"
	"os/exec"
	"syscall"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// shell has cmd.exe carry out a command. It takes its arguments apart by rules of
// its own, by which the outer quotes go and all within them stays.
func shell(line string) (*exec.Cmd, error) {
	path := os.Getenv("ComSpec")
	if path == "" {
		var err error
		if path, err = exec.LookPath("cmd.exe"); err != nil {
			return nil, wire.Errorf(wire.Unsupported, "run a command: there is no cmd.exe: %w", err)
		}
	}
	return &exec.Cmd{Path: path, SysProcAttr: &syscall.SysProcAttr{CmdLine: `cmd.exe /d /s /c "` + line + `"`}}, nil
}
