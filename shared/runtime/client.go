package runtime

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/link"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

// ClientOptions say how to reach a runtime and who hears it.
type ClientOptions struct {
	// Dial opens a byte stream to the runtime's listener.
	Dial  func(ctx context.Context) (net.Conn, error)
	Token string // shown as a bearer token; "" for none
	// The three names go into the query of the URL.
	AppID, ProjectName, CurrentProject string
	// Gateway is the provider's id for a runtime that speaks as the direct execution
	// gateway does: it is reached at another path, and greets nobody. "" for others.
	Gateway string
	// Resume asks for a session that survives broken connections.
	Resume bool
	// RegistrationTimeout is how long a connection may take, up to the runtime's
	// greeting; default 10 s.
	RegistrationTimeout time.Duration

	// OnMessage gets every message that is not for this package, as greetings and
	// keepalives are. While it runs, the runtime is read no further; to slow down
	// what the agents of a runtime with a session say, and nothing else, it holds the
	// message (see link.Message.Hold).
	OnMessage func(head wire.Header, m link.Message)
	// OnUp gets the greeting of each connection.
	OnUp   func(greeting wire.Registered, resumed bool)
	OnDown func(error)
	OnLost func(link.Loss)
	Logger *slog.Logger
}

// Client speaks with a runtime over a link that reconnects. Its methods are safe
// for concurrent use.
type Client struct {
	opt  ClientOptions
	link *link.Link
	up   chan struct{} // closed at the first greeting
	once sync.Once

	// Only the link's goroutine uses these.
	greeting wire.Registered

	mu      sync.Mutex
	pending map[wire.ID]chan *wire.AppFSReply
}

// Connect connects to a runtime and waits for its greeting, if it has one. Later breaks are
// mended without an end. It fails with kind Timeout when the runtime does not
// greet in time, and as link does when it refuses.
func Connect(ctx context.Context, o ClientOptions) (*Client, error) {
	if o.RegistrationTimeout == 0 {
		o.RegistrationTimeout = 10 * time.Second
	}
	c := &Client{opt: o, up: make(chan struct{}), pending: map[wire.ID]chan *wire.AppFSReply{}}
	query := url.Values{}
	query.Set(wire.RuntimeParamClientType, wire.RuntimeClientApp)
	query.Set(wire.RuntimeParamAppID, o.AppID)
	query.Set(wire.RuntimeParamProject, o.ProjectName)
	query.Set(wire.RuntimeParamCurrent, o.CurrentProject)
	address, greet := "ws://runtime/?"+query.Encode(), c.greet
	if o.Gateway != "" {
		address, greet = "ws://runtime"+wire.GatewayPath+"?"+url.Values{wire.RuntimeParamProvider: {o.Gateway}}.Encode(), nil
	}
	header := http.Header{}
	if o.Token != "" {
		header.Set("Authorization", "Bearer "+o.Token)
	}
	c.link = link.Dial(context.WithoutCancel(ctx), link.Dialer{
		URL:     func(context.Context) (string, http.Header, error) { return address, header, nil },
		NetDial: func(ctx context.Context, _, _ string) (net.Conn, error) { return o.Dial(ctx) },
	}, link.Handler{Up: c.onUp, Down: c.onDown, Message: c.receive, Lost: o.OnLost}, link.Options{
		Resume: o.Resume, Handshake: o.RegistrationTimeout, RetryFirst: 100 * time.Millisecond, RetryMax: 5 * time.Second,
		Greet: greet, Logger: o.Logger,
	})
	timer := time.NewTimer(o.RegistrationTimeout)
	defer timer.Stop()
	var err error
	select {
	case <-c.up:
		return c, nil
	case <-c.link.Done():
		return nil, c.link.Err()
	case <-timer.C:
		err = wire.Errorf(wire.Timeout, "the runtime did not greet within %v (timeouts.wsConnection)", o.RegistrationTimeout)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = c.link.Close(ended) // cut: there is nothing to end in order
	return nil, err
}

// greet reads the runtime's first message.
func (c *Client) greet(m link.Message) error {
	c.greeting = wire.Registered{}
	if err := wire.Unmarshal(m.Data, &c.greeting); err != nil {
		return err
	}
	if c.greeting.Type != wire.TypeRegistered {
		return wire.Errorf(wire.Invalid, "the runtime greeted with %q, not %q", c.greeting.Type, wire.TypeRegistered)
	}
	return nil
}

func (c *Client) onUp(up link.Up) {
	if c.opt.OnUp != nil {
		c.opt.OnUp(c.greeting, up.Resumed)
	}
	c.once.Do(func() { close(c.up) })
}

func (c *Client) onDown(err error) {
	if c.opt.OnDown != nil {
		c.opt.OnDown(err)
	}
}

func (c *Client) receive(m link.Message) {
	head, err := wire.Peek(m.Data)
	if err != nil {
		c.opt.logger().Warn("unreadable frame of the runtime", "bytes", len(m.Data), "error", err)
		return
	}
	switch head.Type {
	case wire.TypePing, wire.TypePong: // keepalives between the two of us
	case wire.TypeAppFSResponse:
		c.replied(head.RequestID, m.Data)
	default:
		if c.opt.OnMessage != nil {
			c.opt.OnMessage(head, m)
		}
	}
}

func (o *ClientOptions) logger() *slog.Logger {
	if o.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Logger
}

// Send queues a frame for the runtime; see link.Link.Send.
func (c *Client) Send(frame []byte) error { return c.link.Send(frame) }

// SendWait is Send, but waits for room.
func (c *Client) SendWait(ctx context.Context, frame []byte) error {
	return c.link.SendWait(ctx, frame)
}

// Status tells how the connection stands.
func (c *Client) Status() link.Status { return c.link.Status() }

// Close sends what is queued and ends the connection, until ctx ends; then it
// cuts it. It is idempotent.
func (c *Client) Close(ctx context.Context) error {
	err := c.link.Close(ctx)
	if errors.Is(err, link.ErrClosed) {
		return nil
	}
	return err
}

// FS gives access to the workspace of the runtime, whose root is at that path
// over there. Each call takes one round trip. When the connection breaks, a call
// waits for the next one: within a session its answer is not lost.
func (c *Client) FS(root string) workspace.FS { return workspace.Remote(root, c.call) }

// call makes one file call.
func (c *Client) call(ctx context.Context, req *wire.AppFS) (*wire.AppFSReply, error) {
	req.Type, req.RequestID = wire.TypeAppFS, wire.NewID()
	frame, err := wire.Marshal(req)
	if err != nil {
		return nil, err
	}
	answer := make(chan *wire.AppFSReply, 1)
	c.mu.Lock()
	c.pending[req.RequestID] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.pending, req.RequestID)
		c.mu.Unlock()
	}()
	if err := c.link.SendWait(ctx, frame); err != nil {
		return nil, err
	}
	select {
	case reply := <-answer:
		return reply, nil
	case <-c.link.Done():
		return nil, wire.Errorf(wire.Unavailable, "the runtime is gone; whether %s took effect is unknown: %w", req.Action, c.link.Err())
	case <-ctx.Done():
		return nil, wire.Errorf(wire.Timeout, "the runtime has not answered; whether %s took effect is unknown: %w", req.Action, context.Cause(ctx))
	}
}

func (c *Client) replied(id wire.ID, frame []byte) {
	c.mu.Lock()
	answer := c.pending[id]
	delete(c.pending, id)
	c.mu.Unlock()
	if answer == nil {
		return // whoever asked has gone
	}
	reply := &wire.AppFSReply{}
	if err := wire.Unmarshal(frame, reply); err != nil {
		reply = &wire.AppFSReply{Problem: wire.ProblemOf(err)}
	}
	answer <- reply
}
