package containment

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

func places() []suite.Check {
	return []suite.Check{
		{
			ID: "SC-048", Level: suite.Must, Needs: []suite.Capability{"providerProspectivePath"},
			Title: "The place that is proposed for an environment stays in its folder whatever the name is",
			Why:   "An environment that is called .. is made, and removed, where other things are.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				e.Launch()
				propose := func(name string) (string, suite.Message) {
					answer := e.Ask(suite.Message{"type": "providerProspectivePath", "environmentName": name, "environmentId": "id of " + name, "projectPath": e.Project})
					return answer.Object("data").Text("environmentPath"), answer
				}
				plain, answer := propose("plain")
				if !filepath.IsAbs(plain) {
					t.Fatalf("no absolute environmentPath is proposed for an ordinary name: %v", answer)
				}
				base := filepath.Dir(plain)
				for _, name := range []string{
					"../x", "../../x", strings.Repeat("../", 10) + "x", "..", ".", "a/../../../x", "x/../../..", "/etc", "/", "~", "~/x", `..\..\x`, "../plain", "a/b", ".git", "-x",
				} {
					path, answer := propose(name)
					if path == "" && suite.Problem(answer) != "" {
						continue
					}
					if filepath.Clean(path) != path || filepath.Dir(path) != base {
						t.Errorf("for the name %q the place %q is proposed, which is not right below %s", name, path, base)
					}
				}
			},
		},
		{
			ID: "SC-049", Level: suite.Must, Needs: []suite.Capability{suite.Local},
			Title: "An environment is not made where other things are",
			Why:   "A path that is the home folder, the project or its .git would be filled, and emptied again at the end.",
			Run: func(t *suite.T) {
				project := t.NewProject()
				home := filepath.Join(filepath.Dir(project), "home")
				taken := t.Dir("taken")
				t.Try(os.WriteFile(filepath.Join(taken, "own.txt"), []byte("own\n"), 0o600))
				t.Try(os.Symlink(filepath.Join(project, ".git"), filepath.Join(t.Dir("links"), "git")))
				before := map[string]string{}
				for _, dir := range []string{filepath.Join(project, "src"), filepath.Join(project, "docs"), taken} {
					t.Try(describe(before, dir))
				}
				for _, path := range []string{
					home, "~", "~/", project, project + "/.", filepath.Dir(project), project + "/src", project + "/.git", project + "/.git/worktree",
					project + "/.git/objects/x", ".git", ".git/x", "./src/../.git/y", taken, filepath.Join(t.Dir("links"), "git", "z"), "README.md",
				} {
					e := t.Env(suite.Spec{Project: project, Start: map[string]any{"environmentPath": path}})
					if result, err := e.TryStart(); err == nil && suite.Problem(result) == "" {
						t.Errorf("an environment was made at %s, where environmentPath is %q", e.Workspace(), path)
					}
					e.Crash()
				}
				after := map[string]string{}
				for _, dir := range []string{filepath.Join(project, "src"), filepath.Join(project, "docs"), taken} {
					t.Try(describe(after, dir))
				}
				t.Equal("what was there before", after, before)
				t.Equal("the project's status", t.Git(project, "status", "--porcelain"), "")
				t.Git(project, "fsck", "--strict")
				if entries, err := os.ReadDir(filepath.Join(project, ".git", "worktrees")); err == nil && len(entries) > 0 {
					t.Errorf("the project's repository has worktrees now: %v", entries)
				}
			},
		},
	}
}
