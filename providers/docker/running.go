package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// running is a runtime that runs as the main process of a container. It implements
// runtime.Handle.
type running struct {
	box     *box
	eng     *engine.Engine
	record  resource.RuntimeRecord
	token   string
	address string
	adopted bool
	calls   *http.Transport

	done   chan struct{}
	letGo  context.CancelFunc
	look   sync.WaitGroup
	mu     sync.Mutex
	ending error // why it has ended
}

func newRunning(b *box, eng *engine.Engine, rec resource.RuntimeRecord, token string) *running {
	h := &running{box: b, eng: eng, record: rec, token: token, address: rec.Address, done: make(chan struct{}), letGo: func() {}}
	h.calls = runtime.NewTransport(h.Dial)
	return h
}

// Adopt implements runtime.Launcher.
func (b *box) Adopt(ctx context.Context, spec runtime.Spec, rec resource.RuntimeRecord) (runtime.Handle, error) {
	eng, err := b.engine(ctx)
	if err != nil {
		return nil, err
	}
	if rec.Upstream != (spec.Upstream != nil) || rec.Address == "" {
		return nil, wire.Errorf(wire.NotFound, "adopt the runtime: another kind is on record")
	}
	c, err := b.find(ctx, eng)
	if err != nil {
		return nil, err
	}
	if !c.Running {
		return nil, wire.Errorf(wire.NotFound, "adopt the runtime: its container does not run")
	}
	token, err := os.ReadFile(filepath.Join(rec.Dir, runtime.TokenFile))
	if err != nil {
		return nil, wire.Errorf(wire.NotFound, "adopt the runtime: %w", err)
	}
	h := newRunning(b, eng, rec, string(token))
	h.adopted = true
	// Not adopted, it would be stopped with the agents that may be at work in it.
	if _, err := h.health(ctx, adoptLimit); err != nil {
		return nil, wire.Errorf(wire.NotFound, "adopt the runtime: %w", err)
	}
	h.watch()
	return h, nil
}

// Adopted implements runtime.Handle.
func (h *running) Adopted() bool { return h.adopted }

// Record implements runtime.Handle.
func (h *running) Record() resource.RuntimeRecord { return h.record }

// Token implements runtime.Handle.
func (h *running) Token() string {
	if h.record.Upstream {
		return ""
	}
	return h.token
}

// URL implements runtime.Handle: nothing is published, so it tells of the
// container and where the runtime listens in it.
func (h *running) URL() string {
	if where, ok := strings.CutPrefix(h.address, "unix:"); ok {
		return "ws+unix://" + where
	}
	return "ws://" + strings.TrimPrefix(h.address, "tcp:")
}

// Done implements runtime.Handle.
func (h *running) Done() <-chan struct{} { return h.done }

// Err implements runtime.Handle.
func (h *running) Err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ending
}

// direct tells that the runtime's socket is looked for in the folder.
func (h *running) direct() bool { return h.box.facts.Folder != "" && h.address == socketWhere }

// Dial implements runtime.Handle: to the socket in the folder, or a command in the
// container carries the bytes between its streams and the runtime's listener.
func (h *running) Dial(ctx context.Context) (net.Conn, error) {
	if h.direct() {
		if conn, err := dialFolder(ctx, h.box.facts.Folder); err == nil {
			return conn, nil
		}
	}
	return h.eng.ExecConn(ctx, h.box.facts.Container, engine.ExecSpec{Argv: []string{programIn, "connect", h.address}})
}

// Each call may take a process that the daemon starts in the container, which is
// slow on a busy machine. One that is given up for another makes it slower still.
const (
	answerLimit = 20 * time.Second
	adoptLimit  = 10 * time.Second
	agentsLimit = 6 * time.Second // a close waits for it, and stops a runtime that tells of none
)

func (h *running) caller() runtime.Caller {
	return runtime.Caller{Dial: h.Dial, Token: h.Token(), Transport: h.calls}
}

// folderPatience is how long a runtime that just starts is looked for in the folder
// alone.
const folderPatience = 3 * time.Second

// waiting is a way to a runtime that may not listen yet.
func (h *running) waiting(ctx context.Context) (net.Conn, error) {
	if h.direct() {
		for end := time.Now().Add(folderPatience); time.Now().Before(end); {
			if conn, err := dialFolder(ctx, h.box.facts.Folder); err == nil {
				return conn, nil
			}
			select {
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			case <-time.After(2 * time.Millisecond):
			}
		}
	}
	return h.eng.ExecConn(ctx, h.box.facts.Container, engine.ExecSpec{Argv: []string{programIn, "connect", "--wait", "15s", h.address}})
}

// health asks the runtime how it is, and sees that it is the one on record.
func (h *running) health(ctx context.Context, limit time.Duration) (wire.RuntimeHealth, error) {
	caller := h.caller()
	caller.Limit = limit
	health, err := caller.Health(ctx)
	if err == nil && !h.record.Upstream && health.InstanceID != h.record.InstanceID {
		err = wire.Errorf(wire.Conflict, "another runtime answers in the container")
	}
	return health, err
}

// answers waits until the runtime answers.
func (h *running) answers(ctx context.Context) error {
	for {
		health, err := runtime.Caller{Dial: h.waiting, Token: h.Token(), Limit: answerLimit}.Health(ctx)
		if err == nil && (h.record.Upstream || health.InstanceID == h.record.InstanceID) {
			return nil
		}
		if err == nil {
			err = wire.Errorf(wire.Conflict, "another runtime answers in the container")
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Agents implements runtime.Handle.
func (h *running) Agents(ctx context.Context) (int, error) {
	health, err := h.health(ctx, agentsLimit)
	return health.Agents, err
}

// watchPause is how long is waited before a daemon that did not answer is asked
// again what became of the container.
const watchPause = 500 * time.Millisecond

// watch notices the end of the container.
func (h *running) watch() {
	ctx, cancel := context.WithCancel(context.Background())
	h.letGo = cancel
	h.look.Go(func() {
		for {
			c, err := h.eng.WaitContainer(ctx, h.box.facts.Container)
			switch {
			case ctx.Err() != nil:
				return
			case err == nil:
				err = ending(ctx, h.eng, c)
			case wire.CodeOf(err) == wire.NotFound:
				err = wire.Errorf(wire.Unavailable, "the container was removed")
			default: // the daemon is away; a restart of it ends containers
				select {
				case <-ctx.Done():
					return
				case <-time.After(watchPause):
				}
				continue
			}
			h.mu.Lock()
			h.ending = err
			h.mu.Unlock()
			close(h.done)
			return
		}
	})
}

// Release implements runtime.Handle.
func (h *running) Release() {
	h.letGo()
	h.look.Wait()
	h.calls.CloseIdleConnections()
}

// stopDelay is how long past its grace a runtime has before its container is
// stopped by force, and how long the end of that may take to be noticed.
const stopDelay = 2 * time.Second

// stopLimit is the time that the last part of a stop has also when its own is up.
const stopLimit = 4 * time.Second

// Stop implements runtime.Handle.
func (h *running) Stop(ctx context.Context, grace time.Duration) error {
	defer h.Release()
	select {
	case <-h.done:
		return h.box.put(ctx, h.eng)
	default:
	}
	h.box.preStop(ctx, h.eng)
	if !h.record.Upstream && h.shutdown(ctx, grace) {
		return h.box.put(ctx, h.eng)
	}
	limit := time.Duration(0) // the runtime had its time
	if h.record.Upstream {
		limit = grace
	}
	ctx, cancel := atLeast(ctx, limit+stopLimit)
	defer cancel()
	err := h.eng.StopContainer(ctx, h.box.facts.Container, limit)
	if err != nil && wire.CodeOf(err) != wire.NotFound {
		return err
	}
	select { // whoever supervises it is told
	case <-h.done:
	case <-time.After(stopDelay):
	}
	return h.box.put(ctx, h.eng)
}

// atLeast is a context that ends with the deadline of ctx, but not before so much
// time has passed, whatever becomes of ctx.
func atLeast(ctx context.Context, least time.Duration) (context.Context, context.CancelFunc) {
	end := time.Now().Add(least)
	if deadline, ok := ctx.Deadline(); ok && deadline.After(end) {
		end = deadline
	}
	return context.WithDeadline(context.WithoutCancel(ctx), end)
}

// shutdown asks the runtime to end, and tells whether it has within grace.
func (h *running) shutdown(ctx context.Context, grace time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, grace+stopDelay)
	defer cancel()
	if grace <= 0 || h.caller().Shutdown(ctx) != nil {
		return false
	}
	select {
	case <-h.done:
		return true
	case <-ctx.Done():
		return false
	}
}
