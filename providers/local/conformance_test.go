package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance"
	"github.com/codeboltai/codebolt-providers/conformance/programtest"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/manifests"
)

// programs is the folder with the provider and the runtime, built for these
// tests.
var programs string

func TestMain(m *testing.M) {
	os.Exit(programtest.Main(m, &programs, map[string]string{
		"codebolt-provider-local": ".", "codebolt-runtime": "../../cmd/codebolt-runtime",
	}))
}

func TestConformance(t *testing.T) {
	conformance.Run(t, conformance.Target{
		Program:   filepath.Join(programs, "codebolt-provider-local"),
		Manifests: manifests.Files("local"),
		// What this provider shares with git-worktree, that one's tests try whole.
		Options: suite.Options{Only: conformance.Sample(12)},
	})
}
