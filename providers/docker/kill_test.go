//go:build linux

package main

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/dockertest"
	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/worktree"
)

const (
	killProvider  = "provider"
	killContainer = "container" // by the daemon
	killRuntime   = "runtime"   // the process, behind the daemon's back
	killDaemon    = "daemon"
)

func (s *play) kill(e *server.Environment, victim string) {
	switch victim {
	case killProvider:
		_ = e.Kill() // it may have ended by itself
	case killContainer:
		s.killContainers()
	case killRuntime:
		for _, c := range s.containers() {
			for _, pid := range runtimesOf(c.ID) {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
			}
		}
	case killDaemon:
		s.daemon.Kill(s.T)
		s.daemon.Restart(s.T)
	}
}

// runtimesOf are the runtimes in a container. The daemon's numbers are not this
// machine's, since it can have a namespace of its own; the control group is known
// to both.
func runtimesOf(container string) (pids []int) {
	groups, _ := filepath.Glob("/proc/[0-9]*/cgroup") // the pattern is right
	for _, file := range groups {
		group, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(group), container) {
			continue
		}
		command, err := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		if err != nil || !strings.HasPrefix(string(command), programIn+"\x00launch\x00") {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// moments are when a start is interrupted: at the provider's own reports, right
// after its connection, and at random times in between. What is not all of them
// leaves out those at which only the provider has begun something.
func moments(all bool) []string {
	if !all && !everyKill() {
		return []string{"runtime started", "connect done", "random"}
	}
	some := []string{"connected"}
	for _, phase := range []string{"image", "worktree", "runtime", "connect"} {
		some = append(some, phase+" started", phase+" done")
	}
	return append(some, "random", "random")
}

// everyKill tells that all moments are to be tried, and the random ones often.
func everyKill() bool { return os.Getenv("CODEBOLT_TEST_KILLS") == "all" }

// interrupted starts an environment and kills at a moment.
func (s *play) interrupted(e *server.Environment, moment, victim string) {
	s.T.Helper()
	struck := make(chan struct{})
	var once sync.Once
	strike := func() { once.Do(func() { close(struck) }) }
	cancel := e.Subscribe(func(head wire.Header, frame []byte) {
		var n struct {
			Data wire.Progress `json:"data"`
		}
		if head.Type == wire.TypeNotification && wire.Unmarshal(frame, &n) == nil && n.Data.Phase+" "+n.Data.State == moment || moment == "connected" {
			strike()
		}
	})
	defer cancel()
	if moment == "random" {
		timer := time.AfterFunc(time.Duration(rand.Int64N(int64(900*time.Millisecond))), strike)
		defer timer.Stop()
	}
	over := make(chan struct{})
	var killing sync.WaitGroup
	killing.Go(func() {
		select {
		case <-struck:
		case <-over: // that moment did not come
		}
		s.kill(e, victim)
	})
	_, _ = e.Start(stage.Limit(s.T)) // whether it succeeds is not the question
	close(over)
	killing.Wait()
	if victim == killProvider {
		_ = e.Kill() // at a random moment there may have been no process yet
		if _, err := e.Wait(stage.Limit(s.T)); err != nil {
			s.T.Fatal(err)
		}
	}
	_ = e.Close(stage.Limit(s.T)) // what was killed may not answer
}

// round kills a start that makes an environment, and one that attaches to it: the
// first must be healed, and the second lose nothing.
func (s *play) round(name, moment, victim string) {
	t := s.T
	t.Helper()
	e := s.Env(name, nil, nil)
	s.interrupted(e, moment, victim)
	path := s.Start(e).WorkspacePath
	s.Call(e, map[string]any{"type": wire.TypeWriteFile, "path": "uncommitted.txt", "content": name}, nil)
	s.Close(e)
	s.interrupted(e, moment, victim)
	started := s.Start(e)
	var content string
	s.Call(e, map[string]any{"type": wire.TypeReadFile, "path": "uncommitted.txt"}, &content)
	if !started.Attached || started.WorkspacePath != path || content != name {
		t.Errorf("%s: attached %v at %s, was at %s, with %q", name, started.Attached, started.WorkspacePath, path, content)
	}
	if out := s.run(e, "cat uncommitted.txt"); out != name {
		t.Errorf("%s: the agent sees %q", name, out)
	}
	if d := s.Diff(e); len(d.Files) != 1 {
		t.Errorf("%s: the diff has %d files: %+v", name, len(d.Files), d.Summary)
	}
	if r := s.Stop(e, "snapshotAndRemove"); !r.Removed {
		t.Errorf("%s: not removed: %+v", name, r)
	}
}

func TestWhateverIsKilledAtWhateverMomentOfAStartHealsAndLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, victim := range []string{killProvider, killContainer, killRuntime} {
		for _, content := range []string{contentWorktree, contentVolume} {
			t.Run(victim+" "+content, func(t *testing.T) {
				t.Parallel()
				s := newStage(t, stage.Settings{"content": content})
				before := len(s.own())
				kills := 0
				all := moments(content == contentWorktree && victim == killProvider)
				if content == contentVolume { // which differs in what the start of the runtime does
					all = []string{"runtime started", "random"}
				}
				for i, moment := range all {
					s.round(fmt.Sprintf("%s %d", moment, i), moment, victim)
					kills += 2
					if t.Failed() {
						t.FailNow()
					}
				}
				t.Logf("%d kills; on the daemon before %d, after %d", kills, before, len(s.own()))
				s.none()
				s.Clean(0)
			})
		}
	}
}

func TestADaemonThatIsKilledAtWhateverMomentLosesNothing(t *testing.T) {
	t.Parallel()
	s := on(t, dockertest.New(t, dockertest.Options{}), nil)
	at := []string{"image done", "runtime started", "random", "connect done"}
	if everyKill() {
		at = append(at, slices.Repeat([]string{"random"}, 20)...)
	}
	for i, moment := range at {
		s.round(fmt.Sprintf("%s %d", moment, i), moment, killDaemon)
	}
	s.none()
	s.Clean(0)
}

// A daemon that is killed while it makes a volume has it afterwards without labels.
func TestAVolumeThatLostItsLabelsToAKilledDaemonIsMadeAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t, stage.Settings{"content": contentVolume, "persist": false})
	e, _ := s.Opened("unlabelled", nil)
	s.Call(e, map[string]any{"type": wire.TypeWriteFile, "path": "work.txt", "content": "work"}, nil)
	s.Diff(e) // reads it back
	store, rec, names := s.volumesOnRecord()
	s.Close(e)
	s.unlabel(names[1])
	s.Start(e)
	var content string
	s.Call(e, map[string]any{"type": wire.TypeReadFile, "path": "work.txt"}, &content)
	if content != "work" {
		t.Errorf("the work is %q", content)
	}
	s.Close(e)
	s.removeContainers()
	s.unlabel(names[1])
	if err := e.Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	rec.Phase = provider.PhaseRemoving // as if it had been killed at it
	if err := store.Update(rec); err != nil {
		t.Fatal(err)
	}
	gc := exec.CommandContext(t.Context(), filepath.Join(programs, "codebolt-provider-docker"), "gc")
	gc.Env = append(os.Environ(), resource.EnvStateDir+"="+s.State)
	if out, err := gc.CombinedOutput(); err != nil || !strings.Contains(string(out), "removed") {
		t.Errorf("gc: %v, %s", err, out)
	}
	var all struct{ Volumes []struct{ Name string } }
	if err := s.daemon.Call(stage.Limit(t), http.MethodGet, "/volumes", nil, &all); err != nil {
		t.Fatal(err)
	}
	for _, v := range all.Volumes {
		if slices.Contains(names, v.Name) {
			t.Errorf("%s is left", v.Name)
		}
	}
	s.none()
	s.Clean(0)
}

// volumesOnRecord are the run and the work volume of the stage's only environment.
func (s *play) volumesOnRecord() (*resource.Store, *resource.Record, []string) {
	s.T.Helper()
	store, err := resource.OpenStore(s.State)
	if err != nil {
		s.T.Fatal(err)
	}
	records, err := store.List()
	if err != nil || len(records) != 1 {
		s.T.Fatalf("%d records, %v", len(records), err)
	}
	var f facts
	raw, err := worktree.Facts(records[0])
	if err == nil {
		err = wire.Unmarshal(raw, &f)
	}
	if err != nil {
		s.T.Fatal(err)
	}
	return store, records[0], []string{f.RunVolume, f.Work}
}

// unlabel makes a volume, in place of the one of that name, that has no labels.
func (s *play) unlabel(name string) {
	s.T.Helper()
	if err := s.daemon.Call(stage.Limit(s.T), http.MethodDelete, "/volumes/"+name, nil, nil); err != nil {
		s.T.Fatal(err)
	}
	if err := s.daemon.Call(stage.Limit(s.T), http.MethodPost, "/volumes/create", map[string]any{"Name": name}, nil); err != nil {
		s.T.Fatal(err)
	}
}

// again waits until agents can work again. Until then what starts one is told that
// this may be tried again.
func (s *play) again(e *server.Environment) {
	s.T.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		h := stage.Listen(e)
		id := fmt.Sprintf("again%p", h)
		s.AgentArgv(e, id, "true")
		h.Until(s.T, "the agent ends", func() bool { return h.Ends[id] != nil })
		h.Mu.Lock()
		ended := h.Ends[id]
		h.Mu.Unlock()
		if ended.ExitCode != nil && *ended.ExitCode == 0 {
			return
		}
		if time.Now().After(end) || ended.ExitCode != nil {
			s.T.Fatalf("no agent can work again: %+v", ended)
		}
	}
}

func TestWhateverIsKilledInTheMiddleOfARunLosesNoFile(t *testing.T) {
	t.Parallel()
	s := on(t, dockertest.New(t, dockertest.Options{}), nil)
	for _, victim := range []string{killProvider, killContainer, killRuntime, killDaemon} {
		e, path := s.Opened(victim, nil)
		h := stage.Listen(e)
		s.Agent(e, "worker", `i=0; while :; do i=$((i+1)); echo $i >> work.txt; echo $i; sleep 0.05; done`)
		h.Until(t, "the agent works", func() bool { return strings.Contains(h.Output["worker"], "3\n") })
		s.kill(e, victim)
		if victim == killProvider {
			if _, err := e.Wait(stage.Limit(t)); err != nil {
				t.Fatal(err)
			}
			_ = e.Close(stage.Limit(t)) // what was killed does not answer
			if started := s.Start(e); !started.Attached || started.WorkspacePath != path {
				t.Errorf("%+v", started.StartResult)
			}
			h.Mu.Lock()
			before := len(h.Output["worker"])
			h.Mu.Unlock()
			h.Until(t, "the agent is heard again", func() bool { return len(h.Output["worker"]) > before })
		} else {
			h.Until(t, "the agent's end is told", func() bool { return h.Ends["worker"] != nil })
			// A daemon that comes back ends what runs in good order, which is told by the
			// agent's own end.
			if end := h.Ends["worker"]; end.Code != wire.Unavailable && (victim != killDaemon || end.Signal != "SIGTERM") {
				t.Errorf("%s: the agent's end: %+v", victim, end)
			}
			s.again(e)
		}
		if out := s.run(e, "head -3 work.txt"); out != "1\n2\n3\n" {
			t.Errorf("%s: the work is %q", victim, out)
		}
		if text := stage.Read(t, filepath.Join(path, "work.txt")); !strings.HasPrefix(text, "1\n2\n3\n") {
			t.Errorf("%s: the work is %.20q outside", victim, text)
		}
		if r := s.Stop(e, "snapshotAndRemove"); !r.Removed {
			t.Errorf("%s: not removed: %+v", victim, r)
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	s.none()
	s.Clean(0)
}

// What a daemon before version 23 leaves at some moments of a start when it is
// killed is a container that it can never start again.
func TestAContainerThatCannotBeStartedIsReplacedByOneWithTheSameFiles(t *testing.T) {
	t.Parallel()
	s := newStage(t, stage.Settings{"user": "0"})
	e, _ := s.Opened("replaced", nil)
	s.run(e, "echo installed > /opt-file")
	s.Close(e)
	store, rec, _ := s.volumesOnRecord()
	b, err := recorded(store, rec, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	b.cfg.user, b.path, b.mark[labelName] = "0", rec.Path, s.containers()[0].Config.Labels[labelName]
	b.repo = filepath.Join(s.Project, ".git")
	was := s.containers()[0].ID
	eng, err := b.engine(t.Context())
	if err == nil {
		err = errors.Join(b.replace(t.Context(), eng), b.close())
	}
	if err != nil {
		t.Fatal(err)
	}
	if now := s.containers(); len(now) != 1 || now[0].ID == was {
		t.Errorf("%+v", now)
	}
	s.Start(e)
	if out := s.run(e, "cat /opt-file"); out != "installed\n" {
		t.Errorf("what was installed: %q", out)
	}
	s.Stop(e, "snapshotAndRemove")
	s.none() // also no image
	s.Clean(0)
}
