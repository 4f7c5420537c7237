//go:build linux

package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// talker is the agent of this test that speaks as those with the SDK do.
func talker(t *testing.T) wire.SelectedAgent {
	t.Helper()
	details, err := wire.Marshal(wire.AgentCommand{Argv: []string{filepath.Join(programs, "talker")}, Endpoint: true})
	if err != nil {
		t.Fatal(err)
	}
	return wire.SelectedAgent{ID: "talker", AgentType: wire.AgentTypeCommand, AgentDetails: details}
}

func working(s stage.Said) bool { return s["type"] == "sendMessage" }

func TestAnAgentThatSpeaksGoesOnWhateverBreaks(t *testing.T) {
	t.Parallel()
	const count = 1500
	s := newStage(t)
	e, _ := s.Opened("talks", nil)
	p := stage.NewPlatform(t, e)
	p.Tell(talker(t), "m1", fmt.Sprint(count))
	cut := func() {
		again := e.Expect(server.Running)
		e.Disconnect()
		if err := again(stage.Limit(t)); err != nil {
			t.Fatal(err)
		}
	}
	kill := func() {
		if err := e.Kill(); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Wait(stage.Limit(t)); err != nil {
			t.Fatal(err)
		}
		s.Start(e) // and attach
	}
	for i, accident := range []func(){cut, kill, cut, kill} {
		p.Await((i+1)*count/6, working)
		accident()
	}
	end := p.End("m1")
	answers, _ := end["message"].([]any)
	if len(answers) != count/10 || end["error"] != nil {
		t.Errorf("it ended with %v", end)
	}
	for i, answer := range answers {
		if answer != float64(i*10+9) {
			t.Fatalf("answer %d is %v", i, answer)
		}
	}
	// Everything came, in order, and what came twice says so.
	next := 0.0
	for _, said := range p.All(working) {
		switch n := said["n"].(float64); {
		case n == next:
			next++
		case n > next || said["replay"] != true:
			t.Fatalf("message %v came after %v: %v", n, next-1, said)
		}
	}
	if next != count {
		t.Errorf("%v of %d messages came", next, count)
	}
	for _, said := range p.All(func(s stage.Said) bool { return s["type"] == "inference" }) {
		first := p.All(func(s stage.Said) bool { return s["type"] == "inference" && s["requestId"] == said["requestId"] })
		for _, more := range first[1:] {
			if more["replay"] != true {
				t.Fatalf("asked twice: %v", more)
			}
		}
	}
	s.Stop(e, "removeIfClean")
	s.Clean(0)
}

func TestAnAgentThatSpeaksEndsWithItsRuntimeAndIsReported(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e, _ := s.Opened("dies", nil)
	p := stage.NewPlatform(t, e)
	p.Tell(talker(t), "m1", "10")
	p.End("m1")
	p.Tell(talker(t), "m2", "100000")
	p.Await(50, working)
	begun := time.Now()
	if s.KillRuntimes() != 1 {
		t.Fatal("there is no runtime")
	}
	end := p.End("m2")
	if took := time.Since(begun); end["code"] != string(wire.Unavailable) || end["synthetic"] != true || took > 10*time.Second {
		t.Errorf("after %v: %v", took, end)
	}
	p.Tell(talker(t), "m3", "10") // a new one, in a new runtime
	if end := p.End("m3"); end["error"] != nil {
		t.Errorf("%v", end)
	}
	s.Stop(e, "removeIfClean")
	s.Clean(0)
}

func TestAnAgentWithTheSDKWorksInAWorktree(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.AddSDKAgent()
	e, _ := s.Opened("sdk", nil)
	s.SDKAgentWorks(e)
	found, err := filepath.Glob(filepath.Join(s.State, "run", "*", runtime.AuditFile))
	if err != nil || len(found) != 1 {
		t.Fatalf("audits: %v %v", found, err)
	}
	audit := stage.Read(t, found[0])
	for _, want := range []string{`"request":"fsEvent/createFile"`, "by-agent.txt", `"request":"executeCommand"`, "pwd; cat by-agent.txt", `"agent":"sdk"`} {
		if !strings.Contains(audit, want) {
			t.Errorf("no %s in the audit: %s", want, audit)
		}
	}
	if strings.Contains(audit, "made by an agent") {
		t.Errorf("what a file holds is in the audit: %s", audit)
	}
	s.Stop(e, "snapshotAndRemove")
	s.Clean(0)
}
