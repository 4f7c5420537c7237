package agents

import (
	"fmt"
	"slices"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/agent"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// inference is a request that the platform answers.
func inference(requestID string) string {
	return fmt.Sprintf(`{"type":"inference","message":{"prompt":%q,"odd":%s},"requestId":%q}`, requestID, odd, requestID)
}

// completion answers such a request with a text.
func (w *world) completion(question suite.Message, text string) {
	w.Tell(suite.Message{"type": "llmResponse", "requestId": question["requestId"], "completion": text})
}

// prompted is what an agent wrote as the text of its request.
func prompted(question suite.Message) string { return question.Object("message").Text("prompt") }

func asking() []suite.Check {
	return []suite.Check{
		{
			ID: "AG-002", Level: suite.Must, Needs: needs,
			Title: "A request that the platform answers comes with its requestId and the agent's ids, and its answer reaches the agent unchanged",
			Why:   "The platform knows by the ids who asks, and the agent by the requestId what was answered.",
			Run: func(t *suite.T) {
				w := open(t, suite.Spec{})
				w.tell("one", "m1", agent.Say(inference("ask-1")), agent.Await("ask-1"))
				f := w.AwaitFrame(0, patience, "the agent's request", suite.OfType("inference"))
				asked := exact(string(f.Data))
				t.Equal("agentId", asked["agentId"], "one")
				t.Equal("agentInstanceId", asked["agentInstanceId"], w.instance("one"))
				delete(asked, "agentId")
				delete(asked, "agentInstanceId")
				w.unchanged("the request but for the agent's ids", asked, inference("ask-1"))
				answer := `{"type":"llmResponse","requestId":"ask-1","completion":` + odd + `}`
				w.TellText(answer)
				w.done("m1")
				w.unchanged("the answer that the agent got", w.answer("one", "ask-1"), answer)
			},
		},
		{
			ID: "AG-003", Level: suite.Must, Needs: needs,
			Title: "Two agents that use the same requestIds get each their own answers, whatever their order",
			Why:   "An answer that goes to another agent is work on somebody else's words.",
			Run: func(t *suite.T) {
				w := open(t, suite.Spec{})
				agents, ids := []string{"one", "two"}, []string{"r-1", "r-2", "r-3"}
				for _, id := range agents {
					var steps []agent.Step
					for _, r := range ids {
						steps = append(steps, agent.Say(inference(r)))
					}
					for _, r := range ids {
						steps = append(steps, agent.Await(r))
					}
					w.tell(id, "m-"+id, steps...)
				}
				for _, q := range slices.Backward(w.questions(len(agents) * len(ids))) {
					w.completion(q, q.Text("agentId")+" "+prompted(q))
				}
				for _, id := range agents {
					w.done("m-" + id)
				}
				t.Rest(quiet)
				for _, id := range agents {
					for _, r := range ids {
						t.Equal("the answer that "+id+" got to "+r, w.answer(id, r)["completion"], id+" "+r)
					}
				}
			},
		},
		{
			ID: "AG-005", Level: suite.Must, Needs: needs,
			Title: "An answer that comes twice reaches the agent once",
			Why:   "An agent takes the second for the answer to what it asked next.",
			Run: func(t *suite.T) {
				w := open(t, suite.Spec{})
				w.tell("one", "m1", agent.Say(inference("r-1")), agent.Await("r-1"), agent.Say(inference("r-2")), agent.Await("r-2"))
				first := w.questions(1)[0]
				w.completion(first, "an answer")
				w.completion(first, "an answer")
				w.completion(w.questions(2)[1], "another")
				w.done("m1")
				t.Equal("the answer to r-1", w.answer("one", "r-1")["completion"], "an answer")
				t.Equal("the answer to r-2", w.answer("one", "r-2")["completion"], "another")
				if n := len(w.heard("one", "llmResponse")); n != 2 {
					t.Errorf("the agent heard %d answers, not 2", n)
				}
			},
		},
		{
			ID: "AG-013", Level: suite.Must, Needs: needs,
			Title: "An agent that writes no requestIds gets its answers by their type and without one, in its order",
			Why:   "The published SDK knows answers by their type alone, and takes one for all requests of the type that it waits for.",
			Run: func(t *suite.T) {
				w := open(t, suite.Spec{})
				w.tell("old", "m1",
					agent.Say(`{"type":"fsEvent","action":"readFile","message":{"filePath":"README.md"}}`), agent.Await("readFileResponse"),
					agent.Say(`{"type":"fsEvent","action":"createFile","message":{"fileName":"old.txt","source":"by the old SDK","filePath":"."}}`), agent.Await("createFileResponse"),
					agent.Say(`{"type":"settingEvent","action":"getProjectPath"}`), agent.Await("getProjectPathResponse"),
					agent.Say(`{"type":"inference","message":{"prompt":"first"}}`), agent.Say(`{"type":"inference","message":{"prompt":"second"}}`))
				for i, text := range []string{"first", "second"} {
					q := w.questions(i + 1)[i]
					t.Equal("what is asked", prompted(q), text)
					if q.Text("requestId") == "" {
						t.Errorf("the request has no requestId for the platform: %s", q)
					}
					w.completion(q, text)
				}
				t.Eventually(patience, "the agent has both answers", func() bool { return len(w.heard("old", "llmResponse")) == 2 })
				for i, r := range w.heard("old", "llmResponse") {
					t.Equal("an answer", r.frame["completion"], []string{"first", "second"}[i])
				}
				for _, typ := range []string{"readFileResponse", "createFileResponse", "getProjectPathResponse", "llmResponse"} {
					found := w.heard("old", typ)
					if len(found) == 0 {
						t.Errorf("the agent got no %s", typ)
					}
					for _, r := range found {
						if r.id() != "" {
							t.Errorf("the agent got a requestId that it did not write: %s", r.frame)
						}
						if r.frame["success"] == false {
							t.Errorf("the agent was refused: %s", r.frame)
						}
					}
				}
			},
		},
		{
			ID: "AG-018", Level: suite.Must, Needs: needs, When: suite.Alone, Limit: 2 * time.Minute,
			Title: "Of twenty agents that ask fifty requests each at once, with the same ids, each gets all of its own answers and no other",
			Why:   "Teams of agents are the rule, and one answer among a thousand that goes astray is found by nobody.",
			Run: func(t *suite.T) {
				const agents, each = 20, 50
				w := open(t, suite.Spec{})
				var steps []agent.Step
				for n := range each {
					steps = append(steps, agent.Say(inference(fmt.Sprint("r-", n))))
				}
				for n := range each {
					steps = append(steps, agent.Await(fmt.Sprint("r-", n)))
				}
				from := w.Now()
				for i := range agents {
					w.tell(fmt.Sprint("agent-", i), fmt.Sprint("m", i), steps...)
				}
				var held suite.Message // each is answered after the next
				for n := range agents * each {
					f := w.AwaitFrame(from, patience, fmt.Sprintf("request %d of %d", n+1, agents*each), suite.OfType("inference"))
					from = f.Number + 1
					q := f.Message()
					if held == nil {
						held = q
						continue
					}
					w.completion(q, q.Text("agentId")+" "+prompted(q))
					w.completion(held, held.Text("agentId")+" "+prompted(held))
					held = nil
				}
				for i := range agents {
					w.done(fmt.Sprint("m", i))
				}
				t.Rest(quiet)
				for i := range agents {
					id := fmt.Sprint("agent-", i)
					got := w.heard(id, "llmResponse")
					if len(got) != each {
						t.Errorf("%s got %d answers, not %d", id, len(got), each)
					}
					for _, r := range got {
						if want := id + " " + r.id(); r.frame["completion"] != want {
							t.Errorf("%s got an answer that is not its own: %v, not %s", id, r.frame["completion"], want)
						}
					}
				}
			},
		},
	}
}
