//go:build linux

package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance/runtime"
	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/manifests"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// with is for messages with a member of that value.
func with(key, value string) func(stage.Said) bool {
	return func(s stage.Said) bool { return s[key] == value }
}

// upstream is the agent of such a runtime.
var upstream = wire.SelectedAgent{ID: "upstream"}

func TestARuntimeThatSpeaksAsTheGatewayDoesIsAConfiguration(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e, path := s.Opened("gateway", stage.Settings{"runtime": map[string]any{"preset": "codebolt", "path": filepath.Join(programs, "upstream")}})
	h := stage.Hear(t, e)

	h.Tell(upstream, "m1", "say hello")
	if said := h.Await(1, with("text", "hello")); said[0]["type"] != "sendMessage" || said[0]["project"] != path {
		t.Errorf("it said %v", said)
	}
	h.Await(1, with("messageId", "m1"))

	// Two requests of one type, answered in the other order.
	h.Tell(upstream, "m2", "two")
	asked := map[string]string{}
	for _, q := range h.Await(2, with("type", "inference")) {
		asked[fmt.Sprint(q["prompt"])] = fmt.Sprint(q["requestId"])
	}
	if asked["first"] != "agent-first" || asked["second"] != "agent-second" {
		t.Errorf("the platform was asked as %v", asked)
	}
	for _, about := range []string{"second", "first"} {
		if err := e.Send(stage.Limit(t), map[string]any{"type": "llmResponse", "requestId": asked[about], "completion": "of " + about}); err != nil {
			t.Fatal(err)
		}
	}
	for _, about := range []string{"first", "second"} {
		told := h.Await(1, with("about", about))[0]
		result, _ := told["result"].(map[string]any)
		if told["success"] != true || result["completion"] != "of "+about || result["requestId"] != "agent-"+about {
			t.Errorf("the agent was told %v of %s", told, about)
		}
	}
	h.Await(1, with("messageId", "m2"))

	// One without an id of its own, answered with an error.
	h.Tell(upstream, "m3", "own")
	q := h.Await(1, with("type", "memoryEvent"))[0]
	if err := e.Send(stage.Limit(t), map[string]any{"type": "memoryResponse", "requestId": q["requestId"], "success": false, "error": "nothing there"}); err != nil {
		t.Fatal(err)
	}
	told := h.Await(1, with("about", "own"))[0]
	result, _ := told["result"].(map[string]any)
	if told["success"] != false || result["error"] != "nothing there" {
		t.Errorf("the agent was told %v", told)
	}

	// A connection that breaks is made again, and what was asked on it is not answered.
	connections := len(h.All(with("text", "connected"))) // all of before: what comes later has come
	h.Tell(upstream, "m4", "quiet")
	lost := h.Await(3, with("type", "inference"))[2]
	h.Await(connections+1, with("text", "connected"))
	h.Tell(upstream, "m5", "say again")
	h.Await(1, with("text", "again"))
	if err := e.Send(stage.Limit(t), map[string]any{"type": "llmResponse", "requestId": lost["requestId"], "completion": "late"}); err != nil {
		t.Fatal(err)
	}
	h.Tell(upstream, "m6", "say last")
	h.Await(1, with("text", "last"))
	for _, m := range h.All(func(stage.Said) bool { return true }) {
		typ := fmt.Sprint(m["type"])
		if m["about"] == "lost" || strings.HasPrefix(typ, "executionGateway") || strings.HasPrefix(typ, "__") {
			t.Errorf("the platform heard %v", m)
		}
	}

	// Files and the diff are the provider's own.
	s.Call(e, map[string]any{"type": "providerWriteFile", "path": "new.txt", "content": "x\n"}, nil)
	if d := s.Diff(e); len(d.Files) != 1 || d.Files[0].Path != "new.txt" {
		t.Errorf("the diff is %+v", d)
	}
	if out, code := terminal(t, e, "list", nil); code != wire.Unsupported {
		t.Errorf("a terminal of a runtime that has none: %+v", out)
	}
	s.Stop(e, "snapshotAndRemove")
	for _, command := range s.Processes() {
		if strings.Contains(command, "upstream") {
			t.Errorf("it still runs: %s", command)
		}
	}
}

// serverScript is how the upstream's agent server is called; what serves is that of the
// conformance suite.
const serverScript = `import { spawn } from "node:child_process";
const args = process.argv.slice(2);
if (args.length !== 5 || args[0] !== "--noui" || args[1] !== "--port" || args[3] !== "--project-path" || args[4] !== process.env.WANT_PROJECT) {
  console.error("called with " + JSON.stringify(args));
  process.exit(2);
}
const server = spawn(process.env.AGENT_SERVER, ["--port", args[2], "--dir", process.env.AGENT_SERVER_DIR], { stdio: "inherit" });
process.on("SIGTERM", () => server.kill());
server.on("exit", (status) => process.exit(status ?? 1));
`

func TestTheUpstreamsAgentServerIsAConfiguration(t *testing.T) {
	t.Parallel()
	script, rt := filepath.Join(t.TempDir(), "server.mjs"), &runtime.Control{Dir: t.TempDir()}
	stage.Write(t, script, serverScript)
	place := filepath.Join(t.TempDir(), "place")
	s := stage.New(t, stage.Options{
		Program: filepath.Join(programs, "codebolt-provider-gitworktree"), Manifests: manifests.Files("gitworktree"),
		Environ: []string{"WANT_PROJECT=" + place, "AGENT_SERVER=" + filepath.Join(programs, "agentserver"), "AGENT_SERVER_DIR=" + rt.Dir},
	})
	e := s.Env("agentserver", stage.Settings{"runtime": map[string]any{"preset": "agentserver", "path": script}}, stage.Settings{"environmentPath": place})
	if started := s.Start(e); started.WorkspacePath != place {
		t.Fatalf("it is at %s", started.WorkspacePath)
	}
	h := stage.Hear(t, e)
	h.Tell(upstream, "m1", "say hello")
	if err := rt.Send(stage.Limit(t), map[string]any{"type": "sendMessage", "text": "hello"}); err != nil {
		t.Fatal(err)
	}
	h.Await(1, with("text", "hello"))
	journal, err := rt.Journal()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(journal, func(e runtime.Entry) bool { return e.Event == runtime.Told && e.MessageID == "m1" }) {
		t.Errorf("the agent server was not told: %+v", journal)
	}
	s.Stop(e, "removeIfClean")
	for _, command := range s.Processes() {
		if strings.Contains(command, "agentserver") || strings.Contains(command, script) {
			t.Errorf("it still runs: %s", command)
		}
	}
}

func TestAPresetThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for name, c := range map[string]struct {
		runtime map[string]any
		code    wire.Code
		says    string
	}{
		"an unknown one":         {map[string]any{"preset": "magic"}, wire.Invalid, "write one of codebolt-runtime, agentserver, codebolt"},
		"no server.mjs":          {map[string]any{"preset": "agentserver"}, wire.Invalid, "write the path of its server.mjs into runtime.path"},
		"ours, and a command":    {map[string]any{"preset": "codebolt-runtime", "command": []string{"x"}}, wire.Invalid, "leave one out"},
		"a program that is none": {map[string]any{"preset": "codebolt", "path": "/no/such/program"}, wire.NotFound, "/no/such/program"},
		"one that ends at once":  {map[string]any{"preset": "codebolt", "command": []string{"false"}}, wire.Unavailable, "ended at once"},
	} {
		e := s.Env("refused-"+strings.ReplaceAll(name, " ", "-"), stage.Settings{"runtime": c.runtime}, nil)
		if said := s.Refused(e, c.code); !strings.Contains(said, c.says) {
			t.Errorf("%s: %s", name, said)
		}
	}
}
