package sshconn

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// patience bounds the time that a hop may take, without the time in which a
// person is waited for.
type patience struct {
	mu      sync.Mutex
	timer   *time.Timer
	until   time.Time
	left    time.Duration
	pausing bool
}

func newPatience(limit time.Duration, expired func()) *patience {
	return &patience{timer: time.AfterFunc(limit, expired), until: time.Now().Add(limit)}
}

func (p *patience) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.pausing && p.timer.Stop() {
		p.pausing, p.left = true, time.Until(p.until)
	}
}

func (p *patience) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pausing {
		p.pausing, p.until = false, time.Now().Add(p.left)
		p.timer.Reset(p.left)
	}
}

func (p *patience) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer.Stop()
	p.pausing = false
}

var epoch = time.Now()

// greetingMax is how much is kept of how a peer begins.
const greetingMax = 256

// watched is a connection of which is known when its peer was heard last, and
// why it ended.
type watched struct {
	net.Conn
	heard atomic.Int64 // since epoch
	ended atomic.Pointer[error]

	mu    sync.Mutex
	began []byte // the first bytes of the peer
}

func watch(conn net.Conn) *watched {
	w := &watched{Conn: conn}
	w.heard.Store(int64(time.Since(epoch)))
	return w
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.mu.Lock()
		if room := greetingMax - len(w.began); room > 0 {
			w.began = append(w.began, p[:min(n, room)]...)
		}
		w.mu.Unlock()
		w.heard.Store(int64(time.Since(epoch)))
	}
	return n, w.note(err)
}

// greeting is how the peer began, when that was not as SSH servers do, else "".
func (w *watched) greeting() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if strings.Contains(string(w.began), "SSH-") {
		return ""
	}
	return clean(string(w.began))
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	return n, w.note(err)
}

func (w *watched) note(err error) error {
	if err != nil {
		w.ended.CompareAndSwap(nil, &err)
	}
	return err
}

// end returns why the connection ended, or nil while it has not.
func (w *watched) end() error {
	if err := w.ended.Load(); err != nil {
		return *err
	}
	return nil
}

// lastHeard returns when the last byte of the peer came.
func (w *watched) lastHeard() time.Time { return epoch.Add(time.Duration(w.heard.Load())) }
