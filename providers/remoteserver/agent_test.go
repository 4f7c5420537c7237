//go:build linux

package main

import (
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
)

func TestAnAgentWithTheSDKWorksOnAHost(t *testing.T) {
	t.Parallel()
	s := newStage(t, sshtest.Options{}, nil)
	s.AddSDKAgent()
	e, _ := s.Opened("sdk", nil)
	s.SDKAgentWorks(e)
	s.Stop(e, "snapshotAndRemove")
	s.none()
	s.Clean(0)
}
