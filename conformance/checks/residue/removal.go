package residue

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/checks/internal/traces"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// removable is what these checks need to have anything removed.
var removable = []suite.Capability{suite.OnStop, "providerStop"}

func needs(more ...suite.Capability) []suite.Capability {
	return append(append([]suite.Capability(nil), removable...), more...)
}

// lived lets an environment live and removes it, clean.
func lived(t *suite.T, e *suite.Env) {
	e.Start()
	e.Result(suite.Message{"type": "providerWriteFile", "path": "short-lived.txt", "content": "short-lived\n"})
	e.Result(suite.Message{"type": "providerGetTreeChildren", "path": ""})
	e.Result(suite.Message{"type": "providerDeleteFile", "path": "short-lived.txt"})
	end(t, e)
}

// end removes a clean environment and waits until its process has ended.
func end(t *suite.T, e *suite.Env) {
	answer := e.Stop("removeIfClean")
	if flag, _ := answer.Object("message")["removed"].(bool); !flag {
		t.Fatalf("the clean environment was not removed: %v", answer)
	}
	e.Exit(suite.ExitLimit)
}

func removal() []suite.Check {
	return []suite.Check{
		{
			ID: "RS-001", Level: suite.Must, Needs: removable,
			Title: "After a removal no process is left",
			Why:   "A forgotten runtime holds memory and a port until the machine is restarted.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				lived(t, e)
				traces.NoHelpers(t, "after the removal", e)
			},
		},
		{
			ID: "RS-002", Level: suite.Must, Needs: needs(suite.Git, suite.Local),
			Title: "After a removal the repository has no worktree, branch, ref, setting or lock of it",
			Why:   "A hundred environments later git branch shows nothing else.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				before, files := traces.Repository(t, e.Project), traces.Look(filepath.Join(e.Project, ".git"))
				lived(t, e)
				traces.Same(t, "after the removal", traces.Repository(t, e.Project), before)
				for _, path := range traces.Look(filepath.Join(e.Project, ".git")).Belongings(files, e) {
					if !strings.Contains(path, "/.git/objects/") {
						t.Errorf("the removal left %s", path)
					}
				}
			},
		},
		{
			ID: "RS-003", Level: suite.Must, Needs: needs(suite.Local),
			Title: "After a removal the workspace is gone, and no file names the environment",
			Why:   "A record of what is not there makes the next clean-up fail, and the next environment of that name.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				lived(t, e)
				if _, err := os.Lstat(e.Workspace()); err == nil {
					t.Errorf("the workspace %s is left", e.Workspace())
				}
				for _, dir := range append(traces.Homes(t), e.Project) {
					for _, path := range traces.Naming(dir, e) {
						t.Errorf("%s names the environment that was removed", path)
					}
				}
			},
		},
		{
			ID: "RS-004", Level: suite.Must, Needs: needs(suite.Local),
			Title: "After a removal no socket, lock or temporary file is left",
			Why:   "A lock that nobody holds is waited for; a full temporary folder stops everybody.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				before := traces.Look(append(traces.Homes(t), e.Project)...)
				lived(t, e)
				after := traces.Look(append(traces.Homes(t), e.Project)...)
				for _, path := range after.Since(before) {
					base := filepath.Base(path)
					switch {
					case after.Type(path) == fs.ModeSocket:
						t.Errorf("a socket is left: %s", path)
					case strings.HasPrefix(path, t.Dir("tmp")):
						t.Errorf("a temporary file is left: %s", path)
					case after.Type(path) == 0 && (strings.HasSuffix(base, ".lock") || strings.HasSuffix(base, ".lease") || strings.HasSuffix(base, ".pid")):
						t.Errorf("a lock is left: %s", path)
					case strings.HasSuffix(base, ".tmp") || strings.HasPrefix(base, ".tmp"):
						t.Errorf("a temporary file is left: %s", path)
					}
				}
			},
		},
	}
}
