//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance/dockertest"
	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestWhatIsMissingIsToldWithItsKindAndWhatToDoAndNothingIsLeft(t *testing.T) {
	t.Parallel()
	old := filepath.Join(t.TempDir(), "old.sock")
	fakeDaemon(t, old, "1.30")
	daemon := dockertest.Shared(t)
	const foreign = "codebolt-test/foreign:1"
	daemon.ImportPlatform(t, "linux/s390x", foreign, map[string]dockertest.File{"file": {Content: "x"}}, nil)
	for name, c := range map[string]struct {
		config stage.Settings
		code   wire.Code
		says   []string
	}{
		"an image that is not there and never pulled":  {stage.Settings{"image": "codebolt-test/none:1", "pullPolicy": "never"}, wire.NotFound, []string{"codebolt-test/none:1", "never"}},
		"an image that cannot be pulled":               {stage.Settings{"image": "localhost:1/none:1"}, wire.Unavailable, []string{"localhost:1"}},
		"an image that is always pulled and cannot be": {stage.Settings{"image": "localhost:1/none:1", "pullPolicy": "always"}, wire.Unavailable, []string{"localhost:1"}},
		"no image":                             {stage.Settings{"image": ""}, wire.Invalid, []string{"image"}},
		"an image for another machine":         {stage.Settings{"image": foreign}, wire.Unsupported, []string{"s390x"}},
		"a daemon that is down":                {stage.Settings{"dockerHost": "unix:///nowhere/docker.sock"}, wire.Unavailable, []string{"/nowhere/docker.sock", "dockerHost"}},
		"a daemon that is too old":             {stage.Settings{"dockerHost": "unix://" + old}, wire.Unsupported, []string{"1.30", "1.40"}},
		"a home directory as a volume":         {stage.Settings{"volumes": []string{"/root:/x"}}, wire.Permission, []string{"volumes", "allowUnsafeMounts"}},
		"the root as a volume":                 {stage.Settings{"volumes": []string{"/:/x:ro"}}, wire.Permission, []string{"volumes", "allowUnsafeMounts"}},
		"the daemon's socket as a volume":      {stage.Settings{"volumes": []string{strings.TrimPrefix(daemon.Host, "unix://") + ":/x"}}, wire.Permission, []string{"socket"}},
		"a setup outside":                      {stage.Settings{"setup": []string{"true"}}, wire.Invalid, []string{"postCreate"}},
		"a user that the image lacks":          {stage.Settings{"user": "nobody-at-all"}, wire.Invalid, []string{"nobody-at-all"}},
		"a network that is not there":          {stage.Settings{"network": "codebolt-no-such"}, wire.NotFound, []string{"codebolt-no-such"}},
		"the machine's own network":            {stage.Settings{"network": "host"}, wire.Invalid, []string{"network"}},
		"a postCreate that fails":              {stage.Settings{"postCreate": []string{"sh", "-c", "echo broken; exit 3"}}, wire.Conflict, []string{"postCreate", "3", "broken"}},
		"an agent server that the image lacks": {stage.Settings{"runtime": map[string]any{"command": []string{"no-such-server"}}}, wire.Unavailable, []string{"no-such-server"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, c.config)
			text := s.Refused(s.Env("refused", nil, nil), c.code)
			for _, part := range c.says {
				if !strings.Contains(text, part) {
					t.Errorf("%q does not say %q", text, part)
				}
			}
			s.none()
			s.Clean(0)
		})
	}
}

func TestASocketThatThisUserMayNotUseIsToldAndNothingIsLeft(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Fatal("only root can start the provider as somebody else")
	}
	const nobody = "65534"
	s := newStage(t, nil)
	// The provider as another user: what it needs is theirs, and the socket is root's.
	own := t.TempDir()
	program := filepath.Join(own, "codebolt-provider-docker")
	s.Program = filepath.Join(own, "as-nobody")
	stage.Write(t, program, stage.Read(t, filepath.Join(programs, "codebolt-provider-docker")))
	stage.Write(t, s.Program, "#!/bin/sh\nexport HOME="+own+"\nexec setpriv --reuid="+nobody+" --regid="+nobody+" --clear-groups "+program+" \"$@\"\n")
	for _, argv := range [][]string{
		{"chmod", "755", filepath.Dir(own), program, s.Program},
		{"chown", "-R", nobody + ":" + nobody, s.State, s.Project, own},
	} {
		if out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", argv, err, out)
		}
	}
	text := s.Refused(s.Env("refused", nil, nil), wire.Permission)
	for _, part := range []string{strings.TrimPrefix(s.daemon.Host, "unix://"), "group docker"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not say %q", text, part)
		}
	}
	s.none()
}

// fakeDaemon answers as a daemon of some API version does that wants no other.
func fakeDaemon(t *testing.T, socket, version string) {
	t.Helper()
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Api-Version", version)
		w.Header().Set("Server", "Docker/17.06 (linux)")
		fmt.Fprint(w, "OK")
	})}
	go func() { _ = server.Serve(ln) }() // ends with Close
	t.Cleanup(func() { _ = server.Close() })
}

func TestImagesOfEveryKindHaveAnAgent(t *testing.T) {
	t.Parallel()
	daemon := dockertest.Shared(t)
	const bare = "codebolt-test/bare:1"
	daemon.ImportImage(t, bare, map[string]dockertest.File{"only": {Content: "this"}}, nil)
	for name, config := range map[string]stage.Settings{
		"an image without a shell":           {"image": bare},
		"a file system that is only read":    {"readOnlyRoot": true},
		"no network":                         {"network": "none"},
		"the image's user":                   {"user": "image"},
		"a user by its name in a volume":     {"user": "agent", "content": contentVolume},
		"a user by its number in a volume":   {"user": "1234:1234", "content": contentVolume},
		"a container that does not persist":  {"persist": false},
		"without the project's history":      {"gitHistory": "none"},
		"a file system only read, in volume": {"readOnlyRoot": true, "content": contentVolume},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, config)
			e := s.Env("works", nil, nil)
			for round := range 2 { // also when it is opened again
				s.Start(e)
				s.Call(e, map[string]any{"type": wire.TypeWriteFile, "path": "a.txt", "content": "text"}, nil)
				h, id := stage.Listen(e), fmt.Sprintf("a%d", round)
				s.AgentArgv(e, id, programIn, "--version")
				h.Until(t, "the agent ends", func() bool { return h.Ends[id] != nil })
				if !strings.HasPrefix(h.Output[id], "codebolt-runtime") {
					t.Errorf("printed %q; %+v", h.Output[id], h.Ends[id])
				}
				if d := s.Diff(e); len(d.Files) != 1 {
					t.Errorf("the diff: %+v", d.Files)
				}
				s.Close(e)
			}
			s.Start(e)
			s.Stop(e, "snapshotAndRemove")
			s.none()
		})
	}
}

func TestAFullDiskOfTheDaemonIsToldAndNothingIsLeft(t *testing.T) {
	t.Parallel()
	image := filepath.Join(t.TempDir(), "disk")
	root := t.TempDir()
	run := func(argv ...string) {
		t.Helper()
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", argv, err, out)
		}
	}
	run("truncate", "-s", "48M", image)
	run("mkfs.ext4", "-q", image)
	mountOn(t, "-o", "loop", image, root)
	t.Cleanup(func() { unmount(t, root) })
	s := on(t, dockertest.New(t, dockertest.Options{DataRoot: root}), nil)
	filler := fill(t, root, 0)
	text := s.Refused(s.Env("full", nil, nil), wire.Unavailable)
	if !strings.Contains(text, "disk is full") {
		t.Errorf("%q does not say that the disk is full", text)
	}
	s.none()
	s.Clean(0)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	e, _ := s.Opened("full", nil)
	s.Stop(e, "snapshotAndRemove")
	s.none()
}

// fill takes all room of a file system but so much, and gives the file that has it.
func fill(t *testing.T, root string, rest int64) string {
	t.Helper()
	f, err := os.Create(filepath.Join(root, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	size := int64(0)
	for block := make([]byte, 1<<16); err == nil; size += int64(len(block)) {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(max(size-rest, 0)), f.Close()); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}
