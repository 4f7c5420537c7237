//go:build linux || darwin

package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// terminal is the one that this process was started at.
type terminal struct {
	fd      int
	lines   chan line
	reading bool // somebody waits for a line
	over    bool // a signal ended a question: nothing more is asked
}

type line struct {
	text string
	err  error
}

// openTerminal opens the terminal; it fails when there is none.
func openTerminal() (*terminal, error) {
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	return &terminal{fd: fd, lines: make(chan line, 1)}, nil
}

// close gives the terminal back. A question must not stand. It is idempotent.
func (t *terminal) close() {
	if !t.reading && t.fd >= 0 { // while it is read it ends with this process
		_ = unix.Close(t.fd)
	}
	t.fd, t.over = -1, true
}

// errNoAnswer is what comes of a question that a person does not want to answer.
var errNoAnswer = errors.New("the question at the terminal was not answered")

// ask shows a question and reads the answer, which is not shown unless echo is set. The
// terminal is as it was when ask returns, and while this process is stopped. Only one
// question may be asked at a time. A signal that ends this process ends it, and those
// after it.
func (t *terminal) ask(ctx context.Context, text string, echo bool) (string, error) {
	if t.over {
		return "", errNoAnswer
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGTSTP, syscall.SIGCONT)
	defer signal.Stop(signals)
	was, err := unix.IoctlGetTermios(t.fd, getTermios)
	if err != nil {
		return "", err
	}
	begin := func() error {
		mode := *was
		mode.Lflag |= unix.ICANON | unix.ISIG
		mode.Iflag |= unix.ICRNL
		if !echo {
			mode.Lflag &^= unix.ECHO
		}
		if err := unix.IoctlSetTermios(t.fd, setTermios, &mode); err != nil {
			return err
		}
		return t.print(text + " ")
	}
	restore := func() { _ = unix.IoctlSetTermios(t.fd, setTermios, was) } // it is gone, or was never changed
	defer restore()
	select {
	case <-t.lines: // of a question that was taken back
		t.reading = false
	default:
	}
	if err := begin(); err != nil {
		return "", err
	}
	if !t.reading {
		t.reading = true
		go t.read(t.fd)
	}
	for stopped := false; ; {
		select {
		case l := <-t.lines:
			t.reading = false
			if !echo || l.err != nil {
				_ = t.print("\n") // what was typed for it was not shown
			}
			return l.text, l.err
		case <-ctx.Done():
			_ = t.print("\n(no longer asked)\n")
			return "", context.Cause(ctx)
		case s := <-signals:
			switch {
			case s == syscall.SIGTSTP:
				restore()
				stopped = true
				if err := unix.Kill(os.Getpid(), unix.SIGSTOP); err != nil {
					return "", err
				}
			case s == syscall.SIGCONT && stopped:
				stopped = false
				if err := begin(); err != nil {
					return "", err
				}
			case s != syscall.SIGCONT:
				t.over = true
				_ = t.print("\n")
				return "", errNoAnswer
			}
		}
	}
}

func (t *terminal) print(text string) error {
	for rest := []byte(text); len(rest) > 0; {
		n, err := unix.Write(t.fd, rest)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		rest = rest[max(n, 0):]
	}
	return nil
}

// read reads one line.
func (t *terminal) read(fd int) {
	var text strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := unix.Read(fd, buf)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			t.lines <- line{err: err}
			return
		case n == 0: // Ctrl-D
			t.lines <- line{err: errNoAnswer}
			return
		}
		text.Write(buf[:n])
		if typed, ended := strings.CutSuffix(text.String(), "\n"); ended {
			t.lines <- line{text: typed}
			return
		}
	}
}
