package agents

import (
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/agent"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

func ending() []suite.Check {
	return []suite.Check{
		{
			ID: "AG-006", Level: suite.Must, Needs: needs,
			Title: "When an agent crashes each message that it worked on ends once, with its exit status and what it printed last",
			Why:   "The server waits for the end of each; the user learns only from it what went wrong.",
			Run: func(t *suite.T) {
				w := open(t, suite.Spec{})
				w.tell("one", "m1", agent.Await(agent.Forever))
				t.Eventually(patience, "the agent has its message", func() bool { return len(w.heard("one", "messageResponse")) == 1 })
				w.tell("one", "m2", agent.Step{Print: "the last words"}, agent.Exit(7))
				w.end("m1")
				for _, id := range []string{"m1", "m2"} {
					end := w.onlyEnd(id)
					t.Equal("synthetic in the end of "+id, end["synthetic"], true)
					t.Equal("its exitCode", end["exitCode"], 7)
					t.Equal("its agentId", end["agentId"], "one")
					t.Equal("its agentInstanceId", end["agentInstanceId"], w.instance("one"))
					t.Equal("its threadId", end["threadId"], "thread-"+id)
					if !strings.Contains(end.Text("error"), "the last words") {
						t.Errorf("its error does not say what the agent printed: %s", end)
					}
				}
			},
		},
		{
			ID: "AG-007", Level: suite.Must, Needs: needs,
			Title: "A message whose agent cannot be started ends once, with an error",
			Why:   "An agent that never comes, and of which nobody hears, is waited for by the user for ever.",
			Run: func(t *suite.T) {
				w := open(t, suite.Spec{})
				absent := w.command("absent")
				absent["agentDetails"] = map[string]any{"argv": []string{"/nowhere/agent"}, "endpoint": true}
				bare := w.command("bare")
				bare["agentDetails"] = map[string]any{"endpoint": true}
				unknown := w.command("unknown")
				unknown["agentType"] = "no-such-type"
				for id, selected := range map[string]suite.Message{
					"absent": absent, "bare": bare, "unknown": unknown, "outside": w.command("../outside"), "dash": w.command("-x"),
				} {
					w.give(envelope(selected, id, agent.Script()))
				}
				for _, id := range []string{"absent", "bare", "unknown", "outside", "dash"} {
					if end := w.end(id); end.Text("error") == "" {
						t.Errorf("the message %s ended without an error: %s", id, end)
					}
				}
				t.Rest(quiet)
				for _, id := range []string{"absent", "bare", "unknown", "outside", "dash"} {
					if n := len(w.Heard(0, ends(id))); n != 1 {
						t.Errorf("the message %s ended %d times", id, n)
					}
				}
			},
		},
		{
			ID: "AG-008", Level: suite.Must, Needs: needs,
			Title: "stopProcessClicked reaches the agent, and one that does not heed it is ended",
			Why:   "Agents put away what they have begun when they are told; one that hangs must stop all the same.",
			Run: func(t *suite.T) {
				w := open(t, suite.Spec{})
				w.tell("heeds", "m1", agent.Await("stopProcessClicked"))
				w.tell("hangs", "m2", agent.Await(agent.Forever))
				for _, id := range []string{"heeds", "hangs"} {
					t.Eventually(patience, "the agent has its message", func() bool { return len(w.heard(id, "messageResponse")) == 1 })
				}
				w.Tell(suite.Message{"type": "stopProcessClicked", "agentId": "heeds"})
				w.done("m1")
				if n := len(w.heard("hangs", "stopProcessClicked")); n != 0 {
					t.Errorf("the other agent was stopped too")
				}
				first := w.instance("hangs")
				begun := time.Now()
				w.Tell(suite.Message{"type": "stopProcessClicked", "agentId": "hangs"})
				end := w.onlyEnd("m2")
				t.Logf("it ended after %v", time.Since(begun).Round(time.Millisecond))
				if n := len(w.heard("hangs", "stopProcessClicked")); n != 1 {
					t.Errorf("the agent that hangs was told %d times", n)
				}
				t.Equal("synthetic", end["synthetic"], true)
				if end.Text("error") == "" {
					t.Errorf("the end of the agent that hangs gives no reason: %s", end)
				}
				w.tell("hangs", "m3")
				if again := w.done("m3"); again["agentInstanceId"] == first {
					t.Errorf("the agent that was to end goes on: %s", again)
				}
			},
		},
	}
}
