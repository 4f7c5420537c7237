//go:build linux

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance/programtest"
	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/manifests"
)

// programs is the folder with the provider and the runtime, built for these
// tests: they are judged as the processes that people run.
var programs string

func TestMain(m *testing.M) {
	programtest.AtOnce(2)
	os.Exit(stage.Main(m, &programs, map[string]string{
		"codebolt-provider-gitworktree": ".", "codebolt-runtime": "../../cmd/codebolt-runtime", "talker": "../../conformance/stage/talker",
		"upstream": "../../conformance/stage/upstream", "agentserver": "../../conformance/internal/agentserver",
	}))
}

// play is a stage for this provider.
type play struct{ *stage.Stage }

func newStage(t *testing.T) *play { return stageOn(t, "") }

func stageOn(t *testing.T, project string) *play {
	t.Helper()
	return &play{stage.New(t, stage.Options{
		Program: filepath.Join(programs, "codebolt-provider-gitworktree"), Manifests: manifests.Files("gitworktree"), Project: project,
	})}
}
