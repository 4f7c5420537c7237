package link

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const (
	// ackDelay is how long a received message may wait for something to be sent
	// that acknowledges it along the way.
	ackDelay = 50 * time.Millisecond
	// ackBytes and ackMessages of received messages are acknowledged without
	// waiting, so that the peer's outbox does not fill.
	ackBytes    = 1 << 20
	ackMessages = 256
	// byeTime is how long the peer has to answer our closing.
	byeTime = time.Second
)

// serve carries one connection from its opening to its end and returns why it
// ended. Afterwards nothing reads or writes it any more.
func (l *Link) serve(c *conn) error {
	l.mu.Lock()
	l.current = c
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.current = nil
		l.mu.Unlock()
	}()
	defer func() { _ = c.ws.Close() }()                          // again, if need be
	cut := context.AfterFunc(l.ctx, func() { _ = c.ws.Close() }) // the reader notices
	defer cut()
	if err := c.begin(); err != nil {
		return describe(err)
	}
	if c.batch != nil && c.session {
		// Without a session it must be known of each message whether it was
		// written, or it could arrive twice.
		c.batch.start()
		defer c.batch.end()
	}
	over := make(chan struct{})
	var (
		writer   sync.WaitGroup
		writeErr error
	)
	writer.Go(func() {
		writeErr = l.write(c, over)
		if writeErr != nil {
			_ = c.ws.Close() // the reader notices
		}
	})
	err := l.read(c)
	close(over)
	_ = c.ws.Close() // a writer that waits for the peer notices
	writer.Wait()
	if errors.Is(err, net.ErrClosed) && writeErr != nil && !errors.Is(writeErr, errOver) {
		err = writeErr // the reader only saw what the writer did about it
	}
	l.connected.Store(false)
	err = describe(err)
	if l.handler.Down != nil {
		l.handler.Down(err)
	}
	return err
}

// drop cuts the present connection.
func (l *Link) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current != nil {
		_ = l.current.ws.Close()
	}
}

// up tells that a connection is ready for messages.
func (l *Link) up(resumed bool) {
	gen := int(l.generation.Add(1))
	l.connected.Store(true)
	if l.handler.Up != nil {
		l.handler.Up(Up{Generation: gen, Resumed: resumed})
	}
}

// resume takes the peer's hello and prepares the outbox. It tells whether an
// earlier connection is continued.
func (l *Link) resume(theirs hello, fresh bool) (resumed bool, err error) {
	if fresh == theirs.Fresh || fresh {
		if l.out.rewind(theirs.Received) {
			return !fresh, nil
		}
		err = wire.Errorf(wire.Invalid, "the peer confirmed messages that were never sent")
		l.session = ""
	}
	cause := err
	if cause == nil {
		cause = wire.Errorf(wire.Unavailable, "the peer does not know the session any more")
	}
	l.lose(cause)
	return false, err
}

// lose begins anew on our side: what the session had under way is given up, and
// reported.
func (l *Link) lose(cause error) {
	had := l.received.Swap(0)
	unconfirmed := l.out.restart()
	if (unconfirmed > 0 || had > 0) && l.handler.Lost != nil {
		l.handler.Lost(Loss{Unconfirmed: unconfirmed, Cause: cause})
	}
}

// read delivers messages until the connection ends.
func (l *Link) read(c *conn) error {
	var bytes, count int
	for {
		m, err := c.read()
		if err != nil {
			return err
		}
		if !c.session {
			c.spoke = true
			l.deliver(m)
			continue
		}
		if len(m.Data) > 0 && m.Data[0] == frameGreeting {
			continue // nobody here asked for one
		}
		seq, ack, body, err := parseFrame(m.Data)
		if err != nil {
			return err
		}
		if !l.out.acknowledge(ack) {
			return wire.Errorf(wire.Invalid, "the peer confirmed messages that were never sent")
		}
		if seq == 0 {
			continue
		}
		switch last := l.received.Load(); {
		case seq <= last:
			continue // repeated after a reconnect
		case seq > last+1:
			return wire.Errorf(wire.Invalid, "the peer left out messages %d to %d", last+1, seq-1)
		}
		c.spoke = true
		l.deliver(Message{Data: body, Binary: m.Binary})
		l.received.Store(seq)
		signal(c.ack)
		count++
		if bytes += len(body); bytes >= ackBytes || count >= ackMessages {
			bytes, count = 0, 0
			signal(c.hasten)
		}
	}
}

func (l *Link) deliver(m Message) {
	if l.handler.Message != nil {
		l.handler.Message(m)
	}
}

// errOver ends a writer whose connection is over.
var errOver = errors.New("the connection is over")

// write writes what the outbox has, and pings and acknowledgements, until the
// connection is over. It is the connection's only writer.
func (l *Link) write(c *conn, over <-chan struct{}) error {
	ping := time.NewTicker(l.opt.Ping)
	defer ping.Stop()
	ack := time.NewTimer(time.Hour)
	defer ack.Stop()
	ack.Stop()
	acked := uint64(0) // what the peer has been told on this connection
	waiting := false   // ack runs
	var header [headerRoom]byte
	for {
		if err := l.upkeep(c, ping.C); err != nil {
			return err
		}
		if m, seq, ok := l.out.next(); ok {
			var head []byte
			if c.session {
				acked = l.received.Load()
				head = dataHeader(header[:0], seq, acked)
			}
			if err := c.write(head, m); err != nil {
				return err
			}
			l.out.wrote(seq, c.session)
			continue
		}
		if err := c.flush(); err != nil {
			return err
		}
		select {
		case <-l.out.wake:
		case <-c.ack:
			if !waiting { // or a steady trickle would put it off for ever
				ack.Reset(ackDelay)
				waiting = true
			}
		case <-c.hasten:
			ack.Reset(0)
			waiting = true
		case <-ack.C:
			waiting = false
			if now := l.received.Load(); now > acked {
				acked = now
				if err := c.write(ackHeader(header[:0], now), Message{}); err != nil {
					return err
				}
			}
		case text := <-c.pong:
			if err := c.control(websocket.PongMessage, []byte(text)); err != nil {
				return err
			}
		case <-ping.C:
			if err := c.control(websocket.PingMessage, nil); err != nil {
				return err
			}
		case <-l.bye:
			return l.sayBye(c, over, acked)
		case <-over:
			return errOver
		}
	}
}

// upkeep answers and sends pings while messages keep the writer busy.
func (l *Link) upkeep(c *conn, ping <-chan time.Time) error {
	select {
	case text := <-c.pong:
		return c.control(websocket.PongMessage, []byte(text))
	case <-ping:
		return c.control(websocket.PingMessage, nil)
	default:
		return nil
	}
}

// sayBye ends a connection in good order: last acknowledgement, close frame,
// and a moment for the peer's own.
func (l *Link) sayBye(c *conn, over <-chan struct{}, acked uint64) error {
	if now := l.received.Load(); c.session && now > acked {
		if err := c.write(ackHeader(nil, now), Message{}); err != nil {
			return err
		}
	}
	c.goodbye(websocket.CloseNormalClosure, "")
	timer := time.NewTimer(byeTime)
	defer timer.Stop()
	select {
	case <-over:
		return errOver
	case <-timer.C:
		return ErrClosed
	}
}
