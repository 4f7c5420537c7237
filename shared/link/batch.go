package link

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// batchSize is how much a batch gathers before it writes by itself.
const batchSize = 64 << 10

// batchConn gathers small writes, so that a run of messages costs one system
// call, can write without waiting for the peer, and knows which messages have
// been written as a whole. Nothing is gathered until gathering; whoever writes
// from then on calls Flush or tryFlush when nothing more follows at once.
type batchConn struct {
	net.Conn
	raw syscall.RawConn // nil where a write cannot be tried without waiting
	// beforeRead is called before each read, by who reads.
	beforeRead func()

	mu       sync.Mutex
	gather   bool      // small writes stay in buf
	buf      []byte    // from batches while something is in it
	deadline time.Time // of the writes to come
	limited  bool      // Conn has a deadline
	taken    uint64    // bytes taken
	written  uint64    // bytes of them that were written
	ends     []uint64  // where the messages end that were not yet reported as written
}

var batches = sync.Pool{New: func() any { b := make([]byte, 0, batchSize); return &b }}

func newBatchConn(c net.Conn) *batchConn {
	b := &batchConn{Conn: c}
	if s, ok := c.(syscall.Conn); ok && canTry {
		b.raw, _ = s.SyscallConn() // without one, nothing is tried
	}
	return b
}

// gathering begins to gather.
func (b *batchConn) gathering() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gather = true
}

// end drops what is still gathered.
func (b *batchConn) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gather = false
	b.release()
}

func (b *batchConn) release() {
	if b.buf != nil {
		whole := b.buf[:0]
		batches.Put(&whole)
		b.buf = nil
	}
}

// endMessage notes that a message is complete, and returns how much is gathered.
func (b *batchConn) endMessage() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ends = append(b.ends, b.taken)
	return len(b.buf)
}

// wrote is how many messages have been written since it was last asked.
func (b *batchConn) wrote() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for n < len(b.ends) && b.ends[n] <= b.written {
		n++
	}
	b.ends = append(b.ends[:0], b.ends[n:]...)
	return n
}

// Read implements net.Conn.
func (b *batchConn) Read(p []byte) (int, error) {
	if b.beforeRead != nil {
		b.beforeRead()
	}
	return b.Conn.Read(p)
}

// SetWriteDeadline notes the deadline; only a write that may wait needs it.
func (b *batchConn) SetWriteDeadline(t time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deadline = t
	return nil
}

// SetDeadline implements net.Conn.
func (b *batchConn) SetDeadline(t time.Time) error {
	if err := b.SetWriteDeadline(t); err != nil {
		return err
	}
	return b.SetReadDeadline(t)
}

// Write implements net.Conn.
func (b *batchConn) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken += uint64(len(p))
	if b.gather && len(b.buf)+len(p) <= batchSize {
		if b.buf == nil {
			b.buf = (*batches.Get().(*[]byte))[:0]
		}
		b.buf = append(b.buf, p...)
		return len(p), nil
	}
	if err := b.flush(); err != nil {
		return 0, err
	}
	return b.write(p)
}

// Flush writes what was gathered. It waits for the peer until the deadline.
func (b *batchConn) Flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.flush()
}

func (b *batchConn) flush() error {
	if len(b.buf) == 0 {
		return nil
	}
	n, err := b.write(b.buf)
	b.drop(n)
	return err
}

// drop removes what was written of the batch.
func (b *batchConn) drop(n int) {
	if n == len(b.buf) {
		b.release()
		return
	}
	b.buf = b.buf[:copy(b.buf, b.buf[n:])]
}

// write writes to the connection, and waits for the peer.
func (b *batchConn) write(p []byte) (int, error) {
	if b.limited || !b.deadline.IsZero() {
		if err := b.Conn.SetWriteDeadline(b.deadline); err != nil {
			return 0, err
		}
		b.limited = !b.deadline.IsZero()
	}
	n, err := b.Conn.Write(p)
	b.written += uint64(n)
	return n, err
}

// tryFlush writes as much of what was gathered as goes without waiting, and
// tells whether that was all.
func (b *batchConn) tryFlush() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.buf) == 0 {
		return true
	}
	if b.raw == nil {
		return false // whoever may wait for the peer writes it
	}
	if b.limited { // an old deadline would forbid it
		if b.Conn.SetWriteDeadline(time.Time{}) != nil {
			return false
		}
		b.limited = false
	}
	n := 0
	if err := b.raw.Write(func(fd uintptr) bool {
		n = tryWrite(fd, b.buf)
		return true
	}); err != nil {
		return false // whoever flushes next meets the error
	}
	b.written += uint64(n)
	b.drop(n)
	return len(b.buf) == 0
}

// hijacker gives the upgrader a batchConn.
type hijacker struct {
	http.ResponseWriter
	batch *batchConn
}

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	raw, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.batch = newBatchConn(raw)
	return h.batch, rw, nil
}
