// Package faultproxy is a TCP proxy that injects faults into connections, for
// tests of whatever must survive them.
package faultproxy

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Proxy passes connections on to a target and disturbs them on request. Its
// methods are safe for concurrent use.
type Proxy struct {
	ln     net.Listener
	target func(ctx context.Context) (net.Conn, error)
	wg     sync.WaitGroup
	cuts   atomic.Int64
	// hold is held by Blackhole; passing bytes takes it for reading.
	hold sync.RWMutex

	mu    sync.Mutex
	conns map[net.Conn]net.Conn
	fuse  int64 // bytes until the next cut, when fused
	fused bool
}

// Listen starts a proxy on a free loopback port. Target opens the other side of
// each connection. Close ends it.
func Listen(target func(ctx context.Context) (net.Conn, error)) (*Proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // loopback listeners do not wait
	if err != nil {
		return nil, err
	}
	p := &Proxy{ln: ln, target: target, conns: map[net.Conn]net.Conn{}}
	p.wg.Go(p.accept)
	return p, nil
}

// Addr is where the proxy listens, as host:port.
func (p *Proxy) Addr() string { return p.ln.Addr().String() }

// Cuts is how many connections were cut so far.
func (p *Proxy) Cuts() int { return int(p.cuts.Load()) }

func (p *Proxy) accept() {
	for {
		near, err := p.ln.Accept()
		if err != nil {
			return // Close
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		far, err := p.target(ctx)
		cancel()
		if err != nil {
			_ = near.Close()
			continue
		}
		p.mu.Lock()
		p.conns[near] = far
		p.mu.Unlock()
		p.wg.Go(func() { p.pass(near, far) })
		p.wg.Go(func() { p.pass(far, near) })
	}
}

// CutAfter cuts the connection over which the next n bytes, both ways counted
// together, have passed: in the middle of a frame, as it happens.
func (p *Proxy) CutAfter(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fuse, p.fused = n, true
}

// Armed reports whether a CutAfter has yet to happen.
func (p *Proxy) Armed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fused
}

// Cut cuts all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for near, far := range p.conns {
		p.cut(near, far)
	}
}

func (p *Proxy) cut(near, far net.Conn) {
	for _, c := range []net.Conn{near, far} {
		if tcp, ok := c.(*net.TCPConn); ok && rand.IntN(2) == 0 {
			_ = tcp.SetLinger(0) // a reset rather than an orderly end
		}
		_ = c.Close()
	}
	delete(p.conns, near)
	p.cuts.Add(1)
}

// Blackhole lets no byte pass for the duration; connections stay open.
func (p *Proxy) Blackhole(ctx context.Context, d time.Duration) {
	p.hold.Lock()
	defer p.hold.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (p *Proxy) pass(from, to net.Conn) {
	defer func() {
		_ = from.Close()
		_ = to.Close()
		p.mu.Lock()
		delete(p.conns, from)
		delete(p.conns, to)
		p.mu.Unlock()
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.hold.RLock()
		allowed, blow := p.burn(int64(n))
		_, werr := to.Write(buf[:allowed])
		p.hold.RUnlock()
		if blow {
			p.mu.Lock()
			p.cut(from, to)
			delete(p.conns, to)
			p.mu.Unlock()
			return
		}
		if err != nil || werr != nil {
			if errors.Is(err, io.EOF) && werr == nil {
				if half, ok := to.(interface{ CloseWrite() error }); ok {
					_ = half.CloseWrite()
				}
			}
			return
		}
	}
}

// burn says how many of n bytes may pass, and whether the fuse blows then.
func (p *Proxy) burn(n int64) (allowed int64, blow bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.fused || n == 0 {
		return n, false
	}
	if n < p.fuse {
		p.fuse -= n
		return n, false
	}
	p.fused = false
	return p.fuse, true
}

// Close ends the proxy and all its connections, and waits for its goroutines.
func (p *Proxy) Close() error {
	err := p.ln.Close()
	p.mu.Lock()
	for near, far := range p.conns {
		_ = near.Close()
		_ = far.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
	return err
}
