package server

import (
	"context"
	"slices"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// State is where an environment is in its life.
type State string

// The states. A provider that is connected but has not answered providerStart
// is still Starting.
const (
	Created      State = "created"      // never started
	Starting     State = "starting"     // from the first start until providerStart is answered
	Running      State = "running"      // started, and its socket is open
	Disconnected State = "disconnected" // started and its process lives, but its socket is gone
	Restarting   State = "restarting"   // died, and is being started again
	Stopping     State = "stopping"     // providerStop or closeSignal is under way
	Stopped      State = "stopped"      // stopped or closed; may be started again
	Failed       State = "error"        // could not start or stop, or died too often; see Environment.Err
)

// State returns the present state.
func (e *Environment) State() State {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state
}

// Err returns why the state is [Failed], or nil.
func (e *Environment) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// WaitState waits until the environment is in one of the states, which it may
// have left again when this returns. It fails with ctx's error, naming the state
// at the end.
func (e *Environment) WaitState(ctx context.Context, states ...State) error {
	changes := e.watch()
	defer e.unwatch(changes)
	if slices.Contains(states, e.State()) {
		return nil
	}
	return e.await(ctx, changes, states)
}

// Expect begins to look out for one of the states and returns the function that
// waits until the environment has entered one since; that function must be
// called once. Call Expect before what causes the change: a state may be passed
// within an instant.
func (e *Environment) Expect(states ...State) (wait func(context.Context) error) {
	changes := e.watch()
	return func(ctx context.Context) error {
		defer e.unwatch(changes)
		return e.await(ctx, changes, states)
	}
}

func (e *Environment) watch() chan State {
	changes := make(chan State, 64)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.watchers[changes] = true
	return changes
}

func (e *Environment) unwatch(changes chan State) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.watchers, changes)
}

func (e *Environment) await(ctx context.Context, changes chan State, states []State) error {
	for {
		select {
		case state := <-changes:
			if slices.Contains(states, state) {
				return nil
			}
		case <-ctx.Done():
			return wire.Errorf(wire.CodeOf(context.Cause(ctx)), "wait for environment %s to be %v; it is %s: %w", e.spec.Name, states, e.State(), context.Cause(ctx))
		}
	}
}

// setState changes the state and saves it. The caller holds e.mu.
func (e *Environment) setState(state State, err error) {
	e.err = err
	if e.state == state {
		return
	}
	e.server.log.Info("state", "env", e.spec.Name, "from", e.state, "to", state, "error", err)
	e.state = state
	for changes := range e.watchers {
		select {
		case changes <- state:
		default: // a waiter this far behind is about to look at the states before
		}
	}
	e.save()
}
