package manifests

import (
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

func passesSignals(t *suite.T) {
	e := t.Open(underNode(launcher(t)))
	pid := e.PID()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	t.Try(err)
	children := strings.Fields(string(text))
	if len(children) == 0 {
		t.Skipf("the entry point starts no process: it is the provider itself")
	}
	t.Try(syscall.Kill(pid, syscall.SIGTERM))
	t.Equal("the launcher's exit status", e.Exit(suite.ExitLimit), 0)
	for _, child := range children {
		if _, err := os.Stat("/proc/" + child); err == nil {
			t.Errorf("process %s, which the launcher started, outlives it", child)
		}
	}
}
