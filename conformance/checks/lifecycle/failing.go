package lifecycle

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/checks/internal/traces"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// failing are the starts that fail because of what they ask for.
func failing() []suite.Check {
	local := []suite.Capability{suite.Local}
	return []suite.Check{
		{
			ID: "LC-017", Level: suite.Must, Needs: local,
			Title: "A start without a project fails with a reason and leaves nothing; the next one succeeds",
			Why:   "A provider that takes its own directory for the project works on the wrong files.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{Env: append([]string{"PROJECT_PATH="}, noConfig...)})
				e.Launch()
				start := e.StartMessage()
				delete(start, "projectPath")
				fails(t, e, "no projectPath", start)
				mended(t, e, "no projectPath")
			},
		},
		{
			ID: "LC-018", Level: suite.Must, Needs: local,
			Title: "A start with a project that does not exist fails with a reason and leaves nothing; the next one succeeds",
			Why:   "An empty environment in place of a failure looks like a project that has lost its files.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{Env: noConfig})
				e.Launch()
				absent := filepath.Join(t.Dir("absent"), "project")
				answer := fails(t, e, "a project that does not exist", e.StartMessage().With(suite.Message{"projectPath": absent}))
				if problem := suite.Problem(answer); !strings.Contains(problem, absent) {
					t.Errorf("the reason does not name the path that does not exist: %s", problem)
				}
				if _, err := os.Stat(absent); err == nil {
					t.Errorf("the project that did not exist was made")
				}
				mended(t, e, "a project that does not exist")
			},
		},
		{
			ID: "LC-019", Level: suite.Must, Needs: local,
			Title: "A start with a file for a project fails with a reason and leaves nothing; the next one succeeds",
			Why:   "The server must be able to tell the user that the path is wrong.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{Env: noConfig})
				e.Launch()
				fails(t, e, "a file for a project", e.StartMessage().With(suite.Message{"projectPath": filepath.Join(e.Project, "README.md")}))
				mended(t, e, "a file for a project")
			},
		},
		{
			ID: "LC-020", Level: suite.Must, Needs: []suite.Capability{suite.Git, suite.Local},
			Title: "A start with a project that is no git repository fails with a reason and leaves nothing; the next one succeeds",
			Why:   "Making a repository of somebody's folder is not what was asked for.",
			Run: func(t *suite.T) {
				plain := t.Dir("plain")
				t.Try(os.WriteFile(filepath.Join(plain, "README.md"), []byte("plain\n"), 0o644))
				e := t.Env(suite.Spec{Env: noConfig})
				e.Launch()
				fails(t, e, "a project without a repository", e.StartMessage().With(suite.Message{"projectPath": plain}))
				if entries, err := os.ReadDir(plain); err != nil || len(entries) != 1 {
					t.Errorf("the folder that is no repository was changed: %v %v", entries, err)
				}
				mended(t, e, "a project without a repository")
			},
		},
		{
			ID: "LC-021", Level: suite.Must, Needs: []suite.Capability{suite.Git, suite.Local},
			Title: "A start with a repository that has no commit fails with a reason and leaves nothing; it succeeds after the first commit",
			Why:   "There is nothing to begin at; an error of git's own words, or a commit made up, helps nobody.",
			Run: func(t *suite.T) {
				unborn := t.Dir("unborn")
				t.Git(unborn, "init", "--quiet")
				e := t.Env(suite.Spec{Project: unborn, Env: noConfig})
				e.Launch()
				fails(t, e, "a repository without a commit", e.StartMessage())
				if refs := t.Git(unborn, "for-each-ref"); refs != "" {
					t.Errorf("a start that failed made refs: %s", refs)
				}
				t.Try(os.WriteFile(filepath.Join(unborn, "README.md"), []byte(suite.ProjectFiles["README.md"]), 0o644))
				t.Git(unborn, "add", "README.md")
				t.Git(unborn, "commit", "--quiet", "--message", "Begin")
				mended(t, e, "a repository without a commit")
			},
		},
		{
			ID: "LC-022", Level: suite.Must, Needs: local,
			Title: "An environmentPath that exists and holds something is refused and left as it is",
			Why:   "What is in the way is somebody's, and a stop would remove it with the environment.",
			Run: func(t *suite.T) {
				taken := t.Dir("taken")
				t.Try(os.WriteFile(filepath.Join(taken, "mine.txt"), []byte("mine\n"), 0o644))
				e := t.Env(suite.Spec{Env: noConfig})
				e.Launch()
				before := traces.Look(taken)
				fails(t, e, "a path that is taken", e.StartMessage().With(suite.Message{"environmentPath": taken}))
				t.Equal("what is at the path that is taken", traces.Look(taken).Since(before), []string(nil))
				if text, err := os.ReadFile(filepath.Join(taken, "mine.txt")); err != nil || string(text) != "mine\n" {
					t.Errorf("the file in the way was changed: %q %v", text, err)
				}
				mended(t, e, "a path that is taken")
			},
		},
		{
			ID: "LC-023", Level: suite.Must, Needs: local,
			Title: "An environmentPath that is the project, or contains it, is refused",
			Why:   "It would not be isolated from the project, and its removal would remove the project.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{Env: noConfig})
				e.Launch()
				for what, path := range map[string]string{"the project": e.Project, "the project's parent": filepath.Dir(e.Project), "the root": "/"} {
					fails(t, e, what+" for a place", e.StartMessage().With(suite.Message{"environmentPath": path}))
					if text, err := os.ReadFile(filepath.Join(e.Project, "README.md")); err != nil || string(text) != suite.ProjectFiles["README.md"] {
						t.Fatalf("the project was changed: %q %v", text, err)
					}
				}
				mended(t, e, "the project for a place")
			},
		},
		{
			ID: "LC-024", Level: suite.Must, Needs: []suite.Capability{suite.Runtime},
			Title: "A setting of the wrong type fails the start with an error that names the setting",
			Why:   "A default in place of what was meant is found out when it is too late.",
			Run: func(t *suite.T) {
				for setting, value := range map[string]any{"agentServerPort": "none", "timeouts": "soon"} {
					e := t.Env(suite.Spec{Config: map[string]any{setting: value}})
					e.Launch()
					answer := fails(t, e, setting+" of a wrong type", e.StartMessage())
					if problem := suite.Problem(answer); !strings.Contains(problem, setting) {
						t.Errorf("the reason does not name %s: %s", setting, problem)
					}
					done(t, e)
				}
			},
		},
	}
}
