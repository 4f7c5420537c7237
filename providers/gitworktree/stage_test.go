//go:build linux

package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/manifests"
)

// programs is the folder with the provider and the runtime, built for these
// tests: they are judged as the processes that people run.
var programs string

func TestMain(m *testing.M) {
	flag.Parse()
	// Most of what runs here waits.
	if err := flag.Set("test.parallel", fmt.Sprint(max(4, 2*runtime.NumCPU()))); err != nil {
		panic(err)
	}
	os.Exit(stage.Main(m, &programs, map[string]string{
		"codebolt-provider-gitworktree": ".", "codebolt-runtime": "../../cmd/codebolt-runtime",
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
