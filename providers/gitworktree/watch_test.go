//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// changes keeps what the server of an environment is told of its files.
type changes struct {
	mu   sync.Mutex
	all  []wire.WatchChanged
	more chan struct{}
}

func watching(t *testing.T, e *server.Environment) *changes {
	c := &changes{more: make(chan struct{}, 1)}
	t.Cleanup(e.Subscribe(func(head wire.Header, frame []byte) {
		m := wire.WatchChanged{}
		if head.Type != wire.TypeWatchChanged || wire.Unmarshal(frame, &m) != nil {
			return
		}
		c.mu.Lock()
		c.all = append(c.all, m)
		c.mu.Unlock()
		select {
		case c.more <- struct{}{}:
		default:
		}
	}))
	return c
}

// until waits for a change of a path, and returns all there have been, as "kind path".
func (c *changes) until(t *testing.T, id, path string) (all []string) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		all = nil
		found := false
		c.mu.Lock()
		for _, m := range c.all {
			for _, change := range m.Changes {
				if m.WatchID == id {
					all = append(all, change.Kind+" "+change.Path)
					found = found || change.Path == path
				}
			}
		}
		c.mu.Unlock()
		if found {
			return all
		}
		select {
		case <-c.more:
		case <-limit:
			t.Fatalf("%s was not told of by %s, but %v", path, id, all)
		}
	}
}

// ask sends a request about watches, and returns its answer and the kind of its error.
func ask(t *testing.T, e *server.Environment, members map[string]any) (reply wire.WatchReply, code wire.Code) {
	t.Helper()
	answer, err := e.Call(stage.Limit(t), members)
	if answer == nil {
		t.Fatal(err)
	}
	if err := wire.Unmarshal(answer.Frame, &reply); err != nil {
		t.Fatal(err)
	}
	if reply.Success != (reply.Error == "") || reply.Type != fmt.Sprint(members["type"])+"Response" {
		t.Errorf("%v was answered with %s", members, answer.Frame)
	}
	return reply, reply.Code
}

func TestTheServerIsToldWhatChangesInAnEnvironment(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e, path := s.Opened("watched", nil)
	seen := watching(t, e)
	reply, code := ask(t, e, map[string]any{"type": "watch.start", "watchId": "w1", "ignore": []string{"*.log"}, "debounceMs": 20})
	if code != "" || reply.WatchID != "w1" {
		t.Fatalf("watch.start: %+v", reply)
	}
	if reply, _ := ask(t, e, map[string]any{"type": "watch.list"}); len(reply.Watches) != 1 || reply.Watches[0].WatchID != "w1" || !reply.Watches[0].Recursive {
		t.Errorf("watch.list: %+v", reply)
	}
	// By the server, by an agent, and by anybody.
	s.Call(e, map[string]any{"type": "providerWriteFile", "path": "by/server.txt", "content": "x"}, nil)
	seen.until(t, "w1", "by/server.txt")
	s.Agent(e, "a", "echo x >by/agent.txt; echo x >noise.log; mv by/server.txt by/moved.txt")
	all := seen.until(t, "w1", "by/moved.txt")
	seen.until(t, "w1", "by/agent.txt")
	stage.Write(t, filepath.Join(path, "last.txt"), "x")
	all = append(all, seen.until(t, "w1", "last.txt")...)
	if !slices.Contains(all, "deleted by/server.txt") || !slices.Contains(all, "created by/agent.txt") {
		t.Errorf("told of %v", all)
	}
	for _, change := range all {
		if strings.Contains(change, ".git") || strings.Contains(change, ".log") {
			t.Errorf("told of %s", change)
		}
	}
	// A connection that breaks ends no watch.
	e.Disconnect()
	if err := e.WaitState(stage.Limit(t), server.Running); err != nil {
		t.Fatal(err)
	}
	stage.Write(t, filepath.Join(path, "after.txt"), "x")
	seen.until(t, "w1", "after.txt")

	for _, c := range []struct {
		name    string
		members map[string]any
		code    wire.Code
	}{
		{"the same id", map[string]any{"type": "watch.start", "watchId": "w1"}, wire.Exists},
		{"outside", map[string]any{"type": "watch.start", "path": "../other"}, wire.OutsideWorkspace},
		{"nothing there", map[string]any{"type": "watch.start", "path": "missing"}, wire.NotFound},
		{"no pattern", map[string]any{"type": "watch.start", "ignore": []string{"["}}, wire.Invalid},
		{"too hasty", map[string]any{"type": "watch.start", "debounceMs": 1}, wire.Invalid},
		{"a stop of nothing", map[string]any{"type": "watch.stop", "watchId": "nothing"}, wire.NotFound},
		{"a stop", map[string]any{"type": "watch.stop", "watchId": "w1"}, ""},
	} {
		if reply, code := ask(t, e, c.members); code != c.code {
			t.Errorf("%s: %+v, want kind %q", c.name, reply, c.code)
		}
	}
	if reply, _ := ask(t, e, map[string]any{"type": "watch.list"}); len(reply.Watches) != 0 {
		t.Errorf("after the stop there are %+v", reply.Watches)
	}
	stage.Write(t, filepath.Join(path, "unwatched.txt"), "x")
	for i := range 16 {
		if _, code := ask(t, e, map[string]any{"type": "watch.start", "watchId": fmt.Sprint("many", i)}); code != "" {
			t.Errorf("watch %d: kind %q", i, code)
		}
	}
	if _, code := ask(t, e, map[string]any{"type": "watch.start"}); code != wire.Unavailable {
		t.Errorf("one watch more: kind %q", code)
	}
	seen.mu.Lock()
	defer seen.mu.Unlock()
	for _, m := range seen.all {
		for _, change := range m.Changes {
			if change.Path == "unwatched.txt" {
				t.Errorf("%s told of a file from before it or after its end", m.WatchID)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(path, "unwatched.txt")); errors.Is(err, os.ErrNotExist) {
		t.Error("the file is not there")
	}
}
