//go:build linux

package main

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
)

// person is somebody at a terminal at which the program runs.
type person struct {
	t   *testing.T
	cmd *exec.Cmd
	tty *os.File

	mu    sync.Mutex
	seen  string // all that the terminal shows
	past  int    // how much of it was looked at
	ended chan struct{}
}

// sits runs the program at a terminal.
func (d *desk) sits(args ...string) *person {
	d.t.Helper()
	p := &person{t: d.t, cmd: d.command(args...), ended: make(chan struct{})}
	var err error
	if p.tty, err = pty.Start(p.cmd); err != nil {
		d.t.Fatal(err)
	}
	go p.watch()
	d.t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it has ended, unless the test failed
		_ = p.cmd.Wait()
		_ = p.tty.Close()
	})
	return p
}

// watch keeps what the terminal shows, until nobody has it open any more.
func (p *person) watch() {
	buf := make([]byte, 4096)
	for {
		n, err := p.tty.Read(buf)
		p.mu.Lock()
		p.seen += string(buf[:n])
		p.mu.Unlock()
		if err != nil {
			close(p.ended)
			return
		}
	}
}

// reads waits until the terminal shows something new.
func (p *person) reads(text string) {
	p.t.Helper()
	for range 2000 {
		p.mu.Lock()
		at := strings.Index(p.seen[p.past:], text)
		if at >= 0 {
			p.past += at + len(text)
		}
		p.mu.Unlock()
		if at >= 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.t.Fatalf("the terminal does not show %q:\n%s", text, p.seen)
}

func (p *person) types(text string) {
	p.t.Helper()
	if _, err := p.tty.WriteString(text); err != nil {
		p.t.Fatal(err)
	}
}

// echoes tells whether the terminal shows what is typed.
func (p *person) echoes() bool {
	p.t.Helper()
	mode, err := unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS)
	if err != nil {
		p.t.Fatal(err)
	}
	return mode.Lflag&unix.ECHO != 0
}

// leaves waits for the end and gives the status and all that was seen.
func (p *person) leaves() (int, string) {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		p.t.Fatalf("it does not end:\n%s", p.seen)
	}
	err := p.cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		p.t.Fatal(err, exit)
	}
	return p.cmd.ProcessState.ExitCode(), p.seen
}

// far is a host, and the person's ssh_config for it.
type far struct {
	sshd  *sshtest.Server
	home  string // there
	known string // the person's known_hosts
}

func (d *desk) far(o sshtest.Options, home, config string) *far {
	d.t.Helper()
	near := d.t.TempDir()
	o.Name = "far"
	o.Config = append(o.Config, "SetEnv HOME="+home)
	h := &far{sshd: sshtest.Start(d.t, o), home: home, known: filepath.Join(near, ".ssh", "known_hosts")}
	text := strings.ReplaceAll(h.sshd.HostConfig(), h.sshd.KnownHostsFile, h.known)
	text = strings.ReplaceAll(text, "StrictHostKeyChecking yes", "StrictHostKeyChecking ask\n  HashKnownHosts no")
	if err := errors.Join(os.Mkdir(filepath.Dir(h.known), 0o700), os.WriteFile(filepath.Join(near, ".ssh", "config"), []byte(config+text), 0o600)); err != nil {
		d.t.Fatal(err)
	}
	d.environ = append(d.environ, "HOME="+near, "SSH_AUTH_SOCK=", "SSH_ASKPASS=", "SSH_ASKPASS_REQUIRE=", "DISPLAY=", "WAYLAND_DISPLAY=", "TMPDIR="+d.t.TempDir())
	return h
}

// knows writes the host's key down.
func (h *far) knows(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(h.known, []byte(h.sshd.HostKeyLine), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAPersonIsAskedAboutAHostThatIsNotKnown(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	h := d.far(sshtest.Options{}, t.TempDir(), "")
	argv := []string{"run", "remote-server", "--host", "far", "--dir", "work", "--name", "work", "--", "echo", "it ran"}
	p := d.sits(argv...)
	p.reads(ssh.FingerprintSHA256(h.sshd.HostKeys[0].PublicKey()))
	p.reads("(yes/no/[fingerprint])")
	p.types("no\n")
	status, seen := p.leaves()
	if status != statusOwn || !strings.Contains(seen, "it was not accepted") || !strings.Contains(seen, "]) no\r\n") {
		t.Errorf("status %d:\n%s", status, seen)
	}
	if _, err := os.Stat(h.known); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a host that was refused is known: %v", err)
	}
	if left, err := os.ReadDir(h.home); err != nil || len(left) > 0 || strings.Contains(h.sshd.Log(), "Accepted") {
		t.Errorf("left on the host: %v, %v", left, err)
	}
	if s := d.ok("list"); strings.Contains(s.stdout, "work") {
		t.Errorf("the environment is listed: %s", s.stdout)
	}
	p = d.sits(argv...)
	p.reads("(yes/no/[fingerprint])")
	p.types("yes\n")
	p.reads("it ran")
	if status, seen := p.leaves(); status != 0 {
		t.Errorf("status %d:\n%s", status, seen)
	}
	if data, err := os.ReadFile(h.known); err != nil || string(data) != h.sshd.HostKeyLine {
		t.Errorf("remembered is %q, %v", data, err)
	}
	p = d.sits("remove", "work")
	if status, seen := p.leaves(); status != 0 || strings.Contains(seen, "yes/no") {
		t.Errorf("status %d:\n%s", status, seen)
	}
}

func TestAPersonIsAskedForAPasswordWhichIsNotShown(t *testing.T) {
	t.Parallel()
	d, u := newDesk(t), sshtest.NewUser(t)
	h := d.far(sshtest.Options{User: u.Name, Config: []string{"PasswordAuthentication yes"}}, u.Home, "IdentityFile none\nPreferredAuthentications password\n")
	h.knows(t)
	doctor := d.sits("doctor", "remote-server", "--host", "far")
	doctor.reads("Password of " + u.Name + "@127.0.0.1:")
	doctor.types(u.Password + "\n")
	if status, seen := doctor.leaves(); status != 0 || strings.Contains(seen, u.Password) {
		t.Errorf("doctor: status %d:\n%s", status, seen)
	}
	p := d.sits("run", "remote-server", "-v", "--host", "far", "--discard", "--", "id", "-un")
	p.reads("Password of " + u.Name + "@127.0.0.1:")
	if p.echoes() {
		t.Error("the terminal shows what is typed")
	}
	p.types("wrong secret\n")
	p.reads("Password of")
	p.types(u.Password + "\n")
	p.reads(u.Name + "\r\n")
	status, seen := p.leaves()
	if status != 0 || strings.Contains(seen, "wrong secret") || strings.Contains(seen, u.Password) {
		t.Errorf("status %d:\n%s", status, seen)
	}
	if strings.Count(seen, "Password of") != 2 {
		t.Errorf("asked for every connection:\n%s", seen)
	}
}

func TestAQuestionThatIsInterruptedLeavesTheTerminalAsItWas(t *testing.T) {
	t.Parallel()
	d, u := newDesk(t), sshtest.NewUser(t)
	h := d.far(sshtest.Options{User: u.Name, Config: []string{"PasswordAuthentication yes"}}, u.Home, "IdentityFile none\nPreferredAuthentications password\n")
	h.knows(t)
	for name, interrupt := range map[string]func(p *person){
		"Ctrl-C":     func(p *person) { p.types("\x03") },
		"a signal":   func(p *person) { _ = p.cmd.Process.Signal(syscall.SIGTERM) },
		"no answer":  func(p *person) { p.types("\x04") },
		"a doctor's": func(p *person) { p.types("\x03") },
	} {
		argv := []string{"run", "remote-server", "--host", "far", "--", "true"}
		if name == "a doctor's" {
			argv = []string{"doctor", "remote-server", "--host", "far"}
		}
		p := d.sits(argv...)
		slave, err := os.OpenFile(ttyOf(t, p), os.O_RDWR|unix.O_NOCTTY, 0) // so that the terminal outlives the program
		if err != nil {
			t.Fatal(err)
		}
		p.reads("Password of")
		for range 100 {
			if !p.echoes() {
				break
			}
			time.Sleep(time.Millisecond)
		}
		interrupt(p)
		begun := time.Now()
		err = p.cmd.Wait()
		if status := p.cmd.ProcessState.ExitCode(); status == 0 || err == nil || time.Since(begun) > 10*time.Second {
			t.Errorf("%s: status %d after %v", name, status, time.Since(begun))
		}
		if !p.echoes() {
			t.Errorf("%s: the terminal does not show what is typed any more", name)
		}
		_ = slave.Close()
	}
	if left, err := filepath.Glob(filepath.Join(u.Home, ".codebolt")); err != nil || len(left) > 0 {
		t.Errorf("left on the host: %v", left)
	}
	for _, pair := range d.environ {
		if dir, ok := strings.CutPrefix(pair, "TMPDIR="); ok {
			if left, err := filepath.Glob(filepath.Join(dir, "codebolt-ask-*")); err != nil || len(left) > 0 {
				t.Errorf("left here: %v", left)
			}
		}
	}
}

func ttyOf(t *testing.T, p *person) string {
	t.Helper()
	n, err := unix.IoctlGetInt(int(p.tty.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join("/dev/pts", strconv.Itoa(n))
}

func TestWhoeverHasSaidWhoAsksIsNotAskedAtTheTerminal(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	h := d.far(sshtest.Options{}, t.TempDir(), "")
	for _, require := range []string{"never", "force"} {
		d.environ = append(d.environ, "SSH_ASKPASS_REQUIRE="+require, "SSH_ASKPASS=/bin/false")
		status, seen := d.sits("run", "remote-server", "--host", "far", "--", "true").leaves()
		if status != statusOwn || strings.Contains(seen, "yes/no") || !strings.Contains(seen, map[string]string{"never": "nobody is there", "force": "/bin/false"}[require]) {
			t.Errorf("%s: status %d:\n%s", require, status, seen)
		}
	}
	if _, err := os.Stat(h.known); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a host that was refused is known: %v", err)
	}
}

func TestAProgramThatIsStoppedAtAQuestionAsksAgainWhenItGoesOn(t *testing.T) {
	t.Parallel()
	d, u := newDesk(t), sshtest.NewUser(t)
	h := d.far(sshtest.Options{User: u.Name, Config: []string{"PasswordAuthentication yes"}}, u.Home, "IdentityFile none\nPreferredAuthentications password\n")
	h.knows(t)
	p := d.sits("doctor", "remote-server", "--host", "far")
	p.reads("Password of")
	if err := p.cmd.Process.Signal(syscall.SIGTSTP); err != nil {
		t.Fatal(err)
	}
	stat := filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "stat")
	until(t, "it is stopped", func() bool {
		data, err := os.ReadFile(stat)
		return err == nil && strings.Contains(string(data), ") T ")
	})
	if !p.echoes() {
		t.Error("the terminal does not show what is typed while the program is stopped")
	}
	if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	p.reads("Password of")
	until(t, "the terminal is silent again", func() bool { return !p.echoes() })
	p.types(u.Password + "\n")
	if status, seen := p.leaves(); status != 0 || strings.Contains(seen, u.Password) {
		t.Errorf("status %d:\n%s", status, seen)
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%s: never", what)
}

func TestQuestionsAreAskedOneAfterTheOtherAndTakenBackWhenNobodyWaits(t *testing.T) {
	t.Parallel()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer slave.Close()
	fd, err := unix.Dup(int(slave.Fd())) // which is the asker's to close
	if err != nil {
		t.Fatal(err)
	}
	s, err := newAsker(&terminal{fd: fd, lines: make(chan line, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	p := &person{t: t, tty: master, ended: make(chan struct{})}
	go p.watch()
	program := filepath.Join(s.dir, askpassName)
	// One that hangs up.
	conn, err := net.Dial("unix", filepath.Join(s.dir, askpassTalk))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte(`{"text":"Is it \u001b[2J this?"}` + "\n")); err != nil {
		t.Fatal(err)
	}
	p.reads("Is it  [2J this?")
	_ = conn.Close()
	p.reads("(no longer asked)")
	p.types("too late\n")
	p.reads("too late\r\n")
	time.Sleep(20 * time.Millisecond) // so that it is read
	// Two at once.
	var asking sync.WaitGroup
	for _, name := range []string{"one", "two"} {
		asking.Go(func() {
			var out, problem bytes.Buffer
			status := askpass([]string{program, "Which of " + name + "?"}, func(string) string { return "" }, &out, &problem)
			if status != 0 || out.String() != "answer to "+name+"\n" || problem.Len() > 0 {
				t.Errorf("%s: status %d, %q, %q", name, status, out.String(), problem.String())
			}
		})
	}
	for range 2 {
		p.reads("Which of ")
		p.mu.Lock()
		name := p.seen[p.past : p.past+3]
		p.mu.Unlock()
		p.reads("? ")
		time.Sleep(50 * time.Millisecond) // the other is not asked meanwhile
		p.mu.Lock()
		if strings.Contains(p.seen[p.past:], "?") {
			t.Errorf("both are asked: %q", p.seen)
		}
		p.mu.Unlock()
		p.types("answer to " + name + "\n")
	}
	answered := make(chan struct{})
	go func() { asking.Wait(); close(answered) }()
	select {
	case <-answered:
	case <-time.After(20 * time.Second):
		t.Fatalf("not both are answered: %q", p.seen)
	}
	p.mu.Lock()
	if strings.Contains(p.seen, "answer") {
		t.Errorf("an answer is shown: %q", p.seen)
	}
	p.mu.Unlock()
	var out, problem bytes.Buffer
	if status := askpass([]string{program}, os.Getenv, &out, &problem); status != 1 || out.Len() > 0 {
		t.Errorf("without a question: status %d, %q", status, out.String())
	}
	s.close()
	if status := askpass([]string{program, "Still?"}, os.Getenv, &out, &problem); status != 1 || out.Len() > 0 || !strings.Contains(problem.String(), "gone") {
		t.Errorf("without a terminal: status %d, %q", status, problem.String())
	}
}

func TestWhatAKilledAskerLeftIsRemovedAndNothingElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	listen := func(name string) net.Listener {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.Mkdir(path, 0o700), os.Symlink("/bin/true", filepath.Join(path, askpassName))); err != nil {
			t.Fatal(err)
		}
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(path, askpassTalk), Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		return l
	}
	defer listen(askerFolder + "alive").Close()
	_ = listen(askerFolder + "dead").Close()
	_ = listen("another").Close()
	if err := os.Mkdir(filepath.Join(dir, askerFolder+"begun"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		before time.Time
		left   int
	}{{time.Now().Add(-time.Minute), 4}, {time.Now().Add(time.Minute), 3}} {
		sweepAskers(dir, test.before)
		left, err := os.ReadDir(dir)
		if err != nil || len(left) != test.left {
			t.Errorf("left: %v, %v", left, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, askerFolder+"dead")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was left is still there: %v", err)
	}
}
