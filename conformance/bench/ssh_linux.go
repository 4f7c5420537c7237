package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
)

// far is what the rows of the remote-server provider share: an SSH server of this
// machine, behind a line that can be made long.
type far struct {
	*bench
	line *faultproxy.Proxy
	dir  string // scratch, and the providers' home; in .ssh is what leads to the host
	home string // on the host
}

// roundTripTime is how long the line is made, as a packet goes there and back.
const roundTripTime = 50 * time.Millisecond

// The names of the rows, or parts of them.
const (
	rowFarRead   = "SSH: file read, 50 ms round trip"
	rowFarStart  = "SSH: start answered"
	rowFarTree   = "SSH: whole tree, 20,000 files, 50 ms round trip"
	rowFarFill   = "SSH: 100 MB in 2,000 files"
	rowFarMemory = "SSH: memory, idle"
)

// ssh measures environments on a machine reached over SSH. Where there is no sshd, it
// says so and measures nothing.
func (b *bench) ssh(ctx context.Context) (err error) {
	if !b.wants(rowFarRead, rowFarStart, rowFarTree, rowFarFill, rowFarMemory) {
		return nil
	}
	for _, program := range []string{"/usr/sbin/sshd", "ssh", "sftp", "rsync"} {
		if _, err := exec.LookPath(program); err != nil {
			fmt.Fprintln(b.log, "  no row of SSH is measured:", err)
			return nil
		}
	}
	f := &far{bench: b}
	if f.dir, err = os.MkdirTemp("", "codebolt-bench-ssh-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(f.dir)) }()
	return onStage(ctx, func(t *scene) error {
		if err := f.host(t); err != nil {
			return err
		}
		for _, measure := range []func(context.Context) error{f.starting, f.reading, f.tree, f.filling} {
			if err := measure(ctx); err != nil {
				return err
			}
		}
		return f.nothingLeft()
	})
}

// host starts the SSH server and the line to it.
func (f *far) host(t *scene) (err error) {
	f.home = filepath.Join(f.dir, "host")
	near := filepath.Join(f.dir, ".ssh")
	if err := errors.Join(os.Mkdir(f.home, 0o700), os.Mkdir(near, 0o700)); err != nil {
		return err
	}
	sshd := sshtest.Start(t, sshtest.Options{Name: "far", Config: []string{"SetEnv HOME=" + f.home}})
	if f.line, err = faultproxy.Listen(faultproxy.To(sshd.Addr)); err != nil {
		return err
	}
	t.Cleanup(func() { _ = f.line.Close() })
	_, port, _ := strings.Cut(f.line.Addr(), ":")
	was := strconv.Itoa(sshd.Port)
	known := filepath.Join(near, "known_hosts")
	config := strings.ReplaceAll(sshd.HostConfig(), "Port "+was, "Port "+port)
	config = strings.ReplaceAll(config, sshd.KnownHostsFile, known)
	return errors.Join(
		os.WriteFile(filepath.Join(near, "config"), []byte(config), 0o600),
		os.WriteFile(known, []byte(strings.ReplaceAll(sshd.HostKeyLine, ":"+was+" ", ":"+port+" ")), 0o600),
	)
}

// long makes the line long, until the returned function is called.
func (f *far) long() (short func()) {
	f.line.Shape(faultproxy.Shape{Latency: roundTripTime / 2})
	return func() { f.line.Shape(faultproxy.Shape{}) }
}

// openssh is a command of one of OpenSSH's or Debian's programs, which take the user's home from
// the system and not from HOME.
func (f *far) openssh(ctx context.Context, program string, args ...string) *exec.Cmd {
	config := filepath.Join(f.dir, ".ssh", "config")
	before := []string{"-F", config}
	if program == "rsync" {
		before = []string{"-e", "ssh -F " + config}
	}
	return f.command(ctx, f.dir, program, append(before, args...)...)
}

// launch starts the provider's process.
func (f *far) launch(ctx context.Context) (*peer, error) {
	cmd := f.command(ctx, f.dir, filepath.Join(f.bin, "codebolt-provider-remoteserver"))
	cmd.Env = append(cmd.Env, "HOME="+f.dir)
	cmd.Stderr = f.log
	return f.listener.spawn(ctx, cmd)
}

// environment opens an environment.
func (f *far) environment(ctx context.Context, project, name string) (*peer, *begun, error) {
	p, err := f.launch(ctx)
	if err != nil {
		return nil, nil, err
	}
	b, err := p.start(project, name, map[string]any{"host": "far"})
	if err != nil {
		p.end()
		return nil, nil, err
	}
	return p, b, nil
}

// starting compares a start, of an environment that is new and of one that is there,
// with the shortest that ssh can do.
func (f *far) starting(ctx context.Context) error {
	if !f.wants(rowFarStart, rowFarMemory) {
		return nil
	}
	project, err := f.project("ssh-start", 200)
	if err != nil {
		return err
	}
	// The program is on the host when the first has been there.
	first, _, err := f.environment(ctx, project, "first")
	if err != nil {
		return err
	}
	idle, err := residentMiB(first.cmd.Process.Pid)
	if err != nil {
		return err
	}
	f.bound(rowFarMemory, []float64{idle}, 15)
	if err := away(first); err != nil {
		return err
	}
	for _, line := range []struct {
		name  string
		long  bool
		tries int
	}{{"", false, max(15/f.scale, 5)}, {", 50 ms round trip", true, max(9/f.scale, 3)}} {
		short := func() {}
		if line.long {
			short = f.long()
		}
		var fresh, again, there, bare []float64
		for i := range line.tries {
			name := fmt.Sprintf("start %v %d", line.long, i)
			p, b, err := f.environment(ctx, project, name)
			if err != nil {
				return err
			}
			fresh = append(fresh, b.took)
			// A provider that is killed leaves its runtime there.
			if err := p.cmd.Process.Kill(); err != nil {
				return err
			}
			p.end()
			if p, b, err = f.environment(ctx, project, name); err != nil {
				return err
			}
			there = append(there, b.took)
			p.end() // ends the runtime, as no agent is in it
			if p, b, err = f.environment(ctx, project, name); err != nil {
				return err
			}
			again = append(again, b.took)
			if err := away(p); err != nil {
				return err
			}
			from := time.Now()
			if out, err := f.openssh(ctx, "ssh", "far", "true").CombinedOutput(); err != nil {
				return fmt.Errorf("ssh: %w: %s", err, out)
			}
			bare = append(bare, millis(from))
		}
		f.atMost(rowFarStart+", runtime already there"+line.name, "ssh true", "ms", there, bare, 2)
		f.reported(rowFarStart+", of an environment that is there"+line.name, "ssh true", "ms", again, bare)
		f.reported(rowFarStart+", of a new environment"+line.name, "ssh true", "ms", fresh, bare)
		short()
	}
	return nil
}

// reading compares a file that is read over a long line with the line itself.
func (f *far) reading(ctx context.Context) error {
	if !f.wants(rowFarRead) {
		return nil
	}
	project, err := f.project("ssh-read", 50)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(project, "one.txt"), []byte(strings.Repeat("0123456789abcde\n", 64)), 0o600); err != nil {
		return err
	}
	if err := errors.Join(f.git(ctx, project, "add", "."), f.git(ctx, project, "commit", "-qm", "file")); err != nil {
		return err
	}
	p, _, err := f.environment(ctx, project, "read")
	if err != nil {
		return err
	}
	defer f.long()()
	// What goes there and back over the line: a byte, to the server and as its reply.
	echo, stop, err := f.echo()
	if err != nil {
		return err
	}
	defer stop()
	ask := []byte(`{"type":"providerReadFile","path":"one.txt","requestId":"0f4e63f2-1111-4222-8333-0123456789ab"}`)
	var ours, bare []float64
	for i := range max(60/f.scale, 10) + 3 {
		from := time.Now()
		answer, err := roundTrip(p.conn, ask)
		if err != nil {
			return err
		}
		took := millis(from)
		if len(answer) < 1024 {
			return fmt.Errorf("the file was answered with %s", answer)
		}
		from = time.Now()
		if err := echo(); err != nil {
			return err
		}
		if i >= 3 { // those before warm it
			ours, bare = append(ours, took), append(bare, millis(from))
		}
	}
	f.atMost(rowFarRead, "one round trip", "ms", ours, bare, 1.1)
	sftp, err := f.sftp(ctx)
	if err != nil {
		return err
	}
	f.reported(rowFarRead, "sftp get", "ms", ours, sftp)
	return away(p)
}

// sftp is how many ms a file takes that sftp reads over a connection that is there.
func (f *far) sftp(ctx context.Context) (took []float64, err error) {
	found, err := filepath.Glob(filepath.Join(f.home, ".codebolt", "environments", "*", "files", "one.txt"))
	if err != nil || len(found) != 1 {
		return nil, fmt.Errorf("the host has %q: %w", found, err)
	}
	get := func(files int) (float64, error) {
		cmd := f.openssh(ctx, "sftp", "-q", "-b", "-", "far")
		cmd.Stdin = strings.NewReader(strings.Repeat(fmt.Sprintf("get %s %s\n", found[0], filepath.Join(f.dir, "got")), files))
		from := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			return 0, fmt.Errorf("sftp: %w: %s", err, out)
		}
		return millis(from), nil
	}
	const more = 10
	for range max(5/f.scale, 3) {
		one, err := get(1)
		if err != nil {
			return nil, err
		}
		many, err := get(1 + more)
		if err != nil {
			return nil, err
		}
		took = append(took, (many-one)/more)
	}
	return took, nil
}

// echo is one round trip over a line as long as the one to the host.
func (f *far) echo() (once func() error, stop func(), err error) {
	end, err := listenEcho()
	if err != nil {
		return nil, nil, err
	}
	line, err := faultproxy.Listen(faultproxy.To(end.Addr().String()))
	if err != nil {
		return nil, nil, errors.Join(err, end.Close())
	}
	line.Shape(faultproxy.Shape{Latency: roundTripTime / 2})
	conn, err := faultproxy.To(line.Addr())(context.Background())
	stop = func() {
		if conn != nil {
			_ = conn.Close()
		}
		_ = line.Close()
		_ = end.Close()
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	one := make([]byte, 1)
	return func() error {
		if _, err := conn.Write(one); err != nil {
			return err
		}
		_, err := io.ReadFull(conn, one)
		return err
	}, stop, nil
}

// tree compares a listing of all that is there, over a long line, with find by ssh.
func (f *far) tree(ctx context.Context) error {
	if !f.wants(rowFarTree) {
		return nil
	}
	const files = 20000
	project, err := f.project("ssh-tree", files)
	if err != nil {
		return err
	}
	p, _, err := f.environment(ctx, project, "tree")
	if err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(f.home, ".codebolt", "environments", "*", "files"))
	if err != nil || len(found) != 1 {
		return fmt.Errorf("the host has %q: %w", found, err)
	}
	defer f.long()()
	ask := []byte(`{"type":"providerGetFullProject","recursive":true,"requestId":"t"}`)
	var ours, bare []float64
	for range max(9/f.scale, 3) {
		from := time.Now()
		answer, err := roundTrip(p.conn, ask)
		if err != nil {
			return err
		}
		ours = append(ours, millis(from))
		if n := strings.Count(string(answer), `"isFolder":false`); n != files {
			return fmt.Errorf("the tree has %d files, not %d: %.200s", n, files, answer)
		}
		from = time.Now()
		out, err := f.openssh(ctx, "ssh", "far", "find '"+found[0]+`' -printf '%P\t%y\t%s\t%T@\n'`).Output()
		if err != nil || len(out) < files*20 {
			return fmt.Errorf("find printed %d bytes: %w", len(out), err)
		}
		bare = append(bare, millis(from))
	}
	f.reported(rowFarTree, "ssh find -printf", "ms", ours, bare)
	return away(p)
}

// nothingLeft checks that what was measured has gone.
func (f *far) nothingLeft() error {
	left, err := os.ReadDir(filepath.Join(f.home, ".codebolt", "environments"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("SSH: %d environments are left on the host", len(left))
	}
	return err
}
