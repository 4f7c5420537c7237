package process

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// orphanLimit is how long a provider may take to notice that its parent is gone
// and to end: five seconds to notice, and as much to let go.
const orphanLimit = 10 * time.Second

// fostered opens an environment whose provider is the child of a shell, which is
// what the server sees as the process. It returns the provider's own pid.
func fostered(t *suite.T) (e *suite.Env, pid int) {
	file := filepath.Join(t.Dir("child"), "pid")
	e = t.Open(suite.Spec{Wrap: func(program string, args []string) (string, []string) {
		return "/bin/sh", append([]string{"-c", `"$@" & echo $! >"$0"; wait`, file, program}, args...)
	}})
	needProcesses(t, e)
	text, err := os.ReadFile(file)
	t.Try(err)
	pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
	t.Try(err)
	return e, pid
}

func parent() []suite.Check {
	return []suite.Check{
		{
			ID: "PR-023", Level: suite.Must, NodeSDK: nodeNoParent,
			Title: "A provider ends by itself when the process that started it is gone",
			Why:   "Whoever kills a server finds its providers running for ever, one more set with each server.",
			Run: func(t *suite.T) {
				e, pid := fostered(t)
				e.Crash()
				if !t.Within(orphanLimit, func() bool { return !runs(t, pid) }) {
					t.Errorf("%v after its parent was killed the provider still runs", orphanLimit)
				}
			},
		},
		{
			ID: "PR-024", Level: suite.Must, NodeSDK: nodeNoParent, Needs: []suite.Capability{"providerWriteFile", "providerReadFile"},
			Title: "The environment of a provider that lost its parent is kept",
			Why:   "The work of hours would be gone because a server crashed.",
			Run: func(t *suite.T) {
				e, pid := fostered(t)
				keeps(t, e, func() {
					e.Crash()
					t.Eventually(orphanLimit, "the provider ended after its parent was killed", func() bool { return !runs(t, pid) })
				})
			},
		},
	}
}

// keeps lets the process of an environment end in some way and notes a failure
// unless the next one finds the same environment, with a file that is in no
// commit.
func keeps(t *suite.T, e *suite.Env, end func()) {
	workspace, resource := e.Workspace(), e.ResourceID()
	e.Result(suite.Message{"type": "providerWriteFile", "path": "work/new.txt", "content": "work\n"})
	end()
	result := e.Start()
	t.Equal("workspacePath of the second start", result["workspacePath"], workspace)
	if resource != "" {
		t.Equal("the resourceId after the second start", e.ResourceID(), resource)
	}
	t.Equal("the file written before", e.Result(suite.Message{"type": "providerReadFile", "path": "work/new.txt"}), "work\n")
}
