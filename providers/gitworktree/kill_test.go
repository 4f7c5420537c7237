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
	for range 5 {
		all = append(all, "random")
	}
	return all
}

const (
	killProvider = "provider"
	killRuntime  = "runtime"
	killBoth     = "both"
)

func (s *stage) kill(e *server.Environment, victim string) {
	if victim != killRuntime {
		_ = e.Kill() // it may have ended by itself
	}
	if victim != killProvider {
		s.killRuntimes()
	}
}

// interrupted starts an environment and kills at a moment.
func (s *stage) interrupted(e *server.Environment, moment, victim string) {
	s.t.Helper()
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
	_, _ = e.Start(limit(s.t)) // whether it succeeds is not the question
	strike()
	if victim != killRuntime {
		if _, err := e.Wait(limit(s.t)); err != nil {
			s.t.Fatal(err)
		}
	}
	_ = e.Close(limit(s.t)) // what was killed may not answer
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
			s.clean(0)
		})
	}
}

// killedTwice kills a start that makes an environment, and one that attaches to
// it.
func (s *stage) killedTwice(name, moment, victim string) {
	t := s.t
	t.Helper()
	e := s.env(name, nil, nil)
	// The first time: what is made half must go or be finished.
	s.interrupted(e, moment, victim)
	path := s.start(e).WorkspacePath
	write(t, filepath.Join(path, "uncommitted.txt"), name)
	write(t, filepath.Join(path, "src", "file1.txt"), name)
	s.close(e)
	// The second time: what is there must stay.
	s.interrupted(e, moment, victim)
	started := s.start(e)
	if !started.Attached || started.WorkspacePath != path || read(t, filepath.Join(path, "uncommitted.txt")) != name || read(t, filepath.Join(path, "src", "file1.txt")) != name {
		t.Errorf("%s: attached %v at %s, was at %s", name, started.Attached, started.WorkspacePath, path)
	}
	if d := s.diff(e); len(d.Files) != 2 {
		t.Errorf("%s: the diff has %d files: %+v", name, len(d.Files), d.Summary)
	}
	if r := s.stop(e, "snapshotAndRemove"); !r.Removed {
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
			e, path := s.opened(name, nil)
			h := listen(e)
			s.agent(e, "worker", `i=0; while :; do i=$((i+1)); echo $i >> work.txt; echo $i; sleep 0.01; done`)
			h.until(t, "the agent works", func() bool { return strings.Contains(h.output["worker"], "3\n") })
			s.kill(e, victim)
			kills++
			if victim == killRuntime {
				// The provider goes on, says what became of the agent and has a new runtime.
				h.until(t, "the agent's end is told", func() bool { return h.ends["worker"] != nil })
				if end := h.ends["worker"]; !end.Synthetic || end.Code != wire.Unavailable {
					t.Errorf("%s: the agent's end: %+v", name, end)
				}
			} else {
				if _, err := e.Wait(limit(t)); err != nil {
					t.Fatal(err)
				}
				_ = e.Close(limit(t)) // what was killed does not answer
				started := s.start(e)
				if !started.Attached || started.WorkspacePath != path {
					t.Errorf("%s: %+v", name, started.StartResult)
				}
			}
			if victim == killProvider {
				// The runtime went on, and what its agent said meanwhile is told.
				h.mu.Lock()
				before := len(h.output["worker"])
				h.mu.Unlock()
				h.until(t, "the agent is heard again", func() bool { return len(h.output["worker"]) > before })
				h.mu.Lock()
				for i, line := range strings.Split(strings.TrimSuffix(h.output["worker"], "\n"), "\n") {
					if line != fmt.Sprint(i+1) {
						t.Errorf("%s: line %d of the output is %q", name, i+1, line)
						break
					}
				}
				h.mu.Unlock()
			}
			s.agent(e, "next", `echo "has $(wc -l < work.txt)"`)
			h.until(t, "the next agent works", func() bool { return h.ends["next"] != nil })
			var lines int
			if _, err := fmt.Sscanf(h.output["next"], "has %d", &lines); err != nil || lines < 3 {
				t.Errorf("%s: %q, %+v", name, h.output["next"], h.ends["next"])
			}
			if r := s.stop(e, "snapshotAndRemove"); !r.Removed {
				t.Errorf("%s: not removed: %+v", name, r)
			}
			if t.Failed() {
				t.FailNow()
			}
		}
	}
	t.Logf("%d kills", kills)
	s.clean(0)
}

func TestWhatAKilledRemovalPutIntoTheTrashIsDeletedByTheNextStart(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e, path := s.opened("e", nil)
	if err := e.Close(limit(t)); err != nil {
		t.Fatal(err)
	}
	// As a provider leaves it that is killed between the two steps of a removal.
	store, err := resource.OpenStore(s.state)
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
	if started := s.start(e); started.Attached || started.WorkspacePath != path {
		t.Errorf("%+v", started.StartResult)
	}
	if left, err := os.ReadDir(trash); err == nil {
		t.Errorf("in the trash still: %v", left)
	}
}
