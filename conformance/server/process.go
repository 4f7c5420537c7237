package server

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// pipeGrace is how long the output of a provider that exited is still read, when
// a process it left behind holds the pipe open.
const pipeGrace = 500 * time.Millisecond

// process is one life of a provider's program.
type process struct {
	cmd     *exec.Cmd
	id      string // what its connections carry as connectionId
	started time.Time
	done    chan struct{} // closed when it has exited
	buried  chan struct{} // closed when the environment has taken note of it
	gone    bool          // the environment knows that it has; guarded by Environment.mu
	watched bool          // its heartbeats are watched; guarded by Environment.mu
}

// spawn starts the provider's program and whoever waits for its end.
func (e *Environment) spawn() (*process, error) {
	s := e.server
	p := &process{id: string(wire.NewID()), started: time.Now(), done: make(chan struct{}), buried: make(chan struct{})}
	environ, err := e.environ(p.id)
	if err != nil {
		return nil, err
	}
	p.cmd = exec.CommandContext(s.ctx, e.spec.Program, e.spec.Args...)
	p.cmd.Env, p.cmd.Dir = environ, e.spec.Dir
	p.cmd.Stdout, p.cmd.Stderr = e.spec.Stderr, e.spec.Stderr
	p.cmd.SysProcAttr = ownGroup()
	p.cmd.WaitDelay = pipeGrace
	ready := make(chan error)
	if !s.task(func() {
		err := p.cmd.Start()
		ready <- err
		if err == nil {
			_ = p.cmd.Wait() // how it ended is in ProcessState
			close(p.done)
			e.gone(p)
			close(p.buried)
		}
	}) {
		return nil, wire.Errorf(wire.Unavailable, "start %s: the server is closed", e.spec.Name)
	}
	e.mu.Lock() // so that gone comes after e.process is set
	defer e.mu.Unlock()
	if err := <-ready; err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "start %s: %w", e.spec.Name, err)
	}
	e.process = p
	s.log.Info("provider started", "env", e.spec.Name, "program", e.spec.Program, "pid", p.cmd.Process.Pid)
	return p, nil
}

// ended is the error of what a process cannot do any more.
func (p *process) ended() error {
	return wire.Errorf(wire.Unavailable, "the provider's process has ended: %v", p.cmd.ProcessState)
}

// live returns the process, or nil when none runs.
func (e *Environment) live() *process {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.liveLocked()
}

func (e *Environment) liveLocked() *process {
	if p := e.process; p != nil && !p.gone {
		return p
	}
	return nil
}

// PID is the provider's process id, or 0 when none runs.
func (e *Environment) PID() int {
	if p := e.live(); p != nil {
		return p.cmd.Process.Pid
	}
	return 0
}

// Signal sends a signal to the provider's process, and to it alone. The provider
// should run still: what happens then is up to the restart policy. It fails with
// NotRunning when no process runs.
func (e *Environment) Signal(sig os.Signal) error {
	p := e.live()
	if p == nil {
		return wire.Errorf(wire.NotRunning, "signal %s: no provider runs", e.spec.Name)
	}
	err := p.cmd.Process.Signal(sig)
	if errors.Is(err, os.ErrProcessDone) {
		return wire.Errorf(wire.NotRunning, "signal %s: %w", e.spec.Name, err)
	}
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "signal %s: %w", e.spec.Name, err)
	}
	return nil
}

// Kill ends the provider's process at once, as a crash would. See
// [Environment.Signal].
func (e *Environment) Kill() error { return e.Signal(os.Kill) }

// Wait waits until the process that runs now, or ran last, has ended and tells
// how. It fails with NotRunning when none was ever started, and with ctx's
// error.
func (e *Environment) Wait(ctx context.Context) (*os.ProcessState, error) {
	e.mu.Lock()
	p := e.process
	e.mu.Unlock()
	if p == nil {
		return nil, wire.Errorf(wire.NotRunning, "wait for %s: no provider was started", e.spec.Name)
	}
	select {
	case <-p.done:
		return p.cmd.ProcessState, nil
	case <-ctx.Done():
		return nil, wire.Errorf(wire.CodeOf(context.Cause(ctx)), "wait for the provider of %s to end: %w", e.spec.Name, context.Cause(ctx))
	}
}

// end ends a process: with SIGTERM, and with SIGKILL when that has not helped
// within the grace or ctx ends. The environment has taken note when it returns.
func (p *process) end(ctx context.Context, grace time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	// Where there is no such signal, as on Windows, only killing is left.
	if p.cmd.Process.Signal(syscall.SIGTERM) != nil || !p.exits(ctx) {
		_ = p.cmd.Process.Kill() // it fails only when the process is gone
	}
	<-p.buried
}

// exits waits for the end of a process.
func (p *process) exits(ctx context.Context) bool {
	select {
	case <-p.done:
		return true
	case <-ctx.Done():
		return false
	}
}
