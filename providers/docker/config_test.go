package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestPortsAreReadInEveryWayThatPeopleWriteThem(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		value any
		want  []engine.Port
	}{
		{nil, nil},
		{"", nil},
		{[]any{"8080:80"}, []engine.Port{{HostIP: "127.0.0.1", HostPort: 8080, ContainerPort: 80, Protocol: "tcp"}}},
		{[]any{"53/udp", 80.0}, []engine.Port{{HostIP: "127.0.0.1", ContainerPort: 53, Protocol: "udp"}, {HostIP: "127.0.0.1", ContainerPort: 80, Protocol: "tcp"}}},
		{"0.0.0.0:1:2, [::1]::3", []engine.Port{{HostIP: "0.0.0.0", HostPort: 1, ContainerPort: 2, Protocol: "tcp"}, {HostIP: "::1", ContainerPort: 3, Protocol: "tcp"}}},
		{map[string]any{"3001": "3002", "1": 2.0}, []engine.Port{{HostIP: "127.0.0.1", HostPort: 1, ContainerPort: 2, Protocol: "tcp"}, {HostIP: "127.0.0.1", HostPort: 3001, ContainerPort: 3002, Protocol: "tcp"}}},
	} {
		got, err := ports(test.value)
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%v: %v\n%s", test.value, err, diff)
		}
	}
	for _, value := range []any{[]any{"x"}, []any{"1:2:3"}, []any{"70000"}, []any{"-1:2"}, []any{"80/icmp"}, []any{[]any{}}, 5, map[string]any{"1": []any{}}, []any{"1.2.3:1:2"}} {
		if got, err := ports(value); wire.CodeOf(err) != wire.Invalid {
			t.Errorf("%v: %v, %v", value, got, err)
		}
	}
}

func TestSizesAreReadAsDockerDoes(t *testing.T) {
	t.Parallel()
	for value, want := range map[any]int64{nil: 0, "": 0, "512m": 512 << 20, "2g": 2 << 30, 1048576.0: 1 << 20, "1024": 1024} {
		if got, err := size("memory", value); err != nil || got != want {
			t.Errorf("%v: %d, %v", value, got, err)
		}
	}
	for _, value := range []any{"much", "-5m", true} {
		if got, err := size("memory", value); wire.CodeOf(err) != wire.Invalid {
			t.Errorf("%v: %d, %v", value, got, err)
		}
	}
}

func TestMountsThatGiveAwayTheMachineAreRefused(t *testing.T) {
	t.Parallel()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("/etc", link); err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{
		"/", "/etc", "/etc/ssh", "/proc", "/sys/fs", "/dev", "/var/run/docker.sock", "/run/docker.sock", "/var/lib/docker/volumes", "/home", "/home/anybody", home, filepath.Dir(home), link, "/root/..", "/usr",
	} {
		if m, err := mounts([]string{source + ":/x"}, false); wire.CodeOf(err) != wire.Permission {
			t.Errorf("%s: %v, %v", source, m, err)
		}
		if _, err := mounts([]string{source + ":/x:ro"}, true); err != nil {
			t.Errorf("%s, allowed: %v", source, err)
		}
	}
	safe := t.TempDir()
	want := []engine.Mount{{Bind: safe, Target: "/x", ReadOnly: true}, {Volume: "cache", Target: "/y/z"}}
	if got, err := mounts([]string{safe + ":/x:ro", "cache:/y/z/"}, false); err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"x", "relative/path:/x", "/a:b", "/a:/", "/a:/x:maybe", "a:/.codebolt", "a:/.codebolt/run", ":/x", "-v:/x"} {
		if got, err := mounts([]string{text}, true); wire.CodeOf(err) != wire.Invalid {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	c := &config{mounts: []engine.Mount{{Bind: filepath.Join(safe, "src"), Target: "/x"}}}
	if err := c.spares(safe); wire.CodeOf(err) != wire.Permission {
		t.Errorf("the project's own files: %v", err)
	}
	if c.mounts[0].ReadOnly = true; c.spares(safe) != nil {
		t.Error("reading the project's files is refused")
	}
}
