package review

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

func untouched() []suite.Check {
	return []suite.Check{
		{
			ID: "DF-024", Level: suite.Must, Needs: slices.Concat(patching, []suite.Capability{suite.Local, suite.Git}),
			Title: "Looking at the work changes neither files, index, HEAD, branches nor stash",
			Why:   "An agent that is about to commit would commit other things than it staged, or find its work committed by somebody else.",
			Run: func(t *suite.T) {
				project := t.NewProject()
				stash(t, project, "of the project")
				t.Try(os.WriteFile(filepath.Join(project, "docs/guide.md"), []byte("# Of the person\n"), 0o600))
				t.Git(project, "add", "docs/guide.md")
				t.Try(os.WriteFile(filepath.Join(project, "own.txt"), []byte("own\n"), 0o600))
				e := t.Open(suite.Spec{Project: project})
				stash(t, e.Workspace(), "of the agent")
				work(t, e)
				before := stateOf(t, e)
				for range 2 {
					e.Result(suite.Message{"type": diffVerb})
					e.Result(suite.Message{"type": patchVerb})
				}
				t.Equal("the repository afterwards", stateOf(t, e), before)
			},
		},
		{
			ID: "DF-025", Level: suite.Must, Needs: patching,
			Title: "Looking at the work changes no file of the workspace and none of the project",
			Why:   "What only looks must be safe to ask for at any time, as a view does that is open.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				work(t, e)
				before, project := treeOf(t, e.Path()), treeOf(t, e.Project)
				for range 2 {
					e.Result(suite.Message{"type": diffVerb})
					e.Result(suite.Message{"type": patchVerb})
				}
				t.Equal("the workspace afterwards", treeOf(t, e.Path()), before)
				t.Equal("the project afterwards", treeOf(t, e.Project), project)
				t.Equal("the project's status", t.Git(e.Project, "status", "--porcelain"), "")
			},
		},
	}
}

func stash(t *suite.T, dir, text string) {
	t.Try(os.WriteFile(filepath.Join(dir, "README.md"), []byte(text+"\n"), 0o600))
	t.Git(dir, "stash", "push", "--quiet", "--message", text)
}

// stateOf is all that a person or an agent relies on in a repository. A provider
// may have refs of its own, below refs/codebolt.
func stateOf(t *suite.T, e *suite.Env) map[string]string {
	state := map[string]string{}
	for name, dir := range map[string]string{"workspace": e.Workspace(), "project": e.Project} {
		git := t.Git(dir, "rev-parse", "--absolute-git-dir")
		index, err := os.ReadFile(filepath.Join(git, "index"))
		t.Try(err)
		state[name+" index"] = string(index)
		head, err := os.ReadFile(filepath.Join(git, "HEAD"))
		t.Try(err)
		state[name+" HEAD"] = string(head) + t.Git(dir, "rev-parse", "HEAD")
		state[name+" status"] = t.Git(dir, "status", "--porcelain=v2", "--untracked-files=all")
		state[name+" staged"] = t.Git(dir, "ls-files", "--stage")
		state[name+" stash"] = t.Git(dir, "stash", "list", "--format=%H %gs")
		state[name+" config"] = t.Git(dir, "config", "--list", "--local")
		for path, what := range treeOf(t, dir) {
			state[name+" file "+path] = what
		}
	}
	for line := range strings.SplitSeq(t.Git(e.Project, "for-each-ref", "--format=%(refname) %(objectname)"), "\n") {
		if !strings.HasPrefix(line, "refs/codebolt/") {
			ref, oid, _ := strings.Cut(line, " ")
			state["ref "+ref] = oid
		}
	}
	return state
}
