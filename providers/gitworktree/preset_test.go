//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// heard keeps what comes from a runtime that is not ours.
type heard struct {
	mu    sync.Mutex
	all   []map[string]any
	moved chan struct{}
}

func hear(t *testing.T, e *server.Environment) *heard {
	h := &heard{moved: make(chan struct{}, 1)}
	t.Cleanup(e.Subscribe(func(_ wire.Header, frame []byte) {
		m := map[string]any{}
		if json.Unmarshal(frame, &m) != nil {
			return
		}
		h.mu.Lock()
		h.all = append(h.all, m)
		h.mu.Unlock()
		select {
		case h.moved <- struct{}{}:
		default:
		}
	}))
	return h
}

// await waits for so many messages with a member of that value.
func (h *heard) await(t *testing.T, n int, key, value string) []map[string]any {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		var found []map[string]any
		h.mu.Lock()
		for _, m := range h.all {
			if m[key] == value {
				found = append(found, m)
			}
		}
		h.mu.Unlock()
		if len(found) >= n {
			return found
		}
		select {
		case <-h.moved:
		case <-limit:
			t.Fatalf("%d messages with %s %q came, want %d", len(found), key, value, n)
		}
	}
}

func prompt(t *testing.T, e *server.Environment, id, text string) {
	t.Helper()
	err := e.StartAgent(stage.Limit(t), wire.MessageResponse{
		Header: wire.Header{Type: wire.TypeMessageResponse}, MessageID: id,
		Message: wire.Prompt{UserMessage: text, ThreadID: "thread", MessageID: id, SelectedAgent: &wire.SelectedAgent{ID: "upstream"}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestARuntimeThatSpeaksAsTheGatewayDoesIsAConfiguration(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e, path := s.Opened("gateway", stage.Settings{"runtime": map[string]any{"preset": "codebolt", "path": filepath.Join(programs, "upstream")}})
	h := hear(t, e)

	prompt(t, e, "m1", "say hello")
	if said := h.await(t, 1, "text", "hello"); said[0]["type"] != "sendMessage" || said[0]["project"] != path {
		t.Errorf("it said %v", said)
	}
	h.await(t, 1, "messageId", "m1")

	// Two requests of one type, answered in the other order.
	prompt(t, e, "m2", "two")
	asked := map[string]string{}
	for _, q := range h.await(t, 2, "type", "inference") {
		asked[fmt.Sprint(q["prompt"])] = fmt.Sprint(q["requestId"])
	}
	if asked["first"] != "agent-first" || asked["second"] != "agent-second" {
		t.Errorf("the platform was asked as %v", asked)
	}
	for _, about := range []string{"second", "first"} {
		if err := e.Send(stage.Limit(t), map[string]any{"type": "llmResponse", "requestId": asked[about], "completion": "of " + about}); err != nil {
			t.Fatal(err)
		}
	}
	for _, about := range []string{"first", "second"} {
		told := h.await(t, 1, "about", about)[0]
		result, _ := told["result"].(map[string]any)
		if told["success"] != true || result["completion"] != "of "+about || result["requestId"] != "agent-"+about {
			t.Errorf("the agent was told %v of %s", told, about)
		}
	}
	h.await(t, 1, "messageId", "m2")

	// One without an id of its own, answered with an error.
	prompt(t, e, "m3", "own")
	q := h.await(t, 1, "type", "memoryEvent")[0]
	if err := e.Send(stage.Limit(t), map[string]any{"type": "memoryResponse", "requestId": q["requestId"], "success": false, "error": "nothing there"}); err != nil {
		t.Fatal(err)
	}
	told := h.await(t, 1, "about", "own")[0]
	result, _ := told["result"].(map[string]any)
	if told["success"] != false || result["error"] != "nothing there" {
		t.Errorf("the agent was told %v", told)
	}

	// A connection that breaks is made again, and what was asked on it is not answered.
	prompt(t, e, "m4", "quiet")
	lost := h.await(t, 3, "type", "inference")[2]
	h.mu.Lock()
	h.all = nil
	h.mu.Unlock()
	for n := 0; ; n++ { // until the runtime is connected again
		prompt(t, e, fmt.Sprint("again", n), "say again")
		time.Sleep(20 * time.Millisecond)
		h.mu.Lock()
		back := len(h.all) > 0 && strings.Contains(fmt.Sprint(h.all), "text:again")
		h.mu.Unlock()
		if back {
			break
		}
	}
	if err := e.Send(stage.Limit(t), map[string]any{"type": "llmResponse", "requestId": lost["requestId"], "completion": "late"}); err != nil {
		t.Fatal(err)
	}
	prompt(t, e, "m5", "say last")
	h.await(t, 1, "text", "last")
	h.mu.Lock()
	for _, m := range h.all {
		typ := fmt.Sprint(m["type"])
		if m["about"] == "lost" || strings.HasPrefix(typ, "executionGateway") || strings.HasPrefix(typ, "__") {
			t.Errorf("the platform heard %v", m)
		}
	}
	h.mu.Unlock()

	// Files and the diff are the provider's own.
	s.Call(e, map[string]any{"type": "providerWriteFile", "path": "new.txt", "content": "x\n"}, nil)
	if d := s.Diff(e); len(d.Files) != 1 || d.Files[0].Path != "new.txt" {
		t.Errorf("the diff is %+v", d)
	}
	if out, code := terminal(t, e, "list", nil); code != wire.Unsupported {
		t.Errorf("a terminal of a runtime that has none: %+v", out)
	}
	s.Stop(e, "snapshotAndRemove")
	for _, command := range s.Processes() {
		if strings.Contains(command, "upstream") {
			t.Errorf("it still runs: %s", command)
		}
	}
}

func TestAPresetThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for name, c := range map[string]struct {
		runtime map[string]any
		code    wire.Code
		says    string
	}{
		"an unknown one":         {map[string]any{"preset": "magic"}, wire.Invalid, "write one of codebolt-runtime, agentserver, codebolt"},
		"no server.mjs":          {map[string]any{"preset": "agentserver"}, wire.Invalid, "write the path of its server.mjs into runtime.path"},
		"ours, and a command":    {map[string]any{"preset": "codebolt-runtime", "command": []string{"x"}}, wire.Invalid, "leave one out"},
		"a program that is none": {map[string]any{"preset": "codebolt", "path": "/no/such/program"}, wire.NotFound, "/no/such/program"},
		"one that ends at once":  {map[string]any{"preset": "codebolt", "command": []string{"false"}}, wire.Unavailable, "ended at once"},
	} {
		e := s.Env("refused-"+strings.ReplaceAll(name, " ", "-"), stage.Settings{"runtime": c.runtime}, nil)
		if said := s.Refused(e, c.code); !strings.Contains(said, c.says) {
			t.Errorf("%s: %s", name, said)
		}
	}
}
