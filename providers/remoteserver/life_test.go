//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// command is the provider's program for a subcommand, on this stage.
func (s *play) command(args ...string) (string, error) {
	s.T.Helper()
	cmd := exec.CommandContext(stage.Limit(s.T), s.Program, args...)
	cmd.Env = append(append(os.Environ(), s.Environ...), resource.EnvStateDir+"="+s.State, wire.EnvEnvironmentConfig+`={"host":"far"}`)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestARemovalThatWasInterruptedIsFinishedByGC(t *testing.T) {
	t.Parallel()
	s := newStage(t, sshtest.Options{}, nil)
	e, _ := s.Opened("half", nil)
	s.run(e, "sleep 300 >/dev/null 2>&1 & echo work > work.txt")
	s.Close(e)
	store, err := resource.OpenStore(s.State)
	if err != nil {
		t.Fatal(err)
	}
	records, err := store.List()
	if err != nil || len(records) != 1 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	records[0].Phase = provider.PhaseRemoving // as if it had been killed at it
	if err := store.Update(records[0]); err != nil {
		t.Fatal(err)
	}
	if out, err := s.command("gc"); err != nil || !strings.Contains(out, "removed") {
		t.Errorf("gc: %v, %s", err, out)
	}
	s.none()
}

func TestTheDoctorTellsWhatAHostLacks(t *testing.T) {
	t.Parallel()
	s := newStage(t, sshtest.Options{}, nil)
	out, err := s.command("doctor")
	for _, part := range []string{"settings", "git", "connection", "SHA256:", "system", "linux/", "program", "first start", "folder", "disk", "MiB"} {
		if !strings.Contains(out, part) {
			t.Errorf("%q is not in:\n%s", part, out)
		}
	}
	if err != nil || strings.Contains(out, "FAIL") {
		t.Errorf("%v:\n%s", err, out)
	}
	s.none() // it changes nothing
	e, _ := s.Opened("there", nil)
	if out, err := s.command("doctor"); err != nil || !strings.Contains(out, "is there") {
		t.Errorf("%v:\n%s", err, out)
	}
	s.Close(e)
	if out, err := s.command("logs", "--tail", "3", e.ResourceID()); err != nil || !strings.Contains(out, "ending") {
		t.Errorf("the log: %v, %s", err, out)
	}
	s.Start(e)
	s.Stop(e, "removeIfClean")
	mount(t, filepath.Join(s.home, ".codebolt"), "size=1m")
	if out, err := s.command("doctor"); err == nil || !strings.Contains(out, "make room") {
		t.Errorf("a disk without room: %v:\n%s", err, out)
	}
	s.line.Leave()
	if out, err := s.command("doctor"); err == nil || !strings.Contains(out, "FAIL  connection") {
		t.Errorf("nobody there: %v:\n%s", err, out)
	}
}

func TestASnapshotIsWhereOthersBegin(t *testing.T) {
	t.Parallel()
	s := newStage(t, sshtest.Options{}, stage.Settings{"postCreate": []string{"sh", "-c", "echo created >> build.log"}})
	e, _ := s.Opened("prepared", nil)
	s.run(e, "mkdir build; echo built > build/out; echo prepared > prepared.txt; rm src/file3.txt")
	out, err := s.command("snapshot", e.ResourceID())
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Fields(out)
	id := lines[len(lines)-1]
	fork, _ := s.Opened("fork", stage.Settings{"snapshot": id})
	if out := s.run(fork, "cat build/out prepared.txt build.log; test -e src/file3.txt || echo gone; echo fork > prepared.txt"); out != "built\nprepared\ncreated\ngone\n" {
		t.Errorf("the fork began with %q", out)
	}
	if out := s.run(e, "cat prepared.txt"); out != "prepared\n" {
		t.Errorf("what was prepared is %q", out)
	}
	for _, e := range []*server.Environment{e, fork} {
		if r := s.Stop(e, "snapshotAndRemove"); !r.Removed {
			t.Errorf("not removed: %+v", r)
		}
	}
	if out, err := s.command("snapshot", "--drop", id); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	s.none()
	s.Clean(0)
}

func TestSeveralEnvironmentsShareOneProgramAndHooksRunAtTheirMoments(t *testing.T) {
	t.Parallel()
	s := newStage(t, sshtest.Options{}, stage.Settings{
		"env": map[string]string{"WHO": "hook"}, "postCreate": []string{"sh", "-c", "echo $WHO >> created.txt"},
		"preStop": []string{"sh", "-c", "echo $WHO >> stopped.txt"},
	})
	var all []*server.Environment
	var starting sync.WaitGroup
	for i := range 3 {
		e := s.Env(fmt.Sprintf("one of %d", i), nil, nil)
		all = append(all, e)
		starting.Go(func() {
			if _, err := e.Start(stage.Limit(t)); err != nil {
				t.Error(err)
			}
		})
	}
	starting.Wait()
	if found := s.programs(); len(found) != 1 {
		t.Errorf("programs: %q", found)
	}
	for _, e := range all {
		s.Close(e)
		s.Start(e)
		if out := s.run(e, "cat created.txt stopped.txt"); out != "hook\nhook\n" {
			t.Errorf("%s: the hooks wrote %q", e.Name(), out)
		}
		s.Stop(e, "snapshotAndRemove")
	}
	s.none()
	s.Clean(0)
}

func TestARuntimeWhoseProviderStaysAwayEndsByItself(t *testing.T) {
	t.Parallel()
	s := newStage(t, sshtest.Options{}, stage.Settings{"runtime": map[string]any{"ownerTimeout": 800}})
	e, _ := s.Opened("alone", nil)
	h := stage.Listen(e)
	s.Agent(e, "worker", counting)
	h.Until(t, "the agent works", func() bool { return strings.Contains(h.Output["worker"], "3\n") })
	begun := time.Now()
	if err := e.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing runs on the host", func() bool { return len(s.onHost()) == 0 })
	if took := time.Since(begun); took < 500*time.Millisecond {
		t.Errorf("it ended after %v, and not by itself", took)
	}
	if _, err := e.Wait(stage.Limit(t)); err != nil {
		t.Fatal(err)
	}
	_ = e.Close(stage.Limit(t)) // what was killed does not answer
	s.Start(e)
	if out := s.run(e, "head -3 work.txt"); out != "1\n2\n3\n" {
		t.Errorf("the work is %q", out)
	}
	s.Stop(e, "snapshotAndRemove")
	s.none()
	s.Clean(0)
}

func TestWithoutARuntimeTheFilesAreOnTheHostAllTheSame(t *testing.T) {
	t.Parallel()
	s := newStage(t, sshtest.Options{}, stage.Settings{"executionMode": "local_thread_pool"})
	e, path := s.Opened("pool", nil)
	s.Call(e, map[string]any{"type": wire.TypeWriteFile, "path": "made.txt", "content": "made"}, nil)
	if got := stage.Read(t, filepath.Join(s.folder(), "files", "made.txt")); got != "made" {
		t.Errorf("on the host it has %q", got)
	}
	var content string
	s.Call(e, map[string]any{"type": wire.TypeReadFile, "path": filepath.Join(path, "README.md")}, &content)
	if d := s.Diff(e); len(d.Files) != 1 || content != "a project\n" {
		t.Errorf("%q, %+v", content, d.Files)
	}
	if r := s.Stop(e, "snapshotAndRemove"); !r.Removed {
		t.Errorf("not removed: %+v", r)
	}
	s.none()
	s.Clean(0)
}

func TestAProviderWhoseHostIsSilentOrAwayTellsSoAndEndsInTime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		strike func(*faultproxy.Proxy)
		heal   func(*faultproxy.Proxy) error
	}{
		"silent": {
			func(p *faultproxy.Proxy) { p.Hold(faultproxy.Both) },
			func(p *faultproxy.Proxy) error { p.Release(faultproxy.Both); return nil },
		},
		"away": {
			func(p *faultproxy.Proxy) { p.Leave(); p.Cut(faultproxy.Reset) },
			func(p *faultproxy.Proxy) error { return p.Return() },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, sshtest.Options{}, nil)
			e, path := s.Opened(name, nil)
			s.run(e, "echo work > work.txt")
			c.strike(s.line)
			begun := time.Now()
			// The server waits for an answer for twenty seconds.
			if err := e.Close(stage.Limit(t)); err == nil || !strings.Contains(err.Error(), s.line.Addr()) {
				t.Errorf("the close ended with %v; nobody tells where there was no answer", err)
			}
			if took := time.Since(begun); took > 19*time.Second {
				t.Errorf("it took %v", took)
			}
			if err := c.heal(s.line); err != nil {
				t.Fatal(err)
			}
			if started := s.Start(e); !started.Attached || started.WorkspacePath != path {
				t.Errorf("%+v", started.StartResult)
			}
			if out := s.run(e, "cat work.txt"); out != "work\n" {
				t.Errorf("the work is %q", out)
			}
			s.Stop(e, "snapshotAndRemove")
			s.none()
			s.Clean(0)
		})
	}
}

// A server that died has taken along who reads what the provider logs.
func TestAProviderWhoseLogNobodyReadsLetsGoAllTheSame(t *testing.T) {
	t.Parallel()
	s := newStage(t, sshtest.Options{}, nil)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.Server.Create(server.EnvironmentSpec{
		Name: "unheard", ProjectPath: s.Project, Program: s.Program, Manifest: s.Manifest, Config: s.Config, Stderr: w,
		Env: append(s.Environ, resource.EnvStateDir+"="+s.State),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start(e)
	r.Close()
	s.Close(e)
	eventually(t, "the runtime has ended with its provider", func() bool { return len(s.onHost()) == 0 })
	s.Start(e)
	s.Stop(e, "removeIfClean")
	w.Close()
	s.none()
	s.Clean(0)
}
