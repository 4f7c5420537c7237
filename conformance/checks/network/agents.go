package network

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/runtime"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
)

// world is an environment whose runtime is played by the suite.
type world struct {
	*suite.Env
	t   *suite.T
	rt  *runtime.Control
	dir string
}

// needs of all checks that play the runtime.
var playsRuntime = []suite.Capability{suite.RuntimeCommand, "providerAgentStart"}

// agentServer is the setting that puts the suite's agent server into the place
// of the provider's runtime, with further arguments, and what steers it.
func agentServer(t *suite.T, args ...string) (map[string]any, *runtime.Control) {
	rt := &runtime.Control{Dir: t.Dir("runtime")}
	command := slices.Concat(t.Target().RuntimeProgram, []string{"--port", "{port}", "--dir", rt.Dir}, args)
	return map[string]any{"runtime": map[string]any{"command": command}}, rt
}

// play makes an environment with a runtime of the suite; it is not started.
func play(t *suite.T, spec suite.Spec, args ...string) *world {
	config, rt := agentServer(t, args...)
	spec.Config = manifest.Merge(spec.Config, config)
	return &world{Env: t.Env(spec), t: t, rt: rt, dir: rt.Dir}
}

// openPlay is play with the environment started.
func openPlay(t *suite.T) *world {
	w := play(t, suite.Spec{})
	w.Start()
	return w
}

// steer carries out a command to the runtime, which must succeed.
func (w *world) steer(command func(ctx context.Context) error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	w.t.Try(command(ctx))
}

// journal returns what the runtime noted that the filter takes.
func (w *world) journal(filter func(runtime.Entry) bool) []runtime.Entry {
	all, err := w.rt.Journal()
	w.t.Try(err)
	var found []runtime.Entry
	for _, e := range all {
		if filter(e) {
			found = append(found, e)
		}
	}
	return found
}

// noted counts the runtime's entries of an event.
func (w *world) noted(event runtime.Event) int {
	return len(w.journal(func(e runtime.Entry) bool { return e.Event == event }))
}

// told returns the messages that reached the runtime, decoded.
func (w *world) told() []suite.Message {
	var found []suite.Message
	for _, e := range w.journal(func(e runtime.Entry) bool { return e.Event == runtime.Told }) {
		found = append(found, decode(e.Message))
	}
	return found
}

// toldIDs returns the messageId of each message that reached the runtime and has
// one.
func (w *world) toldIDs() []string {
	found := []string{}
	for _, e := range w.journal(func(e runtime.Entry) bool { return e.Event == runtime.Told && e.MessageID != "" }) {
		found = append(found, e.MessageID)
	}
	return found
}

// awaitTold waits until a message with an id has reached the runtime.
func (w *world) awaitTold(d time.Duration, id string) {
	w.t.Eventually(d, "the message "+id+" reaches the runtime", func() bool { return slices.Contains(w.toldIDs(), id) })
}

// decode reads an object and keeps its numbers as they are written; nil when it
// is none.
func decode(frame []byte) suite.Message {
	d := json.NewDecoder(bytes.NewReader(frame))
	d.UseNumber()
	var m suite.Message
	if d.Decode(&m) != nil {
		return nil
	}
	return m
}

// prompt is what starts an agent, with some bytes of text.
func prompt(id string, size int) suite.Message {
	return suite.Message{
		"type": "messageResponse", "messageId": id,
		"message": map[string]any{
			"userMessage": text(size), "messageId": id, "threadId": "thread-" + id,
			"selectedAgent":  map[string]any{"id": "echo", "name": "Echo", "agentType": "local-path", "agentDetails": "/nowhere"},
			"mentionedFiles": []any{}, "mentionedAgents": []any{},
		},
		"sender": map[string]any{"senderType": "user", "senderInfo": map[string]any{"name": "user"}},
	}
}

// agentStart is the request that carries a prompt.
func agentStart(userMessage suite.Message) suite.Message {
	return suite.Message{"type": "providerAgentStart", "userMessage": map[string]any(userMessage)}
}

// startAgents starts agents with numbered prompts, each of which must be taken.
func (w *world) startAgents(prefix string, count int) (ids []string) {
	for i := range count {
		id := fmt.Sprint(prefix, i)
		w.Result(agentStart(prompt(id, 10)))
		ids = append(ids, id)
	}
	return ids
}

// degraded waits for a heartbeat that tells that not all is well.
func (w *world) degraded(from int) {
	w.Await(from, 20*time.Second, "a heartbeat whose status is not healthy", func(m suite.Message) bool {
		return m.Type() == "providerHeartbeat" && m.Text("status") != "healthy"
	})
}

// healthy waits for a heartbeat that tells that all is well.
func (w *world) healthy(from int) {
	w.Await(from, reconnectLimit, "a heartbeat whose status is healthy", func(m suite.Message) bool {
		return m.Type() == "providerHeartbeat" && m.Text("status") == "healthy"
	})
}

// marker sends a message through the runtime to the server and waits for it: all
// that the runtime said before has been passed on, or never will be.
func (w *world) marker(d time.Duration) {
	from, id := w.Now(), fmt.Sprintf("marker-%d", time.Now().UnixNano())
	w.steer(func(ctx context.Context) error {
		return w.rt.Send(ctx, map[string]any{"type": "agentMessage", "marker": id})
	})
	w.Await(from, d, "the runtime's last message", func(m suite.Message) bool { return m.Text("marker") == id })
}

// numbered returns the numbers of the runtime's counted messages as they came to
// the server.
func (w *world) numbered(from int) []int {
	var found []int
	for _, f := range w.Heard(from, suite.OfType("numbered")) {
		n, _ := f.Message()["n"].(float64)
		found = append(found, int(n))
	}
	return found
}

// rising notes a failure unless each number is larger than the one before.
func rising(t *suite.T, what string, numbers []int) {
	for i := 1; i < len(numbers); i++ {
		if numbers[i] <= numbers[i-1] {
			t.Errorf("%s: number %d came after number %d", what, numbers[i], numbers[i-1])
			return
		}
	}
}

// whole notes a failure unless the numbers are those from first on.
func whole(t *suite.T, what string, numbers []int, first, count int) {
	rising(t, what, numbers)
	if len(numbers) != count || count > 0 && (numbers[0] != first || numbers[count-1] != first+count-1) {
		t.Errorf("%s: %d of %d came: %s", what, len(numbers), count, span(numbers))
	}
}

func span(numbers []int) string {
	if len(numbers) == 0 {
		return "none"
	}
	return fmt.Sprintf("%d to %d", numbers[0], numbers[len(numbers)-1])
}
