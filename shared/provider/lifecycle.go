package provider

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

// state is where the lifecycle stands.
type state int32

const (
	idle state = iota
	starting
	running
	stopping
	stopped
	failed
)

func (s state) String() string {
	return [...]string{"idle", "starting", "running", "stopping", "stopped", "failed"}[s]
}

// opened is an environment that is open, with what the base keeps beside it.
type opened struct {
	req    *OpenRequest
	env    Environment
	files  *workspace.Files
	bridge *bridge // nil without a runtime
	result wire.StartResult
}

// command asks the lifecycle for something. reply is called exactly once.
type command struct {
	kind  commandKind
	start *wire.ProviderStart // cmdStart
	how   RemovePolicy        // cmdStop: instead of the configured one, unless ""
	cause error               // cmdDetach: why
	bad   error               // the request is refused with it, when its turn comes
	reply func(result any, err error)
}

type commandKind int

const (
	cmdStart   commandKind = iota
	cmdStop                // providerStop: follow the policy onStop
	cmdClose               // closeSignal: let go
	cmdDetach              // SIGTERM, lost parent, lost server: let go
	cmdRestart             // environmentRestartRequest
)

func (k commandKind) String() string {
	return [...]string{"providerStart", "providerStop", "closeSignal", "detach", "environmentRestartRequest"}[k]
}

// lifecycle is the state machine. One goroutine, run, owns everything below the
// line; others read state and current only.
type lifecycle struct {
	s       *session
	inbox   chan command
	ended   chan outcome // the operation under way is over
	current atomic.Pointer[opened]
	state   atomic.Int32

	// owned by run
	op    *operation
	queue []command
	exit  *time.Timer // set while the process is about to leave
}

// operation is the one lifecycle request being carried out.
type operation struct {
	command
	cancel  context.CancelCauseFunc
	waiters []command // further starts of the same environment
}

type outcome struct {
	result any
	err    error
	opened *opened // what is open afterwards
}

func newLifecycle(s *session) *lifecycle {
	l := &lifecycle{s: s, inbox: make(chan command), ended: make(chan outcome)}
	return l
}

func (l *lifecycle) is() state { return state(l.state.Load()) }

func (l *lifecycle) set(to state) {
	from := state(l.state.Swap(int32(to)))
	if from != to {
		l.s.log.Debug("state", "from", from.String(), "to", to.String())
		l.s.heart.stateChanged(to)
	}
}

// open returns the environment for a request, or why there is none.
func (l *lifecycle) open() (*opened, error) {
	if o := l.current.Load(); o != nil && l.is() == running {
		return o, nil
	}
	return nil, wire.Errorf(wire.NotRunning, "no environment is open (state %s); send providerStart first", l.is())
}

// ask hands a command to the lifecycle. When the lifecycle is over, the command
// is refused.
func (l *lifecycle) ask(c command) {
	select {
	case l.inbox <- c:
	case <-l.s.over:
		c.reply(nil, wire.Errorf(wire.NotRunning, "%s: the provider is leaving", c.kind))
	}
}

// run owns the lifecycle until the session is over.
func (l *lifecycle) run() {
	var exit <-chan time.Time
	for {
		if l.exit != nil {
			exit = l.exit.C
		} else {
			exit = nil
		}
		select {
		case c := <-l.inbox:
			l.accept(c)
		case out := <-l.ended:
			l.finish(out)
		case <-exit:
			l.s.leave(nil)
			return
		case <-l.s.over:
			return
		}
	}
}

// accept begins a command, or queues it behind the operation under way.
func (l *lifecycle) accept(c command) {
	if l.op == nil {
		l.begin(c)
		return
	}
	switch {
	case c.bad != nil:
	case c.kind == cmdStart && l.op.kind == cmdStart && len(l.queue) == 0 && sameEnvironment(c.start, l.op.start):
		l.op.waiters = append(l.op.waiters, c)
		return
	case c.kind != cmdStart && c.kind != cmdRestart && (l.op.kind == cmdStart || l.op.kind == cmdRestart):
		l.op.cancel(wire.Errorf(wire.Conflict, "%s was cancelled by %s", l.op.kind, c.kind))
	}
	l.queue = append(l.queue, c)
}

// begin carries a command out, at once or as an operation.
func (l *lifecycle) begin(c command) {
	if c.bad != nil {
		c.reply(nil, c.bad)
		return
	}
	if l.exit != nil {
		l.exit.Stop()
		l.exit = nil
	}
	cur := l.current.Load()
	switch c.kind {
	case cmdStart:
		switch {
		case cur == nil:
			l.s.identify(c.start) // before the first heartbeat
			l.set(starting)
			l.operate(c, func(ctx context.Context) outcome { return l.doStart(ctx, c.start) })
		case sameEnvironment(c.start, cur.req.Start) && l.is() == failed:
			// A stop that failed may have let go of a part: begin anew.
			l.set(starting)
			l.operate(c, func(ctx context.Context) outcome {
				if err := l.detach(ctx, cur); err != nil {
					cur.req.Log.Error("detach after a stop that failed", "error", err)
				}
				return l.doStart(ctx, c.start)
			})
		case sameEnvironment(c.start, cur.req.Start):
			c.reply(cur.result, nil)
		default:
			c.reply(nil, wire.Errorf(wire.Conflict, "already running %q; stop it first, or start another provider process", cur.req.EnvironmentName))
		}
	case cmdRestart:
		if cur == nil || l.is() != running {
			_, err := l.open()
			c.reply(nil, err)
			return
		}
		l.operate(c, func(ctx context.Context) outcome { return l.doRestart(ctx, cur) })
	default:
		if cur == nil {
			l.set(stopped)
			c.reply(nil, nil)
			l.scheduleExit(c.kind)
			return
		}
		l.set(stopping)
		l.operate(c, func(ctx context.Context) outcome { return l.doStop(ctx, cur, c) })
	}
}

// operate runs f on a goroutine of its own; run hears of its end.
func (l *lifecycle) operate(c command, f func(context.Context) outcome) {
	ctx, cancel := context.WithCancelCause(l.s.ctx)
	l.op = &operation{command: c, cancel: cancel}
	go func() {
		defer cancel(nil)
		out := guard(l.s, c.kind.String(), func() outcome { return f(ctx) })
		l.ended <- out
	}()
}

// guard turns a panic in a provider's code into an error. A stray panic must not
// take the environment down with the process.
func guard(s *session, what string, f func() outcome) (out outcome) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("panic", "in", what, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			out = outcome{err: wire.Errorf(wire.Internal, "%s: internal error: %v", what, p)}
		}
	}()
	return f()
}

// finish settles the operation that ended and goes on with the queue.
func (l *lifecycle) finish(out outcome) {
	op := l.op
	l.op = nil
	switch op.kind {
	case cmdStart:
		l.current.Store(out.opened)
		if out.err == nil {
			l.set(running)
		} else {
			l.set(failed)
		}
	case cmdRestart:
		// An environment whose runtime did not come back is still open.
	default:
		if out.err == nil {
			l.current.Store(nil)
			l.set(stopped)
		} else {
			l.set(failed)
		}
	}
	op.reply(out.result, out.err)
	for _, w := range op.waiters {
		w.reply(out.result, out.err)
	}
	if op.kind != cmdStart && op.kind != cmdRestart && out.err == nil {
		l.scheduleExit(op.kind)
	}
	for l.op == nil && len(l.queue) > 0 {
		next := l.queue[0]
		l.queue = l.queue[1:]
		l.begin(next)
	}
}

// exitGrace is how long the process stays after it has let go of its
// environment, so that the answer arrives and a repeated request is answered.
const exitGrace = time.Second

func (l *lifecycle) scheduleExit(after commandKind) {
	if after == cmdDetach || l.s.keepRunning.Load() {
		return // whoever asked to detach ends the session
	}
	l.exit = time.NewTimer(exitGrace)
}

// sameEnvironment reports whether two starts mean the same environment in the
// same place.
func sameEnvironment(a, b *wire.ProviderStart) bool {
	return a.EnvironmentName == b.EnvironmentName &&
		(a.EnvironmentID == b.EnvironmentID || a.EnvironmentID == "" || b.EnvironmentID == "") &&
		a.Parent() == b.Parent() && a.Requested() == b.Requested()
}

// doStart opens the environment and connects its runtime, all or nothing.
func (l *lifecycle) doStart(ctx context.Context, start *wire.ProviderStart) outcome {
	begun := time.Now()
	req, err := l.s.openRequest(start)
	if err != nil {
		return outcome{err: err}
	}
	log := req.Log
	o := &opened{req: req}
	undo := func(cause error) outcome {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), req.Settings.Timeouts.Cleanup)
		defer cancel()
		if o.bridge != nil {
			o.bridge.close(clean)
		}
		var letGo error
		if o.env != nil {
			letGo = o.env.Detach(clean)
		}
		if err := errors.Join(letGo, req.rollback(clean)); err != nil {
			log.Error("rollback", "error", err)
			cause = wire.Errorf(wire.CodeOf(cause), "%w; and undoing it failed: %w", cause, err)
		}
		log.Warn("start failed", "error", cause, "ms", time.Since(begun).Milliseconds())
		return outcome{err: cause}
	}

	env, err := openGuarded(ctx, l.s.def.Provider, req)
	if err == nil {
		o.env = env
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if err != nil {
		return undo(err)
	}
	if reflect.TypeOf(o.env) != reflect.TypeOf(l.s.def.Environment) {
		return undo(wire.Errorf(wire.Internal, "open: %T is not the declared environment type %T", o.env, l.s.def.Environment))
	}
	o.files = &workspace.Files{FS: o.env.Workspace()}
	access := o.env.Runtime()
	if access != nil {
		err = req.Phase(ctx, "connect", func(ctx context.Context) error {
			o.bridge, err = connectBridge(ctx, l.s, req, o.env)
			return err
		})
		if err == nil && access.Files {
			o.files.FS = o.bridge.files(o.env.Workspace())
		}
		if err != nil {
			return undo(err)
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		return undo(cause)
	}
	req.SetResource(o.env.Resource())
	if keys := req.unknownKeys(); len(keys) > 0 {
		req.Warn("unknown configuration keys: " + strings.Join(keys, ", "))
	}
	l.s.observed.Load().publish(RunDir(req.Store, o.env.Resource()), log)
	o.result = startResult(req, o.env, access)
	log.Info("started", "resource", string(o.env.Resource()), "attached", o.result.Attached, "ms", time.Since(begun).Milliseconds())
	return outcome{result: o.result, opened: o}
}

// openGuarded calls Open and turns a panic in it into an error, so that what it
// registered to undo is undone.
func openGuarded(ctx context.Context, p Provider, req *OpenRequest) (env Environment, err error) {
	defer func() {
		if r := recover(); r != nil {
			req.Log.Error("panic", "in", "open", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			env, err = nil, wire.Errorf(wire.Internal, "open: internal error: %v", r)
		}
	}()
	return p.Open(ctx, req)
}

func startResult(req *OpenRequest, env Environment, access *RuntimeAccess) wire.StartResult {
	place := env.Placement()
	req.mu.Lock()
	defer req.mu.Unlock()
	r := wire.StartResult{
		Success: true, EnvironmentName: req.EnvironmentName, EnvironmentID: req.EnvironmentID,
		WorkspacePath: place.ResolvedPath, Transport: "custom", ResourceID: string(env.Resource()),
		Attached: req.attached, Warnings: req.warnings, Placement: place,
	}
	if place.SyncMode == "git" {
		r.WorktreePath = place.ResolvedPath
	}
	if access != nil {
		r.Transport, r.AgentServerURL = "websocket", access.URL
	}
	return r
}

// doStop lets go of the environment, and for cmdStop removes it as the policy
// says. It is bounded by the cleanup timeout.
func (l *lifecycle) doStop(ctx context.Context, o *opened, c command) outcome {
	kind := c.kind
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, o.req.Settings.Timeouts.Cleanup)
	defer cancel()
	// What is under way, and a runtime that does not listen, must leave time for
	// letting go itself.
	part := o.req.Settings.Timeouts.Cleanup / 3
	l.s.observed.Load().withdraw()
	shortly(ctx, part, l.s.dispatch.drain)
	if o.bridge != nil {
		shortly(ctx, part, o.bridge.close)
	}
	policy := Keep
	if kind == cmdStop {
		policy = o.req.Settings.OnStop
		if c.how != "" {
			policy = c.how
		}
	}
	var (
		out     outcome
		removal Removal
	)
	if policy == Keep {
		out.err = o.env.Detach(ctx)
	} else {
		removal, out.err = o.env.Remove(ctx, policy)
		out.result = removal
	}
	if out.err != nil {
		o.req.Log.Error("stop failed", "error", out.err)
		return outcome{err: fmt.Errorf("%s: %w", kind, out.err)}
	}
	o.req.Log.Info("stopped", "by", kind.String(), "removed", removal.Removed, "holds", removal.Holds, "ms", time.Since(begun).Milliseconds())
	return out
}

// detach lets go of an environment, within the cleanup timeout.
func (l *lifecycle) detach(ctx context.Context, o *opened) error {
	ctx, cancel := context.WithTimeout(ctx, o.req.Settings.Timeouts.Cleanup)
	defer cancel()
	return o.env.Detach(ctx)
}

// shortly calls f with a context that ends after limit.
func shortly(ctx context.Context, limit time.Duration, f func(context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	f(ctx)
}

// doRestart starts the runtime anew and connects to it again, within the time
// that stopping it, starting it and connecting may take together.
func (l *lifecycle) doRestart(ctx context.Context, o *opened) outcome {
	r, ok := o.env.(Restarter)
	if !ok {
		return outcome{err: l.s.unsupported(wire.TypeEnvironmentRestart), opened: o}
	}
	limits := o.req.Settings.Timeouts
	ctx, cancel := context.WithTimeout(ctx, limits.Cleanup+limits.AgentServerStartup+limits.WSConnection)
	defer cancel()
	l.s.heart.restarting.Store(true)
	defer l.s.heart.restarting.Store(false)
	err := r.Restart(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	if err == nil && o.bridge != nil {
		err = o.bridge.wait(ctx, o.req.Settings.Timeouts.WSConnection)
	}
	if err != nil {
		err = fmt.Errorf("restart: %w", err)
	}
	return outcome{err: err, opened: o}
}

// once makes a reply function safe to call from several paths: the first counts.
func once(f func(any, error)) func(any, error) {
	var o sync.Once
	return func(result any, err error) { o.Do(func() { f(result, err) }) }
}
