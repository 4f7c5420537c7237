//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// changesOf are what a watch has told of so far, as "kind path".
func changesOf(p *stage.Platform, id string) (all []string) {
	for _, m := range p.All(func(s stage.Said) bool { return s["type"] == wire.TypeWatchChanged && s["watchId"] == id }) {
		changes, _ := m["changes"].([]any)
		for _, c := range changes {
			if change, ok := c.(map[string]any); ok {
				all = append(all, fmt.Sprint(change["kind"], " ", change["path"]))
			}
		}
	}
	return all
}

// until waits for a change of a path, and returns all there have been.
func until(t *testing.T, p *stage.Platform, id, path string) []string {
	t.Helper()
	p.Await(1, func(s stage.Said) bool {
		return s["watchId"] == id && strings.Contains(fmt.Sprint(s["changes"]), "path:"+path)
	})
	return changesOf(p, id)
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
	seen := stage.Hear(t, e)
	reply, code := ask(t, e, map[string]any{"type": "watch.start", "watchId": "w1", "ignore": []string{"*.log"}, "debounceMs": 20})
	if code != "" || reply.WatchID != "w1" {
		t.Fatalf("watch.start: %+v", reply)
	}
	if reply, _ := ask(t, e, map[string]any{"type": "watch.list"}); len(reply.Watches) != 1 || reply.Watches[0].WatchID != "w1" || !reply.Watches[0].Recursive {
		t.Errorf("watch.list: %+v", reply)
	}
	// By the server, by an agent, and by anybody.
	s.Call(e, map[string]any{"type": "providerWriteFile", "path": "by/server.txt", "content": "x"}, nil)
	until(t, seen, "w1", "by/server.txt")
	s.Agent(e, "a", "echo x >by/agent.txt; echo x >noise.log; mv by/server.txt by/moved.txt")
	all := until(t, seen, "w1", "by/moved.txt")
	until(t, seen, "w1", "by/agent.txt")
	stage.Write(t, filepath.Join(path, "last.txt"), "x")
	all = append(all, until(t, seen, "w1", "last.txt")...)
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
	until(t, seen, "w1", "after.txt")

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
	for _, m := range seen.All(func(s stage.Said) bool { return s["type"] == wire.TypeWatchChanged }) {
		if strings.Contains(fmt.Sprint(m), "unwatched.txt") {
			t.Errorf("%s told of a file from before it or after its end", m["watchId"])
		}
	}
	if _, err := os.Stat(filepath.Join(path, "unwatched.txt")); errors.Is(err, os.ErrNotExist) {
		t.Error("the file is not there")
	}
}
