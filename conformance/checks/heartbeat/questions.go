package heartbeat

import (
	"slices"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// statuses and executors are the words of environmentHeartbeatResponse.
var (
	statuses  = []string{"active", "degraded", "unreachable"}
	executors = []string{"running", "stopped", "starting", "error", "restarting"}
)

// health notes a failure unless the answer has the shape of an
// environmentHeartbeatResponse.
func health(t *suite.T, answer suite.Message) {
	t.Equal("the type", answer["type"], "environmentHeartbeatResponse")
	stamped(t, answer)
	if !slices.Contains(statuses, answer.Text("status")) {
		t.Errorf("status is %v; it should be one of %v", answer["status"], statuses)
	}
	if !slices.Contains(executors, answer.Text("remoteExecutorStatus")) {
		t.Errorf("remoteExecutorStatus is %v; it should be one of %v", answer["remoteExecutorStatus"], executors)
	}
	if answer.Has("action") || answer.Has("message") {
		t.Errorf("the answer should be flat, without action and message: %s", answer)
	}
}

func questions() []suite.Check {
	return []suite.Check{
		{
			ID: "HB-016", Level: suite.Must, Needs: []suite.Capability{"providerHeartbeatRequest"},
			Title: "providerHeartbeatRequest is answered by a providerHeartbeat with the request's providerId and without uptime",
			Why:   "The server asks to see whether a provider lives before it kills it, under the id it knows.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				answer := e.Ask(suite.Message{
					"type": "providerHeartbeatRequest", "providerId": "asked-for", "timestamp": "2026-01-02T03:04:05.678Z", "requestId": "beat-now",
				})
				t.Equal("the type", answer["type"], "providerHeartbeat")
				t.Equal("the providerId", answer["providerId"], "asked-for")
				if t.Profile() == suite.Strict {
					t.Equal("the requestId", answer["requestId"], "beat-now")
				}
				t.Equal("the status", answer["status"], "healthy")
				t.Equal("connectedEnvironments", answer["connectedEnvironments"], []string{e.ID()})
				stamped(t, answer)
				if answer.Has("uptime") {
					t.Errorf("the answer has uptime, which only a heartbeat of its own accord has: %s", answer)
				}
			},
		},
		{
			ID: "HB-017", Level: suite.Must, Needs: []suite.Capability{"environmentHeartbeat"},
			Title: "environmentHeartbeat, as a question, is answered by environmentHeartbeatResponse about that environment",
			Why:   "After a restart the server asks which of its environments are still there.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				answer := e.Ask(suite.Message{"type": "environmentHeartbeat", "environmentId": e.ID(), "providerId": "p", "timestamp": "2026-01-02T03:04:05.678Z"})
				health(t, answer)
				t.Equal("the environmentId", answer["environmentId"], e.ID())
				t.Equal("the status", answer["status"], "active")
				if t.Can(suite.Runtime) {
					t.Equal("remoteExecutorStatus", answer["remoteExecutorStatus"], "running")
				}
			},
		},
		{
			ID: "HB-018", Level: suite.Must, Needs: []suite.Capability{"environmentHeartbeat"},
			Title: "An environment that the provider does not have is unreachable",
			Why:   "The server keeps a dead environment in its list because another one's provider vouches for it.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				answer := e.Ask(suite.Message{"type": "environmentHeartbeat", "environmentId": "of-somebody-else", "providerId": "p"})
				health(t, answer)
				t.Equal("the environmentId", answer["environmentId"], "of-somebody-else")
				t.Equal("the status", answer["status"], "unreachable")
				t.Equal("remoteExecutorStatus", answer["remoteExecutorStatus"], "error")
			},
		},
		{
			ID: "HB-019", Level: suite.Must, Needs: []suite.Capability{"environmentHeartbeat"},
			Title: "Before a start the environment is unreachable",
			Why:   "The server would skip the start of an environment that seems to run.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				e.Launch()
				answer := e.Ask(suite.Message{"type": "environmentHeartbeat", "environmentId": e.ID()})
				health(t, answer)
				t.Equal("the status", answer["status"], "unreachable")
				if answer["remoteExecutorStatus"] == "running" {
					t.Errorf("remoteExecutorStatus is running although nothing was started")
				}
			},
		},
	}
}
