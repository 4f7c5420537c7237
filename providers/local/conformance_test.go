package main

import (
	"path/filepath"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/manifests"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, conformance.Target{
		Program:   filepath.Join(programs, "codebolt-provider-local"),
		Manifests: manifests.Files("local"),
		// What this provider shares with git-worktree, that one's tests try whole.
		Options: suite.Options{Only: conformance.Sample(10)},
	})
}
