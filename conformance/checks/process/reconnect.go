package process

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// reconnected waits for another connection after the first n.
func reconnected(t *suite.T, e *suite.Env, n int) {
	t.Eventually(longestGap, "the provider connected again", func() bool { return len(e.Connections()) > n })
}

func reconnecting() []suite.Check {
	return []suite.Check{
		{
			ID: "PR-016", Level: suite.Must, NodeSDK: nodeNoReconnect,
			Title: "A provider whose connection breaks connects again within a second",
			Why:   "A server that restarts would otherwise lose every environment, though nothing happened to them.",
			Run: func(t *suite.T) {
				p := newTap(t)
				e := t.Open(suite.Spec{Env: p.env()})
				pid, n := e.PID(), len(p.seen())
				cut := time.Now()
				p.cut()
				t.Eventually(longestGap, "the provider dialed again", func() bool { return len(p.seen()) > n })
				if wait := p.seen()[n].at.Sub(cut); wait > firstRetry {
					t.Errorf("the provider dialed %v after the connection broke", wait)
				}
				answers(t, e, pid)
			},
		},
		{
			ID: "PR-017", Level: suite.Must, NodeSDK: nodeNoReconnect, Needs: []suite.Capability{"providerWriteFile", "providerReadFile"},
			Title: "After a reconnect the environment is open as before, without another start",
			Why:   "A start that runs again by itself disturbs agents at work; one that is needed leaves them without files until the server notices.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				e.Result(suite.Message{"type": "providerWriteFile", "path": "kept.txt", "content": "kept\n"})
				from, n := e.Now(), len(e.Connections())
				e.Disconnect()
				reconnected(t, e, n)
				t.Equal("the file written before", e.Result(suite.Message{"type": "providerReadFile", "path": "kept.txt"}), "kept\n")
				e.Never(from, time.Second, "a result of a start that nobody asked for", func(m suite.Message) bool {
					return m.Type() == "providerStartResponse" || m.Text("action") == "providerStartResponse"
				})
			},
		},
		{
			ID: "PR-018", Level: suite.Must, NodeSDK: nodeNoReconnect, Limit: 2 * time.Minute,
			Title: "An answer that becomes ready while the server is away arrives when it is back",
			Why:   "A server that has asked waits for its timeout and takes a start that succeeded for a failed one.",
			Run: func(t *suite.T) {
				const id = "answered-while-away"
				p := newTap(t)
				e := t.Env(suite.Spec{Env: p.env()})
				e.Launch()
				text, err := json.Marshal(e.StartMessage())
				t.Try(err)
				end := `,"requestId":"` + id + `"}`
				p.hangUpAfter(end)
				from, n := e.Now(), len(p.seen())
				e.TellText(strings.TrimSuffix(string(text), "}") + end)
				t.Eventually(longestGap, "the provider tried to connect again", func() bool { return len(p.seen()) > n })
				t.Rest(2 * time.Second) // the start gets on
				p.drop(false)
				answer := e.Await(from, 75*time.Second, "the answer to providerStart", suite.Answering(id))
				if problem := suite.Problem(answer); problem != "" {
					t.Errorf("the start failed because the server was away: %s", problem)
				}
			},
		},
		{
			ID: "PR-019", Level: suite.Must, NodeSDK: nodeNoReconnect, Limit: 3 * time.Minute,
			Title: "Connections that were accepted and closed leave no descriptors and no threads behind",
			Why:   "A provider lives for weeks beside a server that restarts often, until it can open nothing more.",
			Run: func(t *suite.T) {
				const breaks = 6 // the waits in between double
				p := newTap(t)
				e := t.Open(suite.Spec{Env: p.env()})
				needProcesses(t, e)
				t.Rest(2 * time.Second) // what a start left open is closed
				files, threads := holds(t, e.PID(), "fd"), holds(t, e.PID(), "task")
				for range breaks {
					n := len(e.Connections())
					p.cut()
					reconnected(t, e, n)
				}
				answers(t, e, e.PID())
				var more int
				if !t.Within(10*time.Second, func() bool { more = holds(t, e.PID(), "fd") - files; return more < breaks }) {
					t.Errorf("after %d connections the process has %d more open descriptors than the %d before", breaks, more, files)
				}
				if more := holds(t, e.PID(), "task") - threads; more >= 4*breaks {
					t.Errorf("after %d connections the process has %d more threads than the %d before", breaks, more, threads)
				}
			},
		},
	}
}

// holds counts what a process has of a kind, as /proc tells it.
func holds(t *suite.T, pid int, kind string) int {
	entries, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), kind))
	if err != nil {
		t.Fatalf("the process ended: %v", err)
	}
	return len(entries)
}
