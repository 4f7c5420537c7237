//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/dockertest"
	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/manifests"
	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// far is a stage for a daemon behind a real sshd, both in a network of their own,
// into which nothing leads but a line that can be disturbed.
type far struct {
	*play
	sshd *sshtest.Server
	line *faultproxy.Proxy
	home string // of the provider; in .ssh is what leads to the daemon
}

// behind sets a stage. The provider knows the way as any user does: by ~/.ssh.
func behind(t *testing.T, daemon *dockertest.Daemon, config stage.Settings) *far {
	t.Helper()
	listener, err := daemon.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f := &far{sshd: sshtest.Start(t, sshtest.Options{Listener: listener, Enter: daemon.Enter()}), home: t.TempDir()}
	f.line, err = faultproxy.Listen(func(ctx context.Context) (net.Conn, error) { return daemon.Dial(ctx, f.sshd.Addr) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.line.Close() })
	_, port, _ := strings.Cut(f.line.Addr(), ":")
	stage.Write(t, f.ssh("config"), "Host 127.0.0.1\n  IdentitiesOnly yes\n  IdentityAgent none\n  GlobalKnownHostsFile none\n  ServerAliveInterval 1\n")
	stage.Write(t, f.ssh("known_hosts"), strings.ReplaceAll(f.sshd.HostKeyLine, ":"+strconv.Itoa(f.sshd.Port)+" ", ":"+port+" "))
	stage.Write(t, f.ssh("id_ed25519"), stage.Read(t, f.sshd.IdentityFile))
	if err := os.Chmod(f.ssh("id_ed25519"), 0o600); err != nil {
		t.Fatal(err)
	}
	all := stage.Settings{"image": daemon.Image(t), "dockerHost": f.host(daemon)}
	for key, value := range config {
		all[key] = value
	}
	f.play = &play{stage.New(t, stage.Options{
		Program: filepath.Join(programs, "codebolt-provider-docker"), Manifests: manifests.Files("docker"), Config: all,
		Environ: []string{"HOME=" + f.home, "SSH_AUTH_SOCK="},
	}), daemon}
	return f
}

func (f *far) ssh(name string) string { return filepath.Join(f.home, ".ssh", name) }

// host is the daemon's address behind the line.
func (f *far) host(daemon *dockertest.Daemon) string {
	return "ssh://" + f.sshd.User + "@" + f.line.Addr() + strings.TrimPrefix(daemon.Host, "unix://")
}

// mounts are what the stage's containers see, as "volume NAME" or "bind PATH".
func (f *far) mounts() (all []string) {
	f.T.Helper()
	for _, c := range f.containers() {
		var told struct {
			Mounts []struct{ Type, Name, Source, Destination string }
		}
		if err := f.daemon.Call(stage.Limit(f.T), http.MethodGet, "/containers/"+c.ID+"/json", nil, &told); err != nil {
			f.T.Fatal(err)
		}
		for _, m := range told.Mounts {
			all = append(all, m.Type+" at "+m.Destination)
		}
	}
	return all
}

func TestADaemonBehindSSHHasTheFilesInAVolume(t *testing.T) {
	t.Parallel()
	f := behind(t, dockertest.New(t, dockertest.Options{}), nil)
	before := stage.Git(t, f.Project, "status", "--porcelain", "--branch")
	e, path := f.Opened("far", nil)
	mounts := f.mounts()
	if len(mounts) != 2 || strings.Contains(strings.Join(mounts, "\n"), "bind") || !strings.Contains(strings.Join(mounts, "\n"), "volume at "+path) {
		t.Errorf("the container sees %q", mounts)
	}
	f.Call(e, map[string]any{"type": wire.TypeWriteFile, "path": "made/by/server.txt", "content": "from the server\n"}, nil)
	if out := f.run(e, "cat made/by/server.txt src/file1.txt; echo from the agent > reply.txt; rm src/file2.txt"); out != "from the server\nline one of 1\nline two\n" {
		t.Errorf("the agent read %q", out)
	}
	changes := func() string {
		statuses := map[string]string{}
		for _, file := range f.Diff(e).Files {
			statuses[file.Path] = file.Status
		}
		return fmt.Sprint(statuses)
	}
	want := fmt.Sprint(map[string]string{"made/by/server.txt": "added", "reply.txt": "added", "src/file2.txt": "deleted"})
	if got := changes(); got != want {
		t.Errorf("the diff tells %s, want %s", got, want)
	}
	f.Close(e)
	if started := f.Start(e); !started.Attached || started.WorkspacePath != path {
		t.Errorf("%+v", started.StartResult)
	}
	var content string
	f.Call(e, map[string]any{"type": wire.TypeReadFile, "path": filepath.Join(path, "reply.txt")}, &content)
	if got := changes(); content != "from the agent\n" || got != want {
		t.Errorf("after another start the reply is %q and the diff tells %s, want %s", content, got, want)
	}
	if after := stage.Git(t, f.Project, "status", "--porcelain", "--branch"); after != before {
		t.Errorf("the project was %q and is %q", before, after)
	}
	if r := f.Stop(e, "snapshotAndRemove"); !r.Removed || len(r.Recovery) == 0 {
		t.Errorf("not removed: %+v", r)
	}
	f.none()
	f.Clean(0)
	f.sshd.AwaitConnections(t, 0)
}

func TestASSHConnectionThatBreaksInTheMiddleOfARunLosesNothing(t *testing.T) {
	t.Parallel()
	daemon := dockertest.New(t, dockertest.Options{})
	for name, strike := range map[string]func(*far){
		"it is reset":         func(f *far) { f.line.Cut(faultproxy.Reset) },
		"it is closed":        func(f *far) { f.line.Cut(faultproxy.Orderly) },
		"sshd is killed":      func(f *far) { f.sshd.Kill() },
		"in a message":        func(f *far) { f.line.CutAfter(faultproxy.Down, 100, faultproxy.Reset) },
		"nobody is there now": func(f *far) { f.away(3 * time.Second) },
		"silence, and no end": func(f *far) { f.line.Swallow(faultproxy.Both) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := behind(t, daemon, nil)
			e, _ := f.Opened("cut", nil)
			h := stage.Listen(e)
			f.Agent(e, "worker", `i=0; until test -e enough; do i=$((i+1)); echo $i >> work.txt; echo $i; sleep 0.05; done; echo over`)
			for round := range 2 {
				h.Until(t, "the agent works", func() bool { return strings.Count(h.Output["worker"], "\n") >= 5*(round+1) })
				made := f.line.Stats().Connections
				strike(f)
				text := "round " + strconv.Itoa(round)
				f.Call(e, map[string]any{"type": wire.TypeWriteFile, "path": "note.txt", "content": text}, nil)
				var content string
				f.Call(e, map[string]any{"type": wire.TypeReadFile, "path": "note.txt"}, &content)
				if content != text {
					t.Errorf("the file has %q, want %q", content, text)
				}
				eventually(t, "there is another connection", func() bool { return f.line.Stats().Connections > made })
				h.Mu.Lock()
				heard := len(h.Output["worker"])
				h.Mu.Unlock()
				h.Until(t, "the agent is heard again", func() bool { return len(h.Output["worker"]) > heard })
			}
			f.Call(e, map[string]any{"type": wire.TypeWriteFile, "path": "enough", "content": ""}, nil)
			h.Until(t, "the agent's end is told", func() bool { return h.Ends["worker"] != nil })
			if end := h.Ends["worker"]; end.ExitCode == nil || *end.ExitCode != 0 {
				t.Errorf("the agent's end: %+v", end)
			}
			lines := strings.Fields(h.Output["worker"])
			for i, line := range lines {
				if want := strconv.Itoa(i + 1); line != want && i < len(lines)-1 || i == len(lines)-1 && line != "over" {
					t.Fatalf("line %d that the agent printed came as %q", i+1, line)
				}
			}
			var work string
			f.Call(e, map[string]any{"type": wire.TypeReadFile, "path": "work.txt"}, &work)
			if got := len(strings.Fields(work)); got != len(lines)-1 {
				t.Errorf("the agent wrote %d lines, and printed %d", got, len(lines)-1)
			}
			if d := f.Diff(e); len(d.Files) != 3 {
				t.Errorf("the diff: %+v", d.Files)
			}
			if r := f.Stop(e, "snapshotAndRemove"); !r.Removed {
				t.Errorf("not removed: %+v", r)
			}
			f.none()
			f.Clean(0)
		})
	}
}

// away lets the daemon's machine be gone for a time, and then be back.
func (f *far) away(d time.Duration) {
	f.line.Leave()
	f.line.Cut(faultproxy.Reset)
	time.AfterFunc(d, func() { _ = f.line.Return() }) // what fails without it tells
}

func TestAStartOverSSHThatIsCutAnywhereHealsAndLeavesNothing(t *testing.T) {
	t.Parallel()
	f := behind(t, dockertest.New(t, dockertest.Options{}), nil)
	// The runtime goes up in the middle; before and after there are small requests.
	for i, cut := range []struct {
		way   faultproxy.Direction
		bytes int64
	}{
		{faultproxy.Down, 500}, {faultproxy.Up, 6_000}, {faultproxy.Up, 5 << 20}, {faultproxy.Down, 12_000}, {faultproxy.Down, 40_000},
	} {
		e := f.Env("cut "+strconv.Itoa(i), nil, nil)
		f.line.CutAfter(cut.way, cut.bytes, faultproxy.Reset)
		_, err := e.Start(stage.Limit(t)) // it may succeed nevertheless
		_ = e.Close(stage.Limit(t))
		t.Logf("cut after %d bytes (%v): struck %v, the start: %v", cut.bytes, cut.way, !f.line.Armed(), err)
		if err := f.line.Heal(); err != nil {
			t.Fatal(err)
		}
		f.Start(e)
		if out := f.run(e, "cat README.md"); out != "a project\n" {
			t.Errorf("the agent sees %q", out)
		}
		f.Stop(e, "removeIfClean")
		f.none()
	}
	f.Clean(0)
}

func TestAProviderWhoseDaemonIsSilentTellsSoAndEndsInTime(t *testing.T) {
	t.Parallel()
	f := behind(t, dockertest.New(t, dockertest.Options{}), nil)
	e, path := f.Opened("silent", nil)
	f.run(e, "echo work > work.txt")
	f.line.Hold(faultproxy.Both)
	// The server waits for an answer for twenty seconds.
	if err := e.Close(stage.Limit(t)); wire.CodeOf(err) != wire.Timeout || !strings.Contains(err.Error(), f.line.Addr()) {
		t.Errorf("the close ended with %v; nobody tells where there was no answer", err)
	}
	f.line.Release(faultproxy.Both)
	if started := f.Start(e); !started.Attached || started.WorkspacePath != path {
		t.Errorf("%+v", started.StartResult)
	}
	if out := f.run(e, "cat work.txt"); out != "work\n" {
		t.Errorf("the work is %q", out)
	}
	if r := f.Stop(e, "snapshotAndRemove"); !r.Removed {
		t.Errorf("not removed: %+v", r)
	}
	f.none()
	f.Clean(0)
}

func TestADaemonThatSSHDoesNotReachIsToldWithItsKindAndWhatToDo(t *testing.T) {
	t.Parallel()
	daemon := dockertest.New(t, dockertest.Options{})
	for name, c := range map[string]struct {
		change func(t *testing.T, f *far)
		code   wire.Code
		says   func(f *far) []string
	}{
		"a host key that is not known": {
			func(t *testing.T, f *far) { stage.Write(t, f.ssh("known_hosts"), "") },
			wire.Permission, func(f *far) []string { return []string{f.fingerprint(), "not known", "ssh -p", "accept-new"} },
		},
		"a host key that changed": {
			func(t *testing.T, f *far) {
				sshtest.WriteKey(t, f.ssh("other"), sshtest.NewKey(t, "ed25519"), "")
				stage.Write(t, f.ssh("known_hosts"), "["+strings.Replace(f.line.Addr(), ":", "]:", 1)+" "+stage.Read(t, f.ssh("other.pub")))
			},
			wire.Permission, func(f *far) []string { return []string{f.fingerprint(), "has changed"} },
		},
		"a key that is not authorized": {
			func(t *testing.T, f *far) { sshtest.WriteKey(t, f.ssh("id_ed25519"), sshtest.NewKey(t, "ed25519"), "") },
			wire.Permission, func(f *far) []string { return []string{f.sshd.User, f.ssh("id_ed25519")} },
		},
		"no daemon at that socket": {
			func(_ *testing.T, f *far) { f.Config["dockerHost"] = f.Config["dockerHost"].(string) + ".no" },
			wire.Unavailable, func(*far) []string { return []string{"docker.sock.no", "the socket is not there"} },
		},
		"no sshd there": {
			func(_ *testing.T, f *far) { f.line.Leave() },
			wire.Unavailable, func(f *far) []string { return []string{f.line.Addr(), "sshd"} },
		},
		"the worktree cannot be mounted there": {
			func(_ *testing.T, f *far) { f.Config["content"] = contentWorktree },
			wire.Unsupported, func(*far) []string { return []string{"another machine", "content"} },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := behind(t, daemon, nil)
			c.change(t, f)
			text := f.Refused(f.Env("refused", nil, nil), c.code)
			for _, part := range c.says(f) {
				if !strings.Contains(text, part) {
					t.Errorf("%q does not say %q", text, part)
				}
			}
			f.none()
			f.Clean(0)
			f.sshd.AwaitConnections(t, 0)
		})
	}
}

// fingerprint is the host key's, as ssh-keygen prints it.
func (f *far) fingerprint() string {
	sum := sha256.Sum256(f.sshd.HostKeys[0].PublicKey().Marshal())
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}
