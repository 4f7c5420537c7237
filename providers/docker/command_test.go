//go:build linux

package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// processes are the command lines of what runs in this stage's containers.
func (s *play) inside() (all []string) {
	s.T.Helper()
	for _, c := range s.containers() {
		var top struct{ Processes [][]string }
		if err := s.daemon.Call(stage.Limit(s.T), http.MethodGet, "/containers/"+c.ID+"/top?ps_args=-eo+pid,stat,args", nil, &top); err != nil {
			s.T.Fatal(err)
		}
		for _, p := range top.Processes {
			all = append(all, strings.Join(p[1:], " "))
		}
	}
	return all
}

func (s *play) count(what string) (n int) {
	s.T.Helper()
	for _, line := range s.inside() {
		if strings.Contains(line, what) {
			n++
		}
	}
	return n
}

func TestStoppingACommandEndsAllOfItsProcessesAndZombiesDoNotPileUp(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	e, _ := s.Opened("stop", nil)
	h := stage.Listen(e)
	// Children, grandchildren, and some that leave session and parent behind; many
	// end at once and are nobody's then.
	s.Agent(e, "tree", `trap "" TERM
for i in 1 2 3; do (sleep 7001 & sleep 7002 & wait) & setsid sh -c 'sleep 7003 & sleep 7004' </dev/null >/dev/null 2>&1 & done
for i in $(seq 200); do (true & true) & done
wait $!; echo ready; sleep 7005`)
	h.Until(t, "the tree stands", func() bool { return h.Output["tree"] == "ready\n" })
	if n := s.count("sleep 700"); n < 10 {
		t.Errorf("%d processes run: %q", n, s.inside())
	}
	if err := e.Send(stage.Limit(t), wire.StopProcess{Header: wire.Header{Type: wire.TypeStopProcess}, AgentID: "tree", GraceMS: 300}); err != nil {
		t.Fatal(err)
	}
	h.Until(t, "the agent's end is told", func() bool { return h.Ends["tree"] != nil })
	eventually(t, "all of its processes have ended", func() bool { return s.count("sleep 700") == 0 })
	eventually(t, "no zombie is left", func() bool { return s.count("<defunct>") == 0 })
	if out := s.run(e, "echo on"); out != "on\n" {
		t.Errorf("afterwards: %q", out)
	}
	s.Stop(e, "snapshotAndRemove")
	s.none()
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: never", what)
		}
	}
}

func TestACommandThatUsesUpTheMemoryIsEndedAndTheNextOneRuns(t *testing.T) {
	t.Parallel()
	s := newStage(t, stage.Settings{"memory": "64m"})
	e, _ := s.Opened("greedy", nil)
	h := stage.Listen(e)
	s.Agent(e, "greedy", `exec tail /dev/zero`)
	h.Until(t, "its end is told", func() bool { return h.Ends["greedy"] != nil })
	if end := h.Ends["greedy"]; end.Signal != "SIGKILL" && end.Code != wire.Unavailable {
		t.Errorf("the end: %+v", end)
	}
	if out := s.run(e, "echo on"); out != "on\n" {
		t.Errorf("afterwards: %q", out)
	}
	s.Stop(e, "snapshotAndRemove")
	s.none()
}
