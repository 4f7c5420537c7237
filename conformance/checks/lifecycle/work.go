package lifecycle

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// put writes a file of a workspace as a program in it does.
func put(t *suite.T, e *suite.Env, path, text string) {
	path = e.Path(path)
	t.Try(os.MkdirAll(filepath.Dir(path), 0o755))
	t.Try(os.WriteFile(path, []byte(text), 0o644))
}

func commit(t *suite.T, e *suite.Env, path, text string) {
	put(t, e, path, text)
	t.Git(e.Workspace(), "add", path)
	t.Git(e.Workspace(), "commit", "--quiet", "--message", "Work on "+path)
}

func work() []suite.Check {
	inGit := []suite.Capability{suite.Git, suite.Local, "providerStop"}
	return []suite.Check{
		{
			ID: "LC-043", Level: suite.Must, Needs: []suite.Capability{"providerStop", "providerWriteFile"},
			Title: "What was written, changed and deleted is still so after a stop and another start",
			Why:   "A stop is not a removal. Who stops for the night expects the work in the morning.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				first := e.Start()
				e.Result(write("new.txt", "new\n"))
				e.Result(write("README.md", "changed\n"))
				e.Result(write("build/ignored.log", "ignored\n"))
				if t.Can("providerDeleteFile") {
					e.Result(suite.Message{"type": "providerDeleteFile", "path": "docs/guide.md"})
				}
				succeeds(t, "the stop", e.Stop(""))
				again := e.Start()
				t.Equal("workspacePath of the second start", again["workspacePath"], first["workspacePath"])
				holds(t, e, "after the second start", "new.txt", "new\n")
				holds(t, e, "after the second start", "README.md", "changed\n")
				holds(t, e, "after the second start", "build/ignored.log", "ignored\n")
				if t.Can("providerDeleteFile") {
					e.Refused(read("docs/guide.md"), "not_found")
				}
			},
		},
		{
			ID: "LC-044", Level: suite.Must, Needs: inGit,
			Title: "Staged, committed, stashed and branched work is still there after a stop and another start",
			Why:   "Agents commit and stash; nothing of it is pushed when the stop comes.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				commit(t, e, "committed.txt", "committed\n")
				put(t, e, "README.md", "stashed\n")
				t.Git(e.Workspace(), "stash", "push", "--quiet", "--message", "set aside")
				put(t, e, "src/main.txt", "staged\n")
				t.Git(e.Workspace(), "add", "src/main.txt")
				put(t, e, "untracked.txt", "untracked\n")
				ask := func() map[string]string {
					seen := map[string]string{}
					for _, args := range []string{"rev-parse HEAD", "symbolic-ref HEAD", "status --porcelain", "stash list", "stash show --patch", "diff --cached"} {
						seen[args] = t.Git(e.Workspace(), strings.Fields(args)...)
					}
					return seen
				}
				before := ask()
				succeeds(t, "the stop", e.Stop(""))
				e.Start()
				t.Equal("what git tells of the environment", ask(), before)
			},
		},
	}
}

// stages are the kinds of work that must hold a removal.
var stages = []struct {
	name string
	git  bool // only where there is git
	do   func(t *suite.T, e *suite.Env)
}{
	{"a changed file", false, func(t *suite.T, e *suite.Env) { put(t, e, "README.md", "changed\n") }},
	{"an untracked file", false, func(t *suite.T, e *suite.Env) { put(t, e, "untracked.txt", "untracked\n") }},
	{"a deleted file", false, func(t *suite.T, e *suite.Env) { t.Try(os.Remove(e.Path("empty.txt"))) }},
	{"an ignored file", true, func(t *suite.T, e *suite.Env) { put(t, e, ".env", "ignored\n") }},
	{"a staged file", true, func(t *suite.T, e *suite.Env) {
		put(t, e, "src/main.txt", "staged\n")
		t.Git(e.Workspace(), "add", "src/main.txt")
	}},
	{"a commit that was not pushed", true, func(t *suite.T, e *suite.Env) { commit(t, e, "committed.txt", "committed\n") }},
	{"a commit on no branch", true, func(t *suite.T, e *suite.Env) {
		t.Git(e.Workspace(), "checkout", "--quiet", "--detach")
		commit(t, e, "detached.txt", "detached\n")
	}},
	{"a merge under way", true, func(t *suite.T, e *suite.Env) {
		dir := e.Workspace()
		t.Git(dir, "checkout", "--quiet", "--detach")
		commit(t, e, "README.md", "ours\n")
		ours := t.Git(dir, "rev-parse", "HEAD")
		t.Git(dir, "branch", e.Name()+"-ours", ours)
		t.Git(dir, "checkout", "--quiet", "--detach", "HEAD~1")
		commit(t, e, "README.md", "theirs\n")
		t.Git(dir, "branch", e.Name()+"-theirs")
		_, _ = t.TryGit(dir, "merge", ours) // it stops at the conflict
	}},
}

func removing() []suite.Check {
	needs := []suite.Capability{suite.OnStop, suite.Local, "providerStop"}
	return []suite.Check{
		{
			ID: "LC-045", Level: suite.Must, Needs: needs,
			Title: "removeIfClean removes a clean environment",
			Why:   "Who asks for the removal wants the disk back.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				answer := e.Stop("removeIfClean")
				succeeds(t, "the stop", answer)
				t.Equal("removed", answer.Object("message")["removed"], true)
				if _, err := os.Stat(e.Workspace()); err == nil {
					t.Errorf("the workspace %s is still there", e.Workspace())
				}
				e.Start()
				works(t, e, "after the removal, in the next environment,")
			},
		},
		{
			ID: "LC-046", Level: suite.Must, Needs: needs,
			Title: "removeIfClean keeps an environment with work in it, whatever kind of work, and says why",
			Why:   "Work that exists nowhere else must not go with a click.",
			Run: func(t *suite.T) {
				project := t.NewProject()
				for _, stage := range stages {
					if stage.git && !t.Can(suite.Git) {
						continue
					}
					e := t.Open(suite.Spec{Project: project})
					stage.do(t, e)
					kept := e.Workspace()
					answer := e.Stop("removeIfClean")
					if removed(answer) {
						t.Errorf("with %s the environment was removed", stage.name)
					}
					if reasons, _ := answer.Object("message")["holds"].([]any); len(reasons) == 0 && suite.Problem(answer) == "" {
						t.Errorf("with %s the answer gives no reason in holds: %v", stage.name, answer)
					}
					if _, err := os.Stat(filepath.Join(kept, "src/main.txt")); err != nil {
						t.Errorf("with %s the workspace has lost its files: %v", stage.name, err)
					}
				}
			},
		},
		{
			ID: "LC-047", Level: suite.Must, Needs: append([]suite.Capability{suite.Git}, needs...),
			Title: "snapshotAndRemove removes the environment and keeps all its work where the answer says",
			Why:   "A snapshot that misses what is not committed is none.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				commit(t, e, "committed.txt", "committed\n")
				put(t, e, "README.md", "changed\n")
				put(t, e, "src/main.txt", "staged\n")
				t.Git(e.Workspace(), "add", "src/main.txt")
				put(t, e, "untracked.txt", "untracked\n")
				put(t, e, ".env", "ignored\n")
				answer := e.Stop("snapshotAndRemove")
				succeeds(t, "the stop", answer)
				if !removed(answer) {
					t.Fatalf("the environment was not removed: %v", answer)
				}
				if _, err := os.Stat(e.Workspace()); err == nil {
					t.Errorf("the workspace %s is still there", e.Workspace())
				}
				recovery, _ := answer.Object("message")["recovery"].([]any)
				saved := map[string]string{
					"committed.txt": "committed", "README.md": "changed", "src/main.txt": "staged", "untracked.txt": "untracked", ".env": "ignored",
				}
				for _, ref := range strings.Fields(t.Git(e.Project, "for-each-ref", "--format=%(refname)")) {
					if mentions(recovery, ref) && holdsAll(t, e.Project, ref, saved) {
						return
					}
				}
				t.Errorf("no ref that the answer names has all the work: recovery %v, refs\n%s", recovery, t.Git(e.Project, "for-each-ref"))
			},
		},
		{
			ID: "LC-048", Level: suite.Must, Needs: append([]suite.Capability{suite.Git}, needs...),
			Title: "Commits are reachable after a removal, also those on branches the agent made",
			Why:   "An agent that checked out another branch has worked all the same.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				commit(t, e, "first.txt", "first\n")
				oids := []string{t.Git(e.Workspace(), "rev-parse", "HEAD")}
				t.Git(e.Workspace(), "checkout", "--quiet", "-b", "agent/"+e.Name())
				commit(t, e, "second.txt", "second\n")
				oids = append(oids, t.Git(e.Workspace(), "rev-parse", "HEAD"))
				t.Git(e.Workspace(), "checkout", "--quiet", "--detach", "HEAD~2")
				commit(t, e, "third.txt", "third\n")
				oids = append(oids, t.Git(e.Workspace(), "rev-parse", "HEAD"))
				if answer := e.Stop("snapshotAndRemove"); !removed(answer) {
					t.Fatalf("the environment was not removed: %v", answer)
				}
				for _, oid := range oids {
					if t.Git(e.Project, "for-each-ref", "--contains", oid) == "" {
						t.Errorf("no ref leads to the commit %s any more", oid)
					}
				}
				if _, err := t.TryGit(e.Project, "rev-parse", "--verify", "refs/heads/agent/"+e.Name()); err != nil {
					t.Errorf("the branch that the agent made is gone")
				}
			},
		},
	}
}

func mentions(recovery []any, ref string) bool {
	for _, line := range recovery {
		if text, is := line.(string); is && strings.Contains(text, ref) {
			return true
		}
	}
	return false
}

func holdsAll(t *suite.T, project, ref string, files map[string]string) bool {
	for path, text := range files {
		got, err := t.TryGit(project, "cat-file", "blob", ref+":"+path)
		if err != nil || strings.TrimSpace(got) != text {
			return false
		}
	}
	return true
}
