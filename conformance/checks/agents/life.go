package agents

import (
	"encoding/json"

	"github.com/codeboltai/codebolt-providers/conformance/agent"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// odd has numbers, names and texts that do not survive a careless translation.
const odd = `{"big":12345678901234567890,"exact":0.10,"none":null,"list":[],"empty":{},"deep":[[["x"]]],"text":"a\u0000b \u2028 <&> \ud83d\ude00"}`

func life() []suite.Check {
	return []suite.Check{
		{
			ID: "AG-001", Level: suite.Must, Needs: needs,
			Title: "An agent is given its message whole, agentStarted comes first and the end of the message last",
			Why:   "The agent finds in the envelope what it works on, and the server in those two frames when it does.",
			Run: func(t *suite.T) {
				w := open(t, suite.Spec{})
				sent := envelope(w.command("one"), "m1", agent.Script(agent.Say(`{"type":"sendMessage","message":"working"}`)))
				sent["unknown"] = json.RawMessage(odd)
				sent.Object("message")["unknown"] = json.RawMessage(odd)
				text, err := json.Marshal(sent)
				t.Try(err)
				from := w.Now()
				w.give(sent)
				w.done("m1")
				given := w.heard("one", "messageResponse")
				if len(given) != 1 {
					t.Fatalf("the agent was given %d messages", len(given))
				}
				w.unchanged("the message that the agent was given", given[0].frame, string(text))
				t.Rest(quiet)
				all := w.Heard(from, func(m suite.Message) bool { return m.Text("agentId") == "one" })
				first, last := all[0].Message(), all[len(all)-1].Message()
				t.Equal("the type of the first frame", first["type"], "agentStarted")
				if first.Text("instanceId") == "" {
					t.Errorf("agentStarted has no instanceId: %s", first)
				}
				t.Equal("the threadId of agentStarted", first["threadId"], "thread-m1")
				t.Equal("the type of the last frame", last["type"], "processStoped")
				t.Equal("its agentInstanceId", last["agentInstanceId"], first["instanceId"])
				t.Equal("its messageId", last["messageId"], "m1")
				t.Equal("its threadId", last["threadId"], "thread-m1")
				for _, f := range all[1 : len(all)-1] {
					if m := f.Message(); m.Type() == "agentStarted" || m.Type() == "processStoped" {
						t.Errorf("in between came %s", m)
					}
				}
			},
		},
		{
			ID: "AG-004", Level: suite.Must, Needs: needs,
			Title: "A further message for an agent that runs goes to the same process, and has an end of its own",
			Why:   "The agent knows what was said before; a new process does not.",
			Run: func(t *suite.T) {
				w := open(t, suite.Spec{})
				w.tell("one", "m1")
				w.done("m1")
				w.tell("one", "m2", agent.Await("messageResponse"))
				t.Eventually(patience, "the agent has its second message", func() bool { return len(w.heard("one", "messageResponse")) == 2 })
				w.tell("one", "m3") // while it works on the one before
				for _, id := range []string{"m2", "m3"} {
					w.done(id)
				}
				t.Rest(quiet)
				for _, id := range []string{"m1", "m2", "m3"} {
					found := w.Heard(0, ends(id))
					if len(found) != 1 {
						t.Errorf("the message %s ended %d times", id, len(found))
					}
					t.Equal("the agentInstanceId of the end of "+id, found[0].Message()["agentInstanceId"], w.instance("one"))
					t.Equal("the threadId of the end of "+id, found[0].Message()["threadId"], "thread-"+id)
				}
				if n := len(w.Heard(0, func(m suite.Message) bool { return m.Type() == "agentStarted" && m.Text("agentId") == "one" })); n != 1 {
					t.Errorf("agentStarted came %d times", n)
				}
				given := w.heard("one", "messageResponse")
				if len(given) != 3 {
					t.Errorf("the agent was given %d messages, not 3", len(given))
				}
				for _, r := range given {
					t.Equal("the process that got a message", r.process, given[0].process)
				}
			},
		},
	}
}
