package lifecycle

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

func starting() []suite.Check {
	return []suite.Check{
		{
			ID: "LC-001", Level: suite.Must,
			Title: "A start is answered with the documented result",
			Why:   "The server shows the environment as running, and finds its files, by these members.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				e.Launch()
				answer := e.Ask(e.StartMessage())
				if problem := suite.Problem(answer); problem != "" {
					t.Fatalf("the start failed: %s", problem)
				}
				t.Equal("the answer's type", answer["type"], "remoteProviderEvent")
				t.Equal("the answer's action", answer["action"], "providerStartResponse")
				result := answer.Object("message")
				t.Equal("success", result["success"], true)
				t.Equal("environmentName", result["environmentName"], e.Name())
				if path := result.Text("workspacePath"); !strings.HasPrefix(path, "/") && !filepath.IsAbs(path) {
					t.Errorf("workspacePath is no absolute path: %v", result["workspacePath"])
				}
				if t.Can(suite.Local) {
					if _, err := os.Stat(filepath.Join(result.Text("workspacePath"), "README.md")); err != nil {
						t.Errorf("workspacePath does not hold the project's files: %v", err)
					}
				}
				for _, optional := range []string{"worktreePath", "resolvedPath", "environmentPath", "pathSource", "syncMode", "resourceId"} {
					if value, has := result[optional]; has {
						if text, is := value.(string); !is || text == "" {
							t.Errorf("%s is no text: %v", optional, value)
						}
					}
				}
			},
		},
		{
			ID: "LC-002", Level: suite.Must,
			Title: "The result of a start says how the runtime is reached",
			Why:   "A client that is told of a websocket and of no address to go with it dials nothing, for ever.",
			Run: func(t *suite.T) {
				result := t.Open(suite.Spec{}).Start()
				url, is := result["agentServerUrl"].(string)
				if !is {
					t.Errorf("agentServerUrl is no text: %v", result["agentServerUrl"])
				}
				switch transport := result.Text("transport"); {
				case transport == "websocket" && !strings.HasPrefix(url, "ws"):
					t.Errorf("transport is websocket and agentServerUrl is %q", url)
				case transport == "custom" && t.Can(suite.Runtime):
					t.Errorf("there is a runtime, and transport is custom")
				case transport != "websocket" && transport != "custom":
					t.Errorf("transport is %v; it must be websocket or custom", result["transport"])
				}
			},
		},
		{
			ID: "LC-003", Level: suite.Must, NodeSDK: "its SDK has no way to send setResourceId",
			Title: "The resource is announced by setResourceId, before or with the answer, under the ids of the start",
			Why:   "The server gives the id back after a restart; without it, or with ids that are not its own, the environment is lost.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				e.Launch()
				from := e.Now()
				start := e.StartMessage().With(suite.Message{"providerId": "provider-of-" + e.Name()})
				result := e.Ask(start).Object("message")
				until := e.Now()
				announced := e.Heard(from, suite.OfType("setResourceId"))
				if len(announced) == 0 {
					t.Fatalf("no setResourceId came before the answer to providerStart")
				}
				for _, f := range announced {
					m := f.Message()
					if m.Text("resourceId") == "" {
						t.Errorf("setResourceId has no resourceId: %v", m)
					}
					if f.Number < until {
						t.Equal("the resourceId of the result", result["resourceId"], m["resourceId"])
					}
					t.Equal("environmentId of setResourceId", m["environmentId"], e.ID())
					t.Equal("providerId of setResourceId", m["providerId"], start["providerId"])
				}
			},
		},
	}
}

func repeating() []suite.Check {
	return []suite.Check{
		{
			ID: "LC-004", Level: suite.Must,
			Title: "A start of what runs is answered with the same result and makes nothing",
			Why:   "A server that connects again sends the start again; a second workspace in place of the first hides its work.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				first := e.Start()
				e.Result(write("kept.txt", "kept\n"))
				from := e.Now()
				again := e.Start()
				for _, member := range []string{"success", "environmentName", "workspacePath", "resourceId", "agentServerUrl", "transport"} {
					t.Equal(member+" of the second result", again[member], first[member])
				}
				for _, f := range e.Heard(from, suite.OfType("setResourceId")) {
					t.Equal("the resource announced again", f.Message()["resourceId"], first["resourceId"])
				}
				holds(t, e, "after the second start", "kept.txt", "kept\n")
				if t.Can(suite.Git) {
					if n := strings.Count(t.Git(e.Project, "worktree", "list", "--porcelain"), "worktree "); n > 2 {
						t.Errorf("after two starts there are %d worktrees beside the project", n-1)
					}
				}
			},
		},
		{
			ID: "LC-005", Level: suite.Must, NodeSDK: "its handlers overlap, and the second start begins in the half-built state of the first",
			Title: "Two starts sent back to back are both answered, once each, with the same result",
			Why:   "A server that hears nothing on one of them shows a running environment as failed.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				e.Launch()
				from := e.Now()
				first, second := ask(e, e.StartMessage()), ask(e, e.StartMessage())
				one, two := answered(t, "the first start", first), answered(t, "the second start", second)
				for _, answer := range []suite.Message{one, two} {
					if problem := suite.Problem(answer); problem != "" {
						t.Errorf("one of two starts failed: %s", problem)
					}
				}
				t.Equal("the result of the second start", two["message"], one["message"])
				once(t, e, from, "providerStartResponse", 2)
				ids := map[string]bool{}
				for _, f := range e.Heard(from, suite.OfType("setResourceId")) {
					ids[f.Message().Text("resourceId")] = true
				}
				if len(ids) > 1 {
					t.Errorf("two starts of one environment announced %d resources", len(ids))
				}
			},
		},
		{
			ID: "LC-006", Level: suite.Must,
			Title: "A start with other parameters while one runs is refused, and the first works on",
			Why:   "One process is one environment: taking the second in place of the first loses the first.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				e.Result(write("first.txt", "first\n"))
				for _, other := range []suite.Message{
					{"environmentName": e.Name() + "-other", "environmentId": e.ID() + "-other"},
					{"environmentName": e.Name() + "-renamed"},
					{"projectPath": t.NewProject()},
				} {
					e.Refused(e.StartMessage().With(other), "conflict")
					holds(t, e, fmt.Sprintf("after a start with %v", other), "first.txt", "first\n")
				}
			},
		},
		{
			ID: "LC-007", Level: suite.Must, Needs: []suite.Capability{"providerReadFile"},
			Title: "Requests that come during a start are answered",
			Why:   "An editor that opens its tree while the environment starts must hear that it is not ready, not nothing.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				e.Launch()
				from := e.Now()
				begin(e)
				var reads []<-chan reply
				for range 5 {
					reads = append(reads, ask(e, read("README.md")))
				}
				for _, r := range reads {
					answer := answered(t, "a request during the start", r)
					if problem := suite.Problem(answer); problem == "" {
						t.Equal("what was read during the start", answer["message"], suite.ProjectFiles["README.md"])
					} else if code := answer.Text("code"); t.Can(suite.ErrorCodes) && code != "not_running" {
						t.Errorf("a request during the start was refused as %s, not as not_running: %s", code, problem)
					}
				}
				if problem := suite.Problem(begun(e, from)); problem != "" {
					t.Errorf("the start failed: %s", problem)
				}
				once(t, e, from, "providerReadFileResponse", len(reads)+1)
			},
		},
	}
}

// harmful are requests that would do something if there were an environment.
func harmful(t *suite.T) []suite.Message {
	all := []suite.Message{
		read("README.md"),
		write("early.txt", "early\n"),
		{"type": "providerDeleteFile", "path": "README.md"},
		{"type": "providerRenameItem", "oldPath": "src", "newPath": "early"},
		{"type": "providerCreateFolder", "path": "early"},
		{"type": "providerGetTreeChildren", "path": ""},
		{"type": "providerGetFullProject"},
	}
	return slices.DeleteFunc(all, func(m suite.Message) bool { return !t.Can(suite.Capability(m.Type())) })
}

func outside() []suite.Check {
	return []suite.Check{
		{
			ID: "LC-008", Level: suite.Must, Needs: []suite.Capability{"providerReadFile", "providerWriteFile"},
			Title: "Requests before the start are refused as not_running and do nothing",
			Why:   "Without an environment the nearest files are the user's own.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				e.Launch()
				for _, m := range harmful(t) {
					e.Refused(m, "not_running")
				}
				if status := t.Git(e.Project, "status", "--porcelain"); status != "" {
					t.Errorf("requests before the start changed the project: %s", status)
				}
				e.Start()
				works(t, e, "after requests before the start")
				e.Refused(read("early.txt"), "not_found")
			},
		},
		{
			ID: "LC-009", Level: suite.Must, Needs: []suite.Capability{"providerStop", "providerReadFile", "providerWriteFile"},
			Title: "Requests after the stop are refused and do nothing",
			Why:   "What still writes after the server was told that all is over changes what was just saved.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				e.Stop("")
				for _, m := range harmful(t) {
					answer, err := e.TryAsk(m)
					if err != nil {
						break // the process has ended, which is as good
					}
					if suite.Problem(answer) == "" {
						t.Errorf("after the stop %v was not refused: %v", m, answer)
					}
				}
				e.Start()
				works(t, e, "after requests after the stop")
				e.Refused(read("early.txt"), "not_found")
			},
		},
	}
}
