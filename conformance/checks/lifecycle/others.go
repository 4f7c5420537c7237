package lifecycle

import (
	"os"
	"path/filepath"

	"github.com/codeboltai/codebolt-providers/conformance/checks/internal/traces"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

func others() []suite.Check {
	return []suite.Check{
		{
			ID: "LC-049", Level: suite.Must, Needs: []suite.Capability{suite.Git, suite.Local, suite.OnStop, "providerStop"},
			Title: "Worktrees, branches and stashes of others are untouched by a whole life of an environment",
			Why:   "They are a person's work, and look like the provider's own.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				foreign := filepath.Join(t.Dir("foreign"), e.Name())
				for _, branch := range []string{e.Name(), "codebolt/" + e.Name(), "codebolt/" + e.Name() + "-0", "codebolt/other"} {
					t.Git(e.Project, "branch", branch)
				}
				t.Git(e.Project, "worktree", "add", "--quiet", "-b", "codebolt/foreign-"+e.Name(), foreign)
				t.Try(os.WriteFile(filepath.Join(foreign, "mine.txt"), []byte("mine\n"), 0o644))
				t.Try(os.WriteFile(filepath.Join(e.Project, "README.md"), []byte("set aside\n"), 0o644))
				t.Git(e.Project, "stash", "push", "--quiet")
				t.Try(os.WriteFile(filepath.Join(e.Project, "untracked.txt"), []byte("untracked\n"), 0o644))
				before, theirs := traces.Repository(t, e.Project), traces.Look(foreign)
				e.Start()
				e.Result(write("work.txt", "work\n"))
				e.Stop("")
				e.Start()
				e.Result(suite.Message{"type": "providerDeleteFile", "path": "work.txt"})
				if answer := e.Stop("removeIfClean"); !removed(answer) {
					t.Fatalf("the clean environment was not removed: %v", answer)
				}
				traces.Same(t, "after the life of an environment", traces.Repository(t, e.Project), before)
				now := traces.Look(foreign)
				if lost, made := theirs.Since(now), now.Since(theirs); len(lost)+len(made) > 0 {
					t.Errorf("the worktree of another lost %v and got %v", lost, made)
				}
			},
		},
		{
			ID: "LC-050", Level: suite.Must, Needs: []suite.Capability{suite.Local, suite.OnStop, "providerStop"},
			Title: "What lies beside the workspace is untouched by its removal",
			Why:   "Only what the provider made may go with the environment.",
			Run: func(t *suite.T) {
				places := t.Dir("places")
				e := t.Env(suite.Spec{Start: map[string]any{"environmentPath": filepath.Join(places, "workspace")}})
				for _, name := range []string{"beside.txt", "workspace.txt", "workspace-2/file.txt", ".hidden/file.txt"} {
					path := filepath.Join(places, name)
					t.Try(os.MkdirAll(filepath.Dir(path), 0o755))
					t.Try(os.WriteFile(path, []byte("mine\n"), 0o644))
				}
				before := traces.Look(places)
				e.Start()
				t.Try(os.WriteFile(filepath.Join(places, "later.txt"), []byte("mine\n"), 0o644))
				if answer := e.Stop("removeIfClean"); !removed(answer) {
					t.Fatalf("the clean environment was not removed: %v", answer)
				}
				now := traces.Look(places)
				if lost := before.Since(now); len(lost) > 0 {
					t.Errorf("the removal took with it %v", lost)
				}
				if _, err := os.Stat(filepath.Join(places, "later.txt")); err != nil {
					t.Errorf("the removal took with it what was put beside later: %v", err)
				}
				if _, err := os.Stat(e.Workspace()); err == nil {
					t.Errorf("the workspace is still there")
				}
			},
		},
		{
			ID: "LC-051", Level: suite.Must, Needs: []suite.Capability{suite.Local, "providerWriteFile", "providerStop"},
			Title: "The project's checkout, index, HEAD and settings are unchanged by a start, by edits in the environment, and by the stop",
			Why:   "The user works there meanwhile.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				t.Try(os.WriteFile(filepath.Join(e.Project, "src/main.txt"), []byte("being edited\n"), 0o644))
				t.Try(os.WriteFile(filepath.Join(e.Project, "docs/guide.md"), []byte("staged\n"), 0o644))
				t.Git(e.Project, "add", "docs/guide.md")
				own := func() map[string]string {
					seen := traces.Repository(t, e.Project)
					seen["refs"] = t.Git(e.Project, "for-each-ref", "refs/heads/main", "refs/tags", "refs/remotes", "refs/stash")
					seen["worktrees"] = ""
					return seen
				}
				before, files := own(), traces.Look(e.Project+"/src", e.Project+"/docs")
				look := func(when string) {
					traces.Same(t, when, own(), before)
					if made := traces.Look(e.Project+"/src", e.Project+"/docs").Since(files); len(made) > 0 {
						t.Errorf("%s the project has %v", when, made)
					}
				}
				e.Start()
				look("after the start")
				e.Result(write("README.md", "in the environment\n"))
				e.Result(write("src/new.txt", "in the environment\n"))
				for _, request := range []suite.Capability{"providerGetDiffFiles", "providerMergeAsPatch"} {
					if t.Can(request) {
						e.Result(suite.Message{"type": string(request)})
					}
				}
				look("after edits in the environment")
				e.Stop("")
				look("after the stop")
			},
		},
	}
}
