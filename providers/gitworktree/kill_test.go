//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/gitrepo"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// moments are when a start is interrupted: at the provider's own reports, right
// after its connection, and at random times in between.
func moments() []string {
	all := []string{"connected"}
	for _, phase := range []string{"worktree", "runtime", "connect"} {
		all = append(all, phase+" started", phase+" done")
	}
	for range 3 {
		all = append(all, "random")
	}
	return all
}

const (
	killProvider = "provider"
	killRuntime  = "runtime"
	killBoth     = "both"
)

func (s *play) kill(e *server.Environment, victim string) {
	if victim != killRuntime {
		_ = e.Kill() // it may have ended by itself
	}
	if victim != killProvider {
		s.KillRuntimes()
	}
}

// interrupted starts an environment and kills at a moment.
func (s *play) interrupted(e *server.Environment, moment, victim string) {
	s.T.Helper()
	var once sync.Once
	strike := func() { once.Do(func() { s.kill(e, victim) }) }
	cancel := e.Subscribe(func(head wire.Header, frame []byte) {
		var n struct {
			Data wire.Progress `json:"data"`
		}
		if head.Type == wire.TypeNotification && wire.Unmarshal(frame, &n) == nil && n.Data.Phase+" "+n.Data.State == moment {
			strike()
		}
		if moment == "connected" {
			strike()
		}
	})
	defer cancel()
	if moment == "random" {
		timer := time.AfterFunc(time.Duration(rand.Int64N(int64(90*time.Millisecond))), strike)
		defer timer.Stop()
	}
	_, _ = e.Start(stage.Limit(s.T)) // whether it succeeds is not the question
	strike()
	if victim != killRuntime {
		_ = e.Kill() // at a random moment there may have been no process yet
		if _, err := e.Wait(stage.Limit(s.T)); err != nil {
			s.T.Fatal(err)
		}
	}
	_ = e.Close(stage.Limit(s.T)) // what was killed may not answer
}

func TestWhateverIsKilledAtWhateverMomentOfAStartHeals(t *testing.T) {
	t.Parallel()
	for _, victim := range []string{killProvider, killRuntime, killBoth} {
		t.Run(victim, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			kills := 0
			for i, moment := range moments() {
				s.killedTwice(fmt.Sprintf("%s %d", moment, i), moment, victim)
				kills += 2
				if t.Failed() {
					t.FailNow()
				}
			}
			t.Logf("%d kills", kills)
			s.Clean(0)
		})
	}
}

// killedTwice kills a start that makes an environment, and one that attaches to
// it.
func (s *play) killedTwice(name, moment, victim string) {
	t := s.T
	t.Helper()
	e := s.Env(name, nil, nil)
	// The first time: what is made half must go or be finished.
	s.interrupted(e, moment, victim)
	path := s.Start(e).WorkspacePath
	stage.Write(t, filepath.Join(path, "uncommitted.txt"), name)
	stage.Write(t, filepath.Join(path, "src", "file1.txt"), name)
	s.Close(e)
	// The second time: what is there must stay.
	s.interrupted(e, moment, victim)
	started := s.Start(e)
	if !started.Attached || started.WorkspacePath != path || stage.Read(t, filepath.Join(path, "uncommitted.txt")) != name || stage.Read(t, filepath.Join(path, "src", "file1.txt")) != name {
		t.Errorf("%s: attached %v at %s, was at %s", name, started.Attached, started.WorkspacePath, path)
	}
	if d := s.Diff(e); len(d.Files) != 2 {
		t.Errorf("%s: the diff has %d files: %+v", name, len(d.Files), d.Summary)
	}
	if r := s.Stop(e, "snapshotAndRemove"); !r.Removed {
		t.Errorf("%s: not removed: %+v", name, r)
	}
}

func TestWhateverIsKilledInTheMiddleOfARunLosesNoFile(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	kills := 0
	for round := range 4 {
		for _, victim := range []string{killProvider, killRuntime, killBoth} {
			name := fmt.Sprintf("%s-%d", victim, round)
			e, path := s.Opened(name, nil)
			h := stage.Listen(e)
			s.Agent(e, "worker", `i=0; while :; do i=$((i+1)); echo $i >> work.txt; echo $i; sleep 0.01; done`)
			h.Until(t, "the agent works", func() bool { return strings.Contains(h.Output["worker"], "3\n") })
			s.kill(e, victim)
			kills++
			if victim == killRuntime {
				// The provider goes on, says what became of the agent and has a new runtime.
				h.Until(t, "the agent's end is told", func() bool { return h.Ends["worker"] != nil })
				if end := h.Ends["worker"]; !end.Synthetic || end.Code != wire.Unavailable {
					t.Errorf("%s: the agent's end: %+v", name, end)
				}
			} else {
				if _, err := e.Wait(stage.Limit(t)); err != nil {
					t.Fatal(err)
				}
				_ = e.Close(stage.Limit(t)) // what was killed does not answer
				started := s.Start(e)
				if !started.Attached || started.WorkspacePath != path {
					t.Errorf("%s: %+v", name, started.StartResult)
				}
			}
			if victim == killProvider {
				// The runtime went on, and what its agent said meanwhile is told.
				h.Mu.Lock()
				before := len(h.Output["worker"])
				h.Mu.Unlock()
				h.Until(t, "the agent is heard again", func() bool { return len(h.Output["worker"]) > before })
				h.Mu.Lock()
				for i, line := range strings.Split(strings.TrimSuffix(h.Output["worker"], "\n"), "\n") {
					if line != fmt.Sprint(i+1) {
						t.Errorf("%s: line %d of the output is %q", name, i+1, line)
						break
					}
				}
				h.Mu.Unlock()
			}
			s.Agent(e, "next", `echo "has $(wc -l < work.txt)"`)
			h.Until(t, "the next agent works", func() bool { return h.Ends["next"] != nil })
			var lines int
			if _, err := fmt.Sscanf(h.Output["next"], "has %d", &lines); err != nil || lines < 3 {
				t.Errorf("%s: %q, %+v", name, h.Output["next"], h.Ends["next"])
			}
			if r := s.Stop(e, "snapshotAndRemove"); !r.Removed {
				t.Errorf("%s: not removed: %+v", name, r)
			}
			if t.Failed() {
				t.FailNow()
			}
		}
	}
	t.Logf("%d kills", kills)
	s.Clean(0)
}

func TestWhatAKilledRemovalPutIntoTheTrashIsDeletedByTheNextStart(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e, path := s.Opened("e", nil)
	if err := e.Close(stage.Limit(t)); err != nil {
		t.Fatal(err)
	}
	// As a provider leaves it that is killed between the two steps of a removal.
	store, err := resource.OpenStore(s.State)
	if err != nil {
		t.Fatal(err)
	}
	id, err := resource.ParseID(e.ResourceID())
	if err != nil {
		t.Fatal(err)
	}
	rec, err := store.Get(id)
	if err != nil {
		t.Fatal(err)
	}
	rec.Phase = provider.PhaseRemoving
	if err := store.Update(rec); err != nil {
		t.Fatal(err)
	}
	trash := filepath.Join(filepath.Dir(path), gitrepo.TrashName)
	if _, err := resource.Trash(path, trash); err != nil {
		t.Fatal(err)
	}
	if started := s.Start(e); started.Attached || started.WorkspacePath != path {
		t.Errorf("%+v", started.StartResult)
	}
	if left, err := os.ReadDir(trash); err == nil {
		t.Errorf("in the trash still: %v", left)
	}
}
