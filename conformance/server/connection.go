package server

import (
	"context"
	"net/url"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// connection is one WebSocket of a provider.
type connection struct {
	env     *Environment
	socket  *websocket.Conn
	number  int
	process *process
	writing chan struct{} // held by who writes
	acks    chan []byte   // what the reading goroutine wants written
	done    chan struct{} // closed when nothing is read any more
}

// serve reads a connection until it ends. A newer connection takes the place of
// an older one, which may be dead without anybody having noticed.
func (e *Environment) serve(socket *websocket.Conn, query url.Values) {
	c := &connection{
		env: e, socket: socket, writing: make(chan struct{}, 1), acks: make(chan []byte, 16), done: make(chan struct{}),
	}
	defer close(c.done)
	defer c.drop()
	socket.SetReadLimit(maxFrame)
	e.mu.Lock()
	c.process = e.liveLocked()
	id := query.Get(envConnectionID)
	if c.process == nil || id != "" && id != c.process.id {
		e.mu.Unlock()
		e.server.log.Warn("a connection of an earlier process was dropped", "env", e.spec.Name)
		return
	}
	older := e.conn
	e.conn = nil
	if older != nil && e.state == Running {
		// The next connection was faster than the news of the last one's end.
		e.setState(Disconnected, nil)
	}
	e.mu.Unlock()
	if older != nil {
		older.drop()
		<-older.done // so that no frame of it comes after one of this connection
	}
	e.mu.Lock()
	shown := hideQuery(e.server.redactor, query)
	e.connections = append(e.connections, Connection{Time: time.Now(), Query: shown})
	c.number = len(e.connections)
	e.mu.Unlock()
	e.server.recorder.event(e.spec.ID, c.number, "open", query)
	if e.server.options.Greet != nil {
		for _, frame := range e.server.options.Greet(e) {
			_ = c.write(e.server.ctx, websocket.TextMessage, frame) // a failed write ends the reading too
		}
	}
	c.rest(e.server.options.Quiet)
	e.mu.Lock()
	e.conn = c
	if e.state == Disconnected {
		e.setState(Running, nil)
	}
	e.broadcast()
	e.mu.Unlock()

	var acknowledging sync.WaitGroup
	acknowledging.Go(func() {
		for frame := range c.acks {
			_ = c.write(e.server.ctx, websocket.TextMessage, frame) // a failed write ends the reading too
		}
	})
	for {
		kind, data, err := socket.ReadMessage()
		if err != nil {
			e.server.log.Debug("connection ended", "env", e.spec.Name, "connection", c.number, "error", err)
			break
		}
		c.saw(In, kind, data)
		e.receive(c, data)
	}
	c.drop()
	close(c.acks)
	acknowledging.Wait()
	e.mu.Lock()
	if e.conn == c {
		e.conn = nil
		if e.state == Running {
			e.setState(Disconnected, nil)
		}
	}
	e.mu.Unlock()
	e.server.recorder.event(e.spec.ID, c.number, "close", nil)
}

// broadcast wakes who waits for a connection. The caller holds e.mu.
func (e *Environment) broadcast() {
	close(e.connected)
	e.connected = make(chan struct{})
}

// rest lets the provider alone for a while.
func (c *connection) rest(d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-time.After(d):
	case <-c.process.done:
	case <-c.env.server.ctx.Done():
	}
}

// drop closes the connection without a goodbye.
func (c *connection) drop() { _ = c.socket.Close() }

func (c *connection) saw(direction Direction, kind int, data []byte) {
	f := Frame{
		Time: time.Now(), EnvironmentID: c.env.spec.ID, Connection: c.number, Direction: direction,
		Binary: kind == websocket.BinaryMessage, Data: data,
	}
	if c.env.server.options.OnFrame != nil {
		c.env.server.options.OnFrame(f)
	}
	c.env.server.recorder.frame(f)
}

// write sends one frame. When ctx ends midway the connection is lost with it,
// because half a frame cannot be taken back.
func (c *connection) write(ctx context.Context, kind int, data []byte) error {
	select {
	case c.writing <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-c.writing }()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, c.drop)
	defer stop()
	c.saw(Out, kind, data)
	if err := c.socket.WriteMessage(kind, data); err != nil {
		c.drop()
		if ended := context.Cause(ctx); ended != nil {
			return ended
		}
		return err
	}
	return nil
}

// acknowledge queues an answer to a heartbeat. The reading goroutine must not
// write itself: a provider that writes and does not read would stop both.
func (c *connection) acknowledge(frame []byte) {
	select {
	case c.acks <- frame:
	default: // a provider this far behind does not miss an acknowledgement
	}
}

// link returns the provider's connection, waiting for it while the process
// lives.
func (e *Environment) link(ctx context.Context) (*connection, error) {
	for {
		e.mu.Lock()
		p, c, change := e.process, e.conn, e.connected
		switch {
		case p == nil:
			e.mu.Unlock()
			return nil, wire.Errorf(wire.NotRunning, "no provider was started")
		case p.gone:
			e.mu.Unlock()
			return nil, p.ended()
		case c != nil:
			e.mu.Unlock()
			return c, nil
		}
		e.mu.Unlock()
		select {
		case <-change:
		case <-ctx.Done():
			return nil, wire.Errorf(wire.CodeOf(context.Cause(ctx)), "the provider is not connected: %w", context.Cause(ctx))
		}
	}
}
