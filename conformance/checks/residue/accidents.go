package residue

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/checks/internal/traces"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// outsideObjects leaves out the objects of repositories: git collects those that
// nothing leads to by itself.
func outsideObjects(paths []string) []string {
	return slices.DeleteFunc(paths, func(path string) bool { return strings.Contains(path, "/objects/") })
}

// warm lets an environment come and go, so that what all use is there.
func warm(t *suite.T, project string) { lived(t, t.Env(suite.Spec{Project: project})) }

// nothing notes a failure when there is more than before.
func nothing(t *suite.T, when, project string, before traces.Disk, repository map[string]string) {
	traces.NoHelpers(t, when)
	after := traces.Look(append(traces.Homes(t), project)...)
	if left := outsideObjects(after.Since(before)); len(left) > 0 {
		t.Errorf("%s there is left: %v", when, left)
	}
	if t.Can(suite.Git) {
		traces.Same(t, when, traces.Repository(t, project), repository)
	}
}

func accidents() []suite.Check {
	return []suite.Check{
		{
			ID: "RS-006", Level: suite.Must, Needs: needs(suite.Local, suite.RuntimeCommand),
			Title: "A start that fails at its last step leaves no process, file or ref",
			Why:   "Starts fail in series: the disk is full of what the failed ones left.",
			Run: func(t *suite.T) {
				project := t.NewProject()
				warm(t, project)
				before, repository := traces.Look(append(traces.Homes(t), project)...), traces.Repository(t, project)
				e := t.Env(suite.Spec{Project: project, Config: map[string]any{"runtime": map[string]any{"command": []string{"/bin/sh", "-c", "exit 3"}}}})
				if _, err := e.TryStart(); err == nil {
					t.Fatalf("a start whose runtime ends at once succeeded")
				}
				if err := e.Close(t.Context()); err != nil {
					t.Errorf("after a start that failed the provider does not let go: %v", err)
				}
				nothing(t, "after a start that failed", project, before, repository)
			},
		},
		{
			ID: "RS-007", Level: suite.Must, Needs: needs(suite.Local),
			Title: "After a crash, another start and a removal nothing is left, of either life",
			Why:   "The next life must find what the first one left, or nobody ever will.",
			Run: func(t *suite.T) {
				project := t.NewProject()
				warm(t, project)
				before, repository := traces.Look(append(traces.Homes(t), project)...), traces.Repository(t, project)
				e := t.Open(suite.Spec{Project: project})
				e.Result(suite.Message{"type": "providerWriteFile", "path": filepath.Join("src", "work.txt"), "content": "work\n"})
				e.Crash()
				e.Start()
				e.Result(suite.Message{"type": "providerDeleteFile", "path": filepath.Join("src", "work.txt")})
				end(t, e)
				nothing(t, "after a crash, another start and a removal", project, before, repository)
			},
		},
	}
}
