package containment

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

func protected() []suite.Check {
	needs := []suite.Capability{"providerWriteFile", "providerDeleteFile", suite.Local, suite.Git}
	return []suite.Check{
		{
			ID: "SC-039", Level: suite.Must, Needs: needs,
			Title: "What makes the workspace a git checkout is neither written, deleted, renamed nor created into",
			Why:   "A hook or an fsmonitor that is written there runs as the person; without .git the work has no history.",
			Run: func(t *suite.T) {
				guarded(t, func(e *suite.Env) []string {
					names := []string{".git", "./.git", "src/../.git", ".git/"}
					// Where case is no difference, neither is it one here.
					if _, err := os.Lstat(e.Path(".GIT")); err == nil {
						names = append(names, ".GIT", ".Git")
					}
					return names
				})
			},
		},
		{
			ID: "SC-040", Level: suite.Must, Needs: needs,
			Title: "Neither links nor an absolute path lead to .git",
			Why:   "A name that is looked at before links are followed protects nothing.",
			Run: func(t *suite.T) {
				guarded(t, func(e *suite.Env) []string {
					for name, target := range map[string]string{"here": ".", "there": e.Workspace(), "nested": "here"} {
						t.Try(os.Symlink(target, e.Path(name)))
					}
					return []string{"here/.git", "there/.git", "nested/.git", "here/there/.git", e.Path(".git")}
				})
			},
		},
		{
			ID: "SC-041", Level: suite.Must, Needs: needs,
			Title: "A link to .git lets nothing be written there",
			Why:   "An agent that may make links would reach the hooks after all.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				before := gitState(t, e)
				t.Try(os.Symlink(".git", e.Path("relative")))
				t.Try(os.Symlink(e.Path(".git"), e.Path("absolute")))
				for _, name := range []string{"relative", "absolute"} {
					for _, path := range []string{name, name + "/config", name + "/hooks/post-checkout"} {
						refused(t, e, toWrite, path)
						if t.Can(toCopyTo.verb) {
							refused(t, e, toCopyTo, path)
						}
					}
					if t.Can(toCreateFolder.verb) {
						refused(t, e, toCreateFolder, name+"/hooks/made")
					}
					refused(t, e, toDeleteFile, name+"/HEAD")
				}
				t.Equal("what .git is", gitState(t, e), before)
			},
		},
		{
			ID: "SC-042", Level: suite.Must, Needs: []suite.Capability{"providerReadFile", "providerDeleteFolder", suite.Local},
			Title: "The workspace itself is neither deleted, renamed, written nor replaced",
			Why:   "An empty path in a request, which is easily sent by mistake, would delete everything.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				before, err := os.Stat(e.Workspace())
				t.Try(err)
				parent, err := os.ReadDir(filepath.Dir(e.Workspace()))
				t.Try(err)
				for _, path := range []string{"", ".", "./", "src/..", "src/../.", e.Workspace(), e.Workspace() + "/"} {
					for _, p := range []probe{toDeleteFile, toDeleteFolder, toMoveAway, toWrite, toMoveTo, toCopyTo} {
						if !t.Can(p.verb) {
							continue
						}
						e.Refused(p.ask(path))
						if t.Can(suite.Overwrite) {
							e.Refused(p.ask(path).With(suite.Message{"overwrite": true}))
						}
					}
				}
				after, err := os.Stat(e.Workspace())
				if err != nil || !os.SameFile(before, after) {
					t.Errorf("the workspace is another folder now: %v", err)
				}
				now, err := os.ReadDir(filepath.Dir(e.Workspace()))
				if err != nil || len(now) != len(parent) {
					t.Errorf("beside the workspace there is %v now, %v", now, err)
				}
				for _, name := range []string{"README.md", "src/main.txt", "docs/guide.md"} {
					t.Equal(name+" afterwards", e.Result(toRead.ask(name)), suite.ProjectFiles[name])
				}
			},
		},
	}
}

// guarded does to .git, by each of the names that spell it, all that must be
// refused.
func guarded(t *suite.T, names func(e *suite.Env) []string) {
	e := t.Open(suite.Spec{})
	before := gitState(t, e)
	for _, name := range names(e) {
		for _, p := range []probe{toWrite, toDeleteFile, toDeleteFolder, toMoveAway, toMoveTo, toCopyTo, toCopyFolderTo} {
			if !t.Can(p.verb) {
				continue
			}
			e.Refused(p.ask(name))
			m := p.ask(name)
			if t.Can(suite.Overwrite) {
				m["overwrite"] = true
			}
			e.Refused(m)
		}
		for _, below := range []string{"/config", "/hooks/post-checkout", "/made"} {
			for _, p := range making {
				if t.Can(p.verb) {
					e.Refused(p.ask(name + below))
				}
			}
		}
		for _, p := range removing {
			if t.Can(p.verb) && p.verb != toDeleteFolder.verb { // what is absent is a folder deleted
				e.Refused(p.ask(name + "/HEAD"))
			}
		}
	}
	t.Equal("what .git is", gitState(t, e), before)
}

// gitState is what .git is: a file's content, or of a folder what a checkout
// stands on. It includes what git makes of it.
func gitState(t *suite.T, e *suite.Env) map[string]string {
	state := map[string]string{}
	ask := func(args ...string) string {
		out, err := t.TryGit(e.Workspace(), args...)
		if err != nil {
			return "git says: " + err.Error()
		}
		return strings.TrimSpace(out)
	}
	state["head"], state["branch"] = ask("rev-parse", "HEAD"), ask("symbolic-ref", "-q", "HEAD")
	dir := ask("rev-parse", "--absolute-git-dir")
	for _, name := range []string{dir, filepath.Join(dir, "hooks"), ask("rev-parse", "--git-path", "hooks")} {
		entries, err := os.ReadDir(name)
		if err != nil {
			continue
		}
		for _, entry := range entries {
			state[filepath.Join(name, entry.Name())] = entry.Type().String()
		}
	}
	for _, path := range []string{e.Path(".git"), filepath.Join(dir, "config"), filepath.Join(dir, "HEAD")} {
		info, err := os.Lstat(path)
		if err != nil {
			state[path] = "absent"
			continue
		}
		state[path] = info.Mode().String()
		if info.Mode()&fs.ModeType == 0 {
			data, err := os.ReadFile(path)
			t.Try(err)
			state[path] += " " + string(data)
		}
	}
	return state
}
