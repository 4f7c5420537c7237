//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// killRounds is how many environments each loop goes through: few, or fifty when
// CODEBOLT_TEST_KILLS is "all".
func killRounds() int {
	if os.Getenv("CODEBOLT_TEST_KILLS") == "all" {
		return 50
	}
	return 5
}

// victims are what is killed, and when in an environment's life: moments of a start,
// as the provider reports them, or a random while after something began.
var victims = map[string]func(*play, *server.Environment){
	"provider": func(_ *play, e *server.Environment) { _ = e.Kill() }, // it may have ended
	"runtime": func(s *play, _ *server.Environment) {
		for _, pid := range s.runtimes() {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
	},
	"sshd": func(s *play, _ *server.Environment) { s.sshd.Kill() },
	"line": func(s *play, _ *server.Environment) { s.line.Cut(faultproxy.AnyEnd) },
}

// strikeAt are the moments of a start at which something is killed.
var strikeAt = []string{
	"host started", "upload started", "host done", "worktree started", "worktree done", "files started", "files done",
	"runtime started", "runtime done", "connect started", "connect done", "random",
}

// interrupted starts an environment and strikes at a moment, which is one of the
// provider's own reports.
func (s *play) interrupted(e *server.Environment, moment string, strike func()) {
	s.T.Helper()
	var once sync.Once
	cancel := e.Subscribe(func(head wire.Header, frame []byte) {
		var n struct {
			Data wire.Progress `json:"data"`
		}
		if head.Type == wire.TypeNotification && wire.Unmarshal(frame, &n) == nil && n.Data.Phase+" "+n.Data.State == moment {
			once.Do(strike)
		}
	})
	_, _ = e.Start(stage.Limit(s.T)) // whether it succeeds is not the question
	cancel()
	once.Do(strike)               // that moment did not come
	_ = e.Close(stage.Limit(s.T)) // what was killed does not answer
}

// struck starts an environment and kills at a moment of that.
func (s *play) struck(e *server.Environment, moment string, strike func()) {
	if moment == "random" {
		timer := time.AfterFunc(rand.N(400*time.Millisecond), strike)
		defer timer.Stop()
	}
	s.interrupted(e, moment, strike)
}

func TestWhateverIsKilledLeavesNothingOnTheHost(t *testing.T) {
	t.Parallel()
	for victim, kill := range victims {
		t.Run(victim, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, sshtest.Options{}, nil)
			// A folder of somebody else, beside those of environments.
			precious := filepath.Join(s.home, ".codebolt", "environments", "precious", "files", "work.txt")
			stage.Write(t, precious, "precious")
			for i := range killRounds() {
				moment := strikeAt[(i*5+len(victim))%len(strikeAt)]
				e := s.Env(fmt.Sprintf("%s %d", victim, i), nil, nil)
				strike := func() { kill(s, e) }
				s.struck(e, moment, strike)
				s.Start(e)
				s.Call(e, map[string]any{"type": wire.TypeWriteFile, "path": "uncommitted.txt", "content": moment}, nil)
				if i%2 == 0 { // in the middle of work, and at the next start
					s.Agent(e, "worker", "sleep 1000 & sleep 1000")
					strike()
					_ = e.Close(stage.Limit(t)) // what was killed does not answer
				} else {
					s.Close(e)
					s.struck(e, "runtime started", strike)
				}
				if started := s.Start(e); !started.Attached {
					t.Errorf("%s: it is not the same environment", moment)
				}
				if out := s.run(e, "cat uncommitted.txt"); out != moment {
					t.Errorf("%s: the agent sees %q", moment, out)
				}
				if d := s.Diff(e); len(d.Files) != 1 {
					t.Errorf("%s: the diff has %d files: %+v", moment, len(d.Files), d.Summary)
				}
				// In the middle of the removal; what that leaves, another start or stop ends.
				timer := time.AfterFunc(rand.N(150*time.Millisecond), strike)
				answer, err := e.Stop(stage.Limit(t), "snapshotAndRemove")
				timer.Stop()
				if err != nil || answer == nil || !strings.Contains(string(answer.Frame), `"removed":true`) {
					_ = e.Close(stage.Limit(t)) // it may have been killed
					if out, err := s.command("gc"); err != nil {
						t.Errorf("%s: gc: %v: %s", moment, err, out)
					}
					if records, _ := filepath.Glob(filepath.Join(s.State, "envs", "*.json")); len(records) > 0 {
						s.Start(e)
						if r := s.Stop(e, "snapshotAndRemove"); !r.Removed {
							t.Errorf("%s: not removed: %+v", moment, r)
						}
					}
				}
				eventually(t, "no process is left on the host", func() bool { return len(s.onHost()) == 0 })
				if left, err := os.ReadDir(filepath.Join(s.home, ".codebolt", "environments")); err != nil || len(left) != 1 {
					t.Errorf("%s: left: %v, %v", moment, left, err)
				}
				if t.Failed() {
					t.FailNow()
				}
			}
			if got := stage.Read(t, precious); got != "precious" {
				t.Errorf("what was there before has %q", got)
			}
			t.Logf("%d rounds, %d kills; processes on the host: %d, folders beside what was there: 0", killRounds(), 3*killRounds(), len(s.onHost()))
			if err := os.RemoveAll(filepath.Join(s.home, ".codebolt", "environments")); err != nil {
				t.Fatal(err)
			}
			s.none()
			s.Clean(0)
		})
	}
}
