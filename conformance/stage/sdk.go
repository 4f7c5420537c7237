//go:build unix

package stage

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/nodesdk"
	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// sdkFolder is where the agent with the SDK lies in a project.
const sdkFolder = ".codebolt/agents/sdk"

// AddSDKAgent commits an agent with the published SDK for Node, whose one file needs
// nothing but node, to the project.
func (s *Stage) AddSDKAgent() {
	s.T.Helper()
	folder := filepath.Join(s.Project, filepath.FromSlash(sdkFolder))
	nodesdk.Agent(s.T, folder, nodesdk.Script, nodesdk.Bundled)
	Git(s.T, s.Project, "add", "-f", sdkFolder)
	Git(s.T, s.Project, "commit", "-qm", "an agent")
}

// SDKAgentWorks has the agent of AddSDKAgent read, write, search, run commands, and
// speak with the user and the model, and checks what came of it on either side.
func (s *Stage) SDKAgentWorks(e *server.Environment) {
	s.T.Helper()
	t := s.T
	p := NewPlatform(t, e)
	agent := wire.SelectedAgent{ID: "sdk", AgentType: "local-path", AgentDetails: wire.Raw(`"` + sdkFolder + `"`)}
	task := nodesdk.Task{
		Read: sdkFolder + "/codeboltagent.yaml", Create: "by-agent.txt", Content: "made by an agent\n", Search: "test agent",
		Command: "pwd; cat by-agent.txt", Say: "hello", Prompt: "how are you",
	}
	p.Tell(agent, "m1", task.Message())
	end := p.End("m1")
	text, err := json.Marshal(end["message"])
	var result nodesdk.Result
	if err == nil {
		err = json.Unmarshal(text, &result)
	}
	if err != nil || end["error"] != nil || len(result.Failed) > 0 || len(result.Calls) != 8 {
		t.Fatalf("the agent ended with %v: %v", end, err)
	}
	answers := map[string]map[string]any{}
	for _, call := range result.Calls {
		answer := map[string]any{}
		if len(call.Answer) > 0 {
			if err := json.Unmarshal(call.Answer, &answer); err != nil {
				t.Errorf("%s: %s: %v", call.Name, call.Answer, err)
			}
		}
		answers[call.Name] = answer
	}
	if content, _ := answers["fs.readFile"]["content"].(string); !strings.Contains(content, "title: test agent") {
		t.Errorf("it read %v", answers["fs.readFile"])
	}
	if out, _ := answers["terminal.executeCommand"]["stdout"].(string); out != result.ProjectPath+"\nmade by an agent\n" {
		t.Errorf("its command in %s printed %v", result.ProjectPath, answers["terminal.executeCommand"])
	}
	if text, _ := json.Marshal(answers["fs.searchFiles"]["results"]); !strings.Contains(string(text), "codeboltagent.yaml") {
		t.Errorf("it found %s", text)
	}
	if files, _ := answers["fs.listFile"]["files"].([]any); !slices.ContainsFunc(files, func(f any) bool { return strings.HasSuffix(f.(string), "by-agent.txt") }) {
		t.Errorf("it lists %v", answers["fs.listFile"])
	}
	if answers["llm.inference"]["completion"] == nil {
		t.Errorf("the model said %v", answers["llm.inference"])
	}
	var order []any
	for _, said := range p.All(func(said Said) bool { return said["agentId"] == "sdk" && said["type"] != wire.TypeAgentOutput }) {
		order = append(order, said["type"])
	}
	if want := []any{wire.TypeAgentStarted, "fsnotify", "sendMessage", "inference", wire.TypeProcessStopped}; !slices.Equal(order, want) {
		t.Errorf("the server heard %v, not %v", order, want)
	}
	if !slices.ContainsFunc(s.Diff(e).Files, func(f wire.DiffFile) bool { return f.Path == "by-agent.txt" }) {
		t.Errorf("its file is not in the diff: %+v", s.Diff(e).Files)
	}
}
