package suite

import "sync"

// tail is a writer that keeps the last bytes written to it. It is safe for
// concurrent use.
type tail struct {
	limit int // bytes kept; 0 means 64 KiB

	mu      sync.Mutex
	buf     []byte
	dropped int64
	watch   func(p []byte) // sees every write; set before the first
}

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watch != nil {
		w.watch(p)
	}
	limit := w.limit
	if limit == 0 {
		limit = 64 << 10
	}
	n := len(p)
	if n > limit {
		w.dropped += int64(n - limit)
		p = p[n-limit:]
	}
	if over := len(w.buf) + len(p) - limit; over > 0 {
		w.dropped += int64(over)
		w.buf = append(w.buf[:0], w.buf[over:]...)
	}
	w.buf = append(w.buf, p...)
	return n, nil
}

func (w *tail) bytes() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]byte(nil), w.buf...)
}
