package lifecycle

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/checks/internal/traces"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

func healing() []suite.Check {
	return []suite.Check{
		{
			ID: "LC-029", Level: suite.Must, Limit: 3 * time.Minute, Needs: []suite.Capability{suite.Local},
			Title: "Killed at any moment of its start, an environment starts again, whole and once",
			Why:   "Machines lose power. What half a start left must not be in the way of the next one for ever.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				e.Launch()
				begun := time.Now()
				e.Start()
				usual := time.Since(begun)
				for i := range 10 {
					e := t.Env(suite.Spec{})
					e.Launch()
					begin(e)
					moment := rand.N(usual) * time.Duration(i) / 5
					t.Rest(moment)
					e.Crash() // whether it was answered is not the question
					when := fmt.Sprintf("killed %v after the begin of its start, the next time,", moment.Round(time.Millisecond))
					if _, err := e.TryStart(); err != nil {
						t.Errorf("%s the environment does not start: %v", when, err)
						continue
					}
					works(t, e, when)
					single(t, e, when)
					t.Equal("git status "+when, t.Git(e.Project, "status", "--porcelain"), "")
				}
			},
		},
		{
			ID: "LC-030", Level: suite.Must, Needs: []suite.Capability{"providerWriteFile"},
			Title: "Killed while it runs, an environment is found again with its uncommitted work",
			Why:   "A crash must cost a restart, and not a day's work.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				first := e.Start()
				e.Result(write("work.txt", "uncommitted\n"))
				e.Result(write("README.md", "changed\n"))
				e.Crash()
				again := e.Start()
				t.Equal("workspacePath after the crash", again["workspacePath"], first["workspacePath"])
				if first.Has("resourceId") {
					t.Equal("resourceId after the crash", again["resourceId"], first["resourceId"])
				}
				if flag, has := again["attached"]; has {
					t.Equal("attached after the crash", flag, true)
				}
				holds(t, e, "after the crash", "work.txt", "uncommitted\n")
				holds(t, e, "after the crash", "README.md", "changed\n")
			},
		},
		{
			ID: "LC-031", Level: suite.Must, Needs: []suite.Capability{suite.OnStop, suite.Local, "providerStop"},
			Limit: 2 * time.Minute,
			Title: "Killed while it is removed, an environment is either whole or gone, and starts again",
			Why:   "Half a removal must neither block the name for ever nor show half a project.",
			Run: func(t *suite.T) {
				for i := range 5 {
					e := t.Open(suite.Spec{})
					removal := ask(e, stop().With(suite.Message{"onStop": "removeIfClean"}))
					moment := time.Duration(i) * 15 * time.Millisecond
					t.Rest(moment)
					e.Crash()
					<-removal // whether it was answered is not the question
					when := fmt.Sprintf("killed %v after the begin of its removal, the next time,", moment)
					if _, err := e.TryStart(); err != nil {
						t.Errorf("%s the environment does not start: %v", when, err)
						continue
					}
					for path, text := range suite.ProjectFiles {
						holds(t, e, when, path, text)
					}
					single(t, e, when)
				}
			},
		},
		{
			ID: "LC-060", Level: suite.Must, Needs: []suite.Capability{suite.OnStop, suite.Local, suite.Git, "providerStop"},
			Limit: 2 * time.Minute,
			Title: "Killed while it is removed with a snapshot, an environment has its work still, in the workspace or in a ref",
			Why:   "Between the snapshot and the removal there must be no moment in which the work is nowhere.",
			Run: func(t *suite.T) {
				for i := range 6 {
					e := t.Open(suite.Spec{})
					text := fmt.Sprintf("the work of life %d\n", i)
					put(t, e, "work.txt", text)
					removal := ask(e, stop().With(suite.Message{"onStop": "snapshotAndRemove"}))
					moment := time.Duration(i) * 25 * time.Millisecond
					t.Rest(moment)
					e.Crash()
					<-removal // whether it was answered is not the question
					when := fmt.Sprintf("killed %v after the begin of its removal, the next time,", moment)
					if _, err := e.TryStart(); err != nil {
						t.Errorf("%s the environment does not start: %v", when, err)
						continue
					}
					works(t, e, when)
					if got, err := os.ReadFile(e.Path("work.txt")); err == nil && string(got) == text {
						continue
					}
					saved := slices.ContainsFunc(strings.Fields(t.Git(e.Project, "for-each-ref", "--format=%(refname)")), func(ref string) bool {
						return holdsAll(t, e.Project, ref, map[string]string{"work.txt": strings.TrimSpace(text)})
					})
					if !saved {
						t.Errorf("%s its work is neither in the workspace nor in a ref of the project", when)
					}
				}
			},
		},
		{
			ID: "LC-032", Level: suite.Must, Needs: []suite.Capability{suite.Runtime, "providerWriteFile"},
			Title: "An environment whose runtime is killed recovers or says that it is not healthy, and keeps its files",
			Why:   "A runtime may run out of memory. A dead one that is called healthy takes agents that never run.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				runtimes := traces.Helpers(t, e)
				if len(runtimes) == 0 {
					t.Skipf("the runtime is no process of this machine")
				}
				e.Result(write("work.txt", "uncommitted\n"))
				from := e.Now()
				for _, p := range runtimes {
					kill(t, p)
				}
				told := func() bool {
					ill := e.Heard(from, func(m suite.Message) bool {
						return m.Type() == "providerHeartbeat" && m.Text("status") != "healthy"
					})
					return len(ill) > 0 || slices.ContainsFunc(traces.Helpers(t, e), func(p suite.Process) bool {
						return !slices.ContainsFunc(runtimes, func(old suite.Process) bool { return old.PID == p.PID })
					})
				}
				if !t.Within(40*time.Second, told) {
					t.Errorf("the runtime was killed; there is no other, and no heartbeat tells")
				}
				t.Eventually(soon, "files can be read again", func() bool {
					answer, err := e.TryAsk(read("README.md"))
					return err == nil && suite.Problem(answer) == ""
				})
				holds(t, e, "after the end of its runtime", "work.txt", "uncommitted\n")
			},
		},
		{
			ID: "LC-033", Level: suite.Must, Needs: []suite.Capability{"closeSignal", "providerWriteFile"},
			Title: "closeSignal and SIGTERM remove nothing, whatever onStop says",
			Why:   "They come when the server or the machine shuts down, and everybody expects to go on tomorrow.",
			Run: func(t *suite.T) {
				spec := suite.Spec{}
				if t.Can(suite.OnStop) {
					spec.Config = map[string]any{"onStop": "snapshotAndRemove"}
				}
				for _, way := range gentle {
					e := t.Open(spec)
					first := e.Start()
					e.Result(write("work.txt", "uncommitted\n"))
					t.Try(way.end(e))
					leave(t, e)
					if t.Can(suite.Local) {
						if _, err := os.Stat(e.Path("work.txt")); err != nil {
							t.Errorf("after %s uncommitted work is gone: %v", way.name, err)
						}
					}
					again := e.Start()
					t.Equal("workspacePath after "+way.name, again["workspacePath"], first["workspacePath"])
					holds(t, e, "after "+way.name, "work.txt", "uncommitted\n")
				}
			},
		},
	}
}

func kill(t *suite.T, p suite.Process) {
	t.Logf("kill %s", p.Command)
	process, err := os.FindProcess(p.PID)
	if err == nil {
		err = process.Kill()
	}
	if err != nil {
		t.Logf("it had ended: %v", err)
	}
}

// single notes a failure unless the environment has one workspace.
func single(t *suite.T, e *suite.Env, when string) {
	found := traces.Workspaces(t, e)
	if len(found) > 1 {
		t.Errorf("%s there are %d workspaces of one environment: %v", when, len(found), found)
	}
	if t.Can(suite.Git) {
		if n := strings.Count(t.Git(e.Project, "worktree", "list", "--porcelain"), "worktree "); n != 2 {
			t.Errorf("%s there are %d worktrees beside the project, and not one", when, n-1)
		}
	}
}
