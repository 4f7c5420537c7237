package link

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/gorilla/websocket"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Link is one lasting conversation. Its methods are safe for concurrent use.
type Link struct {
	opt     Options
	handler Handler
	out     *outbox

	// ctx ends with the link; bye is closed when Close has asked for an orderly
	// end of the connection.
	ctx    context.Context
	cancel context.CancelCauseFunc
	bye    chan struct{}
	byeOne sync.Once
	done   chan struct{}
	err    error // set before done is closed

	connected  atomic.Bool
	generation atomic.Int64

	session  string // only the link's goroutine uses it
	received receipts

	current atomic.Pointer[conn] // the connection that is being served
}

func newLink(ctx context.Context, h Handler, o Options) *Link {
	l := &Link{opt: o, handler: h, out: newOutbox(o), bye: make(chan struct{}), done: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	return l
}

// Dial returns a link that connects, and connects again whenever the connection
// breaks, until ctx ends, Close is called, the peer refuses it for good or
// Options.GiveUp has passed. It returns at once; messages sent meanwhile wait in
// the outbox.
func Dial(ctx context.Context, d Dialer, h Handler, o Options) *Link {
	l := newLink(ctx, h, o.withDefaults())
	go l.dialing(d)
	return l
}

// Send takes a message into the outbox, or fails at once: with [ErrOverflow]
// when that is full, with [ErrClosed] at the end of the link, with kind TooLarge
// for a message over the limit. The link owns data afterwards.
func (l *Link) Send(data []byte) error { return l.send(Message{Data: data}) }

// SendWait is Send, but waits for room in the outbox until ctx ends.
func (l *Link) SendWait(ctx context.Context, data []byte) error {
	return l.sendWait(ctx, Message{Data: data})
}

// SendBulk is Send for data of which there may be any amount and that can wait.
// It finds the outbox full when that holds [Options.OutboxBulk] of bulk data, and
// takes no room of other messages: these never wait, nor fail, for want of room
// because of it, and at most so much of it is written before one of them. The
// order of all messages is kept.
func (l *Link) SendBulk(data []byte) error { return l.send(Message{Data: data, bulk: true}) }

// SendBulkWait is SendBulk, but waits for room until ctx ends.
func (l *Link) SendBulkWait(ctx context.Context, data []byte) error {
	return l.sendWait(ctx, Message{Data: data, bulk: true})
}

// SendBulkThen is SendBulkWait, and calls gone once when the message has been written
// and, in a session or with [Options.Again], the peer has had it. It is not called for
// one that never leaves. It must return soon, and not send.
func (l *Link) SendBulkThen(ctx context.Context, data []byte, gone func()) error {
	return l.sendWait(ctx, Message{Data: data, bulk: true, gone: gone})
}

// SendBulkNow is SendBulk, and calls gone as SendBulkThen does.
func (l *Link) SendBulkNow(data []byte, gone func()) error {
	return l.send(Message{Data: data, bulk: true, gone: gone})
}

func (l *Link) send(m Message) error {
	if int64(len(m.Data)) > l.opt.MaxMessage {
		return wire.Errorf(wire.TooLarge, "link: a message of %d bytes; at most %d are sent", len(m.Data), l.opt.MaxMessage)
	}
	if err := l.out.put(m); err != nil {
		return err
	}
	if !l.writeNow() {
		signal(l.out.wake)
	}
	return nil
}

func (l *Link) sendWait(ctx context.Context, m Message) error {
	for {
		changed := l.out.change()
		err := l.send(m)
		if !errors.Is(err, ErrOverflow) {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-l.done:
			return ErrClosed
		}
	}
}

// Flush waits until everything sent so far has been written and, in a session,
// acknowledged.
func (l *Link) Flush(ctx context.Context) error { return l.out.empty(ctx, l.done) }

// Close ends the link in good order: nothing more is taken, what is in the
// outbox goes out while there is a connection, the peer is told, and the
// goroutines end. It is idempotent. When ctx ends first, it cuts the connection
// and returns why.
func (l *Link) Close(ctx context.Context) error {
	l.out.close()
	var err error
	if l.connected.Load() {
		err = l.out.empty(ctx, l.done)
	}
	l.byeOne.Do(func() { close(l.bye) })
	select {
	case <-l.done:
	case <-ctx.Done():
		l.cancel(context.Cause(ctx))
		<-l.done
		return errors.Join(err, context.Cause(ctx))
	}
	if errors.Is(err, ErrClosed) {
		err = nil
	}
	return err
}

// Done is closed when the link has ended.
func (l *Link) Done() <-chan struct{} { return l.done }

// Err tells why the link ended: [ErrClosed] after Close, otherwise the reason.
// It is nil before Done is closed.
func (l *Link) Err() error {
	select {
	case <-l.done:
		return l.err
	default:
		return nil
	}
}

// Status is the present state of a link.
type Status struct {
	Connected  bool
	Generation int // connections made so far
	Queued     int // messages in the outbox
}

// Status tells how the link stands now.
func (l *Link) Status() Status {
	return Status{Connected: l.connected.Load(), Generation: int(l.generation.Load()), Queued: l.out.len()}
}

// finish ends the link for good.
func (l *Link) finish(err error) {
	l.out.close()
	l.err = err
	l.cancel(err)
	close(l.done)
}

func (l *Link) leaving() bool {
	select {
	case <-l.bye:
		return true
	default:
		return l.ctx.Err() != nil
	}
}

// reason is what Err tells when the link was told to end.
func (l *Link) reason() error {
	if cause := context.Cause(l.ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return ErrClosed
}

// dialing connects again and again. It is the goroutine of a dialed link.
func (l *Link) dialing(d Dialer) {
	pauses := &backoff.ExponentialBackOff{
		InitialInterval: l.opt.RetryFirst / 2, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: l.opt.RetryMax * 2 / 3,
	}
	pauses.Reset()
	away := time.Now()
	var pause time.Duration // before the present connection
	for {
		c, err := l.connect(d)
		if err == nil {
			begun := time.Now()
			err = l.serve(c)
			away = time.Now()
			if lasted := time.Since(begun); lasted >= l.opt.Stable || c.spoke && lasted >= max(pause, l.opt.RetryFirst) {
				pauses.Reset()
			}
		}
		if l.leaving() {
			l.finish(l.reason())
			return
		}
		var refused *RefusedError
		switch {
		case errors.As(err, &refused) && refused.final(l.generation.Load() > 0):
			l.finish(wire.Permanent(err))
			return
		case l.opt.GiveUp > 0 && time.Since(away) > l.opt.GiveUp:
			l.finish(wire.Errorf(wire.Unavailable, "link: no connection for %v: %w", l.opt.GiveUp, err))
			return
		}
		pause = pauses.NextBackOff()
		l.opt.Logger.Debug("connecting again", "after", err, "pause", pause.String())
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-l.bye:
		case <-l.ctx.Done():
		}
		timer.Stop()
		if l.leaving() {
			l.finish(l.reason())
			return
		}
	}
}

// final tells that trying again is of no use.
func (e *RefusedError) final(wasConnected bool) bool {
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return true
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return e.Status >= 400 && e.Status < 500 && !wasConnected
}

// connect makes one connection.
func (l *Link) connect(d Dialer) (*conn, error) {
	ctx, cancel := context.WithTimeout(l.ctx, l.opt.Handshake)
	defer cancel()
	stop := context.AfterFunc(l.ctx, cancel)
	defer stop()
	go func() { // Close need not wait for a peer that does not answer
		select {
		case <-l.bye:
			cancel()
		case <-ctx.Done():
		}
	}()
	url, headers, err := d.URL(ctx)
	if err != nil {
		return nil, err
	}
	dial := d.NetDial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	var batch *batchConn
	dialer := websocket.Dialer{
		NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			raw, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			batch = newBatchConn(raw)
			return batch, nil
		},
		HandshakeTimeout: l.opt.Handshake, EnableCompression: l.opt.Compress,
		ReadBufferSize: bufferSize, WriteBufferSize: bufferSize, WriteBufferPool: &writeBuffers,
	}
	if l.opt.Resume {
		dialer.Subprotocols = []string{Subprotocol}
	}
	ws, resp, err := dialer.DialContext(ctx, url, headers)
	if resp != nil && resp.Body != nil {
		defer resp.Body.Close()
	}
	if err != nil {
		if errors.Is(err, websocket.ErrBadHandshake) && resp != nil {
			body, _ := io.ReadAll(io.LimitReader(resp.Body, 300)) // what can be had of it
			return nil, &RefusedError{Status: resp.StatusCode, Body: string(body)}
		}
		return nil, err
	}
	c := newConn(ws, batch, l.opt)
	c.begin = func() error { return l.beginDialed(c) }
	return c, nil
}

// beginDialed opens a connection on the dialing side: hello and greeting.
func (l *Link) beginDialed(c *conn) error {
	resumed, kind := false, byte(0)
	if c.session {
		kind = frameGreeting
		fresh := l.session == ""
		if fresh {
			l.session = rand.Text()
		}
		if err := c.sendHello(hello{Session: l.session, Received: l.received.upTo(), Fresh: fresh}); err != nil {
			return err
		}
		theirs, err := c.readHello()
		if err != nil {
			return err
		}
		if resumed, err = l.resume(theirs, fresh); err != nil {
			return err
		}
	} else {
		if l.session != "" { // the peer was replaced by one that has no sessions
			l.session = ""
			l.lose(wire.Errorf(wire.Unavailable, "the peer does not resume sessions any more"))
		}
		l.out.resend()
	}
	if l.opt.Greet != nil {
		m, err := c.readFirst(kind)
		if err == nil {
			err = l.opt.Greet(m)
		}
		if err != nil {
			return err
		}
	}
	l.up(resumed)
	return nil
}
