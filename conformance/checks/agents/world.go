package agents

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/codeboltai/codebolt-providers/conformance/agent"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// world is an environment with agents of the suite in it.
type world struct {
	*suite.Env
	t *suite.T
}

// open makes an environment and starts it. It ends the check as skipped when the suite's
// agent is not there.
func open(t *suite.T, spec suite.Spec) *world {
	w := &world{t: t, Env: t.Open(spec)}
	if t.Can(suite.Local) {
		return w
	}
	w.tell("probe", "probe")
	if end := w.end("probe"); end.Text("code") == "not_found" {
		t.Skipf("the environment does not have the suite's program %s: %s", t.Target().AgentProgram[0], end.Text("error"))
	}
	return w
}

// command selects the suite's agent by an id.
func (w *world) command(id string) suite.Message {
	return suite.Message{"id": id, "name": "Agent", "agentType": "command", "agentDetails": map[string]any{
		"argv": w.t.Target().AgentProgram, "endpoint": true, "env": map[string]any{"GIVEN_TO_THE_AGENT": "by its message"},
	}}
}

// envelope is what starts an agent, or gives it its next message.
func envelope(selected suite.Message, messageID, text string) suite.Message {
	return suite.Message{
		"type": "messageResponse", "messageId": messageID,
		"message": map[string]any{
			"userMessage": text, "messageId": messageID, "threadId": "thread-" + messageID, "selectedAgent": map[string]any(selected),
			"mentionedFiles": []any{}, "mentionedAgents": []any{},
		},
		"sender": map[string]any{"senderType": "user", "senderInfo": map[string]any{"name": "user"}},
	}
}

// give has a message given to the agent that it selects.
func (w *world) give(m suite.Message) {
	w.Result(suite.Message{"type": "providerAgentStart", "userMessage": map[string]any(m)})
}

// tell gives an agent a message with what it shall do.
func (w *world) tell(id, messageID string, steps ...agent.Step) {
	w.give(envelope(w.command(id), messageID, agent.Script(steps...)))
}

// ends matches the end of a message.
func ends(messageID string) func(suite.Message) bool {
	return func(m suite.Message) bool { return m.Type() == "processStoped" && m.Text("messageId") == messageID }
}

// end waits for the end of a message.
func (w *world) end(messageID string) suite.Message {
	return w.Await(0, patience, "the end of the message "+messageID, ends(messageID))
}

// done waits for the end of a message, which must be the agent's own word.
func (w *world) done(messageID string) suite.Message {
	end := w.end(messageID)
	if end.Has("error") || end["message"] != "done" {
		w.t.Fatalf("the message %s ended with %s", messageID, end)
	}
	return end
}

// onlyEnd notes a failure unless the message has ended once, also a while later.
func (w *world) onlyEnd(messageID string) suite.Message {
	end := w.end(messageID)
	w.t.Rest(quiet)
	if n := len(w.Heard(0, ends(messageID))); n != 1 {
		w.t.Errorf("the message %s ended %d times", messageID, n)
	}
	return end
}

// report is what the suite's agent tells of a frame that came to it.
type report struct {
	by      string // the agent
	process float64
	text    string
	frame   suite.Message // with its numbers as they are written
}

// id is the frame's requestId.
func (r *report) id() string { return r.frame.Text("requestId") }

// reports are all those of an agent, in their order.
func (w *world) reports(id string) (all []report) {
	for _, f := range w.Heard(0, func(m suite.Message) bool { return m["message"] == "heard" && m.Text("agentId") == id }) {
		m := f.Message()
		process, _ := m["pid"].(float64)
		all = append(all, report{by: id, process: process, text: m.Text("frame"), frame: exact(m.Text("frame"))})
	}
	return all
}

// heard are the reports of an agent on frames of a type.
func (w *world) heard(id, typ string) []report {
	return slices.DeleteFunc(w.reports(id), func(r report) bool { return r.frame.Type() != typ })
}

// answer is the one frame with a requestId that an agent has heard. Without one the check
// ends.
func (w *world) answer(id, requestID string) suite.Message {
	answers := slices.DeleteFunc(w.reports(id), func(r report) bool { return r.id() != requestID })
	if len(answers) == 0 {
		w.t.Fatalf("the agent %s got no answer to %s", id, requestID)
	}
	if len(answers) > 1 {
		w.t.Errorf("the agent %s got %d answers to %s", id, len(answers), requestID)
	}
	return answers[0].frame
}

// run has the agent "one" ask requests, each with an id, one after the other, and waits
// until all are answered.
func (w *world) run(messageID string, requests ...suite.Message) {
	var steps []agent.Step
	for _, m := range requests {
		steps = append(steps, agent.Say(m.String()), agent.Await(m.Text("requestId")))
	}
	w.tell("one", messageID, steps...)
	w.done(messageID)
}

// questions waits for so many requests to the platform.
func (w *world) questions(count int) (all []suite.Message) {
	from := 0
	for len(all) < count {
		f := w.AwaitFrame(from, patience, fmt.Sprintf("%d requests of agents; it sent %d", count, len(all)), suite.OfType("inference"))
		all, from = append(all, f.Message()), f.Number+1
	}
	return all
}

// instance is the run of an agent that agentStarted named for its message.
func (w *world) instance(id string) string {
	m := w.Await(0, patience, "agentStarted", func(m suite.Message) bool { return m.Type() == "agentStarted" && m.Text("agentId") == id })
	return m.Text("instanceId")
}

// exact reads an object and keeps its numbers as they are written; nil when it is none.
func exact(text string) suite.Message {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var m suite.Message
	if d.Decode(&m) != nil {
		return nil
	}
	return m
}

// unchanged notes a failure unless a message is another, but for a timestamp that may
// have been added.
func (w *world) unchanged(what string, got suite.Message, want string) {
	sent := exact(want)
	if !sent.Has("timestamp") {
		delete(got, "timestamp")
	}
	if g, s := got.String(), sent.String(); g != s {
		w.t.Errorf("%s is %s, not %s", what, g, s)
	}
}
