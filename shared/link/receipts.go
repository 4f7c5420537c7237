package link

import (
	"sync"
	"sync/atomic"
)

// receipts keeps which messages of a session have been received. A message is
// taken when the handler gets it, and confirmed when the handler is done with it
// and with all before it: that is what the peer is told. It is safe for
// concurrent use; its zero value begins a session.
type receipts struct {
	confirmed atomic.Uint64 // the last message that the peer may forget

	mu    sync.Mutex
	taken uint64      // the last message that a handler was given
	open  []*delivery // those of them that are not confirmed, in order
	// Of messages that handlers were done with since the peer was last to be told
	// without delay.
	bytes, count int
}

// upTo is the last message that the peer may forget.
func (r *receipts) upTo() uint64 { return r.confirmed.Load() }

// last is the last message that a handler was given.
func (r *receipts) last() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.taken
}

// take notes that a handler is given the next message.
func (r *receipts) take(d *delivery) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken = d.seq
	r.open = append(r.open, d)
}

// done notes that the handler is done with a message. It reports whether so much
// has come together that the peer should be told without delay. A message of a
// lost session has no effect.
func (r *receipts) done(d *delivery) (hasten bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d.done = true
	for len(r.open) > 0 && r.open[0].done {
		r.confirmed.Store(r.open[0].seq)
		r.open[0] = nil
		r.open = r.open[1:]
	}
	r.count++
	if r.bytes += d.size; r.bytes < ackBytes && r.count < ackMessages {
		return false
	}
	r.bytes, r.count = 0, 0
	return true
}

// restart begins a new session. It tells what the lost one had taken.
func (r *receipts) restart() (taken uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken = r.taken
	r.taken, r.open = 0, nil
	r.confirmed.Store(0)
	return taken
}
