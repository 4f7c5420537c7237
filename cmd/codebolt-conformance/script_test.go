//go:build linux

package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/codeboltai/codebolt-providers/cmd/internal/scripttest"
)

// scripts is the folder with what people type.
var scripts = filepath.Join("testdata", "script")

// TestScripts runs what people type, in testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: scripts, RequireExplicitExec: true, RequireUniqueNames: true, Cmds: scripttest.Commands(),
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", programs+string(os.PathListSeparator)+os.Getenv("PATH"))
			return nil
		},
	})
}

// TestEveryCommandHasAScript keeps a command from being added that no script tries.
func TestEveryCommandHasAScript(t *testing.T) {
	t.Parallel()
	scripttest.EveryCommand(t, scripts, func() *cobra.Command { return rootCommand(io.Discard, io.Discard) })
}
