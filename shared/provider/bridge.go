package provider

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/link"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

// bridge carries messages between the server and the runtime, both ways, in
// order. What the runtime says is passed on byte for byte; when the server is
// away it waits in the server link's outbox, and when that is full the runtime
// is read no further.
type bridge struct {
	s      *session
	client *runtime.Client

	// deaf ends while the bridge closes, so that a message that waits for room
	// towards the server does not hold that up.
	deaf   context.Context
	deafen context.CancelFunc

	mu    sync.Mutex
	ready chan struct{} // closed while the runtime is connected
	why   error         // why it is not

	agents agentBook
}

// connectBridge connects to the environment's runtime and waits for its
// greeting.
func connectBridge(ctx context.Context, s *session, req *OpenRequest, env Environment) (*bridge, error) {
	access := env.Runtime()
	b := &bridge{s: s, ready: make(chan struct{})}
	b.deaf, b.deafen = context.WithCancel(s.ctx)
	client, err := runtime.Connect(ctx, runtime.ClientOptions{
		Dial: access.Dial, Token: access.Token, AppID: access.AppID, ProjectName: req.EnvironmentName,
		CurrentProject: env.Workspace().Root(), Resume: !access.Plain,
		RegistrationTimeout: req.Settings.Timeouts.WSConnection,
		OnMessage:           b.fromRuntime,
		OnUp:                b.onUp,
		OnDown:              b.onDown,
		OnLost:              b.onLost,
		Logger:              req.Log,
	})
	if err != nil {
		b.deafen()
		return nil, fmt.Errorf("connect to the runtime: %w", err)
	}
	b.client = client
	return b, nil
}

// files are the runtime's files. While it is not connected, those that else gives
// serve, which reaches them in another way.
func (b *bridge) files(otherwise workspace.FS) workspace.FS {
	return workspace.Either(b.client.FS(otherwise.Root()), otherwise, b.up)
}

func (b *bridge) onUp(greeting wire.Registered, _ bool) {
	for _, end := range b.agents.runtimeIs(greeting.InstanceID) {
		b.s.sendJSON(end)
	}
	b.mu.Lock()
	select {
	case <-b.ready:
	default:
		close(b.ready)
	}
	b.why = nil
	b.mu.Unlock()
	b.s.heartNow()
}

// onLost tells the server that some messages to the runtime may not have
// arrived. What the agents said meanwhile, the runtime repeats.
func (b *bridge) onLost(loss link.Loss) {
	b.s.log.Error("runtime session lost", "unconfirmed", loss.Unconfirmed, "error", loss.Cause)
	b.s.sendJSON(wire.Notification{
		Type: wire.TypeNotification, Action: "runtimeSessionLost", Timestamp: time.Now().UnixMilli(),
		Data: map[string]any{"unconfirmed": loss.Unconfirmed, "error": b.s.redactor.String(errText(loss.Cause))},
	})
}

func (b *bridge) onDown(err error) {
	b.mu.Lock()
	select {
	case <-b.ready:
		b.ready = make(chan struct{})
	default:
	}
	b.why = err
	b.mu.Unlock()
	b.s.heartNow()
}

func (b *bridge) up() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.ready:
		return true
	default:
		return false
	}
}

// wait waits until the runtime is connected.
func (b *bridge) wait(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	b.mu.Lock()
	ready := b.ready
	b.mu.Unlock()
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return wire.Errorf(wire.Unavailable, "the runtime did not connect within %v: %w", limit, ctx.Err())
	}
}

func (b *bridge) health() Health {
	b.mu.Lock()
	why := b.why
	b.mu.Unlock()
	if b.up() {
		return Health{Status: wire.Healthy}
	}
	reason := "the runtime is not connected"
	if why != nil {
		reason += ": " + b.s.redactor.String(why.Error())
	}
	return Health{Status: wire.Degraded, Reasons: []string{reason}}
}

// fromRuntime passes a message of the runtime on to the server. It runs on the
// runtime link's goroutine: while it waits, the runtime is not read.
func (b *bridge) fromRuntime(head wire.Header, frame []byte) {
	b.agents.saw(head, frame)
	if err := b.s.link.SendWait(b.deaf, frame); err != nil && !errors.Is(err, link.ErrClosed) && !errors.Is(err, context.Canceled) {
		b.s.log.Error("message of the runtime not passed on", "bytes", len(frame), "error", err)
	}
}

// send queues a frame for the runtime, with the timestamp that runtimes expect.
func (b *bridge) send(frame []byte) error {
	stamped, err := wire.Stamp(frame, time.Now())
	if err != nil {
		return err
	}
	return b.client.Send(stamped)
}

func (b *bridge) sendJSON(message any) error {
	frame, err := wire.Marshal(message)
	if err != nil {
		return err
	}
	return b.send(frame)
}

// close ends the connection in good order: what is queued goes first. When ctx
// ends, it ends without that.
func (b *bridge) close(ctx context.Context) {
	defer b.deafen()
	defer context.AfterFunc(ctx, b.deafen)()
	if err := b.client.Close(ctx); err != nil {
		b.s.log.Debug("runtime connection closed", "error", err)
	}
}
