//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance"
	"github.com/codeboltai/codebolt-providers/conformance/programtest"
	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/manifests"
	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
	"github.com/codeboltai/codebolt-providers/shared/outpost"
	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// programs is the folder with the provider and the runtime, built for these tests:
// they are judged as the processes that people run.
var programs string

func TestMain(m *testing.M) {
	programtest.AtOnce(3)
	os.Exit(stage.Main(m, &programs, map[string]string{
		"codebolt-provider-remoteserver": ".", "codebolt-runtime": "../../cmd/codebolt-runtime",
	}))
}

// play is a stage for this provider and a host, which is a real sshd on this machine
// whose user has a home of its own, behind a line that can be disturbed.
type play struct {
	*stage.Stage
	sshd *sshtest.Server
	line *faultproxy.Proxy
	home string // on the host
	near string // the provider's home; in .ssh is what leads to the host
}

// newHome makes a home for the host's user, with a short name.
func newHome(t *testing.T) string {
	t.Helper()
	home, err := os.MkdirTemp("", "host")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	return home
}

// newHost starts a host. It is called "far" in the ssh_config of the returned home.
func newHost(t *testing.T, home string, o sshtest.Options) (*sshtest.Server, *faultproxy.Proxy, string) {
	t.Helper()
	t.Cleanup(func() {
		for pid := range processesOf(home) { // such as those of providers that were killed
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
	})
	o.Name, o.Config = "far", append(o.Config, "SetEnv HOME="+home)
	sshd := sshtest.Start(t, o)
	line, err := faultproxy.Listen(func(ctx context.Context) (net.Conn, error) { return (&net.Dialer{}).DialContext(ctx, "tcp", sshd.Addr) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = line.Close() })
	near := t.TempDir()
	_, port, _ := strings.Cut(line.Addr(), ":")
	was := strconv.Itoa(sshd.Port)
	config := strings.ReplaceAll(sshd.HostConfig(), "Port "+was, "Port "+port)
	config = strings.ReplaceAll(config, sshd.KnownHostsFile, filepath.Join(near, ".ssh", "known_hosts"))
	stage.Write(t, filepath.Join(near, ".ssh", "config"), config+"  ServerAliveInterval 1\n")
	stage.Write(t, filepath.Join(near, ".ssh", "known_hosts"), strings.ReplaceAll(sshd.HostKeyLine, ":"+was+" ", ":"+port+" "))
	return sshd, line, near
}

func newStage(t *testing.T, o sshtest.Options, config stage.Settings) *play {
	t.Helper()
	return at(t, newHome(t), o, config)
}

func at(t *testing.T, home string, o sshtest.Options, config stage.Settings) *play {
	t.Helper()
	s := &play{home: home}
	s.sshd, s.line, s.near = newHost(t, home, o)
	all := stage.Settings{"host": "far"}
	for key, value := range config {
		all[key] = value
	}
	s.Stage = stage.New(t, stage.Options{
		Program: filepath.Join(programs, "codebolt-provider-remoteserver"), Manifests: manifests.Files("remoteserver"), Config: all,
		Environ: []string{"HOME=" + s.near, "SSH_AUTH_SOCK=", "SSH_ASKPASS_REQUIRE=never"},
	})
	return s
}

// onHost are the processes on the host that are the user's, by command line.
func (s *play) onHost() map[int]string { return processesOf(s.home) }

func processesOf(home string) map[int]string {
	found := map[int]string{}
	dirs, _ := filepath.Glob("/proc/[0-9]*") // the pattern is right
	for _, dir := range dirs {
		environ, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil || !bytes.Contains(append([]byte{0}, environ...), []byte("\x00HOME="+home+"\x00")) {
			continue
		}
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		if err != nil || bytes.Contains(stat, []byte(") Z ")) {
			continue
		}
		command, _ := os.ReadFile(filepath.Join(dir, "cmdline")) // it may have ended just now
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
			found[pid] = string(bytes.ReplaceAll(command, []byte{0}, []byte{' '}))
		}
	}
	return found
}

// runtimes are the runtimes on the host.
func (s *play) runtimes() (pids []int) {
	for pid, command := range s.onHost() {
		if strings.HasPrefix(command, s.home) && strings.Contains(command, "/codebolt-runtime --workspace ") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// folder is the folder of the only environment on the host.
func (s *play) folder() string {
	s.T.Helper()
	found, err := filepath.Glob(filepath.Join(s.home, ".codebolt", "environments", "*"))
	if err != nil || len(found) != 1 {
		s.T.Fatalf("the host has %q, %v", found, err)
	}
	return found[0]
}

// programs are what is where the program is.
func (s *play) programs() []string {
	s.T.Helper()
	found, err := filepath.Glob(filepath.Join(s.home, ".codebolt", "runtime", "*", "codebolt-runtime"))
	if err != nil || len(found) == 0 {
		s.T.Fatalf("programs: %q, %v", found, err)
	}
	return found
}

// none checks that nothing is on the host but the program, and parts of files for others.
func (s *play) none() {
	s.T.Helper()
	eventually(s.T, "no process is left on the host", func() bool { return len(s.onHost()) == 0 })
	var left []string
	err := filepath.WalkDir(s.home, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(s.home, path) // below it
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(name, ".codebolt/runtime") || name == "." || name == ".codebolt" || name == ".bashrc":
			kept := strings.HasPrefix(name, ".codebolt/runtime/store/") && len(d.Name()) == 62
			if !d.IsDir() && d.Name() != "codebolt-runtime" && name != ".bashrc" && !kept {
				left = append(left, name)
			}
		default:
			left = append(left, name)
		}
		return nil
	})
	if err != nil || len(left) > 0 {
		s.T.Errorf("left on the host: %q, %v", left, err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s: never", what)
}

// run runs a script as an agent to its end and returns what it printed.
func (s *play) run(e *server.Environment, script string) string {
	s.T.Helper()
	h := stage.Listen(e)
	id := "agent-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	s.Agent(e, id, script)
	h.Until(s.T, script, func() bool { return h.Ends[id] != nil })
	if end := h.Ends[id]; end.ExitCode == nil || *end.ExitCode != 0 {
		s.T.Errorf("%s: %+v", script, end)
	}
	return h.Output[id]
}

func TestConformance(t *testing.T) {
	home := newHome(t)
	_, line, near := newHost(t, home, sshtest.Options{})
	_, port, _ := strings.Cut(line.Addr(), ":")
	conformance.Run(t, conformance.Target{
		Program:   filepath.Join(programs, "codebolt-provider-remoteserver"),
		Manifests: manifests.Files("remoteserver"),
		// Each check has a home of its own, without an ssh_config.
		Config: map[string]any{
			"host": "127.0.0.1", "port": port, "knownHosts": []string{filepath.Join(near, ".ssh", "known_hosts")},
			"identityFiles": []string{identity(t, near)},
		},
		Disk: func(resourceID, _ string) (string, error) { return filesOf(home, resourceID) },
		// NT-019 has another agent server, which must not get file requests. MF-007 starts with defaults alone, and there is no default for a host.
		Options: suite.Options{Only: conformance.SampleWith(12, "NT-019"), Skip: []string{"MF-007"}},
	})
}

// filesOf is where the files of an environment are on the host with that home.
func filesOf(home, resourceID string) (string, error) {
	markers, err := filepath.Glob(filepath.Join(home, ".codebolt", "environments", "*", ".codebolt-environment"))
	if err != nil {
		return "", err
	}
	_, key, _ := strings.Cut(resourceID, ":v1:")
	for _, name := range markers {
		data, err := os.ReadFile(name)
		var marker outpost.Marker
		if err == nil && wire.Unmarshal(data, &marker) == nil && marker.Key == key {
			return filepath.Join(filepath.Dir(name), "files"), nil
		}
	}
	return "", fmt.Errorf("the host has no folder of %s", resourceID)
}

// identity is the key that leads to a host, by the ssh_config of a home.
func identity(t *testing.T, near string) string {
	t.Helper()
	for line := range strings.Lines(stage.Read(t, filepath.Join(near, ".ssh", "config"))) {
		if file, ok := strings.CutPrefix(strings.TrimSpace(line), "IdentityFile "); ok {
			return file
		}
	}
	t.Fatal("no identity is configured")
	return ""
}
