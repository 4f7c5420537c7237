package process

import (
	"fmt"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// name is what an answer is called.
func name(m suite.Message) string {
	if m.Type() == "remoteProviderEvent" {
		return m.Text("action")
	}
	return m.Type()
}

// named matches answers by their name.
func named(want string) func(suite.Message) bool {
	return func(m suite.Message) bool { return name(m) == want }
}

// echoes sends a request with an id and notes a failure unless the answer of
// that name carries it.
func echoes(t *suite.T, e *suite.Env, answer string, m suite.Message) suite.Message {
	const limit = suite.AnswerLimit
	id := fmt.Sprintf("echo-%s-%d", m.Type(), e.Now())
	from := e.Now()
	e.Tell(m.With(suite.Message{"requestId": id}))
	// A heartbeat of its own accord has the name of an answer.
	got := e.Await(from, limit, "an answer to "+m.Type(), func(m suite.Message) bool {
		return m.Text("requestId") == id || answer != "providerHeartbeat" && name(m) == answer
	})
	t.Equal("the requestId of the answer to "+m.Type(), got["requestId"], id)
	t.Equal("the name of the answer to "+m.Type(), name(got), answer)
	return got
}

// succeeded and failed note a failure unless the answer is one of that sort.
func succeeded(t *suite.T, what string, answer suite.Message) {
	if problem := suite.Problem(answer); problem != "" {
		t.Errorf("%s failed: %s", what, problem)
	}
}

func failed(t *suite.T, what string, answer suite.Message) {
	if suite.Problem(answer) == "" {
		t.Errorf("%s was not refused: %s", what, answer)
	}
}

func ids() []suite.Check {
	const why = "The server finds the caller by it; with several requests under way an answer without it goes to the wrong one."
	return []suite.Check{
		{
			ID: "PR-040", Level: suite.Must, NodeSDK: nodeNoIDs,
			Title: "The answers to lifecycle requests carry the requestId of the request",
			Why:   why,
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				e.Launch()
				succeeded(t, "providerStart", echoes(t, e, "providerStartResponse", e.StartMessage()))
				other := e.StartMessage().With(suite.Message{"environmentName": e.Name() + "-other", "environmentId": e.ID() + "-other"})
				failed(t, "providerStart of another environment", echoes(t, e, "providerStartResponse", other))
				if t.Can("environmentRestartRequest") {
					echoes(t, e, "environmentRestartResponse", suite.Message{"type": "environmentRestartRequest", "environmentId": e.ID()})
				}
				if t.Can("providerStop") {
					succeeded(t, "providerStop", echoes(t, e, "providerStopResponse", suite.Message{"type": "providerStop", "environmentName": e.Name()}))
				}
				if t.Can("closeSignal") {
					e = t.Env(suite.Spec{})
					e.Launch()
					succeeded(t, "closeSignal", echoes(t, e, "closeSignalResponse", suite.Message{"type": "closeSignal"}))
				}
			},
		},
		{
			ID: "PR-041", Level: suite.Must, NodeSDK: nodeNoIDs,
			Title: "The answers to file requests carry the requestId of the request, also when they report an error",
			Why:   why,
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				e.Launch()
				for _, r := range fileRequests {
					failed(t, r.message.Type()+" before the start", echoes(t, e, r.answer, r.message))
				}
				e.Start()
				for _, r := range fileRequests {
					if t.Can(suite.Capability(r.message.Type())) {
						succeeded(t, r.message.Type(), echoes(t, e, r.answer, r.message))
					}
				}
			},
		},
		{
			ID: "PR-042", Level: suite.Must, NodeSDK: nodeNoIDs,
			Title: "The answers to requests for a review carry the requestId of the request, also when they report an error",
			Why:   why,
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				e.Launch()
				for _, r := range reviewRequests {
					failed(t, r.message.Type()+" before the start", echoes(t, e, r.answer, r.message))
				}
				e.Start()
				for _, r := range reviewRequests {
					// What becomes of a pull request depends on the project's remotes.
					echoes(t, e, r.answer, r.message)
				}
			},
		},
		{
			ID: "PR-043", Level: suite.Must, NodeSDK: nodeNoIDs,
			Title: "The answers to requests about the provider itself carry the requestId of the request",
			Why:   why,
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				e.Launch()
				control := func() {
					echoes(t, e, "providerProspectivePathResponse", suite.Message{"type": "providerProspectivePath", "projectPath": e.Project, "environmentName": e.Name()})
					echoes(t, e, "providerHeartbeat", suite.Message{"type": "providerHeartbeatRequest", "providerId": "p"})
					echoes(t, e, "environmentHeartbeatResponse", suite.Message{"type": "environmentHeartbeat", "environmentId": e.ID()})
				}
				control()
				e.Start()
				control()
				if t.Can("providerAgentStart") {
					failed(t, "providerAgentStart without a message", echoes(t, e, "providerAgentStartResponse", suite.Message{"type": "providerAgentStart"}))
				}
			},
		},
		{
			ID: "PR-044", Level: suite.Must,
			Title: "A request whose requestId is empty or no string is answered, under an id of its own",
			Why:   "Not every server sends strings; an answer that is lost to a decoding error leaves its caller waiting.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				e.Launch()
				seen := map[string]bool{}
				for _, id := range []string{"7", "-0.5", `""`, "null", "true", "{}", `{"id":1}`, "[]", `["a"]`, "absent"} {
					text := `{"type":"providerReadFile","path":"README.md","requestId":` + id + `}`
					if id == "absent" {
						text = `{"type":"providerReadFile","path":"README.md"}`
					}
					from := e.Now()
					e.TellText(text)
					answer := e.Await(from, suite.AnswerLimit, "an answer to a request with the requestId "+id, named("providerReadFileResponse"))
					if number, ok := answer["requestId"].(float64); ok && fmt.Sprint(number) == id {
						continue
					}
					got := answer.Text("requestId")
					if got == "" {
						t.Errorf("the answer to a request with the requestId %s has the requestId %v; it should be a string that is not empty", id, answer["requestId"])
					}
					if seen[got] {
						t.Errorf("two answers have the requestId %q", got)
					}
					seen[got] = true
				}
			},
		},
		{
			ID: "PR-045", Level: suite.Must, NodeSDK: nodeNoIDs,
			Title: "Every request is answered exactly once",
			Why:   "A second answer is taken for that to the next request of the kind.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				from, n := e.Now(), 0
				for _, path := range []string{"README.md", "absent.txt", "src", "../../etc/passwd", ""} {
					for _, typ := range []string{"providerReadFile", "providerGetTreeChildren", "providerGetFullProject", "providerProspectivePath", "providerHeartbeatRequest"} {
						e.Tell(suite.Message{"type": typ, "path": path, "projectPath": e.Project, "requestId": fmt.Sprintf("once-%d", n)})
						n++
					}
				}
				for i := range n {
					id := fmt.Sprintf("once-%d", i)
					e.Await(from, suite.AnswerLimit, "the answer to the request "+id, suite.Answering(id))
				}
				t.Rest(time.Second)
				for i := range n {
					id := fmt.Sprintf("once-%d", i)
					if got := len(e.Heard(from, suite.Answering(id))); got != 1 {
						t.Errorf("the request %s was answered %d times", id, got)
					}
				}
			},
		},
	}
}
