package provider

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/gateway"
	"github.com/codeboltai/codebolt-providers/shared/link"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

// lastRelayed is how long a bridge that closes lets what the runtime has said go
// on to the server.
const lastRelayed = time.Second

// bridge carries messages between the server and the runtime, both ways, in
// order. What the runtime says is passed on byte for byte and no faster than the
// server takes it: while the server is away or reads slowly, what its link's
// outbox has no room for stays unacknowledged, so that the runtime's own outbox
// fills and its agents wait. Files, prompts and stops go on meanwhile. A runtime
// without sessions is read no further instead.
type bridge struct {
	s      *session
	client *runtime.Client

	// deaf ends when the bridge has closed, or has no more time to: what still waits
	// for room towards the server is given up.
	deaf   context.Context
	deafen context.CancelFunc

	mu    sync.Mutex
	ready chan struct{} // closed while the runtime is connected
	why   error         // why it is not
	early [][]byte      // for the runtime, until client is set

	gate   *gateway.Exchange // of a runtime that speaks as the gateway does; else nil
	agents agentBook
	relay  relay // what the runtime says
	access *RuntimeAccess
	before bool // it was connected once; for onUp, which is called by one goroutine
}

// connectBridge connects to the environment's runtime and waits for its
// greeting.
func connectBridge(ctx context.Context, s *session, req *OpenRequest, env Environment) (*bridge, error) {
	access := env.Runtime()
	b := &bridge{s: s, ready: make(chan struct{}), access: access}
	b.deaf, b.deafen = context.WithCancel(s.ctx)
	b.relay.ctx, b.relay.to, b.relay.log = b.deaf, s.link, s.log
	speaksAs := ""
	if access.Gateway {
		b.gate, speaksAs = &gateway.Exchange{Late: b.reply}, access.AppID
	}
	client, err := runtime.Connect(ctx, runtime.ClientOptions{
		Gateway: speaksAs,
		Dial:    access.Dial, Token: access.Token, AppID: access.AppID, ProjectName: req.EnvironmentName,
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
	b.connected(client)
	return b, nil
}

// files are the runtime's files. While it is not connected, those that else gives
// serve, which reaches them in another way.
func (b *bridge) files(otherwise workspace.FS) workspace.FS {
	return workspace.Either(b.client.FS(otherwise.Root()), otherwise, b.up)
}

func (b *bridge) onUp(greeting wire.Registered, _ bool) {
	for _, end := range b.agents.runtimeIs(greeting.InstanceID) {
		frame, err := wire.Marshal(end)
		if err != nil {
			b.s.log.Error("end of an agent not told", "agent", end.AgentID, "error", err)
			continue
		}
		b.relay.say(frame) // after all that the earlier runtime said
	}
	b.mu.Lock()
	select {
	case <-b.ready:
	default:
		close(b.ready)
	}
	b.why = nil
	b.mu.Unlock()
	if b.before {
		b.s.observed.Load().reconnected(peerRuntime)
	}
	b.before = true
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
	if b.gate != nil {
		if n := b.gate.Forget(); n > 0 {
			b.s.log.Warn("the runtime's connection broke, and with it requests that had no answer", "requests", n)
		}
	}
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

// fromRuntime passes a message of the runtime on to the server.
func (b *bridge) fromRuntime(head wire.Header, m link.Message) {
	if b.gate != nil {
		if head, m.Data = b.unwrap(head, m.Data); m.Data == nil {
			return
		}
	}
	b.agents.saw(head, m.Data)
	b.s.observed.Load().relayed(toServer, len(m.Data))
	b.relay.pass(m)
}

// send queues a frame for the runtime, with the timestamp that runtimes expect.
func (b *bridge) send(frame []byte) error {
	if b.gate != nil {
		if head, err := wire.Peek(frame); err == nil {
			if frame, _ = b.gate.FromServer(head, frame); frame == nil {
				b.s.log.Debug("answer to what nobody waits for", "type", head.Type, "request", head.RequestID, "dropped", b.gate.Dropped())
				return nil
			}
		}
	}
	stamped, err := wire.Stamp(frame, time.Now())
	if err != nil {
		return err
	}
	b.s.observed.Load().relayed(toRuntime, len(stamped))
	return b.client.Send(stamped)
}

func (b *bridge) sendJSON(message any) error {
	frame, err := wire.Marshal(message)
	if err != nil {
		return err
	}
	return b.send(frame)
}

// close ends the connection in good order: what is queued for the runtime goes
// first, and what the runtime has said has a moment to go on. When ctx ends, it
// ends without that.
func (b *bridge) close(ctx context.Context) {
	stop := context.AfterFunc(ctx, b.deafen)
	defer stop()
	if err := b.client.Close(ctx); err != nil {
		b.s.log.Debug("runtime connection closed", "error", err)
	}
	if b.gate != nil {
		b.gate.Forget() // and their deadlines with them
	}
	if b.s.link.Status().Connected {
		moment, cancel := context.WithTimeout(b.deaf, lastRelayed)
		_ = b.relay.wait(moment, 0) // what is left is given up below
		cancel()
	}
	if n := b.relay.end(b.deafen); n > 0 {
		b.s.log.Warn("not all that the runtime said has reached the server; a runtime that stays repeats the end of it", "bytes", n)
	}
}
