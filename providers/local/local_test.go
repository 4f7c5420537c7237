package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/manifests"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func limit(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// stage is a project that is no git repository, and a server.
type stage struct {
	t              *testing.T
	project, state string
	server         *server.Server
	log            *strings.Builder // takes what the providers print; nil is the test's output
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, project: filepath.Join(t.TempDir(), "project"), state: t.TempDir()}
	for name, text := range map[string]string{
		"a.txt": "one\n", "dir/b.txt": "two\n", ".gitignore": "*.log\nout/\n", "x.log": "no", "out/y": "no", "node_modules/m/index.js": "no",
	} {
		write(t, filepath.Join(s.project, name), text)
	}
	if err := os.Symlink("a.txt", filepath.Join(s.project, "link")); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.server, err = server.New(server.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.server.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *stage) env(name string, config, start map[string]any) *server.Environment {
	s.t.Helper()
	m, _, err := manifests.Load("local")
	if err != nil {
		s.t.Fatal(err)
	}
	e, err := s.server.Create(server.EnvironmentSpec{
		Name: name, ProjectPath: s.project, Program: filepath.Join(programs, "codebolt-provider-local"), Manifest: m,
		Env: []string{resource.EnvStateDir + "=" + s.state}, Config: config, Start: start, Stderr: s.output(),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

func (s *stage) output() io.Writer {
	if s.log != nil {
		return s.log
	}
	return s.t.Output()
}

func (s *stage) start(e *server.Environment) *server.Started {
	s.t.Helper()
	started, err := e.Start(limit(s.t))
	if err != nil {
		s.t.Fatal(err)
	}
	return started
}

func (s *stage) stop(e *server.Environment, policy string) (removed bool, said string) {
	s.t.Helper()
	answer, err := e.Stop(limit(s.t), policy)
	if err != nil {
		s.t.Fatal(err)
	}
	var r struct {
		Removed  bool     `json:"removed"`
		Holds    []string `json:"holds"`
		Recovery []string `json:"recovery"`
	}
	if err := answer.Reply.Result(&r); err != nil {
		s.t.Fatal(err)
	}
	if _, err := e.Wait(limit(s.t)); err != nil {
		s.t.Fatal(err)
	}
	return r.Removed, strings.Join(append(r.Holds, r.Recovery...), "\n")
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestACopyHoldsWhatIsNotExcludedAndTellsWhatChanged(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e := s.env("e", nil, nil)
	path := s.start(e).WorkspacePath
	for name, want := range map[string]bool{"a.txt": true, "dir/b.txt": true, "link": true, "x.log": false, "out": false, "node_modules": false, ".git": false} {
		if exists(filepath.Join(path, name)) != want {
			t.Errorf("%s is there: %v", name, !want)
		}
	}
	write(t, filepath.Join(path, "a.txt"), "changed\n")
	write(t, filepath.Join(path, "new.txt"), "new\n")
	if err := os.Remove(filepath.Join(path, "dir", "b.txt")); err != nil {
		t.Fatal(err)
	}
	answer, err := e.Call(limit(t), map[string]any{"type": wire.TypeGetDiffFiles})
	if err != nil {
		t.Fatal(err)
	}
	var d wire.DiffResult
	if err := answer.Reply.Result(&d); err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, f := range d.Files {
		got += f.Status + " " + f.Path + "; "
	}
	if got != "modified a.txt; deleted dir/b.txt; added new.txt; " {
		t.Errorf("the diff: %s", got)
	}
	if data, err := os.ReadFile(filepath.Join(s.project, "a.txt")); err != nil || string(data) != "one\n" {
		t.Errorf("the project was changed: %q, %v", data, err)
	}
	if _, err := e.Call(limit(t), map[string]any{"type": wire.TypeSendPR}); wire.CodeOf(err) != wire.Unsupported {
		t.Errorf("a pull request: %v", err)
	}
}

func TestRemovingACopyLosesNoWork(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	clean := s.env("clean", nil, nil)
	path := s.start(clean).WorkspacePath
	if removed, said := s.stop(clean, "removeIfClean"); !removed || exists(path) {
		t.Errorf("an unchanged copy is not removed: %s", said)
	}
	e := s.env("e", nil, nil)
	path = s.start(e).WorkspacePath
	write(t, filepath.Join(path, "a.txt"), "changed\n")
	write(t, filepath.Join(path, "x.log"), "ignored\n")
	removed, said := s.stop(e, "removeIfClean")
	if removed || !strings.Contains(said, "a.txt") || !strings.Contains(said, "x.log") {
		t.Fatalf("removed %v: %s", removed, said)
	}
	if again := s.start(e); !again.Attached || again.WorkspacePath != path {
		t.Errorf("%+v", again.StartResult)
	}
	removed, said = s.stop(e, "snapshotAndRemove")
	if !removed || exists(path) {
		t.Fatalf("not removed: %s", said)
	}
	back := filepath.Join(t.TempDir(), "back")
	argv := strings.Fields(strings.ReplaceAll(said, "DIRECTORY", back))
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, out)
	}
	for name, want := range map[string]string{"a.txt": "changed\n", "x.log": "ignored\n", "dir/b.txt": "two\n"} {
		if data, err := os.ReadFile(filepath.Join(back, name)); err != nil || string(data) != want {
			t.Errorf("%s came back as %q, %v", name, data, err)
		}
	}
	if records, err := filepath.Glob(filepath.Join(s.state, "envs", "*")); err != nil || len(records) != 0 {
		t.Errorf("left on record: %v, %v", records, err)
	}
}

func TestARestartThatIsAskedForIsNoCrash(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.log = &strings.Builder{}
	e := s.env("e", nil, nil)
	s.start(e)
	// After six crashes in a row the pause would be 8 s.
	begun := time.Now()
	for range 6 {
		if _, err := e.Call(limit(t), map[string]any{"type": wire.TypeEnvironmentRestart, "environmentId": e.ID()}); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(begun); took > 8*time.Second {
		t.Errorf("six restarts took %v", took)
	}
	if err := e.Close(limit(t)); err != nil {
		t.Fatal(err)
	}
	if text := s.log.String(); strings.Contains(text, "unexpectedly") || strings.Count(text, "restarting the runtime, as asked") != 6 {
		t.Errorf("the log: %s", text)
	}
	pool := s.env("pool", map[string]any{"executionMode": "local_thread_pool"}, nil)
	s.start(pool)
	if _, err := pool.Call(limit(t), map[string]any{"type": wire.TypeEnvironmentRestart, "environmentId": pool.ID()}); err == nil || !strings.Contains(err.Error(), "no runtime to restart") {
		t.Errorf("restarting what is not there: %v", err)
	}
}

func TestWhatIsAnothersIsRefusedAndLeftAlone(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	dir := filepath.Join(t.TempDir(), "mine")
	write(t, filepath.Join(dir, "precious"), "text")
	for requested, code := range map[string]wire.Code{dir: wire.Exists, s.project: wire.Invalid, filepath.Dir(s.project): wire.Invalid} {
		e := s.env("e"+requested, nil, map[string]any{"environmentPath": requested})
		if _, err := e.Start(limit(t)); wire.CodeOf(err) != code {
			t.Errorf("%s: %v", requested, err)
		}
	}
	if !exists(filepath.Join(dir, "precious")) || !exists(filepath.Join(s.project, "a.txt")) {
		t.Error("something was removed")
	}
	if _, err := s.env("inside", map[string]any{"baseDir": ".copies"}, nil).Start(limit(t)); wire.CodeOf(err) != wire.Invalid {
		t.Errorf("a copy inside the project: %v", err)
	}
	beside := s.env("beside", map[string]any{"baseDir": "../copies"}, nil)
	if path := s.start(beside).WorkspacePath; filepath.Dir(path) != filepath.Join(filepath.Dir(s.project), "copies") {
		t.Errorf("a copy beside the project: %s", path)
	}
}

func TestAStartThatIsKilledInTheCopyIsTakenBack(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for i := range 3000 {
		write(t, filepath.Join(s.project, "many", fmt.Sprint(i%50), fmt.Sprint(i)), "text")
	}
	e := s.env("e", nil, nil)
	e.Subscribe(func(head wire.Header, _ []byte) {
		if head.Type == wire.TypeSetResourceID {
			_ = e.Kill() // right before the copy
		}
	})
	if _, err := e.Start(limit(t)); err == nil {
		t.Fatal("the start was not killed: this test shows nothing")
	}
	_ = e.Close(limit(t)) // what was killed does not answer
	other := s.env("other", nil, nil)
	s.start(other)
	ctx, cancel := context.WithTimeout(limit(t), 30*time.Second)
	defer cancel()
	gc := exec.CommandContext(ctx, filepath.Join(programs, "codebolt-provider-local"), "gc")
	gc.Env = append(os.Environ(), resource.EnvStateDir+"="+s.state)
	out, err := gc.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "interrupted start") || !strings.Contains(string(out), "removed") {
		t.Errorf("gc: %v\n%s", err, out)
	}
	if left, err := filepath.Glob(filepath.Join(s.state, "local", "*", "*")); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestAStartWhoseRuntimeEndsAtOnceLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e := s.env("e", map[string]any{"runtime": map[string]any{"command": []string{"/bin/sh", "-c", "echo no licence; exit 3"}}}, nil)
	_, err := e.Start(limit(t))
	if wire.CodeOf(err) != wire.Unavailable || !strings.Contains(err.Error(), "no licence") {
		t.Errorf("the start gives %v", err)
	}
	for _, left := range []string{"run/*", "local/*/*", "history/*", "envs/*"} {
		if found, err := filepath.Glob(filepath.Join(s.state, left)); err != nil || len(found) > 0 {
			t.Errorf("left: %v, %v", found, err)
		}
	}
}
