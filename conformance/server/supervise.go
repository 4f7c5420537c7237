package server

import (
	"context"
	"time"
)

// stableAfter is how long a provider must have run for its earlier deaths to be
// forgotten.
const stableAfter = time.Minute

// lastFrames is how long the frames of a process that ended may take to be read.
const lastFrames = 2 * time.Second

// gone takes note that a process has ended, and starts another if it should not
// have.
func (e *Environment) gone(p *process) {
	e.mu.Lock()
	conn := e.conn
	e.mu.Unlock()
	if conn != nil {
		// It may have answered just before it ended.
		select {
		case <-conn.done:
		case <-time.After(lastFrames):
			conn.drop()
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	p.gone = true
	e.server.log.Info("provider ended", "env", e.spec.Name, "status", p.cmd.ProcessState.String())
	if e.conn != nil && e.conn.process == p {
		e.conn = nil
	}
	e.broadcast()
	err := p.ended()
	for _, call := range e.pending {
		call.failed <- err
	}
	e.pending = nil
	if !e.wanted || e.state != Running && e.state != Disconnected {
		return // whoever starts or stops it has to say what that means
	}
	if time.Since(e.runningFrom) >= stableAfter {
		e.restarts = 0
	}
	if e.restarts >= e.server.options.Restart.Max {
		e.wanted = false
		e.setState(Failed, err)
		return
	}
	e.setState(Restarting, err)
	if !e.server.task(e.restart) {
		e.setState(Stopped, err)
	}
}

// restart starts the provider again, as often as the policy allows.
func (e *Environment) restart() {
	planned, forget := e.interruptible(e.server.ctx, true)
	defer forget()
	for {
		e.mu.Lock()
		policy, n := e.server.options.Restart, e.restarts
		if !e.wanted || e.state != Restarting {
			e.mu.Unlock()
			return
		}
		if n >= policy.Max {
			e.wanted = false
			e.setState(Failed, e.err)
			e.mu.Unlock()
			return
		}
		e.restarts++
		e.mu.Unlock()
		select {
		case <-time.After(policy.delay(n)):
		case <-planned.Done():
			return
		}
		if !e.restartOnce(planned) {
			return
		}
	}
}

// restartOnce reports whether to try again.
func (e *Environment) restartOnce(planned context.Context) bool {
	ctx, cancel := context.WithTimeout(planned, e.server.options.StartTimeout)
	defer cancel()
	ctx, release, err := e.begin(ctx)
	if err != nil {
		return false
	}
	defer release()
	if e.State() != Restarting {
		return false
	}
	if _, err = e.start(ctx, Restarting); err == nil {
		return false
	}
	e.server.log.Warn("the provider could not be started again", "env", e.spec.Name, "error", err)
	// A provider that could not attach holds nothing that the next one needs.
	if p := e.live(); p != nil && planned.Err() == nil {
		p.end(planned, e.server.options.TermGrace)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.err = err
	return true
}

// delay is the wait before the restart after n others.
func (r RestartPolicy) delay(n int) time.Duration {
	d := r.Backoff
	for range n {
		if d *= 2; d >= r.MaxBackoff {
			return r.MaxBackoff
		}
	}
	return d
}

// watchHeartbeats ends a process that should run and does not beat. The caller
// holds e.mu.
func (e *Environment) watchHeartbeats(p *process) {
	timeout := e.server.options.HeartbeatTimeout
	if timeout <= 0 || p.watched {
		return
	}
	p.watched = true
	e.server.task(func() {
		for {
			e.mu.Lock()
			last := e.runningFrom
			if e.lastBeat.After(last) {
				last = e.lastBeat
			}
			running := e.wanted && (e.state == Running || e.state == Disconnected)
			e.mu.Unlock()
			left := timeout - time.Since(last)
			if left <= 0 && running {
				e.server.log.Warn("no heartbeat; the provider is ended", "env", e.spec.Name, "for", time.Since(last).String())
				p.end(e.server.ctx, e.server.options.TermGrace)
				return
			}
			if left <= 0 { // nothing to watch just now
				left = timeout
			}
			select {
			case <-time.After(left):
			case <-p.done:
				return
			}
		}
	})
}
