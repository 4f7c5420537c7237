//go:build linux

package agenthost_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/agenthost"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestAnAgentForNodeSeesWhatItNeedsAndNothingElse(t *testing.T) {
	t.Parallel()
	r := start(t, agenthost.Options{
		Agents: agenthost.AgentRules{Env: []string{"WANTED"}},
		Environ: []string{
			"PATH=" + os.Getenv("PATH"), "HOME=/home/a", "LC_ALL=C", "CODEBOLT_PORT_BASE=4000", "WANTED=yes",
			"API_KEY=secret", "AWS_SECRET_ACCESS_KEY=secret", "threadToken=secret", "SOCKET_PORT=1", "WANTED_TOO=secret",
		},
	})
	p := r.platform(answers)
	folder := filepath.Join(r.workspace, ".codebolt", "agents", "env")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "index.js"), []byte(`console.log("seen:" + JSON.stringify([process.cwd(), process.env]))`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, details := range []string{".codebolt/agents/env", folder} {
		p.send(object{"type": wire.TypeMessageResponse, "messageId": "m", "message": object{
			"threadId": "t", "selectedAgent": object{"id": "env", "agentType": "local-path", "agentDetails": details},
		}})
		end := p.ended(1)[0]
		text := end["error"].(string)
		at := strings.Index(text, "seen:")
		if at < 0 || !strings.Contains(text, folder) {
			t.Fatalf("%v", end)
		}
		var names []string
		for _, part := range strings.Split(text[at:], `\"`) {
			if !strings.ContainsAny(part, ":,[]{}/ ") {
				names = append(names, part)
			}
		}
		for _, want := range []string{"PATH", "HOME", "LC_ALL", "CODEBOLT_PORT_BASE", "WANTED", "SOCKET_PORT", "agentId", "parentId", "threadId", "CODEBOLT_WORKSPACE"} {
			if !slices.Contains(names, want) {
				t.Errorf("there is no %s in %s", want, text)
			}
		}
		if strings.Contains(text, "secret") || slices.Contains(names, "API_KEY") {
			t.Errorf("it sees what is a secret: %s", text)
		}
		p.mu.Lock()
		p.frames = nil
		p.mu.Unlock()
	}
	p.send(object{"type": wire.TypeMessageResponse, "messageId": "m", "message": object{
		"selectedAgent": object{"id": "env", "agentType": "local-path", "agentDetails": "/tmp"},
	}})
	if end := p.ended(1)[0]; end["code"] != string(wire.Permission) || !strings.Contains(end["error"].(string), "agents.roots") {
		t.Errorf("%v", end)
	}
}
