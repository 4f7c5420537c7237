package agentcall_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/agentcall"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

type frame = map[string]any

// console is an agent and its platform in one: it sends requests, and keeps what is
// said to the agent and told to the platform.
type console struct {
	t      *testing.T
	dir    string
	caller *agentcall.Caller

	mu         sync.Mutex
	moved      *sync.Cond
	said, told []frame
}

func newConsole(t *testing.T, change func(*agentcall.Options)) *console {
	t.Helper()
	return newConsoleIn(t, t.TempDir(), change)
}

func newConsoleIn(t *testing.T, dir string, change func(*agentcall.Options)) *console {
	t.Helper()
	c := &console{t: t, dir: dir}
	c.moved = sync.NewCond(&c.mu)
	files, err := workspace.OpenLocal(c.dir, workspace.LocalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = files.Close() })
	o := agentcall.Options{Files: files, Name: "shop", Environ: os.Environ()}
	if change != nil {
		change(&o)
	}
	server, err := agentcall.New(o)
	if err != nil {
		t.Fatal(err)
	}
	c.caller = server.Caller(agentcall.Agent{
		ID: "coder", InstanceID: "7a0c8dd6-0000-4000-8000-000000000001", ThreadID: "thread",
		Say: c.keep(&c.said), Tell: c.keep(&c.told),
	})
	t.Cleanup(c.caller.Close)
	return c
}

func (c *console) keep(list *[]frame) func([]byte) {
	return func(data []byte) {
		var f frame
		if err := json.Unmarshal(data, &f); err != nil {
			c.t.Errorf("no JSON: %s", data)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		*list = append(*list, f)
		c.moved.Broadcast()
	}
}

// send sends a request.
func (c *console) send(f frame) {
	c.t.Helper()
	data, err := json.Marshal(f)
	if err != nil {
		c.t.Fatal(err)
	}
	head, err := wire.Peek(data)
	if err != nil {
		c.t.Fatal(err)
	}
	if !c.caller.Serve(head, data) {
		c.t.Fatalf("nobody answers %s", data)
	}
}

// await waits for a frame of a list, from the n-th on.
func (c *console) await(what string, list *[]frame, n int, match func(frame) bool) frame {
	c.t.Helper()
	late := false
	timer := time.AfterFunc(patience, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		late = true
		c.moved.Broadcast()
	})
	defer timer.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for _, f := range (*list)[min(n, len(*list)):] {
			if match(f) {
				return f
			}
		}
		if late {
			c.t.Fatalf("%s does not come; there is %v", what, *list)
		}
		c.moved.Wait()
	}
}

// answer is the last frame to the agent with this requestId: not the output of a
// stream.
func (c *console) answer(id string) frame {
	c.t.Helper()
	return c.await("the answer of "+id, &c.said, 0, func(f frame) bool { return f["requestId"] == id && f["type"] != "commandOutput" })
}

// ask sends a request and returns its answer.
func (c *console) ask(f frame) frame {
	c.t.Helper()
	id := string(wire.NewID())
	f["requestId"] = id
	c.send(f)
	return c.answer(id)
}

// run has a command carried out.
func (c *console) run(line string) frame {
	c.t.Helper()
	return c.ask(frame{"type": "executeCommand", "message": line})
}

// heard is what was said to the agent.
func (c *console) heard() []frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]frame{}, c.said...)
}

// output waits until a stream has said a text.
func (c *console) output(id, text string) {
	c.t.Helper()
	c.await("output of "+id, &c.said, 0, func(f frame) bool { return f["requestId"] == id && f["type"] == "commandOutput" && f["output"] == text })
}

func (c *console) write(name, content string) {
	c.t.Helper()
	full := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// expect compares some members of a frame.
func expect(t *testing.T, got, want frame) {
	t.Helper()
	for key, value := range want {
		if n, ok := value.(int); ok {
			value = float64(n)
		}
		if got[key] != value {
			t.Errorf("%s is %#v, want %#v, in %v", key, got[key], value, got)
		}
	}
}
