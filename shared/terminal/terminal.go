package terminal

import (
	"context"
	"io"
	"os"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Size is that of a terminal, in characters.
type Size struct{ Cols, Rows uint16 }

// Options say what to run. Argv is required.
type Options struct {
	// ID is the terminal's name; "" makes one up.
	ID string
	// Argv is the program and its arguments. It is looked for in the PATH of Env.
	Argv []string
	Dir  string
	// Env is its whole environment, to which TERM is added where it is missing.
	Env []string
	// Size is the size at first; default 80 by 24.
	Size Size
}

// Exit is how a program ended.
type Exit struct {
	Code   int    // 128 and the signal's number when one ended it, as a shell has it
	Signal string // such as SIGHUP
}

const (
	// maxInput is how much input may wait for a program that does not read it, in bytes.
	maxInput = 1 << 20
	// hangupTime is how long a program has to end after it was told that its terminal
	// goes.
	hangupTime = 5 * time.Second
	// drainTime is how long what a program left running may still write.
	drainTime = 250 * time.Millisecond
)

// Terminal is a program and its terminal. Its methods are safe for concurrent use.
type Terminal struct {
	id      string
	argv    []string
	pid     int
	started time.Time
	p       *program

	mu      sync.Mutex
	moved   *sync.Cond
	out     ring
	size    Size
	readers map[*Reader]bool // true holds the program up when it is behind
	closing bool             // readers hold the program up no more
	input   [][]byte
	waiting int // bytes of input
	exit    *Exit
	ended   time.Time
	done    chan struct{} // closed when the program has ended and all it said is here
}

// ID is the terminal's name.
func (t *Terminal) ID() string { return t.id }

// PID is the program's process id.
func (t *Terminal) PID() int { return t.pid }

// Argv is what runs.
func (t *Terminal) Argv() []string { return t.argv }

// Started is when.
func (t *Terminal) Started() time.Time { return t.started }

// Size is the present size.
func (t *Terminal) Size() Size {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.size
}

// Attached is how many readers there are.
func (t *Terminal) Attached() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.readers)
}

// Written is how many bytes the program has written.
func (t *Terminal) Written() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out.end
}

// Done is closed when the program has ended and all that it wrote can be read.
func (t *Terminal) Done() <-chan struct{} { return t.done }

// Exit is how the program ended; false while it runs.
func (t *Terminal) Exit() (Exit, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.exit == nil {
		return Exit{}, false
	}
	return *t.exit, true
}

// Input types. It returns at once: what the program does not read waits, up to 1 MiB. It
// fails with NotRunning when the program has ended, and with Unavailable when too much
// waits.
func (t *Terminal) Input(data []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.exit != nil:
		return wire.Errorf(wire.NotRunning, "the program has ended")
	case t.waiting+len(data) > maxInput && t.waiting > 0:
		return wire.Errorf(wire.Unavailable, "the program does not read its input, of which %d bytes wait", t.waiting)
	}
	t.input = append(t.input, append([]byte(nil), data...))
	t.waiting += len(data)
	t.moved.Broadcast()
	return nil
}

// Resize changes the size; the program is told by SIGWINCH.
func (t *Terminal) Resize(size Size) error {
	if size.Cols == 0 || size.Rows == 0 {
		return wire.Errorf(wire.Invalid, "a terminal has at least one column and one row")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.exit != nil {
		return wire.Errorf(wire.NotRunning, "the program has ended")
	}
	if err := t.p.resize(size); err != nil {
		return wire.Errorf(wire.CodeOf(err), "resize the terminal: %w", err)
	}
	t.size = size
	return nil
}

// Signal sends a signal, such as INT or SIGTERM, to what runs in the foreground. It fails
// with Invalid for one that there is not, and with NotRunning when the program has ended.
func (t *Terminal) Signal(name string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.exit != nil {
		return wire.Errorf(wire.NotRunning, "the program has ended")
	}
	return t.p.signal(name)
}

// Close takes the terminal away: the program and all that it started are told by SIGHUP,
// and ended when that does not. It returns when they have ended, and is idempotent.
func (t *Terminal) Close() {
	select {
	case <-t.done:
		return
	default:
	}
	t.p.hangup()
	select {
	case <-t.done:
		return
	case <-time.After(hangupTime):
	}
	t.p.kill()
	t.mu.Lock()
	clear(t.readers)
	t.closing = true
	t.moved.Broadcast()
	t.mu.Unlock()
	<-t.done
}

// Reader reads what the program writes, from the byte at an offset on, or from the oldest
// that is kept. While it is behind by all that is kept, the program waits. It is to be
// closed.
func (t *Terminal) Reader(from int64) *Reader {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &Reader{t: t, at: min(max(from, t.out.first()), t.out.end)}
	r.lost = max(0, r.at-max(from, 0))
	if !t.closing {
		t.readers[r] = true
	}
	return r
}

// Reader is somebody who looks at a terminal.
type Reader struct {
	t    *Terminal
	at   int64
	lost int64
}

// Offset is where it began, and lost how many bytes before were asked for and are gone.
func (r *Reader) Offset() (at, lost int64) {
	r.t.mu.Lock()
	defer r.t.mu.Unlock()
	return r.at, r.lost
}

// Next waits for what comes next, copies as much of it as there is room for and tells its
// offset. It fails with io.EOF when the program has ended and all is read, with
// os.ErrClosed when the reader is closed, and with ctx's error.
func (r *Reader) Next(ctx context.Context, p []byte) (n int, offset int64, err error) {
	t := r.t
	stop := context.AfterFunc(ctx, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.moved.Broadcast()
	})
	defer stop()
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		switch {
		case ctx.Err() != nil:
			return 0, r.at, context.Cause(ctx)
		case r.at < t.out.end:
			// It may have been taken off the list, and overtaken then.
			r.at = max(r.at, t.out.first())
			n, offset = t.out.read(p, r.at), r.at
			r.at += int64(n)
			t.moved.Broadcast()
			return n, offset, nil
		case !t.has(r):
			return 0, r.at, os.ErrClosed
		case t.exit != nil:
			return 0, r.at, io.EOF
		}
		t.moved.Wait()
	}
}

// Hold says whether the program waits while this reader is behind by all that is kept, as
// it does at first. A reader that does not hold it misses what it does not come to in
// time, and its offsets tell so.
func (r *Reader) Hold(on bool) {
	r.t.mu.Lock()
	defer r.t.mu.Unlock()
	if r.t.has(r) {
		r.t.readers[r] = on
		r.t.moved.Broadcast()
	}
}

// Close ends the reader, and what waits in Next. It is idempotent.
func (r *Reader) Close() {
	r.t.mu.Lock()
	defer r.t.mu.Unlock()
	delete(r.t.readers, r)
	r.t.moved.Broadcast()
}

// wrote keeps what the program wrote, once the slowest reader has room for it.
func (t *Terminal) wrote(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.behind(len(p)) {
		t.moved.Wait()
	}
	t.out.write(p)
	t.moved.Broadcast()
}

func (t *Terminal) has(r *Reader) bool {
	_, ok := t.readers[r]
	return ok
}

// behind reports whether a reader would miss something when n bytes more are kept.
func (t *Terminal) behind(n int) bool {
	for r, holds := range t.readers {
		if holds && t.out.end+int64(n)-r.at > int64(t.out.keep) {
			return true
		}
	}
	return false
}

// typed waits for input; false when there will be none.
func (t *Terminal) typed() ([]byte, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.input) == 0 {
		if t.exit != nil {
			return nil, false
		}
		t.moved.Wait()
	}
	data := t.input[0]
	t.input = t.input[1:]
	t.waiting -= len(data)
	return data, true
}

// finish notes how the program ended.
func (t *Terminal) finish(exit Exit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.exit, t.ended = &exit, time.Now()
	t.input, t.waiting = nil, 0
	t.moved.Broadcast()
	close(t.done)
}
