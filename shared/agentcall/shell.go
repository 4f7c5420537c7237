package agentcall

import (
	"context"
	"fmt"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/procgroup"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// The exit codes of commands that have none of their own, as shells give them.
const (
	exitTimeout = 124
	exitRefused = 126
	exitNotRun  = 127
	exitSignal  = 128 // and the signal's number
)

// killGrace is how long a command may take to end once it was told to.
const killGrace = 5 * time.Second

// run runs the command and says what came of it.
func (m *command) run(ctx context.Context) {
	cmd, err := shell(m.line)
	if err != nil {
		m.fail(exitNotRun, err, nil)
		return
	}
	cmd.Dir, cmd.Env = m.c.s.opt.Files.Root(), m.c.environ()
	p, err := procgroup.Start(cmd)
	if err != nil {
		m.fail(exitNotRun, wire.Errorf(wire.CodeOf(err), "%w", err), nil)
		return
	}
	out := newCapture(m.kind == stream)
	var told chan struct{} // closed when the agent was told of all output
	if m.kind == stream {
		told = make(chan struct{})
		go func() { defer close(told); m.tell(out) }()
	}
	p.Read(out.takeStdout, out.takeStderr)
	stopped := m.await(ctx, p)
	out.ended()
	if stopped {
		p.EndRest()
		p.Release()
	} else {
		m.drain(p)
	}
	out.seal()
	if told != nil {
		<-told
	}
	state, err := p.State()
	switch {
	case stopped:
		m.fail(exitTimeout, wire.Permanent(wire.Errorf(wire.Timeout, "the command took longer than %s and was stopped", m.c.s.opt.CommandTimeout)), out)
	case state == nil:
		m.fail(exitNotRun, fmt.Errorf("wait for the command: %w", err), out)
	default:
		if number, name := procgroup.SignalOf(state); number != 0 {
			m.fail(exitSignal+number, fmt.Errorf("the command was ended by %s", name), out)
			return
		}
		m.finish(state.ExitCode(), out)
	}
}

// await waits for the end of the program, and brings it about when its time is over
// or nobody waits for it any more; stopped tells that it did.
func (m *command) await(ctx context.Context, p *procgroup.Process) (stopped bool) {
	var limit, force <-chan time.Time
	if m.kind == once {
		timer := time.NewTimer(m.c.s.opt.CommandTimeout)
		defer timer.Stop()
		limit = timer.C
	}
	done := ctx.Done()
	stop := func() {
		stopped, limit, done = true, nil, nil
		p.Terminate()
		force = time.After(killGrace)
	}
	for {
		select {
		case <-p.Gone():
			return stopped
		case <-m.interrupted:
			p.Interrupt()
		case <-limit:
			stop()
		case <-done:
			stop()
		case <-force:
			p.Kill()
		}
	}
}

// drain waits a moment for output of what the program left running. That goes on
// running, as with any shell, until the Caller is closed; what it prints is lost.
func (m *command) drain(p *procgroup.Process) {
	timer := time.NewTimer(procgroup.DrainTime)
	defer timer.Stop()
	select {
	case <-p.Drained():
		return
	case <-timer.C:
	case <-m.c.ctx.Done():
	}
	t := &m.c.terminal
	t.keep(1)
	end := func() {
		defer t.keep(-1)
		select {
		case <-p.Drained():
		case <-m.c.ctx.Done():
			p.Terminate()
			p.Release()
			p.Kill()
		}
	}
	if !m.c.spawn(end) {
		end()
	}
}

// environ is the environment of commands. It marks them.
func (c *Caller) environ() []string {
	c.terminal.used.Store(true)
	env := append([]string{}, c.s.opt.Environ...)
	if c.agent.InstanceID != "" {
		env = append(env, wire.EnvAgentInstance+"="+c.agent.InstanceID)
	}
	return append(env, envCommands+"="+c.terminal.mark) // later ones of a name count
}

// killRest ends what commands have left that is in no group of theirs any more. Where
// the system does not show the environment of processes it finds none.
func (t *terminal) killRest() {
	if t.used.Load() {
		resource.KillMarked(envCommands, t.mark)
	}
}
