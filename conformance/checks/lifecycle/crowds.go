package lifecycle

import (
	"os"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/checks/internal/traces"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// crowd is how many environments one project has at once.
const crowd = 20

func crowds() []suite.Check {
	return []suite.Check{
		{
			ID: "LC-041", Level: suite.Must, Limit: 3 * time.Minute,
			Title: "Twenty environments of one project start at once, each with a workspace and a resource of its own, and all go again",
			Why:   "Agents work in parallel. One that gets another's workspace, or none, ruins both.",
			Run: func(t *suite.T) {
				project := t.NewProject()
				envs := make([]*suite.Env, crowd)
				for i := range envs {
					envs[i] = t.Env(suite.Spec{Project: project})
				}
				results, errs := make([]suite.Message, crowd), make([]error, crowd)
				atOnce(crowd, func(i int) { results[i], errs[i] = envs[i].TryStart() })
				seen := map[string]bool{}
				for i, e := range envs {
					if errs[i] != nil {
						t.Errorf("one of %d starts failed: %v", crowd, errs[i])
						continue
					}
					works(t, e, "beside nineteen others")
					for _, member := range []string{"workspacePath", "resourceId"} {
						value := results[i].Text(member)
						if value != "" && seen[member+value] {
							t.Errorf("two environments have the %s %s", member, value)
						}
						seen[member+value] = true
					}
				}
				if t.Failed() || !t.Can(suite.OnStop) {
					return
				}
				atOnce(crowd, func(i int) {
					answer, err := envs[i].TryAsk(stop().With(suite.Message{"onStop": "removeIfClean"}))
					if err != nil || !removed(answer) {
						t.Errorf("one of %d clean environments was not removed: %v %v", crowd, answer, err)
					}
				})
				for i := range envs {
					if _, err := os.Stat(results[i].Text("workspacePath")); t.Can(suite.Local) && err == nil {
						t.Errorf("the workspace %s is still there", results[i].Text("workspacePath"))
					}
				}
				if t.Can(suite.Git) {
					if n := strings.Count(t.Git(project, "worktree", "list", "--porcelain"), "worktree "); n != 1 {
						t.Errorf("%d worktrees are left", n-1)
					}
				}
				traces.NoHelpers(t, "after all were removed", envs...)
			},
		},
		{
			ID: "LC-042", Level: suite.Must, Needs: []suite.Capability{"providerReadFile", "providerWriteFile"},
			Title: "Two environments of one project do not see each other's files",
			Why:   "Isolation is what an environment is for.",
			Run: func(t *suite.T) {
				project := t.NewProject()
				one, two := t.Open(suite.Spec{Project: project}), t.Open(suite.Spec{Project: project})
				one.Result(write("README.md", "one\n"))
				two.Result(write("README.md", "two\n"))
				one.Result(write("one.txt", "one\n"))
				if t.Can("providerDeleteFile") {
					one.Result(suite.Message{"type": "providerDeleteFile", "path": "empty.txt"})
				}
				holds(t, one, "in the first environment", "README.md", "one\n")
				holds(t, two, "in the second environment", "README.md", "two\n")
				holds(t, two, "in the second environment", "empty.txt", "")
				two.Refused(read("one.txt"), "not_found")
				if text, err := os.ReadFile(project + "/README.md"); err != nil || string(text) != suite.ProjectFiles["README.md"] {
					t.Errorf("the project sees what the environments wrote: %q %v", text, err)
				}
				if status := t.Git(project, "status", "--porcelain"); status != "" {
					t.Errorf("the project sees what the environments did: %s", status)
				}
			},
		},
	}
}
