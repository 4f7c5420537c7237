//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/codeboltai/codebolt-providers/cmd/internal/scripttest"
	"github.com/codeboltai/codebolt-providers/shared/resource"
)

// goSetting is one of Go's.
func goSetting(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// scripts is the folder with what people type.
var scripts = filepath.Join("testdata", "script")

// TestScripts runs what people type, in testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 scripts,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                scripttest.Commands(),
		Setup: func(e *testscript.Env) error {
			git, err := exec.LookPath("git")
			if err != nil {
				return err
			}
			home := filepath.Join(e.WorkDir, "home")
			for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GONOSUMDB", "GOSUMDB", "GOTOOLCHAIN"} { // of the machine, whatever HOME is
				e.Setenv(name, goSetting(t, name))
			}
			for name, value := range map[string]string{
				"PATH": programs + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME": home, "PROGRAMS": programs, "CHECKOUT": checkout(t), "GIT": git,
				resource.EnvStateDir: filepath.Join(e.WorkDir, "state"), "GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1",
				"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@localhost", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@localhost",
			} {
				e.Setenv(name, value)
			}
			return os.Mkdir(home, 0o755)
		},
	})
}

// TestEveryCommandHasAScript keeps a command from being added that no script tries.
func TestEveryCommandHasAScript(t *testing.T) {
	t.Parallel()
	scripttest.EveryCommand(t, scripts, (&app{}).rootCommand)
}
