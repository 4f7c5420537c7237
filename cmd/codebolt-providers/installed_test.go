//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// TestAnInstalledProviderConforms judges what lies in a project's .codebolt/providers,
// started through node as servers start it; a part of the checks with CONFORMANCE_SAMPLE set.
func TestAnInstalledProviderConforms(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.ok("install", "git-worktree")
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("this test needs Node: ", err)
	}
	at := filepath.Join(d.project, ".codebolt", "providers", "git-worktree")
	conformance.Run(t, conformance.Target{
		Program: node, Args: []string{filepath.Join(at, "dist", "index.js")}, Manifests: os.DirFS(at),
		// What a launcher could do wrong: starts, ends and signals; and some of the rest.
		Options: suite.Options{Only: conformance.SampleWith(24, "MF", "LC-001", "LC-017", "LC-032", "LC-055", "PR-023", "PR-024", "PR-025", "PR-026", "PR-027", "PR-028", "PR-029")},
	})
}
