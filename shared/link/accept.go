package link

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Acceptor is an http.Handler that makes a [Link] of each WebSocket peer, and
// gives a peer that resumes a session back the link it had. Set its fields
// before the first request.
type Acceptor struct {
	Options Options
	// Accept is called for each new peer, before anything is read from it. An
	// error ends the connection; the link must not be used then.
	Accept func(l *Link, r *http.Request) (Handler, error)
	// Greeting makes the first message of each connection; nil sends none. It
	// tells whether the peer's session goes on.
	Greeting func(l *Link, r *http.Request, resumed bool) []byte

	mu       sync.Mutex
	sessions map[string]*accepted
	links    map[*accepted]bool
	closed   bool
	wg       sync.WaitGroup
}

// accepted is a link on the called side: connections come to it.
type accepted struct {
	*Link
	incoming chan *conn
	opened   bool // our hello was sent once; owned by the link's goroutine
}

// ServeHTTP implements http.Handler. Who may connect is to be checked before.
func (a *Acceptor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o := a.Options.withDefaults()
	up := websocket.Upgrader{
		// The caller has checked the token; browsers' origins mean nothing here.
		CheckOrigin:       func(*http.Request) bool { return true },
		EnableCompression: true, HandshakeTimeout: o.Handshake,
		ReadBufferSize: bufferSize, WriteBufferSize: bufferSize, WriteBufferPool: &writeBuffers,
		Subprotocols: []string{Subprotocol},
	}
	h := &hijacker{ResponseWriter: w}
	ws, err := up.Upgrade(h, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	c := newConn(ws, h.batch, o)
	var theirs hello
	if c.session {
		if theirs, err = c.readHello(); err != nil {
			o.Logger.Debug("session not opened", "error", err)
			c.goodbye(websocket.CloseProtocolError, "no hello")
			_ = ws.Close()
			return
		}
	}
	l, known, err := a.link(c, theirs, r, o)
	if err != nil {
		c.goodbye(websocket.ClosePolicyViolation, err.Error())
		_ = ws.Close()
		return
	}
	c.begin = func() error { return a.begin(l, c, theirs, r) }
	if known {
		l.drop() // the peer has left its earlier connection, or it would not be here
	}
	select {
	case l.incoming <- c:
	case <-l.done:
		_ = ws.Close()
	}
}

// link finds the link of a peer's session or makes one.
func (a *Acceptor) link(c *conn, theirs hello, r *http.Request, o Options) (l *accepted, known bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, false, ErrClosed
	}
	if l := a.sessions[theirs.Session]; c.session && l != nil {
		return l, true, nil
	}
	l = &accepted{Link: newLink(context.Background(), Handler{}, o), incoming: make(chan *conn)}
	if l.handler, err = a.Accept(l.Link, r); err != nil {
		l.finish(err)
		return nil, false, err
	}
	if a.links == nil {
		a.sessions, a.links = map[string]*accepted{}, map[*accepted]bool{}
	}
	a.links[l] = true
	if c.session {
		l.session = theirs.Session
		a.sessions[theirs.Session] = l
	}
	a.wg.Go(func() { a.serve(l, c.session) })
	return l, false, nil
}

// begin opens a connection on the called side: hello and greeting.
func (a *Acceptor) begin(l *accepted, c *conn, theirs hello, r *http.Request) error {
	resumed := false
	if c.session {
		fresh := !l.opened
		if fresh {
			theirs.Received = 0 // what it may have received came from a session that is gone
		}
		if !l.out.rewind(theirs.Received) {
			return wire.Errorf(wire.Invalid, "the peer confirmed messages that were never sent")
		}
		if err := c.sendHello(hello{Session: theirs.Session, Received: l.received.upTo(), Fresh: fresh}); err != nil {
			return err
		}
		l.opened = true
		resumed = !fresh
	}
	if !c.session {
		l.out.resend()
	}
	if a.Greeting != nil {
		var kind []byte
		if c.session {
			kind = []byte{frameGreeting}
		}
		if err := c.write(kind, Message{Data: a.Greeting(l.Link, r, resumed)}); err != nil {
			return err
		}
	}
	l.up(resumed)
	return nil
}

// serve is the goroutine of an accepted link.
func (a *Acceptor) serve(l *accepted, session bool) {
	var end error
	for end == nil {
		timer := time.NewTimer(l.opt.SessionTTL)
		select {
		case c := <-l.incoming:
			err := l.serve(c)
			switch {
			case l.leaving():
				end = l.reason()
			case !session, websocket.IsCloseError(cause(err), websocket.CloseNormalClosure):
				end = err
			}
		case <-timer.C:
			end = wire.Errorf(wire.Unavailable, "link: the peer did not come back within %v", l.opt.SessionTTL)
			if n := l.out.restart(); n > 0 && l.handler.Lost != nil {
				l.handler.Lost(Loss{Unconfirmed: n, Cause: end})
			}
		case <-l.bye:
			end = ErrClosed
		case <-l.ctx.Done():
			end = l.reason()
		}
		timer.Stop()
	}
	a.mu.Lock()
	delete(a.links, l)
	if a.sessions[l.session] == l {
		delete(a.sessions, l.session)
	}
	a.mu.Unlock()
	l.finish(end)
}

// cause is the close error within err, if any.
func cause(err error) error {
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		return closed
	}
	return err
}

// Close closes all links in good order and waits for them, until ctx ends; then
// it cuts them. Later peers are turned away. It is idempotent.
func (a *Acceptor) Close(ctx context.Context) error {
	a.mu.Lock()
	a.closed = true
	links := make([]*accepted, 0, len(a.links))
	for l := range a.links {
		links = append(links, l)
	}
	a.mu.Unlock()
	errs := make([]error, len(links))
	var wg sync.WaitGroup
	for i, l := range links {
		wg.Go(func() { errs[i] = l.Close(ctx) })
	}
	wg.Wait()
	a.wg.Wait()
	return errors.Join(errs...)
}
