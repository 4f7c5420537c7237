package provider

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/codeboltai/codebolt-providers/shared/link"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// maxRelayed is how much a relay keeps, in bytes, of a peer whose outbox has no
// bound to stop it. That of the reference runtime has, and is smaller.
const maxRelayed = 8 << 20

// relay passes messages on to a link, in order and no faster than that takes bulk
// data. Each is held until the other side of that link has had it, so that a peer
// with a session sends no more than its outbox has room for, while all else it says
// goes on being read, and keeps what would be lost with this process. Its methods are
// safe for concurrent use.
type relay struct {
	ctx context.Context // with its end, nothing is passed on any more
	to  *link.Link
	log *slog.Logger
	wg  sync.WaitGroup

	mu       sync.Mutex
	queue    []passed
	bytes    int           // of queue
	lost     int           // bytes that were not passed on
	carrying bool          // a goroutine sends what is in queue
	moved    chan struct{} // closed when something leaves queue; nil while nobody waits
}

// pass passes on a message that a link's handler was given, and returns at once as
// a rule. It waits until a message that cannot be held has been sent, and for all
// while there are more than maxRelayed: the peer is read no further meanwhile.
func (r *relay) pass(m link.Message) {
	limit := 0
	if r.put(m) {
		limit = maxRelayed
	}
	_ = r.wait(r.ctx, limit) // at its end, put loses what comes
}

// say passes on a message of the provider's own, after those before it. It returns
// at once.
func (r *relay) say(frame []byte) { r.put(link.Message{Data: frame}) }

// put sends a message, or adds it to those that wait. It reports false for one that
// waits and is not held.
func (r *relay) put(m link.Message) (settled bool) {
	if cap(m.Data) > 2*len(m.Data) {
		m.Data = bytes.Clone(m.Data) // the link has read it into a buffer that is much larger
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	held := m.Hold()
	if !r.carrying {
		if r.ctx.Err() != nil {
			r.lost += len(m.Data)
			m.Release()
			return true
		}
		if err := r.to.SendBulkNow(m.Data, had(m, held)); !errors.Is(err, link.ErrOverflow) {
			r.settle(m, err)
			return true
		}
		r.carrying = true
		r.wg.Go(r.carry)
	}
	r.queue = append(r.queue, passed{m, held})
	r.bytes += len(m.Data)
	return held
}

// passed is a message that waits to be passed on.
type passed struct {
	link.Message
	held bool
}

// had is what is done when the other side has had a message. One that cannot be held
// has no session behind it, and nobody would know it again: it goes over at most once.
func had(m link.Message, held bool) func() {
	if !held {
		return nil
	}
	return m.Release
}

// carry sends what waits.
func (r *relay) carry() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.queue) > 0 {
		m := r.queue[0]
		err := context.Cause(r.ctx) // once a message was lost none after it is sent
		if err == nil {
			r.mu.Unlock()
			err = r.to.SendBulkThen(r.ctx, m.Data, had(m.Message, m.held))
			r.mu.Lock()
		}
		if !m.held {
			m.Release() // its reader goes on
		}
		r.settle(m.Message, err)
		r.queue[0] = passed{}
		r.queue = r.queue[1:]
		r.bytes -= len(m.Data)
		if r.moved != nil {
			close(r.moved)
			r.moved = nil
		}
	}
	r.queue, r.carrying = nil, false
}

// settle notes what came of a message; under mu.
func (r *relay) settle(m link.Message, err error) {
	if err == nil {
		return
	}
	m.Release()
	r.lost += len(m.Data)
	if !errors.Is(err, link.ErrClosed) && r.ctx.Err() == nil {
		r.log.Error("message of the runtime not passed on", "bytes", len(m.Data), "error", err)
	}
}

// wait waits until no more than limit bytes wait. It fails when ctx ends first.
func (r *relay) wait(ctx context.Context, limit int) error {
	for {
		r.mu.Lock()
		if r.bytes <= limit {
			r.mu.Unlock()
			return nil
		}
		if r.moved == nil {
			r.moved = make(chan struct{})
		}
		moved := r.moved
		r.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// end gives up what waits, and tells how many bytes were not passed on in the
// relay's life.
func (r *relay) end(giveUp context.CancelFunc) (lost int) {
	giveUp()
	r.wg.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lost
}

// repeated is what the runtime has said as it is passed on once more, because a broken
// connection may have lost it: those who have had it know it again.
func repeated(frame []byte) []byte {
	again, err := wire.With(frame, map[string]any{"replay": true})
	if err != nil {
		return frame
	}
	return again
}
