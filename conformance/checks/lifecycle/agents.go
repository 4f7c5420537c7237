package lifecycle

import (
	"fmt"
	"slices"

	"github.com/codeboltai/codebolt-providers/conformance/checks/internal/traces"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

func agents() []suite.Check {
	return []suite.Check{
		{
			ID: "LC-055", Level: suite.Must, Needs: []suite.Capability{suite.Runtime, "environmentRestartRequest", "providerWriteFile"},
			Title: "environmentRestartRequest starts the runtime anew, and the files stay",
			Why:   "It is what a user presses when an agent hangs, not when the work shall go.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				e.Result(write("work.txt", "uncommitted\n"))
				before := traces.Helpers(t, e)
				answer := e.Ask(suite.Message{"type": "environmentRestartRequest", "environmentId": e.ID(), "providerId": "p"})
				if problem := suite.Problem(answer); problem != "" {
					t.Fatalf("the restart failed: %s", problem)
				}
				t.Equal("the answer's type", answer["type"], "environmentRestartResponse")
				t.Equal("environmentId", answer["environmentId"], e.ID())
				t.Equal("success", answer["success"], true)
				if len(before) > 0 {
					var now []suite.Process
					renewed := func() bool {
						now = traces.Helpers(t, e)
						return len(now) > 0 && !slices.ContainsFunc(now, func(p suite.Process) bool {
							return slices.ContainsFunc(before, func(old suite.Process) bool { return old.PID == p.PID })
						})
					}
					if !t.Within(soon, renewed) {
						t.Errorf("after the restart the runtime is not another process: before %v, now %v", before, now)
					}
				}
				holds(t, e, "after the restart", "work.txt", "uncommitted\n")
			},
		},
		{
			ID: "LC-056", Level: suite.Must, Needs: []suite.Capability{"environmentRestartRequest"},
			Title: "environmentRestartRequest without an environment is answered with success false and a reason",
			Why:   "A button that does nothing, or starts something that nobody asked for, is worse than none.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				e.Launch()
				answer := e.Ask(suite.Message{"type": "environmentRestartRequest", "environmentId": e.ID(), "providerId": "p"})
				t.Equal("the answer's type", answer["type"], "environmentRestartResponse")
				t.Equal("success", answer["success"], false)
				if answer.Text("message") == "" {
					t.Errorf("the answer gives no reason: %v", answer)
				}
				traces.NoHelpers(t, "after a restart of nothing", e)
			},
		},
		{
			ID: "LC-057", Level: suite.Must, Needs: []suite.Capability{"providerAgentStart"},
			Title: "providerAgentStart is acknowledged once",
			Why:   "The server waits for the acknowledgement before it shows the agent as started.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				from := e.Now()
				answer := e.Ask(agentStart(map[string]any{
					"type": "messageResponse",
					"message": map[string]any{
						"userMessage": "say hello", "threadId": "thread-1", "messageId": "message-1",
						"selectedAgent": map[string]any{"id": "agent-1", "name": "agent", "agentType": "marketplace"},
					},
				}))
				if problem := suite.Problem(answer); problem != "" {
					t.Errorf("providerAgentStart failed: %s", problem)
				}
				t.Equal("the answer's type", answer["type"], "remoteProviderEvent")
				t.Equal("the answer's action", answer["action"], "providerAgentStartResponse")
				once(t, e, from, "providerAgentStartResponse", 1)
			},
		},
		{
			ID: "LC-058", Level: suite.Must, Needs: []suite.Capability{"providerAgentStart"},
			Title: "providerAgentStart without a proper userMessage is refused",
			Why:   "A prompt that no runtime understands starts no agent, and the user waits for it.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for _, userMessage := range []any{nil, "say hello", 7, []string{"say hello"}, map[string]any{}, map[string]any{"message": "say hello"}, map[string]any{"type": 7}} {
					e.Refused(agentStart(userMessage), "invalid")
				}
				e.Refused(suite.Message{"type": "providerAgentStart"}, "invalid")
				works(t, e, fmt.Sprintf("after %d malformed prompts", 8))
			},
		},
		{
			ID: "LC-059", Level: suite.Must, Needs: []suite.Capability{"providerAgentStart"},
			Title: "providerAgentStart before the start is refused as not_running",
			Why:   "A prompt that waits for an environment which nobody starts is lost without a word.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				e.Launch()
				e.Refused(agentStart(map[string]any{"type": "messageResponse", "message": map[string]any{"userMessage": "hello"}}), "not_running")
			},
		},
	}
}

func agentStart(userMessage any) suite.Message {
	return suite.Message{"type": "providerAgentStart", "userMessage": userMessage}
}
