//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance"
	"github.com/codeboltai/codebolt-providers/conformance/dockertest"
	"github.com/codeboltai/codebolt-providers/conformance/programtest"
	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/manifests"
)

// programs is the folder with the provider and the runtime, built for these
// tests: they are judged as the processes that people run.
var programs string

// withDaemon runs tests and then closes the daemon they had.
type withDaemon struct{ *testing.M }

func (w withDaemon) Run() int { return dockertest.Main(w.M) }

func TestMain(m *testing.M) {
	programtest.AtOnce(2)
	os.Exit(stage.Main(withDaemon{m}, &programs, map[string]string{
		"codebolt-provider-docker": ".", "codebolt-runtime": "../../cmd/codebolt-runtime",
	}))
}

// play is a stage for this provider and a daemon.
type play struct {
	*stage.Stage
	daemon *dockertest.Daemon
}

func newStage(t *testing.T, config stage.Settings) *play {
	t.Helper()
	return on(t, dockertest.Shared(t), config)
}

// on sets a stage for a daemon. At its end nothing that carries its owner's label
// may be left.
func on(t *testing.T, daemon *dockertest.Daemon, config stage.Settings) *play {
	t.Helper()
	all := stage.Settings{"image": daemon.Image(t), "dockerHost": daemon.Host}
	for key, value := range config {
		all[key] = value
	}
	return &play{stage.New(t, stage.Options{
		Program: filepath.Join(programs, "codebolt-provider-docker"), Manifests: manifests.Files("docker"), Config: all,
	}), daemon}
}

func TestConformance(t *testing.T) {
	// What the suite runs in a runtime's place, and tells it, are files of this machine;
	// and what it mounts there, the daemon sees.
	work := t.TempDir()
	shared := filepath.Dir(work)
	mountOn(t, "--bind", shared, shared)
	t.Cleanup(func() { mountOn(t, "--make-private", shared); unmount(t, shared) })
	mountOn(t, "--make-shared", shared)
	daemon := dockertest.New(t, dockertest.Options{}) // whose own files are not among them
	t.Setenv("TMPDIR", work)
	conformance.Run(t, conformance.Target{
		Program:   filepath.Join(programs, "codebolt-provider-docker"),
		Manifests: manifests.Files("docker"),
		Env:       []string{"DOCKER_HOST=" + daemon.Host, "DOCKER_IMAGE=" + daemon.Image(t)},
		// Each makes containers, and all of them take two cores for as long as everything
		// else. That twenty environments go at once within the time of a stop (LC-041) asks
		// more of a daemon than two busy cores give; and so does the answer of 24 MiB that is
		// cut and sent again in the time of NT-006.
		Options: suite.Options{Only: conformance.Sample(12, "LC-041", "NT-006")},
		Config:  map[string]any{"volumes": []string{shared + ":" + shared}, "allowUnsafeMounts": true},
	})
}

func mountOn(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
		t.Fatalf("mount %v: %v\n%s", args, err, out)
	}
}

func unmount(t *testing.T, at string) {
	t.Helper()
	if out, err := exec.Command("umount", at).CombinedOutput(); err != nil {
		t.Errorf("umount %s: %v\n%s", at, err, out)
	}
}
