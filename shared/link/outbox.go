package link

import (
	"context"
	"sync"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// outbox holds what is to be sent, in order, until it has been written or, in a
// session, acknowledged. It is safe for concurrent use.
type outbox struct {
	wake chan struct{} // holds a token when there is something to write

	mu      sync.Mutex
	queue   []Message
	plain   load   // of the messages in queue that are not bulk
	bulk    load   // of the others
	first   uint64 // sequence number of queue[0]; numbers begin at 1
	written int    // how many of queue the present connection has taken
	high    int    // how many of queue any connection of the session was given
	lent    int    // high, with the message that is just being written
	kept    kept
	closed  bool
	changed chan struct{} // closed when something leaves, or at the end; nil while nobody waits
}

// kept are the bulk messages that were written outside of a session and that the peer is
// not known to have had.
type kept struct {
	again    func([]byte) []byte // nil keeps none
	messages []Message
	count    uint64 // of all that were ever kept
	bytes    int64  // of those since the last ping
}

// load is how much of one kind of messages there is, and may be.
type load struct {
	messages, maxMessages int
	bytes, maxBytes       int64
}

func (l *load) full(size int64) bool {
	return l.messages > 0 && (l.messages >= l.maxMessages || l.bytes+size > l.maxBytes)
}

// footprint is how much memory a message takes.
func (m Message) footprint() int64 { return int64(cap(m.Data)) }

func newOutbox(o Options) *outbox {
	return &outbox{
		plain: load{maxMessages: o.OutboxMessages, maxBytes: o.OutboxBytes},
		bulk:  load{maxMessages: o.OutboxMessages, maxBytes: o.OutboxBulk},
		first: 1, wake: make(chan struct{}, 1), kept: kept{again: o.Again},
	}
}

// load is that of a message's kind; under mu.
func (b *outbox) load(m Message) *load {
	if m.bulk {
		return &b.bulk
	}
	return &b.plain
}

// put takes a message, or says why not. The caller sees to it that it is
// written, or wakes the writer.
func (b *outbox) put(m Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	of := b.load(m)
	if of.full(m.footprint()) {
		return wire.Errorf(wire.Unavailable, "%w (%d messages, %d bytes)", ErrOverflow, of.messages, of.bytes)
	}
	of.messages++
	of.bytes += m.footprint()
	b.queue = append(b.queue, m)
	return nil
}

// change is closed when something leaves the outbox. Ask for it before looking.
func (b *outbox) change() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return b.changed
}

// tell ends the waiting for a change.
func (b *outbox) tell() {
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// next gives the next message to write on the present connection. From then on
// the peer may have seen it: it can confirm a message before the call that
// writes it has returned.
func (b *outbox) next() (m Message, seq uint64, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.written == len(b.queue) {
		return Message{}, 0, false
	}
	b.lent = max(b.high, b.written+1)
	return b.queue[b.written], b.first + uint64(b.written), true
}

// gave notes that message seq, given by next, is with the connection.
func (b *outbox) gave(seq uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if seq < b.first {
		return // confirmed already
	}
	b.written++
	b.high = max(b.high, b.written)
}

// wrote drops the first n messages, which were written, and nobody acknowledges; those
// of which somebody wants to hear are kept until a ping after them has its answer. It reports whether the
// writer should see to that.
func (b *outbox) wrote(n int) (look bool) {
	if n == 0 {
		return false
	}
	b.mu.Lock()
	before := b.kept.bytes
	if b.kept.again != nil {
		for i := range n {
			m := b.queue[i]
			if !m.bulk || m.gone == nil {
				continue
			}
			// It takes room until then.
			b.bulk.messages++
			b.bulk.bytes += m.footprint()
			b.queue[i].gone = nil
			b.kept.messages = append(b.kept.messages, m)
			b.kept.count++
			b.kept.bytes += m.footprint()
		}
	}
	look = b.kept.bytes > 0 && before == 0 || b.kept.bytes >= askAfter && before < askAfter
	left := b.drop(n)
	b.mu.Unlock()
	left.tell()
	return look
}

// askAfter is after how many bytes of bulk messages the peer is asked without delay
// whether it has had them.
const askAfter = 256 << 10

// owed tells how much was kept since the last ping, and whether anything is kept.
func (b *outbox) owed() (bytes int64, keeps bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.kept.bytes, len(b.kept.messages) > 0
}

// asked notes that a ping is about to be written, and gives the count by which its
// answer confirms what is kept now.
func (b *outbox) asked() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept.bytes = 0
	return b.kept.count
}

// had notes the answer to a ping.
func (b *outbox) had(count uint64) {
	b.mu.Lock()
	n := len(b.kept.messages) - int(b.kept.count-min(count, b.kept.count))
	var left departed
	if n > 0 {
		for _, m := range b.kept.messages[:n] {
			b.bulk.messages--
			b.bulk.bytes -= m.footprint()
			if m.gone != nil {
				left = append(left, m.gone)
			}
		}
		if b.kept.messages = b.kept.messages[n:]; len(b.kept.messages) == 0 {
			b.kept.messages = nil
		}
		b.tell()
	}
	b.mu.Unlock()
	left.tell()
}

// acknowledge drops everything up to seq. It reports whether the peer may have
// seen that many.
func (b *outbox) acknowledge(seq uint64) bool {
	var left departed
	defer func() { left.tell() }() // without the lock
	b.mu.Lock()
	defer b.mu.Unlock()
	if seq+1 < b.first {
		return true // an old acknowledgement
	}
	n := seq + 1 - b.first
	if n > uint64(max(b.high, b.lent)) {
		return false
	}
	left = b.drop(int(n))
	return true
}

// departed are those who want to hear that a message has left.
type departed []func()

func (d departed) tell() {
	for _, gone := range d {
		gone()
	}
}

// drop removes the first n messages, which the present connection has seen.
func (b *outbox) drop(n int) (left departed) {
	if n == 0 {
		return nil
	}
	for i := range n {
		of := b.load(b.queue[i])
		if b.queue[i].gone != nil {
			left = append(left, b.queue[i].gone)
		}
		of.messages--
		of.bytes -= b.queue[i].footprint()
		b.queue[i] = Message{}
	}
	b.queue = b.queue[n:]
	if len(b.queue) == 0 {
		b.queue = nil
	}
	b.first += uint64(n)
	b.written, b.high, b.lent = max(0, b.written-n), max(0, b.high-n), max(0, b.lent-n)
	b.tell()
	return left
}

// rewind prepares for a new connection. In a session, the peer has received
// everything up to seq, and the rest is written again; ok is false when it
// cannot be so.
func (b *outbox) rewind(seq uint64) (ok bool) {
	var left departed
	defer func() { left.tell() }() // without the lock
	b.mu.Lock()
	defer b.mu.Unlock()
	if seq+1 < b.first || seq+1-b.first > uint64(max(b.high, b.lent)) {
		return false
	}
	left = b.drop(int(seq + 1 - b.first))
	b.written, b.lent = 0, 0
	if len(b.queue) > 0 {
		signal(b.wake)
	}
	return true
}

// restart begins a new session: what the lost one had written and never heard
// of is given up and counted, the rest is numbered anew.
func (b *outbox) restart() (unconfirmed int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	unconfirmed = b.high
	b.drop(unconfirmed) // whether they arrived is not known
	b.first, b.written, b.high, b.lent = 1, 0, 0, 0
	if len(b.queue) > 0 {
		signal(b.wake)
	}
	return unconfirmed
}

// resend prepares for a new connection without a session.
func (b *outbox) resend() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.written, b.high, b.lent = 0, 0, 0
	if n := len(b.kept.messages); n > 0 {
		// They have been a part of the queue, which therefore began before them.
		b.first -= uint64(n)
		queue := make([]Message, 0, n+len(b.queue))
		for _, m := range b.kept.messages {
			b.bulk.bytes -= m.footprint()
			m.Data = b.kept.again(m.Data)
			b.bulk.bytes += m.footprint()
			queue = append(queue, m)
		}
		b.queue = append(queue, b.queue...)
		b.kept.messages, b.kept.bytes = nil, 0
	}
	if len(b.queue) > 0 {
		signal(b.wake)
	}
}

// waiting is how many messages the present connection was not given.
func (b *outbox) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue) - b.written
}

func (b *outbox) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue)
}

// close refuses further messages.
func (b *outbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		b.tell()
	}
}

// empty waits until everything has left, or ctx or done ends.
func (b *outbox) empty(ctx context.Context, done <-chan struct{}) error {
	for {
		changed := b.change()
		if b.len() == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-done:
			if b.len() == 0 {
				return nil
			}
			return ErrClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// signal puts a token into a channel of capacity 1.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
