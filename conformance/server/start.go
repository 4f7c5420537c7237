package server

import (
	"context"
	"path/filepath"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Started is the outcome of a start.
type Started struct {
	wire.StartResult
	// Frame is the answer to providerStart as it came.
	Frame []byte
}

// Start starts the provider's program unless it runs, waits for its connection,
// sends providerStart and waits for the answer; ctx should have a deadline. With
// a program that runs already it only sends providerStart again, and whether
// that fails does not change the state.
//
// A failure that the provider reports is of the kind the provider says. After a
// failed first start the state is Failed; the program goes on if it was ever
// connected, so that Start may be tried again, and is ended otherwise.
func (e *Environment) Start(ctx context.Context) (*Started, error) {
	e.interrupt(true) // this start takes the place of one that is planned
	ctx, release, err := e.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	return e.start(ctx, Starting)
}

// Launch starts the provider's program unless it runs and waits for its
// connection, without sending anything; ctx should have a deadline. The state is
// Starting afterwards, until [Environment.Start]. When it fails no process is
// left.
func (e *Environment) Launch(ctx context.Context) error {
	e.interrupt(true)
	ctx, release, err := e.begin(ctx)
	if err != nil {
		return err
	}
	defer release()
	p := e.live()
	if p == nil {
		e.mu.Lock()
		e.setState(Starting, nil)
		e.mu.Unlock()
		if p, err = e.spawn(); err != nil {
			return err
		}
	}
	if _, err := e.link(ctx); err != nil {
		p.end(ctx, e.server.options.TermGrace)
		return wire.Errorf(wire.CodeOf(err), "start %s: %w", e.spec.Name, err)
	}
	return nil
}

// begin waits for its turn. The returned context ends with [Environment.interrupt].
func (e *Environment) begin(ctx context.Context) (context.Context, func(), error) {
	select {
	case e.busy <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, wire.Errorf(wire.CodeOf(context.Cause(ctx)), "environment %s is busy: %w", e.spec.Name, context.Cause(ctx))
	}
	ctx, forget := e.interruptible(ctx, false)
	return ctx, func() { forget(); <-e.busy }, nil
}

func (e *Environment) interruptible(ctx context.Context, planned bool) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.CancelFunc(func() {
		cancel(wire.Errorf(wire.Unavailable, "it was interrupted by another start, stop or close"))
	})
	e.mu.Lock()
	defer e.mu.Unlock()
	e.interrupts[&stop] = planned
	return ctx, func() {
		cancel(nil)
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.interrupts, &stop)
	}
}

// interrupt ends the starts of the restart policy, planned or under way, and
// unless onlyPlanned also those a caller waits for.
func (e *Environment) interrupt(onlyPlanned bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for stop, planned := range e.interrupts {
		if planned || !onlyPlanned {
			(*stop)()
		}
	}
}

// start does what Start says. The state meanwhile is Starting or Restarting,
// unless the environment runs already. The caller has the turn.
func (e *Environment) start(ctx context.Context, meanwhile State) (*Started, error) {
	if p := e.live(); p != nil {
		select {
		case <-p.done:
			<-p.buried
		default:
		}
	}
	e.mu.Lock()
	p := e.liveLocked()
	again := p != nil && (e.state == Running || e.state == Disconnected)
	stopped := e.state == Stopped
	if !again {
		e.setState(meanwhile, nil)
	}
	e.mu.Unlock()
	leaving := p != nil && stopped
	started, p, err := e.startWith(ctx, p)
	if err != nil && leaving && e.leaves(ctx, p) {
		// It was stopped before and on its way out.
		started, p, err = e.startWith(ctx, nil)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err == nil && p.gone {
		err = p.ended()
	}
	switch {
	case again || e.state != meanwhile: // a stop came between
	case err == nil:
		now := time.Now()
		e.wanted, e.runningFrom = true, now
		if e.conn != nil {
			e.setState(Running, nil)
		} else {
			e.setState(Disconnected, nil)
		}
		e.watchHeartbeats(p)
	case meanwhile == Starting:
		e.wanted = false
		e.setState(Failed, err)
	}
	return started, err
}

// startWith starts with a process that runs, or else with a new one.
func (e *Environment) startWith(ctx context.Context, p *process) (*Started, *process, error) {
	if p == nil {
		var err error
		if p, err = e.spawn(); err != nil {
			return nil, nil, err
		}
	}
	if _, err := e.link(ctx); err != nil {
		p.end(ctx, e.server.options.TermGrace) // it is of no use
		return nil, p, wire.Errorf(wire.CodeOf(err), "start %s: %w", e.spec.Name, err)
	}
	started, err := e.sendStart(ctx)
	return started, p, err
}

// leaves reports whether the process ends by itself: within the grace or, when
// it has let go of its connection, at all instead of making another.
func (e *Environment) leaves(ctx context.Context, p *process) bool {
	if !e.exitsByItself(ctx, p) {
		if _, err := e.link(ctx); err == nil || !p.exits(ctx) {
			return false
		}
	}
	<-p.buried
	return true
}

// sendStart sends providerStart and waits for the answer.
func (e *Environment) sendStart(ctx context.Context) (*Started, error) {
	members := manifest.Merge(e.config)
	e.mu.Lock()
	if e.resourceID != "" {
		members["resourceId"] = e.resourceID
	}
	e.mu.Unlock()
	for key, value := range map[string]any{
		"type": wire.TypeProviderStart, "environmentName": e.spec.Name, "environmentId": e.spec.ID, "providerId": e.spec.ProviderName,
	} {
		members[key] = value
	}
	if e.spec.ProjectPath != "" {
		members["projectPath"] = e.spec.ProjectPath
		members["projectName"] = filepath.Base(e.spec.ProjectPath)
	}
	for key, value := range e.spec.Start {
		members[key] = value
	}
	answer, err := e.Call(ctx, members)
	if err != nil {
		return nil, err
	}
	started := &Started{Frame: answer.Frame}
	if err := answer.Reply.Result(&started.StartResult); err != nil {
		return nil, wire.Errorf(wire.Invalid, "start %s: the answer is not as documented: %w", e.spec.Name, err)
	}
	if !started.Success {
		return nil, wire.Errorf(wire.Internal, "start %s: the provider reports neither success nor an error", e.spec.Name)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.setResourceID(started.ResourceID)
	return started, nil
}

// Stop sends providerStop and waits for the answer; also a start that is under
// way is stopped so. onStop, when not "", is sent as a member of that name; a
// provider may take the policy from its configuration only. The process goes on
// until it exits by itself or [Environment.Close] ends it. Without a process it
// succeeds with an empty answer.
func (e *Environment) Stop(ctx context.Context, onStop string) (*Answer, error) {
	e.mu.Lock()
	running := e.liveLocked() != nil
	e.wanted, e.restarts = false, 0
	restarting := e.state == Restarting
	if running {
		e.setState(Stopping, nil)
	} else {
		e.setState(Stopped, nil)
	}
	e.mu.Unlock()
	if restarting {
		e.interrupt(true)
	}
	if !running {
		return &Answer{}, nil
	}
	members := map[string]any{"type": wire.TypeProviderStop, "environmentName": e.spec.Name, "environmentId": e.spec.ID}
	if onStop != "" {
		members["onStop"] = onStop
	}
	answer, err := e.Call(ctx, members)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state == Stopping {
		if err != nil {
			e.setState(Failed, err)
		} else {
			e.setState(Stopped, nil)
		}
	}
	return answer, err
}

// Close lets go of the environment: it interrupts a start, sends closeSignal,
// and sees to it that the process ends, with SIGTERM and SIGKILL if need be; when
// ctx ends, at once. When it returns no process is left, whatever the error,
// which tells of the answer to closeSignal. A provider that was stopped before
// has nothing left to let go of and need not answer: it may be on its way out.
// Closing again does nothing.
func (e *Environment) Close(ctx context.Context) error {
	e.mu.Lock()
	e.wanted = false
	e.mu.Unlock()
	e.interrupt(false)
	// Who has the turn was interrupted and gives it up soon, also when ctx has
	// ended.
	e.busy <- struct{}{}
	defer func() { <-e.busy }()
	e.mu.Lock()
	e.wanted, e.restarts = false, 0
	p := e.liveLocked()
	connected, stopped := e.conn != nil, e.state == Stopped
	if p == nil {
		e.setState(Stopped, nil)
		e.mu.Unlock()
		return nil
	}
	e.setState(Stopping, nil)
	e.mu.Unlock()
	var err error
	if connected {
		err = e.sendClose(ctx, p)
		if err != nil && stopped && e.exitsByItself(ctx, p) {
			err = nil
		}
	}
	p.end(ctx, e.server.options.TermGrace)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.setState(Stopped, nil)
	return err
}

// sendClose sends closeSignal and gives the process time to exit by itself.
func (e *Environment) sendClose(ctx context.Context, p *process) error {
	asking, cancel := context.WithTimeout(ctx, e.server.options.TermGrace)
	defer cancel()
	_, err := e.Call(asking, map[string]any{"type": wire.TypeCloseSignal})
	if err == nil {
		e.exitsByItself(ctx, p)
	}
	return err
}

// exitsByItself gives the process the time it has for that and reports whether
// it has ended.
func (e *Environment) exitsByItself(ctx context.Context, p *process) bool {
	ctx, cancel := context.WithTimeout(ctx, e.server.options.ExitGrace)
	defer cancel()
	return p.exits(ctx)
}
