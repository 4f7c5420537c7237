//go:build unix

package terminal

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"
	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"github.com/codeboltai/codebolt-providers/shared/procgroup"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// envMark is in the environment of all that runs in a terminal, so that what has left its
// groups is found.
const envMark = "CODEBOLT_TERMINAL"

// program is what runs in a terminal, which is a session of processes with groups.
type program struct {
	cmd    *exec.Cmd
	master *os.File
	mark   string
}

// start runs the program and those who read and type for it.
func (t *Terminal) start(o Options, wg *sync.WaitGroup) error {
	path, err := lookUp(o)
	if err != nil {
		return err
	}
	p := &program{mark: uuid.NewString()}
	p.cmd = &exec.Cmd{Path: path, Args: o.Argv, Dir: o.Dir, Env: append(o.Env[:len(o.Env):len(o.Env)], envMark+"="+p.mark)}
	master, err := pty.StartWithSize(p.cmd, &pty.Winsize{Cols: o.Size.Cols, Rows: o.Size.Rows})
	if err == nil {
		p.master, err = interruptible(master)
		if err != nil { // without it nobody could end what reads
			p.kill()
			_ = p.cmd.Wait() // it was killed
		}
	}
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "open a terminal: %w", err)
	}
	t.p, t.pid = p, p.cmd.Process.Pid
	read := make(chan struct{})
	wg.Go(func() {
		defer close(read)
		buf := make([]byte, 32<<10)
		for {
			n, err := p.master.Read(buf)
			t.wrote(buf[:n])
			if err != nil { // nobody has the other side any more, or it was closed
				return
			}
		}
	})
	wg.Go(func() {
		for {
			data, ok := t.typed()
			if !ok {
				return
			}
			if _, err := p.master.Write(data); err != nil && !errors.Is(err, os.ErrClosed) {
				continue // it ends, which its reader sees
			}
		}
	})
	wg.Go(func() {
		_ = p.cmd.Wait() // how it ended is in ProcessState
		exit := Exit{Code: p.cmd.ProcessState.ExitCode()}
		if number, name := procgroup.SignalOf(p.cmd.ProcessState); number != 0 {
			exit = Exit{128 + number, name}
		}
		// The system has told what it left in the foreground. What goes on all the same
		// would have a terminal that leads nowhere.
		select {
		case <-read:
		case <-time.After(drainTime):
		}
		resource.KillMarked(envMark, p.mark)
		select {
		case <-read:
		case <-time.After(drainTime):
			_ = p.master.SetReadDeadline(time.Now()) // who holds it cannot be ended
			<-read
		}
		_ = p.master.Close() // it is of no more use
		t.finish(exit)
	})
	return nil
}

// interruptible is the file with deadlines, in place of one whose reads nothing ends.
func interruptible(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return os.NewFile(uintptr(fd), f.Name()), f.Close()
}

// lookUp finds a program as a shell in that environment and folder would.
func lookUp(o Options) (string, error) {
	name := o.Argv[0]
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(o.Dir, name)
		}
		return name, nil
	}
	var path string
	for _, pair := range o.Env {
		if value, ok := strings.CutPrefix(pair, "PATH="); ok {
			path = value
		}
	}
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(o.Dir, dir)
		}
		at := filepath.Join(dir, name)
		if info, err := os.Stat(at); err == nil && info.Mode().IsRegular() && unix.Access(at, unix.X_OK) == nil {
			return at, nil
		}
	}
	return "", wire.Errorf(wire.NotFound, "open a terminal: there is no program %q in PATH", name)
}

func (p *program) resize(size Size) error {
	return p.control(func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: size.Cols, Row: size.Rows})
	})
}

// control calls f with the terminal's descriptor. The file's own Fd would take its
// deadlines away.
func (p *program) control(f func(fd int) error) error {
	raw, err := p.master.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = raw.Control(func(fd uintptr) { inner = f(int(fd)) })
	return errors.Join(err, inner)
}

// signal reaches the group in the foreground, or the program's own when that is unknown.
func (p *program) signal(name string) error {
	number := unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG"))
	if number == 0 {
		return wire.Errorf(wire.Invalid, "there is no signal %q; write one such as INT or TERM", strings.ToValidUTF8(name, "?"))
	}
	group := p.cmd.Process.Pid
	_ = p.control(func(fd int) error { // else the program's own is as good
		front, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
		if err == nil && front > 1 {
			group = front
		}
		return err
	})
	if err := syscall.Kill(-group, number); err != nil && !errors.Is(err, syscall.ESRCH) {
		return wire.Errorf(wire.CodeOf(err), "send a signal: %w", err)
	}
	return nil
}

// hangup tells the program that its terminal goes.
func (p *program) hangup() { p.all(syscall.SIGHUP) }

// kill ends the program, and so all that it started.
func (p *program) kill() { p.all(syscall.SIGKILL) }

// all sends a signal to the program's group, while the program is there: the number may be
// another group's after that.
func (p *program) all(sig syscall.Signal) {
	if p.cmd.Process.Signal(syscall.Signal(0)) == nil {
		_ = syscall.Kill(-p.cmd.Process.Pid, sig) // it may be gone
	}
}
