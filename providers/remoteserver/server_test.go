//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// changes are what the diff tells, by path.
func (s *play) changes(e *server.Environment) string {
	s.T.Helper()
	statuses := map[string]string{}
	for _, file := range s.Diff(e).Files {
		statuses[file.Path] = file.Status
	}
	return fmt.Sprint(statuses)
}

func TestACommandRunsOnTheHostAndWhatItChangedIsSeenHere(t *testing.T) {
	t.Parallel()
	s := newStage(t, sshtest.Options{}, stage.Settings{"env": map[string]string{"API_TOKEN": "it's a \"secret\"\nof two lines"}})
	before := stage.Git(t, s.Project, "status", "--porcelain", "--branch")
	e, path := s.Opened("far away", nil)
	files := filepath.Join(s.folder(), "files")
	s.Call(e, map[string]any{"type": wire.TypeWriteFile, "path": "made/by/server.txt", "content": "from the server\n"}, nil)
	want := files + "\n" + files + "\nfrom the server\nline one of 1\nit's a \"secret\"\nof two lines\n"
	if out := s.run(e, `pwd; echo "$CODEBOLT_WORKSPACE"; cat made/by/server.txt; head -1 src/file1.txt; echo "$API_TOKEN"; echo from the agent > reply.txt; rm src/file2.txt; chmod +x README.md`); out != want {
		t.Errorf("the agent printed %q, want %q", out, want)
	}
	// What an agent prints is heard while it runs.
	h := stage.Listen(e)
	s.Agent(e, "live", "echo one; until test -e go; do sleep 0.02; done; echo two")
	h.Until(t, "the first line", func() bool { return h.Output["live"] == "one\n" })
	s.Call(e, map[string]any{"type": wire.TypeWriteFile, "path": filepath.Join(path, "go"), "content": ""}, nil)
	h.Until(t, "the end", func() bool { return h.Ends["live"] != nil && h.Output["live"] == "one\ntwo\n" })
	changed := fmt.Sprint(map[string]string{"README.md": "modified", "go": "added", "made/by/server.txt": "added", "reply.txt": "added", "src/file2.txt": "deleted"})
	if got := s.changes(e); got != changed {
		t.Errorf("the diff tells %s, want %s", got, changed)
	}
	// Neither the token nor a variable is in any command line.
	for _, command := range s.onHost() {
		if strings.Contains(command, "secret") {
			t.Errorf("in a command line: %s", command)
		}
	}
	s.Close(e)
	eventually(t, "an idle runtime ends with its provider", func() bool { return len(s.onHost()) == 0 })
	if started := s.Start(e); !started.Attached || started.WorkspacePath != path {
		t.Errorf("%+v", started.StartResult)
	}
	var content string
	s.Call(e, map[string]any{"type": wire.TypeReadFile, "path": filepath.Join(path, "reply.txt")}, &content)
	var same string
	s.Call(e, map[string]any{"type": wire.TypeReadFile, "path": filepath.Join(files, "reply.txt")}, &same)
	if answer, err := e.Call(stage.Limit(t), map[string]any{"type": wire.TypeReadFile, "path": filepath.Join(files, "..", "run", "token")}); wire.CodeOf(err) != wire.OutsideWorkspace {
		t.Errorf("outside of the files: %v, %v", answer, err)
	}
	if got := s.changes(e); content != "from the agent\n" || same != content || got != changed {
		t.Errorf("after another start the reply is %q and the diff tells %s, want %s", content, got, changed)
	}
	if after := stage.Git(t, s.Project, "status", "--porcelain", "--branch"); after != before {
		t.Errorf("the project was %q and is %q", before, after)
	}
	if r := s.Stop(e, "removeIfClean"); r.Removed {
		t.Errorf("work is removed: %+v", r)
	}
	s.Start(e)
	if r := s.Stop(e, "snapshotAndRemove"); !r.Removed || len(r.Recovery) == 0 {
		t.Errorf("not removed: %+v", r)
	}
	s.none()
	s.Clean(0)
	s.sshd.AwaitConnections(t, 0)
}

func TestAHostMayBeAwkward(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]sshtest.Options{
		"a profile that speaks":   {},
		"two sessions":            {Config: []string{"MaxSessions 2"}},
		"no forwarding":           {NoStreamLocalForwarding: true, NoTCPForwarding: true},
		"neither, and two":        {NoStreamLocalForwarding: true, NoTCPForwarding: true, Config: []string{"MaxSessions 2"}},
		"a name that is too long": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, o, nil)
			stage.Write(t, filepath.Join(s.home, ".bashrc"), "echo Welcome; echo 'mind the step' >&2; printf 'no newline'\n")
			environment := name
			if strings.Contains(name, "too long") { // no socket can be below a folder called so
				environment = strings.Repeat("long ", 40)
			}
			e, _ := s.Opened(environment, nil)
			s.Call(e, map[string]any{"type": wire.TypeWriteFile, "path": "a.txt", "content": "a"}, nil)
			if out := s.run(e, "cat a.txt README.md; seq 20000; echo b > b.txt"); !strings.HasPrefix(out, "aa project\n1\n2\n") || !strings.HasSuffix(out, "\n20000\n") {
				t.Errorf("the agent printed %d bytes: %.40q", len(out), out)
			}
			if got, want := s.changes(e), fmt.Sprint(map[string]string{"a.txt": "added", "b.txt": "added"}); got != want {
				t.Errorf("the diff tells %s, want %s", got, want)
			}
			if r := s.Stop(e, "snapshotAndRemove"); !r.Removed {
				t.Errorf("not removed: %+v", r)
			}
			s.none()
			s.Clean(0)
		})
	}
}

// counting is an agent that counts until there is a file called enough.
const counting = `i=0; until test -e enough; do i=$((i+1)); echo $i >> work.txt; echo $i; sleep 0.03; done; echo over`

// counted checks that an agent that counts was heard to its end, in order and whole.
func (s *play) counted(e *server.Environment, h *stage.Heard) {
	t := s.T
	t.Helper()
	s.Call(e, map[string]any{"type": wire.TypeWriteFile, "path": "enough", "content": ""}, nil)
	h.Until(t, "the agent's end is told", func() bool { return h.Ends["worker"] != nil })
	if end := h.Ends["worker"]; end.ExitCode == nil || *end.ExitCode != 0 {
		t.Errorf("the agent's end: %+v", end)
	}
	lines := strings.Fields(h.Output["worker"])
	for i, line := range lines {
		if want := strconv.Itoa(i + 1); line != want && i < len(lines)-1 || i == len(lines)-1 && line != "over" {
			t.Fatalf("line %d that the agent printed came as %q", i+1, line)
		}
	}
	var work string
	s.Call(e, map[string]any{"type": wire.TypeReadFile, "path": "work.txt"}, &work)
	if got := len(strings.Fields(work)); got != len(lines)-1 {
		t.Errorf("the agent wrote %d lines, and printed %d", got, len(lines)-1)
	}
}

func TestAProviderThatIsKilledFindsItsAgentsAtWork(t *testing.T) {
	t.Parallel()
	s := newStage(t, sshtest.Options{}, nil)
	e, path := s.Opened("killed", nil)
	h := stage.Listen(e)
	s.Agent(e, "worker", counting)
	h.Until(t, "the agent works", func() bool { return strings.Count(h.Output["worker"], "\n") >= 5 })
	runtimes := s.runtimes()
	if err := e.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Wait(stage.Limit(t)); err != nil {
		t.Fatal(err)
	}
	_ = e.Close(stage.Limit(t)) // what was killed does not answer
	time.Sleep(500 * time.Millisecond)
	if started := s.Start(e); !started.Attached || started.WorkspacePath != path {
		t.Errorf("%+v", started.StartResult)
	}
	if now := s.runtimes(); len(runtimes) != 1 || len(now) != 1 || now[0] != runtimes[0] {
		t.Errorf("the runtime was %v and is %v", runtimes, now)
	}
	h.Mu.Lock()
	heard := len(h.Output["worker"])
	h.Mu.Unlock()
	h.Until(t, "the agent is heard again", func() bool { return len(h.Output["worker"]) > heard })
	s.counted(e, h)
	s.Stop(e, "snapshotAndRemove")
	s.none()
	s.Clean(0)
}

func TestAConnectionThatBreaksInTheMiddleOfARunLosesNothing(t *testing.T) {
	t.Parallel()
	for name, strike := range map[string]func(*play){
		"it is reset, and nobody is there for a while": func(s *play) {
			s.line.Leave()
			s.line.Cut(faultproxy.Reset)
			time.AfterFunc(2*time.Second, func() { _ = s.line.Return() }) // what fails without it tells
		},
		"nobody is there for longer than is waited": func(s *play) {
			s.line.Leave()
			s.line.Cut(faultproxy.Reset)
			time.Sleep(patience + time.Second)
			if err := s.line.Return(); err != nil {
				s.T.Error(err)
			}
		},
		"silence, and no end": func(s *play) { s.line.Swallow(faultproxy.Both) },
		"sshd is killed":      func(s *play) { s.sshd.Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, sshtest.Options{NoStreamLocalForwarding: name == "sshd is killed"}, nil)
			e, _ := s.Opened("cut", nil)
			h := stage.Listen(e)
			s.Agent(e, "worker", counting)
			h.Until(t, "the agent works", func() bool { return strings.Count(h.Output["worker"], "\n") >= 5 })
			runtimes, made := s.runtimes(), s.line.Stats().Connections
			strike(s)
			s.Call(e, map[string]any{"type": wire.TypeWriteFile, "path": "note.txt", "content": "meanwhile"}, nil)
			var content string
			s.Call(e, map[string]any{"type": wire.TypeReadFile, "path": "note.txt"}, &content)
			if content != "meanwhile" {
				t.Errorf("the file has %q", content)
			}
			eventually(t, "there is another connection", func() bool { return s.line.Stats().Connections > made })
			h.Mu.Lock()
			heard := len(h.Output["worker"])
			h.Mu.Unlock()
			h.Until(t, "the agent is heard again", func() bool { return len(h.Output["worker"]) > heard })
			if now := s.runtimes(); len(now) != 1 || now[0] != runtimes[0] || strings.Contains(s.Log.String(), "ended unexpectedly") {
				t.Errorf("a broken connection was taken for the end of the runtime: %v, then %v", runtimes, now)
			}
			s.counted(e, h)
			s.Stop(e, "snapshotAndRemove")
			s.none()
			s.Clean(0)
		})
	}
}

func TestARuntimeThatIsKilledIsNoticedAndStartedAnew(t *testing.T) {
	t.Parallel()
	s := newStage(t, sshtest.Options{}, nil)
	e, path := s.Opened("killed", nil)
	h := stage.Listen(e)
	s.Agent(e, "worker", counting)
	h.Until(t, "the agent works", func() bool { return strings.Contains(h.Output["worker"], "3\n") })
	begun := time.Now()
	for _, pid := range s.runtimes() {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	h.Until(t, "the agent's end is told", func() bool { return h.Ends["worker"] != nil })
	if end := h.Ends["worker"]; end.Code != wire.Unavailable {
		t.Errorf("the agent's end: %+v", end)
	}
	if took := time.Since(begun); took > 8*time.Second {
		t.Errorf("that took %v", took)
	}
	if out := s.run(e, "head -3 work.txt"); out != "1\n2\n3\n" {
		t.Errorf("the work is %q", out)
	}
	s.changes(e)
	if text := stage.Read(t, filepath.Join(path, "work.txt")); !strings.HasPrefix(text, "1\n2\n3\n") {
		t.Errorf("the work is %.20q here", text)
	}
	s.Stop(e, "snapshotAndRemove")
	s.none() // also not the agent, whose runtime is gone
	s.Clean(0)
}

func TestAFolderOrAProgramThatIsGoneComesAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t, sshtest.Options{}, nil)
	e, _ := s.Opened("gone", nil)
	s.run(e, "echo work > work.txt")
	s.changes(e) // reads it back
	s.Close(e)
	if err := os.RemoveAll(s.folder()); err != nil {
		t.Fatal(err)
	}
	for _, program := range s.programs() {
		stage.Write(t, program, "#!/bin/sh\n: it runs, and is another\n")
	}
	if started := s.Start(e); !started.Attached || !strings.Contains(strings.Join(started.Warnings, "\n"), "gone") {
		t.Errorf("%+v", started.StartResult)
	}
	if out := s.run(e, "cat work.txt"); out != "work\n" {
		t.Errorf("the work is %q", out)
	}
	s.Stop(e, "snapshotAndRemove")
	s.none()
	s.Clean(0)
}
