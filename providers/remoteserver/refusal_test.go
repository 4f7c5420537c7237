//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestWhatCannotBeIsRefusedWithItsKindAndWhatToDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config stage.Settings
		host   sshtest.Options
		change func(*testing.T, *play)
		code   wire.Code
		says   []string
	}{
		"a forced command":           {host: sshtest.Options{Config: []string{"ForceCommand echo only backups"}}, code: wire.Unsupported, says: []string{"only backups", "ordinary shell"}},
		"an account without a shell": {host: sshtest.Options{User: "nobody"}, code: wire.Unsupported, says: []string{"not available", "ordinary shell"}},
		"another system": {
			change: func(t *testing.T, s *play) { s.uname(t, "FreeBSD", "amd64") },
			code:   wire.Unsupported, says: []string{"FreeBSD", "Linux"},
		},
		"another processor": {
			change: func(t *testing.T, s *play) { s.uname(t, "Linux", "vax") },
			code:   wire.Unsupported, says: []string{"vax"},
		},
		"a processor without a program": {
			change: func(t *testing.T, s *play) { s.uname(t, "Linux", "s390x") },
			code:   wire.Unavailable, says: []string{"codebolt-runtime-linux-s390x", "runtime.path"},
		},
		"a home that is not there": {
			change: func(t *testing.T, s *play) {
				stage.Write(t, filepath.Join(s.home, ".bashrc"), "export HOME=/no/where\n")
			},
			code: wire.NotFound, says: []string{"no home directory"},
		},
		"a host key that is not known": {
			change: func(t *testing.T, s *play) { stage.Write(t, filepath.Join(s.near, ".ssh", "known_hosts"), "") },
			code:   wire.Permission, says: []string{"SHA256:", "not known", "accept-new"},
		},
		"a key that is not authorized": {
			change: func(t *testing.T, s *play) {
				sshtest.WriteKey(t, identity(t, s.near), sshtest.NewKey(t, "ed25519"), "")
			},
			code: wire.Permission, says: []string{"does not let", "publickey"},
		},
		"nobody there": {change: func(_ *testing.T, s *play) { s.line.Leave() }, code: wire.Unavailable, says: []string{"refused", "sshd"}},
		"postCreate fails": {
			config: stage.Settings{"postCreate": []string{"sh", "-c", "echo broken; exit 3"}},
			code:   wire.Conflict, says: []string{"postCreate", "3", "broken"},
		},
		"submodules": {
			change: func(t *testing.T, s *play) {
				stage.Write(t, filepath.Join(s.Project, ".gitmodules"), "")
				stage.Git(t, s.Project, "add", "-A")
				stage.Git(t, s.Project, "commit", "-qm", "submodules")
			},
			code: wire.Unsupported, says: []string{"submodules"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, c.host, c.config)
			if c.change != nil {
				c.change(t, s)
			}
			text := s.Refused(s.Env("refused", nil, nil), c.code)
			for _, part := range c.says {
				if !strings.Contains(text, part) {
					t.Errorf("%q does not say %q", text, part)
				}
			}
			_ = os.RemoveAll(filepath.Join(s.home, "bin"))
			s.none()
			s.Clean(0)
			s.sshd.AwaitConnections(t, 0)
		})
	}
}

// uname makes the host say that it is another machine.
func (s *play) uname(t *testing.T, system, processor string) {
	t.Helper()
	bin := filepath.Join(s.home, "bin")
	stage.Write(t, filepath.Join(bin, "uname"), "#!/bin/sh\ncase $1 in -s) echo "+system+";; *) echo "+processor+";; esac\n")
	if err := os.Chmod(filepath.Join(bin, "uname"), 0o755); err != nil {
		t.Fatal(err)
	}
	stage.Write(t, filepath.Join(s.home, ".bashrc"), "export PATH="+bin+":$PATH\n")
}

// mount mounts a file system of memory on a folder, until the test is over.
func mount(t *testing.T, dir, options string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", options, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
}

func TestADiskOfTheHostThatIsOfNoUseIsToldAndNothingStaysOnIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		at      string // below the home
		options string
		config  stage.Settings
		code    wire.Code
		says    []string
	}{
		"noexec":                  {"programs", "noexec", stage.Settings{"programDir": "programs"}, wire.Permission, []string{"noexec", "programDir"}},
		"full, for the program":   {"programs", "size=1m", stage.Settings{"programDir": "programs"}, wire.Unavailable, []string{"full", "programDir"}},
		"read-only, for it":       {"programs", "ro", stage.Settings{"programDir": "programs"}, wire.Permission, []string{"Read-only", "programDir"}},
		"full, for the files":     {"data", "size=1m", stage.Settings{"dir": "data/environments"}, wire.Unavailable, []string{"full", "dir"}},
		"full, for the folder":    {"data", "size=64k,nr_inodes=2", stage.Settings{"dir": "data/environments"}, wire.Unavailable, []string{"full", "dir"}},
		"read-only, for the rest": {"data", "ro", stage.Settings{"dir": "data/environments"}, wire.Permission, []string{"read-only", "dir"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home := newHome(t)
			disk := filepath.Join(home, c.at)
			mount(t, disk, c.options)
			s := at(t, home, sshtest.Options{}, c.config)
			stage.Write(t, filepath.Join(s.Project, "large"), strings.Repeat("large\n", 1<<19))
			stage.Git(t, s.Project, "add", "-A")
			stage.Git(t, s.Project, "commit", "-qm", "large")
			text := s.Refused(s.Env("refused", nil, nil), c.code)
			for _, part := range c.says {
				if !strings.Contains(text, part) {
					t.Errorf("%q does not say %q", text, part)
				}
			}
			var left []string
			for _, pattern := range []string{"*/*/*", "*/*/.*", "*/*"} {
				found, _ := filepath.Glob(filepath.Join(home, pattern)) // the pattern is right
				for _, name := range found {
					if info, err := os.Lstat(name); err == nil && !info.IsDir() {
						left = append(left, name)
					}
				}
			}
			if found, _ := filepath.Glob(filepath.Join(disk, "environments", "*")); len(left)+len(found) > 0 {
				t.Errorf("left: %q %q", left, found)
			}
			s.Clean(0)
		})
	}
}

func TestAFolderThatIsNotOursIsRefusedAndStaysAsItIs(t *testing.T) {
	t.Parallel()
	s := newStage(t, sshtest.Options{}, nil)
	e, _ := s.Opened("taken", nil)
	folder := s.folder()
	if r := s.Stop(e, "removeIfClean"); !r.Removed {
		t.Fatalf("not removed: %+v", r)
	}
	precious := filepath.Join(folder, "files", "precious.txt")
	for name, marker := range map[string]string{"no marker": "", "another's": `{"owner":"somebody","key":"else","birth":"1"}`} {
		stage.Write(t, precious, "precious")
		if marker != "" {
			stage.Write(t, filepath.Join(folder, ".codebolt-environment"), marker)
		}
		text := s.Refused(s.Env("taken", nil, map[string]any{"environmentId": e.ID()}), wire.Conflict)
		if !strings.Contains(text, folder) || !strings.Contains(text, "left alone") {
			t.Errorf("%s: %s", name, text)
		}
		if got := stage.Read(t, precious); got != "precious" {
			t.Errorf("%s: it has %q", name, got)
		}
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
	}
	_ = os.Remove(filepath.Dir(folder))
	s.none()
	s.Clean(0)
}
