package process

import (
	"fmt"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// event notes a failure unless the answer is in the common envelope.
func event(t *suite.T, r request, answer suite.Message) {
	what := "of the answer to " + r.message.Type()
	t.Equal("the type "+what, answer["type"], "remoteProviderEvent")
	t.Equal("the action "+what, answer["action"], r.answer)
	if answer.Text("requestId") == "" {
		t.Errorf("the answer to %s has no requestId: %s", r.message.Type(), answer)
	}
}

// flat notes a failure unless the answer is one of those without an action.
func flat(t *suite.T, r request, answer suite.Message) {
	t.Equal("the type of the answer to "+r.message.Type(), answer["type"], r.answer)
	if answer.Has("action") {
		t.Errorf("the answer to %s has an action; it should be flat: %s", r.message.Type(), answer)
	}
}

// either notes a failure unless the answer has a result or an error, as it
// should.
func either(t *suite.T, r request, answer suite.Message, wantError bool) {
	text, isText := answer["error"].(string)
	switch {
	case wantError && (!isText || text == ""):
		t.Errorf("the answer to %s has no sentence in error: %s", r.message, answer)
	case wantError && answer.Has("message"):
		t.Errorf("the answer to %s has both an error and a message: %s", r.message, answer)
	case !wantError && answer.Has("error"):
		t.Errorf("%s failed: %v", r.message, answer["error"])
	}
}

func envelopes() []suite.Check {
	const why = "Servers dispatch by type and action; an answer in another envelope is never found."
	return []suite.Check{
		{
			ID: "PR-046", Level: suite.Must,
			Title: "Results of file requests come as remoteProviderEvent with the action <request>Response",
			Why:   why,
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for _, r := range fileRequests {
					if t.Can(suite.Capability(r.message.Type())) {
						answer := e.Ask(r.message)
						event(t, r, answer)
						either(t, r, answer, false)
						if r.valued && !answer.Has("message") {
							t.Errorf("the answer to %s has no message: %s", r.message, answer)
						}
					}
				}
			},
		},
		{
			ID: "PR-047", Level: suite.Must,
			Title: "Errors of file requests come in the same envelope, with a sentence in error and without a message",
			Why:   why,
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for _, r := range faultyRequests {
					if t.Can(suite.Capability(r.message.Type())) {
						answer := e.Ask(r.message)
						event(t, r, answer)
						either(t, r, answer, true)
					}
				}
			},
		},
		{
			ID: "PR-048", Level: suite.Must,
			Title: "A success without a value has no member message",
			Why:   "A null or an empty object in its place is shown to people as a result.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				n := 0
				for _, r := range fileRequests {
					if r.valued || !t.Can(suite.Capability(r.message.Type())) {
						continue
					}
					n++
					if answer := e.Ask(r.message); answer.Has("message") {
						t.Errorf("the answer to %s has a message: %s", r.message, answer)
					}
				}
				if n == 0 {
					t.Skipf("the provider declares no request without a value")
				}
			},
		},
		{
			ID: "PR-049", Level: suite.Must, Needs: []suite.Capability{"providerGetDiffFiles"},
			Title: "The answer to providerGetDiffFiles is called providerDiffFilesResponse",
			Why:   "It is the one name that does not follow from the request's, and the only one servers look for.",
			Run: func(t *suite.T) {
				r := reviewRequests[0]
				e := t.Env(suite.Spec{})
				e.Launch()
				asked := 0
				ask := func() suite.Message { // whatever the answer is called
					asked++
					id, from := fmt.Sprintf("diff-%d", asked), e.Now()
					e.Tell(r.message.With(suite.Message{"requestId": id}))
					return e.Await(from, suite.AnswerLimit, "an answer to "+r.message.Type(), func(m suite.Message) bool {
						return m.Text("requestId") == id || strings.Contains(name(m), "DiffFiles")
					})
				}
				if t.Profile() == suite.Strict { // the Node SDK's errors have a type of their own
					answer := ask()
					event(t, r, answer)
					either(t, r, answer, true)
				}
				e.Start()
				answer := ask()
				event(t, r, answer)
				either(t, r, answer, false)
				if _, ok := answer.Object("message")["files"].([]any); !ok {
					t.Errorf("the message has no list files: %s", answer)
				}
			},
		},
		{
			ID: "PR-050", Level: suite.Must, NodeSDK: nodeNoAnswer,
			Title: "Patch and pull request requests without provider in their name are answered flat",
			Why:   why,
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				e.Launch()
				for _, r := range []request{reviewRequests[2], reviewRequests[4]} {
					answer := e.Ask(r.message)
					flat(t, r, answer)
					either(t, r, answer, true)
				}
				if !t.Can("createPatchRequest") {
					return
				}
				e.Start()
				answer := e.Ask(reviewRequests[2].message)
				flat(t, reviewRequests[2], answer)
				either(t, reviewRequests[2], answer, false)
			},
		},
		{
			ID: "PR-051", Level: suite.Must, Needs: []suite.Capability{"providerProspectivePath"},
			Title: "providerProspectivePath is answered before any start, by type and by action, with status, data and message",
			Why:   "The dialog that makes an environment shows where it will be, before there is one.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				e.Launch()
				question := suite.Message{"projectPath": e.Project, "environmentName": "dialog"}
				for i, head := range []suite.Message{
					{"type": "providerProspectivePath"},
					{"type": "remoteProviderEvent", "action": "providerProspectivePath"},
				} {
					id := fmt.Sprintf("prospective-%d", i)
					answer := e.Ask(question.With(head).With(suite.Message{"requestId": id}))
					t.Equal("the type", answer["type"], "remoteProviderEvent")
					t.Equal("the action", answer["action"], "providerProspectivePathResponse")
					t.Equal("the requestId", answer["requestId"], id)
					t.Equal("status", answer["status"], true)
					data := answer.Object("data")
					path := data.Text("resolvedPath")
					if path == "" {
						t.Errorf("data has no resolvedPath: %s", answer)
					}
					t.Equal("environmentPath beside resolvedPath", data["environmentPath"], path)
					if answer.Has("message") {
						t.Equal("message beside data", answer["message"], answer["data"])
					}
					either(t, request{message: question}, answer, false)
				}
			},
		},
		{
			ID: "PR-052", Level: suite.Must,
			NodeSDK: "it starts another environment in the process of the first",
			Title:   "A start that fails is answered with the type providerStartResponse and a sentence in error",
			Why:     "It is the one error without the common envelope; a server that does not find it waits for its timeout.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				answer := e.Ask(e.StartMessage().With(suite.Message{"environmentName": e.Name() + "-other", "environmentId": e.ID() + "-other"}))
				t.Equal("the type", answer["type"], "providerStartResponse")
				if answer.Text("error") == "" || answer.Has("message") || answer["success"] == true {
					t.Errorf("the answer to a start that fails has no sentence in error, or a result beside it: %s", answer)
				}
			},
		},
	}
}
