package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// ExecSpec is a command to be run in a container that runs.
type ExecSpec struct {
	Argv    []string
	User    string   // "" is the container's
	WorkDir string   // "" is the container's
	Env     []string // name=value, on top of the container's
}

// ExitError is the end of a command that failed, in the errors of [Engine.ExecConn].
type ExitError struct {
	Code   int
	Stderr string // its end
}

// Error names the code and what the command last complained of.
func (e *ExitError) Error() string {
	if e.Stderr == "" {
		return fmt.Sprintf("the command ended with exit code %d", e.Code)
	}
	return fmt.Sprintf("the command ended with exit code %d: %s", e.Code, e.Stderr)
}

const (
	// stderrMax is how much is kept of what a command complains of.
	stderrMax = 4 << 10
	// endLimit bounds the question how a command ended.
	endLimit = 5 * time.Second
	// settle is how long a command may take to end after its output has.
	settle = 2 * time.Second
)

// ExecConn starts a command and returns its stdin and stdout as a connection. ctx
// bounds the opening only. CloseWrite ends stdin; deadlines work; Close cuts the
// streams and leaves the command, which ought to end when its stdin does: Docker
// has no call to end it.
//
// Read fails with io.EOF after a command that ended with code 0. Otherwise with an
// [ExitError] in an error of kind Unavailable, with kind Invalid when there is no
// such program, Unsupported when it is for another architecture, and Unavailable
// when the connection broke. Opening fails
// with kind NotFound when there is no such container and NotRunning when it does
// not run.
func (e *Engine) ExecConn(ctx context.Context, id string, s ExecSpec) (net.Conn, error) {
	c, err := e.openExec(ctx, id, &s, true)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (e *Engine) openExec(ctx context.Context, id string, s *ExecSpec, stdin bool) (*execConn, error) {
	if err := named("container", id); err != nil {
		return nil, err
	}
	if len(s.Argv) == 0 || s.Argv[0] == "" {
		return nil, wire.Errorf(wire.Invalid, "docker: run in container %s: no command is given", id)
	}
	op := "run " + s.Argv[0] + " in container " + id
	exec, err := retry(ctx, e, op, broken, func() (string, error) { return e.api.createExec(ctx, id, s, stdin) })
	if err != nil {
		return nil, err
	}
	conn, reader, err := e.hijack(ctx, "/exec/"+exec+"/start", map[string]bool{"Detach": false, "Tty": false})
	if err != nil {
		return nil, e.fail(op, err)
	}
	c := &execConn{Conn: conn, engine: e, op: op, exec: exec, frames: frames{src: reader}, stderr: tail{max: stderrMax}}
	c.open, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// execConn is the connection to a command.
type execConn struct {
	net.Conn
	engine *Engine
	op     string
	exec   string
	open   context.Context //nolint:containedctx // ends with Close
	cancel context.CancelFunc

	mu     sync.Mutex // of reading
	frames frames
	stderr tail
	end    error // how reading ended
}

// Read reads the command's stdout.
func (c *execConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.end == nil {
		if err := c.begin(); err != nil {
			return 0, c.ended(err)
		}
		kind, n, err := c.frames.next(p)
		switch {
		case err != nil:
			return 0, c.ended(err)
		case kind == stderrStream, kind == daemonStream:
			_, _ = c.stderr.Write(p[:n]) // never fails
		default:
			return n, nil
		}
	}
	return 0, c.end
}

// begin looks at the first output: of a command that did not start, the daemon
// sends the reason there, as a line of its own. What a command says is only looked
// at closely when it could be that.
func (c *execConn) begin() error {
	if c.frames.any {
		return nil
	}
	if err := c.frames.open(); err != nil {
		return err
	}
	f := &c.frames
	if f.kind != stdoutStream || f.left > stderrMax {
		return nil
	}
	text, err := f.src.Peek(f.left)
	if err != nil || !bytes.HasSuffix(text, []byte("\r\n")) || bytes.HasSuffix(text, []byte("\r\n\r\n")) {
		return err
	}
	ctx, cancel := context.WithTimeout(c.open, endLimit)
	defer cancel()
	if running, code, err := c.engine.api.exec(ctx, c.exec); err != nil || running || code < 126 || code > 128 {
		return nil // reading goes on, and meets whatever is wrong
	}
	reason := strings.TrimSpace(string(text))
	if ruleFor(reason) == nil {
		return wire.Errorf(wire.Unavailable, "docker: %s: it did not start: %s", c.op, tidy(reason))
	}
	return c.engine.fail(c.op, errors.New(reason))
}

// ended remembers how reading ended; deadlines do not end it.
func (c *execConn) ended(err error) error {
	var timeout net.Error
	switch {
	case c.end != nil:
		return c.end
	case c.open.Err() != nil || errors.Is(err, net.ErrClosed):
		c.end = net.ErrClosed
	case errors.As(err, &timeout) && timeout.Timeout():
		return err // reading may go on
	case err != io.EOF: //nolint:errorlint // frames do not wrap it
		c.end = c.engine.fail(c.op, err)
	default:
		c.end = c.verdict()
	}
	return c.end
}

// verdict is the error after the last output.
func (c *execConn) verdict() error {
	running, code, err := c.outcome()
	switch {
	case c.open.Err() != nil:
		return net.ErrClosed
	case err != nil || running:
		return wire.Errorf(wire.Unavailable, "docker: %s: the connection to the command broke: %w", c.op, io.ErrUnexpectedEOF)
	case code != 0:
		failed := &ExitError{code, strings.TrimSpace(string(c.stderr.buf))}
		if neverRan(code, failed.Stderr) {
			return c.engine.fail(c.op, failed)
		}
		return wire.Errorf(wire.Unavailable, "docker: %s: %w", c.op, failed)
	}
	return io.EOF
}

// outcome asks how the command ended. The daemon may learn of the end a little
// after the output's.
func (c *execConn) outcome() (running bool, code int, err error) {
	ctx, cancel := context.WithTimeout(c.open, endLimit)
	defer cancel()
	for deadline := time.Now().Add(settle); ; {
		running, code, err = c.engine.api.exec(ctx, c.exec)
		if err != nil || !running || time.Now().After(deadline) {
			return running, code, err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// CloseWrite ends the command's stdin.
func (c *execConn) CloseWrite() error { return closeWrite(c.Conn) }

// Close cuts the streams.
func (c *execConn) Close() error {
	c.cancel()
	return c.Conn.Close()
}

// Exec runs a command to its end and returns its exit code. A nil stdin is empty;
// nil writers drop what is written. A read from stdin that is still waiting when
// the command ends is not waited for. When ctx ends the command is left, without
// its streams. It fails as [Engine.ExecConn] does, and a code other than 0 is no
// error.
func (e *Engine) Exec(ctx context.Context, id string, s ExecSpec, stdin io.Reader, stdout, stderr io.Writer) (exitCode int, err error) {
	c, err := e.openExec(ctx, id, &s, stdin != nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = c.Close() }() // it was only read
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	if stdin != nil {
		go func() { // ends with stdin, or when the connection does
			_, _ = io.Copy(struct{ io.Writer }{c.Conn}, stdin) // a command need not read it all
			_ = c.CloseWrite()                                 // it may have ended
		}()
	}
	err = c.begin()
	if err == nil {
		to := io.Writer(&c.stderr)
		if stderr != nil {
			to = io.MultiWriter(stderr, &c.stderr)
		}
		err = c.frames.copy(stdout, to)
	}
	if err == nil || err == io.EOF { //nolint:errorlint // of begin: no output at all
		var running bool
		if running, exitCode, err = c.outcome(); err == nil && !running {
			if complaint := strings.TrimSpace(string(c.stderr.buf)); neverRan(exitCode, complaint) {
				return 0, e.fail(c.op, &ExitError{exitCode, complaint})
			}
			return exitCode, nil
		}
		err = wire.Errorf(wire.Unavailable, "docker: %s: the connection to the command broke: %w", c.op, io.ErrUnexpectedEOF)
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if failed, ok := errors.AsType[*writeError](err); ok {
		return 0, wire.Errorf(wire.CodeOf(failed.cause), "docker: %s: %w", c.op, failed)
	}
	return 0, e.fail(c.op, err)
}
