//go:build linux

package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/watch"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// screen is what the server of an environment is shown of its terminals.
type screen struct {
	mu    sync.Mutex
	text  map[string]string // by terminal, without what came twice
	next  map[string]int64  // the offset that comes next
	holes []string
	exits map[string]wire.TerminalExit
	moved chan struct{}
}

func look(t *testing.T, e *server.Environment) *screen {
	s := &screen{text: map[string]string{}, next: map[string]int64{}, exits: map[string]wire.TerminalExit{}, moved: make(chan struct{}, 1)}
	t.Cleanup(e.Subscribe(func(head wire.Header, frame []byte) {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch head.Type {
		case wire.TypeTerminalOutput:
			m := wire.TerminalOutput{}
			if err := wire.Unmarshal(frame, &m); err != nil {
				s.holes = append(s.holes, err.Error())
				return
			}
			if m.Offset != s.next[m.TerminalID] {
				s.holes = append(s.holes, fmt.Sprintf("%s goes on at %d instead of %d", m.TerminalID, m.Offset, s.next[m.TerminalID]))
			}
			s.text[m.TerminalID] += string(m.Data)
			s.next[m.TerminalID] = m.Offset + int64(len(m.Data))
		case wire.TypeTerminalExit:
			m := wire.TerminalExit{}
			if err := wire.Unmarshal(frame, &m); err != nil {
				s.holes = append(s.holes, err.Error())
			}
			s.exits[m.TerminalID] = m
		default:
			return
		}
		select {
		case s.moved <- struct{}{}:
		default:
		}
	}))
	return s
}

func (s *screen) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		s.mu.Lock()
		done := ok()
		s.mu.Unlock()
		if done {
			return
		}
		select {
		case <-s.moved:
		case <-limit:
			s.mu.Lock()
			defer s.mu.Unlock()
			t.Fatalf("%s did not come; the screens show %.2000q", what, s.text)
		}
	}
}

func (s *screen) shows(t *testing.T, id, text string) {
	t.Helper()
	s.until(t, text, func() bool { return strings.Contains(s.text[id], text) })
}

// terminal sends a request about terminals, and returns its answer and the kind of its
// error.
func terminal(t *testing.T, e *server.Environment, typ string, members map[string]any) (reply wire.TerminalReply, code wire.Code) {
	t.Helper()
	message := map[string]any{"type": "terminal." + typ}
	for key, value := range members {
		message[key] = value
	}
	answer, err := e.Call(stage.Limit(t), message)
	if answer == nil {
		t.Fatal(err)
	}
	if err := wire.Unmarshal(answer.Frame, &reply); err != nil {
		t.Fatal(err)
	}
	if reply.Success != (reply.Error == "") || reply.Type != "terminal."+typ+"Response" {
		t.Errorf("%v was answered with %s", message, answer.Frame)
	}
	return reply, reply.Code
}

func types(t *testing.T, e *server.Environment, id, text string) {
	t.Helper()
	if reply, code := terminal(t, e, "input", map[string]any{"terminalId": id, "data": []byte(text)}); code != "" {
		t.Fatalf("input: %+v", reply)
	}
}

func TestAPersonWorksInATerminalOfAnEnvironment(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e, path := s.Opened("terminals", nil)
	seen := look(t, e)
	reply, code := terminal(t, e, "open", map[string]any{
		"terminalId": "t1", "argv": []string{"sh"}, "cwd": "src", "cols": 120, "rows": 40, "env": map[string]string{"MINE": "a value", "TERM": "vt100"},
	})
	if code != "" || reply.TerminalID != "t1" || reply.PID == 0 {
		t.Fatalf("open: %+v", reply)
	}
	types(t, e, "t1", `pwd; stty size; echo "[$MINE] [$TERM] [$SOCKET_PORT$threadToken]"; echo x >made.txt`+"\n")
	for _, want := range []string{filepath.Join(path, "src") + "\r\n", "\r\n40 120\r\n", "\r\n[a value] [vt100] []\r\n"} {
		seen.shows(t, "t1", want)
	}
	if reply, code := terminal(t, e, "resize", map[string]any{"terminalId": "t1", "cols": 81, "rows": 25}); code != "" {
		t.Errorf("resize: %+v", reply)
	}
	types(t, e, "t1", "stty size; sh -c 'echo asleep$((40+2)); exec sleep 600'\n")
	seen.shows(t, "t1", "25 81\r\n") // after a prompt, when the shell has read late what was typed
	seen.shows(t, "t1", "asleep42\r\n")
	types(t, e, "t1", "\x03")
	types(t, e, "t1", "echo back$((1+1))\n")
	seen.shows(t, "t1", "back2\r\n")
	if text := stage.Read(t, filepath.Join(path, "src", "made.txt")); text != "x\n" {
		t.Errorf("the file that was made holds %q", text)
	}
	list, _ := terminal(t, e, "list", nil)
	if len(list.Terminals) != 1 || !list.Terminals[0].Running || list.Terminals[0].Cols != 81 || list.Terminals[0].Attached != 1 || list.Terminals[0].Argv[0] != "sh" {
		t.Errorf("list: %+v", list.Terminals)
	}
	types(t, e, "t1", "exit 7\n")
	seen.until(t, "the end", func() bool { return seen.exits["t1"].Type != "" })
	if seen.exits["t1"].ExitCode != 7 {
		t.Errorf("it ended with %+v", seen.exits["t1"])
	}
	for _, c := range []struct {
		name, typ string
		members   map[string]any
		code      wire.Code
	}{
		{"outside", "open", map[string]any{"cwd": "../other"}, wire.OutsideWorkspace},
		{"no such folder", "open", map[string]any{"cwd": "missing"}, wire.NotFound},
		{"no such program", "open", map[string]any{"argv": []string{"no-such-program"}}, wire.NotFound},
		{"the same id", "open", map[string]any{"terminalId": "t1"}, wire.Exists},
		{"nobody", "input", map[string]any{"terminalId": "t9", "data": []byte("x")}, wire.NotFound},
		{"one that has ended", "input", map[string]any{"terminalId": "t1", "data": []byte("x")}, wire.NotRunning},
		{"no size", "resize", map[string]any{"terminalId": "t1"}, wire.Invalid},
		{"not attached", "detach", map[string]any{"terminalId": "t1"}, wire.NotFound},
	} {
		if reply, code := terminal(t, e, c.typ, c.members); code != c.code {
			t.Errorf("%s: %+v, want kind %q", c.name, reply, c.code)
		}
	}
	if len(seen.holes) > 0 {
		t.Errorf("holes in what was shown: %v", seen.holes)
	}
}

func TestATerminalGoesOnWithoutItsProvider(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e, _ := s.Opened("going-on", nil)
	seen := look(t, e)
	if reply, code := terminal(t, e, "open", map[string]any{"terminalId": "t1", "argv": []string{"sh", "-c", "stty -opost; seq 1 100000; read go; seq 100001 200000; read go"}}); code != "" {
		t.Fatalf("open: %+v", reply)
	}
	seen.shows(t, "t1", "\n99999\n100000\n")
	types(t, e, "t1", "\n")
	if err := e.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Wait(stage.Limit(t)); err != nil {
		t.Fatal(err)
	}
	s.Start(e)
	seen.mu.Lock()
	from := seen.next["t1"]
	seen.mu.Unlock()
	reply, code := terminal(t, e, "attach", map[string]any{"terminalId": "t1", "after": from})
	if code != "" || reply.Lost != 0 || reply.Offset != from {
		t.Fatalf("attach after %d: %+v", from, reply)
	}
	seen.shows(t, "t1", "\n199999\n200000\n")
	seen.mu.Lock()
	var want strings.Builder
	for i := 1; i <= 200_000; i++ {
		fmt.Fprintln(&want, i)
	}
	got := strings.ReplaceAll(strings.TrimPrefix(seen.text["t1"], "\n"), "100000\n\n", "100000\n") // the echo of what was typed
	if len(seen.holes) > 0 || got != want.String() {
		t.Errorf("%d bytes of %d were shown, holes %v", len(got), want.Len(), seen.holes)
	}
	seen.mu.Unlock()
	if _, code := terminal(t, e, "close", map[string]any{"terminalId": "t1"}); code != "" {
		t.Errorf("close: kind %q", code)
	}
	seen.until(t, "the end", func() bool { return seen.exits["t1"].Signal == "SIGHUP" })
}

// made is closed when a file has been made in a folder.
func made(t *testing.T, dir, name string) <-chan struct{} {
	t.Helper()
	there := make(chan struct{})
	var once sync.Once
	w, err := watch.Start(watch.Options{Dir: dir, Flat: true, Changed: func(b watch.Batch) {
		if b.Overflow || slices.ContainsFunc(b.Changes, func(c watch.Change) bool { return c.Path == name }) {
			once.Do(func() { close(there) })
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return there
}

func TestAProgramAtATerminalWaitsForNoProviderThatIsDead(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e, path := s.Opened("dead", nil)
	seen := look(t, e)
	const lines = 600_000 // four megabytes, of which one is kept
	script := fmt.Sprintf("stty -opost -echo; echo ready; read go; seq 1 %d; echo x >finished.txt; read go", lines)
	if reply, code := terminal(t, e, "open", map[string]any{"terminalId": "t1", "argv": []string{"sh", "-c", script}}); code != "" {
		t.Fatalf("open: %+v", reply)
	}
	seen.shows(t, "t1", "ready\n")
	finished := made(t, path, "finished.txt")
	types(t, e, "t1", "\n")
	if err := e.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Wait(stage.Limit(t)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-finished:
	case <-time.After(60 * time.Second):
		t.Fatal("the program waits for a provider that is dead")
	}
	s.Start(e)
	seen.mu.Lock()
	from := seen.next["t1"]
	seen.mu.Unlock()
	reply, code := terminal(t, e, "attach", map[string]any{"terminalId": "t1", "after": from})
	if code != "" || reply.Lost <= 0 || reply.Offset-reply.Lost != from {
		t.Errorf("attach after %d: %+v", from, reply)
	}
	seen.until(t, "the last line", func() bool { return strings.HasSuffix(seen.text["t1"], fmt.Sprintf("\n%d\n", lines)) })
	if _, code := terminal(t, e, "close", map[string]any{"terminalId": "t1"}); code != "" {
		t.Errorf("close: kind %q", code)
	}
}

func TestAFloodInATerminalHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e, _ := s.Opened("flood", nil)
	seen := look(t, e)
	if _, code := terminal(t, e, "open", map[string]any{"terminalId": "t1", "argv": []string{"yes", strings.Repeat("flood ", 100)}}); code != "" {
		t.Fatalf("open: kind %q", code)
	}
	for i := range 50 {
		var text string
		began := time.Now()
		s.Call(e, map[string]any{"type": "providerReadFile", "path": "README.md"}, &text)
		if took := time.Since(began); took > 5*time.Second {
			t.Fatalf("file %d was read in %v", i, took)
		}
	}
	// What is typed reaches it, and what it has shown by then does not keep the answer.
	if _, code := terminal(t, e, "signal", map[string]any{"terminalId": "t1", "signal": "TERM"}); code != "" {
		t.Errorf("signal: kind %q", code)
	}
	seen.until(t, "the end", func() bool { return seen.exits["t1"].Signal == "SIGTERM" })
	if len(seen.holes) > 0 {
		t.Errorf("holes in what was shown: %v", seen.holes)
	}
}

func TestAnEnvironmentWithoutOurRuntimeHasNoTerminals(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e := s.Env("none", stage.Settings{"executionMode": "local_thread_pool"}, nil)
	if err := e.Launch(stage.Limit(t)); err != nil {
		t.Fatal(err)
	}
	if reply, code := terminal(t, e, "list", nil); code != wire.NotRunning {
		t.Errorf("before a start: %+v", reply)
	}
	s.Start(e)
	if reply, code := terminal(t, e, "list", nil); code != wire.Unsupported {
		t.Errorf("without a runtime: %+v", reply)
	}
}
