//go:build linux

package main

import (
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance/dockertest"
	"github.com/codeboltai/codebolt-providers/conformance/stage"
)

func TestAnAgentWithTheSDKWorksInAContainer(t *testing.T) {
	daemon := dockertest.Shared(t)
	files, err := dockertest.NodeRoot()
	if err != nil {
		t.Fatal(err)
	}
	const image = "codebolt-test-node:1"
	daemon.ImportImage(t, image, files, nil)
	for name, config := range map[string]stage.Settings{
		"the worktree mounted": {"image": image, "pullPolicy": "never"},
		"a volume":             {"image": image, "pullPolicy": "never", "content": "volume"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, config)
			s.AddSDKAgent()
			e, _ := s.Opened("sdk", nil)
			s.SDKAgentWorks(e)
			s.Stop(e, "snapshotAndRemove")
			s.Clean(0)
		})
	}
}
