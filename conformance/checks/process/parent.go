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

// orphan is a provider whose parent can be lost.
type orphan struct {
	*suite.Env

	tap *tap
	pid int // the provider's own; the server's is that of the parent
}

// fostered opens an environment whose provider is the child of a shell, which is
// what the server sees as the process.
func fostered(t *suite.T) *orphan {
	file := filepath.Join(t.Dir("child"), "pid")
	o := &orphan{tap: newTap(t)}
	o.Env = t.Open(suite.Spec{Env: o.tap.env(), Wrap: func(program string, args []string) (string, []string) {
		return "/bin/sh", append([]string{"-c", `"$@" & echo $! >"$0"; wait`, file, program}, args...)
	}})
	needProcesses(t, o.Env)
	text, err := os.ReadFile(file)
	t.Try(err)
	o.pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
	t.Try(err)
	return o
}

// lose kills the parent. With it goes the server: one that refuses to be
// connected to would tell the provider more than a server that was killed does.
func (o *orphan) lose() {
	o.tap.drop(true)
	o.tap.cut()
	o.Crash()
}

func parent() []suite.Check {
	return []suite.Check{
		{
			ID: "PR-023", Level: suite.Must, NodeSDK: nodeNoParent,
			Title: "A provider ends by itself when the process that started it is gone",
			Why:   "Whoever kills a server finds its providers running for ever, one more set with each server.",
			Run: func(t *suite.T) {
				o := fostered(t)
				o.lose()
				if !t.Within(orphanLimit, func() bool { return !runs(t, o.pid) }) {
					t.Errorf("%v after its parent was killed the provider still runs", orphanLimit)
				}
			},
		},
		{
			ID: "PR-024", Level: suite.Must, NodeSDK: nodeNoParent, Needs: []suite.Capability{"providerWriteFile", "providerReadFile"},
			Title: "The environment of a provider that lost its parent is kept",
			Why:   "The work of hours would be gone because a server crashed.",
			Run: func(t *suite.T) {
				o := fostered(t)
				keeps(t, o.Env, func() {
					o.lose()
					t.Eventually(orphanLimit, "the provider ended after its parent was killed", func() bool { return !runs(t, o.pid) })
					o.tap.drop(false)
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
