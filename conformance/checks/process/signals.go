package process

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// termLimit is the grace between SIGTERM and SIGKILL.
const termLimit = 20 * time.Second

func terminate(t *suite.T, e *suite.Env) {
	t.Logf("SIGTERM")
	t.Try(e.Signal(syscall.SIGTERM))
}

// listen notes the requestId of every frame of the check's provider. The record
// of frames would have to decode each large frame again and again.
func listen(t *suite.T) (answered func(id string) bool) {
	var (
		mu  sync.Mutex
		ids = map[string]bool{}
	)
	t.Options(func(o *server.Options) {
		record := o.OnFrame
		o.OnFrame = func(f server.Frame) {
			record(f)
			var m struct {
				RequestID string `json:"requestId"`
			}
			if f.Direction == server.In && json.Unmarshal(f.Data, &m) == nil {
				mu.Lock()
				defer mu.Unlock()
				ids[m.RequestID] = true
			}
		}
	})
	return func(id string) bool {
		mu.Lock()
		defer mu.Unlock()
		return ids[id]
	}
}

func signals() []suite.Check {
	files := []suite.Capability{"providerWriteFile", "providerReadFile"}
	return []suite.Check{
		{
			ID: "PR-025", Level: suite.Must, NodeSDK: nodeNoSignals,
			Title: "SIGTERM ends a provider with an open environment with status 0",
			Why:   "After the grace the server kills it, and whatever it had to let go of is left as it was.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				terminate(t, e)
				t.Equal("the exit status", e.Exit(termLimit), 0)
			},
		},
		{
			ID: "PR-026", Level: suite.Must, NodeSDK: nodeNoSignals,
			Title: "SIGTERM ends a provider that was never asked to start with status 0",
			Why:   "A server that shuts down while it starts its providers reports them as crashed, or waits for each.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				e.Launch()
				terminate(t, e)
				t.Equal("the exit status", e.Exit(termLimit), 0)
			},
		},
		{
			ID: "PR-027", Level: suite.Must, NodeSDK: nodeNoSignals, Needs: []suite.Capability{"providerWriteFile", "providerReadFile", "providerGetTreeChildren"},
			Title: "What is in flight at SIGTERM is answered",
			Why:   "A write that took effect and was not answered is repeated, or reported as lost.",
			Run: func(t *suite.T) {
				answered := listen(t)
				e := t.Open(suite.Spec{})
				e.Result(suite.Message{"type": "providerWriteFile", "path": "some.txt", "content": strings.Repeat("0123456789abcde\n", 8<<10)})
				const n = 24
				for i := range n {
					e.Tell(suite.Message{"type": "providerReadFile", "path": "some.txt", "requestId": fmt.Sprintf("in-flight-%d", i)})
				}
				e.Ask(suite.Message{"type": "providerGetTreeChildren", "path": "src"}) // so all before it were read
				terminate(t, e)
				for i := range n {
					id := fmt.Sprintf("in-flight-%d", i)
					if !t.Within(termLimit, func() bool { return answered(id) || e.PID() == 0 }) || !answered(id) {
						t.Fatalf("after SIGTERM the request %s, which was read before, was not answered", id)
					}
				}
				t.Equal("the exit status", e.Exit(termLimit), 0)
			},
		},
		{
			ID: "PR-028", Level: suite.Must, NodeSDK: nodeNoSignals, Needs: files,
			Title: "SIGTERM lets go of the environment and does not remove it",
			Why:   "Every restart of a server would destroy the work in all environments.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				keeps(t, e, func() {
					terminate(t, e)
					e.Exit(termLimit)
				})
			},
		},
		{
			ID: "PR-029", Level: suite.Must, Needs: files, Limit: 90 * time.Second,
			Title: "A second SIGTERM ends the process, whatever the first one waits for",
			Why:   "Who presses Ctrl-C twice wants an end, and a server that hangs takes nothing more.",
			Run: func(t *suite.T) {
				p := newTap(t)
				e := t.Open(suite.Spec{Env: p.env()})
				e.Result(suite.Message{"type": "providerWriteFile", "path": "big.txt", "content": strings.Repeat("0123456789abcde\n", 64<<10)})
				p.stall()
				for i := range 48 { // more than the system takes for a server that does not read
					e.Tell(suite.Message{"type": "providerReadFile", "path": "big.txt", "requestId": fmt.Sprintf("unread-%d", i)})
				}
				t.Rest(time.Second)
				terminate(t, e)
				t.Rest(500 * time.Millisecond)
				_ = e.Signal(syscall.SIGTERM) // the first may have been enough
				e.Exit(termLimit / 2)
			},
		},
	}
}
