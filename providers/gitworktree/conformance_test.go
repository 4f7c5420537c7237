//go:build linux

package main

import (
	"path/filepath"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance"
	"github.com/codeboltai/codebolt-providers/manifests"
)

func TestConformance(t *testing.T) {
	t.Parallel() // most of its time it waits
	conformance.Run(t, conformance.Target{
		Program:   filepath.Join(programs, "codebolt-provider-gitworktree"),
		Manifests: manifests.Files("gitworktree"),
	})
}
