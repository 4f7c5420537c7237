package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// asks makes a Request hook that changes starts.
func asks(change func(m message) message) func(*wrapper, message) []message {
	return request("providerStart", func(_ *wrapper, m message) message { return change(m) })
}

// wrongFailures do something else where they should fail.
func wrongFailures() []defect {
	return []defect{
		{
			Name: "makes-up-a-project", Check: "LC-017",
			Doc: "works on a project of its own when the start names none",
			Request: asks(func(m message) message {
				if m.text("projectPath") != "" {
					return m
				}
				begins(home("project"))
				return m.with(message{"projectPath": home("project")})
			}),
		},
		{
			Name: "makes-an-absent-project", Check: "LC-018",
			Doc: "makes the project's folder, and a repository in it, when there is none",
			Request: asks(func(m message) message {
				if path := m.text("projectPath"); path != "" && !there(path) {
					begins(path)
				}
				return m
			}),
		},
		{
			Name: "takes-the-folder-of-a-file", Check: "LC-019",
			Doc: "takes the folder of the file that was named as project",
			Request: asks(func(m message) message {
				if info, err := os.Stat(m.text("projectPath")); err == nil && !info.IsDir() {
					return m.with(message{"projectPath": filepath.Dir(m.text("projectPath"))})
				}
				return m
			}),
		},
		{
			Name: "makes-a-repository", Check: "LC-020",
			Doc: "makes a repository of the project's folder when it is none",
			Request: asks(func(m message) message {
				if path := m.text("projectPath"); there(filepath.Join(path, "README.md")) && !there(filepath.Join(path, ".git")) {
					begins(path)
				}
				return m
			}),
		},
		{
			Name: "makes-the-first-commit", Check: "LC-021",
			Doc: "makes an empty commit in a repository that has none",
			Request: asks(func(m message) message {
				if path := m.text("projectPath"); there(filepath.Join(path, ".git")) && change(path, "rev-parse", "--verify", "HEAD") == "" {
					change(path, "commit", "--quiet", "--allow-empty", "--message", "Begin")
				}
				return m
			}),
		},
		{
			Name: "clears-the-place", Check: "LC-022",
			Doc: "empties the path that the environment shall have",
			Request: asks(func(m message) message {
				if path := m.text("environmentPath"); there(path) && !there(filepath.Join(path, ".git")) {
					drop(path)
				}
				return m
			}),
		},
		{
			Name: "moves-out-of-the-project", Check: "LC-023",
			Doc: "takes a place of its own when the path it was told is the project or contains it",
			Request: asks(func(m message) message {
				if path := m.text("environmentPath"); path != "" && within(path, m.text("projectPath")) {
					return m.with(message{"environmentPath": nil})
				}
				return m
			}),
		},
		{
			Name: "ignores-settings-it-cannot-read", Check: "LC-024",
			Doc:     "takes the default for a setting of the wrong type",
			Request: asks(readable),
			Environ: func(environ []string) []string {
				var config message
				if json.Unmarshal([]byte(os.Getenv("ENVIRONMENT_CONFIG")), &config) != nil {
					return environ
				}
				return append(environ, "ENVIRONMENT_CONFIG="+string(readable(config).frame()))
			},
		},
	}
}

// readable are settings without those of the wrong type.
func readable(m message) message {
	for setting, want := range map[string]string{"agentServerPort": "float64", "timeouts": "map[string]interface {}"} {
		if value, has := m[setting]; has && fmt.Sprintf("%T", value) != want {
			m = m.with(message{setting: nil})
		}
	}
	return m
}

// wrongFaults do not see that something failed, or leave a part of it.
func wrongFaults() []defect {
	return []defect{
		{
			Name: "falls-back-to-its-own-runtime", Check: "LC-025",
			Doc: "starts its own runtime when the one that was configured is not there",
			Request: asks(func(m message) message {
				command, _ := m.object("runtime")["command"].([]any)
				if len(command) == 0 {
					return m
				}
				program, _ := command[0].(string)
				if _, err := os.Stat(program); err == nil {
					return m
				}
				return m.with(message{"runtime": nil})
			}),
		},
		{
			Name: "forgets-the-runtime-it-waited-for", Check: "LC-026",
			Doc: "gives up on a runtime that does not get ready, and lets it run",
			Reply: refused(func(_ *wrapper, _, answer message) {
				if answer.text("code") == "timeout" {
					leaveProcess()
				}
			}),
		},
		{
			Name: "names-the-port-it-was-told", Check: "LC-027",
			Doc: "tells the configured port whoever listens on it",
			Request: asks(func(m message) message {
				return m.with(message{"agentServerPort": nil})
			}),
			Reply: starts(func(_ *wrapper, request, result message) message {
				if port, is := request["agentServerPort"].(float64); is && port != 0 {
					return result.with(message{"agentServerUrl": fmt.Sprintf("ws://127.0.0.1:%.0f", port)})
				}
				return result
			}),
		},
		{
			Name: "leaves-the-folder-of-a-failed-start", Check: "LC-028",
			Doc: "takes back what it wrote when a start fails, but for the workspace's folder",
			Reply: refused(func(_ *wrapper, request, _ message) {
				if path := request.text("environmentPath"); path != "" && !there(path) && strings.HasSuffix(path, "workspace") {
					folder(path)
				}
			}),
		},
	}
}
