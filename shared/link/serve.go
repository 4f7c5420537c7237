package link

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
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
	// doubtDelay is how long a bulk message outside of a session may wait for another
	// before the peer is asked whether it has had it, and doubtAgain how long the answer
	// may take before it is asked once more.
	doubtDelay = 50 * time.Millisecond
	doubtAgain = time.Second
	// byeTime is how long the peer has to answer our closing.
	byeTime = time.Second
)

// serve carries one connection from its opening to its end and returns why it
// ended. Afterwards nothing reads or writes it any more.
func (l *Link) serve(c *conn) error {
	l.current.Store(c)
	defer l.current.Store(nil)
	defer func() { _ = c.ws.Close() }()                          // again, if need be
	cut := context.AfterFunc(l.ctx, func() { _ = c.ws.Close() }) // the reader notices
	defer cut()
	if err := c.begin(); err != nil {
		return describe(err)
	}
	if l.opt.Again != nil && !c.session {
		c.ws.SetPongHandler(func(text string) error {
			if count, err := strconv.ParseUint(text, 10, 64); err == nil {
				l.out.had(count)
			}
			return c.alive()
		})
	}
	c.turn.Lock()
	c.batch.beforeRead = func() { l.uncork(c) } // the reader is us until it begins
	c.batch.gathering()
	defer c.batch.end()
	c.open = true
	c.turn.Unlock()
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
	c.turn.Lock()
	c.open = false // nobody else writes any more
	l.settle(c)
	c.turn.Unlock()
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
	if c := l.current.Load(); c != nil {
		_ = c.ws.Close()
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
	had := l.received.restart()
	unconfirmed := l.out.restart()
	if (unconfirmed > 0 || had > 0) && l.handler.Lost != nil {
		l.handler.Lost(Loss{Unconfirmed: unconfirmed, Cause: cause})
	}
}

// reader reads one connection. Its run moves to another goroutine when a
// message is released.
type reader struct {
	l     *Link
	c     *conn
	ended chan error
}

// read delivers messages until the connection ends.
func (l *Link) read(c *conn) error {
	r := &reader{l: l, c: c, ended: make(chan error, 1)}
	go r.run()
	return <-r.ended
}

func (r *reader) run() {
	for {
		m, seq, err := r.next()
		if err != nil {
			r.ended <- err
			return
		}
		r.c.spoke = true
		if r.c.opt.Gather {
			r.c.corked.Store(true)
		}
		m.from = &delivery{reader: r, seq: seq, size: len(m.Data)}
		if seq > 0 {
			r.l.received.take(m.from)
		}
		if r.l.handler.Message != nil {
			r.l.handler.Message(m)
		}
		if !m.from.over() {
			return // it was released, and another goroutine reads on
		}
	}
}

// Flush sends what [Options.Gather] has gathered, and lets nothing more be
// gathered while the message is handled. It does not wait.
func (m Message) Flush() {
	if m.from != nil {
		m.from.reader.l.uncork(m.from.reader.c)
	}
}

// next reads the next message that is for the handler. seq is 0 outside of a
// session.
func (r *reader) next() (m Message, seq uint64, err error) {
	for {
		m, err := r.c.read()
		if err != nil || !r.c.session {
			return m, 0, err
		}
		if len(m.Data) > 0 && m.Data[0] == frameGreeting {
			continue // nobody here asked for one
		}
		seq, ack, body, err := parseFrame(m.Data)
		if err != nil {
			return Message{}, 0, err
		}
		if !r.l.out.acknowledge(ack) {
			return Message{}, 0, wire.Errorf(wire.Invalid, "the peer confirmed messages that were never sent")
		}
		switch last := r.l.received.last(); {
		case seq == 0, seq <= last: // an acknowledgement; repeated after a reconnect
		case seq > last+1:
			return Message{}, 0, wire.Errorf(wire.Invalid, "the peer left out messages %d to %d", last+1, seq-1)
		default:
			return Message{Data: body, Binary: m.Binary}, seq, nil
		}
	}
}

// delivery is a message in its handler's hands.
type delivery struct {
	reader *reader
	seq    uint64 // 0 outside of a session
	size   int
	ended  atomic.Bool // the link has gone on to the next one
	held   atomic.Bool // done with only when released
	done   bool        // of receipts
}

// over notes that the link may go on. It reports whether the caller is the first
// to say so, who reads on.
func (d *delivery) over() bool {
	if !d.ended.CompareAndSwap(false, true) {
		return false
	}
	if !d.held.Load() {
		d.confirm()
	}
	return true
}

// confirm notes that the message counts as received.
func (d *delivery) confirm() {
	if d.seq == 0 {
		return
	}
	hasten := d.reader.l.received.done(d)
	c := d.reader.l.current.Load() // perhaps a later connection than it came over
	if c == nil {
		return // the next one begins with what was received
	}
	signal(c.ack)
	if hasten {
		signal(c.hasten)
	}
}

// Hold keeps the message from counting as received when the handler returns; the
// link reads on then, and [Message.Release] makes it count. Acknowledgements wait
// for the earliest message that is held, so that a handler which passes messages
// on slows the peer down without keeping anything from being read: with as much
// on its way as the peer's outbox has room for, the peer sends no more. What is
// held when a connection breaks is neither lost nor delivered again.
//
// It reports false, and has no effect, outside of a session, where nothing is
// acknowledged. It is to be called by the handler, before it lets others have
// the message.
func (m Message) Hold() bool {
	if m.from == nil || m.from.seq == 0 || m.from.ended.Load() {
		return false
	}
	m.from.held.Store(true)
	return true
}

// Release lets the link go on with the next message although the handler has
// not returned from this one; of one that is held it says that it counts as
// received. Without effect on one that counts already, and on a message that no
// link delivered. It may be called from any goroutine.
func (m Message) Release() {
	switch {
	case m.from == nil:
	case m.from.held.Load():
		m.from.confirm()
	case m.from.over():
		r := m.from.reader
		r.l.uncork(r.c)
		go r.run()
	}
}

// errOver ends a writer whose connection is over.
var errOver = errors.New("the connection is over")

// write writes what the outbox has, and pings and acknowledgements, until the
// connection is over.
func (l *Link) write(c *conn, over <-chan struct{}) error {
	ping := time.NewTicker(l.opt.Ping)
	defer ping.Stop()
	ack := time.NewTimer(time.Hour)
	defer ack.Stop()
	ack.Stop()
	doubt := time.NewTimer(time.Hour) // whether the peer has had what is kept
	defer doubt.Stop()
	doubt.Stop()
	doubting := false
	acked := uint64(0) // what the writer has told the peer on this connection
	waiting := false   // ack runs
	for {
		if err := l.upkeep(c, ping.C); err != nil {
			return err
		}
		more, err := l.writeNext(c, &acked)
		if err != nil {
			return err
		}
		owed, keeps := int64(0), false
		if l.opt.Again != nil && !c.session {
			owed, keeps = l.out.owed()
		}
		switch {
		case owed >= askAfter:
			if err := l.ping(c); err != nil {
				return err
			}
			continue
		case keeps && !doubting:
			pause := doubtDelay
			if owed == 0 {
				pause = doubtAgain
			}
			doubt.Reset(pause)
			doubting = true
		}
		if more {
			continue
		}
		select {
		case <-l.out.wake:
		case <-doubt.C:
			doubting = false
			if err := l.ping(c); err != nil {
				return err
			}
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
			if now := l.received.upTo(); now > acked {
				acked = now
				if err := c.acknowledge(now); err != nil {
					return err
				}
			}
		case text := <-c.pong:
			if err := c.control(websocket.PongMessage, []byte(text)); err != nil {
				return err
			}
		case <-ping.C:
			if err := l.ping(c); err != nil {
				return err
			}
		case <-l.bye:
			return l.sayBye(c, over, acked)
		case <-over:
			return errOver
		}
	}
}

// writeNext writes the next message, waiting for the peer as long as it must.
// When there is none it completes what is under way and reports false.
func (l *Link) writeNext(c *conn, acked *uint64) (more bool, err error) {
	c.turn.Lock()
	defer c.turn.Unlock()
	defer l.settle(c)
	m, seq, ok := l.out.next()
	if !ok {
		c.gathered, c.stalled = 0, false
		return false, c.flush()
	}
	if c.session {
		*acked = l.received.upTo()
	}
	if err := c.writeData(seq, *acked, m); err != nil {
		return false, err
	}
	l.out.gave(seq)
	return true, nil
}

// writeNow writes what the outbox has on the caller's goroutine, as far as that
// does not wait for anything: for the peer, nor for who is just writing. It
// spares a small answer the way through the writer's goroutine. It reports false
// when the writer has to go on.
func (l *Link) writeNow() (done bool) {
	c := l.current.Load()
	if c == nil || c.batch.raw == nil || !c.turn.TryLock() {
		return false
	}
	left := false // something is gathered and waits for the reader
	defer func() {
		c.turn.Unlock()
		if left && !c.corked.Load() {
			done = false // which has looked already
		}
	}()
	if !c.open || c.stalled || c.gathered > enough { // one more would not fit for certain
		return false
	}
	m, seq, ok := l.out.next()
	if !ok {
		return true // another has written it
	}
	if len(m.Data) > atOnce {
		return false
	}
	if c.writeData(seq, l.received.upTo(), m) != nil {
		return false // the writer meets the error
	}
	l.out.gave(seq)
	if c.gathered < enough && c.corked.Load() {
		left = true
	} else {
		l.tryFlush(c)
		if c.stalled {
			return false
		}
	}
	return l.out.waiting() == 0
}

// uncork writes what was gathered while the reader had messages in hand.
func (l *Link) uncork(c *conn) {
	c.corked.Store(false)
	if !c.turn.TryLock() {
		return // who has the turn sees that nothing is corked any more
	}
	defer c.turn.Unlock()
	if !c.open || c.stalled || c.gathered == 0 {
		return
	}
	if l.tryFlush(c); c.stalled {
		signal(l.out.wake)
	}
}

// tryFlush writes what is gathered as far as the peer takes it at once.
func (l *Link) tryFlush(c *conn) {
	c.stalled = !c.batch.tryFlush()
	c.gathered = 0
	l.settle(c)
}

// settle takes what has been written out of the outbox where nothing will be
// acknowledged.
func (l *Link) settle(c *conn) {
	if n := c.batch.wrote(); !c.session && l.out.wrote(n) {
		signal(l.out.wake)
	}
}

// upkeep answers and sends pings while messages keep the writer busy.
func (l *Link) upkeep(c *conn, ping <-chan time.Time) error {
	select {
	case text := <-c.pong:
		return c.control(websocket.PongMessage, []byte(text))
	case <-ping:
		return l.ping(c)
	default:
		return nil
	}
}

// ping asks whether the peer is there and, where bulk messages are kept, has had all of
// them.
func (l *Link) ping(c *conn) error {
	var text []byte
	if l.opt.Again != nil && !c.session {
		text = strconv.AppendUint(nil, l.out.asked(), 10)
	}
	return c.control(websocket.PingMessage, text)
}

// sayBye ends a connection in good order: last acknowledgement, close frame,
// and a moment for the peer's own.
func (l *Link) sayBye(c *conn, over <-chan struct{}, acked uint64) error {
	if now := l.received.upTo(); c.session && now > acked {
		if err := c.acknowledge(now); err != nil {
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
